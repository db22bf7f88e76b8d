"""A real HTTP server on this machine that speaks the hub's protocol, and misbehaves exactly when it is told to.

As huggingface.co does it: ``/api/models/{repo}/revision/{rev}`` tells the commit, ``/api/models/{repo}/tree/{commit}``
lists files in pages linked by ``Link: <…>; rel="next"`` (large files with their SHA-256 under ``lfs``, small ones with
git's blob id), ``/{repo}/resolve/{commit}/{path}`` redirects large files to a content network and serves small ones,
both with ``Range``, ``ETag``, ``X-Linked-ETag`` and ``X-Repo-Commit``; errors carry ``X-Error-Code``.

    with HubServer() as hub:
        hub.put("lab/tiny", "model.safetensors", data)
        hub.hold("model.safetensors", after=4096)     # stays still there until hub.release()
        settings = HubSettings(endpoint=hub.endpoint)
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_CHUNK = 16384


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def git_oid_of(data: bytes) -> str:
    """Git's name of a blob with this content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass
class Repository:
    """One repository of the server."""

    name: str
    files: dict[str, bytes] = field(default_factory=dict)
    large: set[str] = field(default_factory=set)
    """Paths that are kept as large files: redirected, and listed with their SHA-256."""
    commit: str = COMMIT
    gated: bool = False
    allowed: set[str] = field(default_factory=set)
    """Tokens that may read it while it is gated."""
    extra_rows: list[dict[str, Any]] = field(default_factory=list)
    """Rows that the listing shows besides the files: lies."""
    page: int = 1000


@dataclass
class Fault:
    """What goes wrong with a path (or ``api``) the next ``times`` times."""

    kind: str
    """status, drop, hold, corrupt, redirect, gzip, whole (ignores Range), longer, shorter, trickle."""
    times: int
    value: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """One request that came in."""

    path: str
    query: str
    range: str
    token: str
    agent: str


class HubServer:
    """The server; a context manager. Every public method may be called from any thread."""

    def __init__(self, name: str = "127.0.0.1") -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[Request] = []
        self.bytes_sent = 0
        self.held = threading.Event()
        """Set while a transfer stands still at a :meth:`hold`."""
        self._release = threading.Event()
        self._faults: dict[str, list[Fault]] = {}
        self._lock = threading.Lock()
        hub = self

        class Handler(_Handler):
            server_hub = hub

        self._server = _Server((name, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="hub-server", daemon=True)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def endpoint(self) -> str:
        return f"http://{self.host}"

    def __enter__(self) -> HubServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of what is held, end every connection and the thread."""
        self._release.set()
        self._server.shutdown()
        self._server.end_connections()
        self._server.server_close()
        self._thread.join()

    def put(self, repo: str, path: str, data: bytes, *, large: bool | None = None) -> str:
        """Add a file; from 1 KB on it counts as large unless said otherwise. Returns its SHA-256."""
        repository = self.repositories.setdefault(repo, Repository(repo))
        repository.files[path] = data
        if large if large is not None else len(data) >= 1024:
            repository.large.add(path)
        return sha256_of(data)

    def repository(self, repo: str) -> Repository:
        return self.repositories.setdefault(repo, Repository(repo))

    def fail(self, path: str, status: int, times: int = 1, **headers: str) -> None:
        """Answer the next requests for ``path`` (a file, or ``api``) with ``status``; headers with ``_`` for ``-``."""
        self._fault(path, Fault("status", times, status, {k.replace("_", "-"): v for k, v in headers.items()}))

    def drop(self, path: str, after: int, times: int = 1) -> None:
        """Reset the connection when ``after`` bytes of the body went out."""
        self._fault(path, Fault("drop", times, after))

    def hold(self, path: str, after: int, times: int = 1) -> None:
        """Stand still when ``after`` bytes of the body went out, until :meth:`release`; ``held`` says when."""
        self._fault(path, Fault("hold", times, after))

    def release(self) -> None:
        """Let every held transfer go on."""
        self._release.set()

    def hold_again(self) -> None:
        """Make :meth:`hold` hold once more after a :meth:`release`."""
        self._release.clear()
        self.held.clear()

    def corrupt(self, path: str, times: int = 1) -> None:
        """Send the right number of wrong bytes."""
        self._fault(path, Fault("corrupt", times))

    def redirect(self, path: str, to: str, times: int = 1) -> None:
        """Redirect to any address."""
        self._fault(path, Fault("redirect", times, to))

    def pack(self, path: str, body: bytes, times: int = 1) -> None:
        """Send ``body`` as ``Content-Encoding: gzip`` whatever was asked for."""
        self._fault(path, Fault("gzip", times, body))

    def ignore_range(self, path: str, times: int = 1) -> None:
        """Answer a ranged request with the whole file and 200."""
        self._fault(path, Fault("whole", times))

    def resize(self, path: str, by: int, times: int = 1) -> None:
        """Send ``by`` bytes more (chunked, without a length) or fewer than the file has."""
        self._fault(path, Fault("longer" if by > 0 else "shorter", times, abs(by)))

    def seen(self, part: str) -> list[Request]:
        """The requests whose path holds ``part``."""
        with self._lock:
            return [request for request in self.requests if part in request.path]

    def _fault(self, path: str, fault: Fault) -> None:
        with self._lock:
            self._faults.setdefault(path, []).append(fault)

    def take_fault(self, path: str, *kinds: str) -> Fault | None:
        with self._lock:
            waiting = self._faults.get(path, [])
            if not waiting or (kinds and waiting[0].kind not in kinds):
                return None
            fault = waiting[0]
            fault.times -= 1
            if fault.times <= 0:
                waiting.pop(0)
            return fault

    def note(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)

    def sent(self, count: int) -> None:
        with self._lock:
            self.bytes_sent += count

    def stand_still(self) -> None:
        self.held.set()
        self._release.wait()


class _Server(ThreadingHTTPServer):
    # Closing waits for every thread that serves a connection.
    daemon_threads = False
    block_on_close = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._open: set[socket.socket] = set()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def end_connections(self) -> None:
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is nothing to report."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_hub: HubServer

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        hub = self.server_hub
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        bearer = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        hub.note(
            Request(path, parts.query, self.headers.get("Range") or "", bearer, self.headers.get("User-Agent") or "")
        )
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/auth-check", path):
            if not self._denied(found[1], bearer):
                self._answer(200, b"{}", {})
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/(revision|tree)/([^/]+)/?", path):
            self._api(found[1], found[2], found[3], bearer, parse_qs(parts.query))
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._resolve(found[1], found[2], found[3], bearer)
        elif found := re.fullmatch(r"/(?:cdn|api/resolve-cache)/([^/]+/[^/]+)/(.+)", path):
            self._body(found[2], hub.repositories[found[1]].files[found[2]], {})
        else:
            self._answer(404, b"{}", {"X-Error-Code": "EntryNotFound"})

    def _denied(self, name: str, bearer: str) -> bool:
        repository = self.server_hub.repositories.get(name)
        if repository is None:
            # The hub does not tell strangers what is private and what is not there.
            self._answer(404 if bearer else 401, b'{"error":"x"}', {"X-Error-Code": "RepoNotFound"})
            return True
        if repository.gated and bearer not in repository.allowed:
            self._answer(403 if bearer else 401, b'{"error":"x"}', {"X-Error-Code": "GatedRepo"})
            return True
        return False

    def _api(self, name: str, what: str, revision: str, bearer: str, query: Mapping[str, list[str]]) -> None:
        hub = self.server_hub
        fault = hub.take_fault("api")
        if fault is not None:
            if fault.kind == "gzip":
                self._answer(200, fault.value, {"Content-Encoding": "gzip", "Content-Type": "application/json"})
            elif fault.kind == "redirect":
                self._answer(302, b"", {"Location": fault.value})
            else:
                self._answer(fault.value, b'{"error":"x"}', fault.headers)
            return
        repository = hub.repositories.get(name)
        if repository is None:
            self._denied(name, bearer)
            return
        # The card and the listing of a gated repository can be read by everybody; its files can't.
        if what == "revision":
            if revision not in ("main", repository.commit):
                self._answer(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            else:
                told = {"id": name, "sha": repository.commit, "gated": "auto" if repository.gated else False}
                self._answer(200, json.dumps(told).encode(), {"Content-Type": "application/json"})
            return
        rows = [_row(repository, path) for path in sorted(repository.files)] + repository.extra_rows
        start = int(query.get("cursor", ["0"])[0])
        headers = {"Content-Type": "application/json"}
        if start + repository.page < len(rows):
            more = f"{hub.endpoint}/api/models/{name}/tree/{revision}?recursive=true&cursor={start + repository.page}"
            headers["Link"] = f'<{more}>; rel="next"'
        self._answer(200, json.dumps(rows[start : start + repository.page]).encode(), headers)

    def _resolve(self, name: str, revision: str, path: str, bearer: str) -> None:
        hub = self.server_hub
        if self._denied(name, bearer):
            return
        repository = hub.repositories[name]
        data = repository.files.get(path)
        fault = hub.take_fault(path, "status", "redirect")
        if fault is not None and fault.kind == "status":
            self._answer(fault.value, b'{"error":"x"}', fault.headers)
            return
        if data is None:
            self._answer(404, b"{}", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": repository.commit})
            return
        told = {"X-Repo-Commit": repository.commit}
        large = path in repository.large
        if large:
            told |= {"X-Linked-ETag": f'"{sha256_of(data)}"', "X-Linked-Size": str(len(data))}
        if fault is not None:
            self._answer(302, b"", {**told, "Location": fault.value})
            return
        where = f"{hub.endpoint}/cdn" if large else "/api/resolve-cache"
        self._answer(302 if large else 307, b"", {**told, "Location": f"{where}/{name}/{quote(path)}"})

    def _body(self, path: str, data: bytes, headers: Mapping[str, str]) -> None:
        hub = self.server_hub
        fault = hub.take_fault(path)
        kind = fault.kind if fault is not None else ""
        value = fault.value if fault is not None else None
        etag = {"ETag": f'"{sha256_of(data)}"', "Accept-Ranges": "bytes", **headers}
        if kind == "gzip":
            self._answer(200, value, {**etag, "Content-Encoding": "gzip"})
            return
        if kind == "corrupt":
            data = bytes(255 - byte for byte in data)
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        start = int(asked[1]) if asked and kind != "whole" else 0
        if start >= len(data) > 0 and start:
            self._answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
            return
        body = data[start:]
        if kind == "longer":
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            self._write(body + b"\0" * value, -1)
            self.close_connection = True
            return
        if kind == "shorter":
            body = body[:-value]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{start + len(body) - 1}/{len(data)}")
        for key, text in etag.items():
            self.send_header(key, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if kind == "drop":
            self._write(body[:value], -1)
            self.wfile.flush()
            self.close_connection = True
            # A reset, as of a connection that was lost, and no ordinary end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._write(body, value if kind == "hold" else -1)

    def _write(self, body: bytes, hold_after: int) -> None:
        hub = self.server_hub
        reached = 0
        while reached < len(body) or reached == hold_after:
            end = min(len(body), reached + _CHUNK)
            if hold_after >= 0 and reached <= hold_after <= end:
                end = hold_after
            self.wfile.write(body[reached:end])
            hub.sent(end - reached)
            reached = end
            if reached == hold_after:
                self.wfile.flush()
                hold_after = -1
                hub.stand_still()

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for key, text in headers.items():
            self.send_header(key, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _row(repository: Repository, path: str) -> dict[str, Any]:
    data = repository.files[path]
    if path not in repository.large:
        return {"type": "file", "oid": git_oid_of(data), "size": len(data), "path": path}
    digest = sha256_of(data)
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(data)}\n".encode()
    lfs = {"oid": digest, "size": len(data), "pointerSize": len(pointer)}
    return {"type": "file", "oid": git_oid_of(pointer), "size": len(data), "path": path, "lfs": lfs}
