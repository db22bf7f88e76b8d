"""A careful HTTP connection to the hub or its mirror: which addresses are asked, what is sent, what counts as an error.

httpx2, which huggingface_hub is built on, carries the bytes. huggingface_hub itself is not used on the network: its
settings are those of the whole process, where ``HF_HUB_OFFLINE`` stays set; it does not resume what was cancelled; and
it follows redirects wherever they lead. Redirects are followed by hand here: over https to the hub's own hosts, or back
to the mirror, and the token goes to the mirror's own address alone.
"""

from __future__ import annotations

import contextlib
import functools
import re
import socket
import threading
import weakref
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urljoin, urlsplit

from gen2studio import __version__
from gen2studio.core.cancel import Cancelled, CancelToken
from gen2studio.core.records import dataclass
from gen2studio.models.download_values import DownloadError
from gen2studio.models.hub_settings import DIRECT, HubSettings, may_carry_token

if TYPE_CHECKING:
    import ssl

    import httpx2

HUB_HOSTS = ("huggingface.co", "hf.co")
"""The hub and its content network: these hosts and everything below them."""
_MOST_REDIRECTS = 6
_RETRIED = (408, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a connection is tried for."""

    tries: int = 6
    """In a row without a single new byte."""
    first_wait: float = 1.0
    """Seconds before the second try; doubled each time."""
    longest_wait: float = 30.0
    longest_pause: float = 300.0
    """Longer pauses that the hub asks for (429) end the attempt."""
    connect: float = 20.0
    read: float = 30.0
    """Seconds without a byte after which a connection counts as lost."""

    def wait(self, attempt: int) -> float:
        """Seconds to wait before try number ``attempt`` (from 2 on)."""
        return min(self.longest_wait, self.first_wait * 2.0 ** max(0, attempt - 2))


class TransferToken(CancelToken):
    """A cancel token that also ends a read which waits for a server that sends nothing."""

    __slots__ = ("_lock", "_sockets")

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()

    def cancel(self) -> None:
        with self._lock:
            super().cancel()
            for open_socket in self._sockets:
                _shut(open_socket)

    @contextlib.contextmanager
    def watching(self, opened: Iterable[socket.socket] = ()) -> Generator[None]:
        """While this lasts, :meth:`cancel` shuts ``opened`` and what is watched meanwhile. Raises Cancelled when it is
        too late."""
        for open_socket in opened:
            self.watch(open_socket)
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._sockets.clear()

    def watch(self, opened: socket.socket) -> None:
        """One more socket to be shut by :meth:`cancel`, at once when that was called already."""
        with self._lock:
            self._sockets.add(opened)
            if self.cancelled:
                _shut(opened)


def _shut(opened: socket.socket) -> None:
    # Not the method of the object: an encrypted socket would drop what its reader is using.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(opened, socket.SHUT_RDWR)


class Lost(Exception):
    """The connection was lost, or the server is in trouble: worth another try. ``wait`` is what the server asks for."""

    def __init__(self, sentence: str, wait: float | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.wait = wait


class HubConnection:
    """Connections with one set of settings. Thread-safe; a context manager that closes them."""

    def __init__(self, settings: HubSettings, token: str = "", patience: Patience | None = None) -> None:
        self.settings = settings
        self.patience = patience or Patience()
        self._token = token if may_carry_token(settings.endpoint) else ""
        self._client: httpx2.Client | None = None
        self._lock = threading.Lock()
        self._open: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        """Of the connections that are kept for the next request."""

    def __enter__(self) -> HubConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client = None

    @property
    def has_token(self) -> bool:
        return bool(self._token)

    @contextlib.contextmanager
    def opened(
        self, address: str, token: CancelToken, start: int = 0, headers: Mapping[str, str] | None = None
    ) -> Generator[tuple[httpx2.Response, Mapping[str, str]]]:
        """The answer to one request after its redirects, its body not read: (response, headers of the first answer).

        ``start`` asks for the bytes from there on. Raises DownloadError for what another try won't change, Lost for
        what it may, Cancelled.
        """
        import httpx2

        first: Mapping[str, str] = {}
        interruptible = token if isinstance(token, TransferToken) else None
        try:
            for _ in range(_MOST_REDIRECTS):
                self._check_address(address)
                token.check()
                response = self._sent(address, self._headers(address, start, headers), interruptible)
                try:
                    first = first or dict(response.headers)
                    if response.status_code in (301, 302, 303, 307, 308):
                        address = joined(address, response.headers.get("location", ""))
                        continue
                    self._check_status(response, address)
                    if response.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
                        raise refused_answer(address, "packs what it sends although nobody asked for it")
                    found = _socket_of(response)
                    with self._watched(interruptible, () if found is None else (found,)):
                        yield response, first
                    return
                finally:
                    response.close()
            raise refused_answer(address, "redirects without end")
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol):
            raise refused_answer(address, "sends an address that is none") from None
        except (httpx2.TransportError, httpx2.StreamError, OSError) as error:
            if token.cancelled:
                raise Cancelled from None
            if isinstance(error, OSError):
                # Of the disk, by whoever used the answer.
                raise
            raise Lost(_lost_sentence(error, address)) from None

    def _sent(self, address: str, headers: Mapping[str, str], token: TransferToken | None) -> httpx2.Response:
        """The beginning of an answer; a server that only takes the request is left when ``token`` is cancelled."""

        def noticed(event: str, info: Mapping[str, Any]) -> None:
            if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
                found: Any = info["return_value"].get_extra_info("socket")
                if isinstance(found, socket.socket):
                    with self._lock:
                        self._open.add(found)
                    if token is not None:
                        token.watch(found)

        http = self._http()
        request = http.build_request("GET", address, headers=dict(headers), extensions={"trace": noticed})
        with self._lock:
            kept = tuple(self._open)
        with self._watched(token, kept):
            return http.send(request, stream=True)

    @contextlib.contextmanager
    def _watched(self, token: TransferToken | None, opened: Iterable[socket.socket]) -> Generator[None]:
        with token.watching(opened) if token is not None else contextlib.nullcontext():
            yield

    def text(self, address: str, token: CancelToken, limit: int, note: Callable[[str], None] | None = None) -> bytes:
        """A short answer, whole, tried again when the connection is lost. Raises DownloadError, Cancelled."""
        return self.answer(address, token, limit, note)[0]

    def answer(
        self, address: str, token: CancelToken, limit: int, note: Callable[[str], None] | None = None
    ) -> tuple[bytes, Mapping[str, str]]:
        """As :meth:`text`, with the headers."""
        for attempt in range(1, self.patience.tries + 1):
            try:
                with self.opened(address, token) as (response, _):
                    found = bytearray()
                    for block in response.iter_raw():
                        token.check()
                        found += block
                        if len(found) > limit:
                            raise refused_answer(
                                address, f"sends more than {limit >> 20} MB where a list was asked for"
                            )
                    return bytes(found), dict(response.headers)
            except Lost as lost:
                self.wait_after(lost, attempt, token, note)
        raise AssertionError("the last try raises")

    def wait_after(
        self, lost: Lost, attempt: int, token: CancelToken, note: Callable[[str], None] | None = None
    ) -> None:
        """Wait before another try. Raises DownloadError when there were enough, Cancelled."""
        wait = lost.wait if lost.wait is not None else self.patience.wait(attempt + 1)
        if attempt >= self.patience.tries or wait > self.patience.longest_pause:
            kind = "busy" if lost.wait is not None else "offline"
            remedy = (
                f"Try again in {max(1, round(wait / 60))} minutes; what was fetched is kept."
                if lost.wait is not None
                else "Check the network, the proxy and the mirror, then go on; what was fetched is kept."
            )
            raise DownloadError(lost.sentence, remedy, kind)
        if note is not None:
            note(f"{lost.sentence} Trying again in {max(1, round(wait))} s.")
        if token.wait(wait):
            raise Cancelled
        if note is not None:
            note("")

    def _http(self) -> httpx2.Client:
        with self._lock:
            if self._client is None:
                import httpx2

                proxy = self.settings.proxy
                self._client = httpx2.Client(
                    verify=_certificates(),
                    follow_redirects=False,
                    trust_env=not proxy,
                    proxy=proxy if proxy and proxy != DIRECT else None,
                    timeout=httpx2.Timeout(self.patience.read, connect=self.patience.connect, pool=None),
                )
            return self._client

    def _headers(self, address: str, start: int, more: Mapping[str, str] | None) -> dict[str, str]:
        headers = {"User-Agent": f"gen2studio/{__version__}", "Accept-Encoding": "identity", **(more or {})}
        if start:
            headers["Range"] = f"bytes={start}-"
        if self._token and _origin(urlsplit(address)) == _origin(urlsplit(self.settings.endpoint)):
            headers["Authorization"] = f"Bearer {self._token}"
        return headers

    def _check_address(self, address: str) -> None:
        """Only the mirror itself, and the hub's hosts over https."""
        try:
            parts = urlsplit(address)
            own = _origin(parts) == _origin(urlsplit(self.settings.endpoint))
        except ValueError:
            raise refused_answer(address, "sends an address that is none") from None
        host = (parts.hostname or "").lower()
        known = any(host == name or host.endswith(f".{name}") for name in HUB_HOSTS)
        if parts.username or parts.password or not (own or (known and parts.scheme == "https")):
            what = f"“{parts.scheme}://{host}”"[:100]
            raise DownloadError(
                f"The hub redirects to {what}, which is not one of its own places.",
                "Nothing was fetched from there. Check the mirror in the settings.",
                "refused",
            )

    def _check_status(self, response: httpx2.Response, address: str) -> None:
        status, code = response.status_code, response.headers.get("x-error-code", "")
        if status in (200, 206, 416):
            return
        if status == 429:
            raise Lost("The hub asks for a pause: too many requests came from this address.", _pause(response.headers))
        if status in _RETRIED:
            asked = _pause(response.headers) if "retry-after" in response.headers else None
            raise Lost(f"The hub has trouble at the moment (error {status}).", asked)
        if _origin(urlsplit(address)) != _origin(urlsplit(self.settings.endpoint)):
            # Addresses of the content network end after a while; another try asks the hub for a new one.
            raise Lost(f"The hub's content network refused the file (error {status}).")
        name = _repository(address)
        page = f"{self.settings.endpoint}/{name}"
        if code == "GatedRepo" and status == 401:
            raise DownloadError(
                f"{name} is given out only to people who accepted its terms on the hub.",
                f"Accept them at {page}, then put an access token into the settings.",
                "unauthorised",
            )
        if code == "GatedRepo" or status == 403:
            raise DownloadError(
                f"The hub does not let this account read {name}.",
                f"Accept its terms at {page} with the account of your token, then try again.",
                "gated",
            )
        if status == 401 and self._token:
            raise DownloadError(
                "The hub does not know this access token.", "Put a new one into the settings.", "unauthorised"
            )
        if status == 401:
            # The hub answers so for what is private and for what does not exist.
            raise DownloadError(
                f"The hub does not show {name} without an access token.",
                "Put a token into the settings; if that does not help, the model was taken away.",
                "unauthorised",
            )
        if status in (404, 410):
            what = "this file" if code == "EntryNotFound" else "this version" if code == "RevisionNotFound" else "it"
            raise DownloadError(
                f"The hub has no {name}, or no longer has {what}.",
                "Check the mirror in the settings, or look for the model on the hub.",
                "missing",
            )
        raise DownloadError(f"The hub refused the request for {name} (error {status}).", "Try again later.", "failed")


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust: the system's certificates. Reading them takes a tenth of a second, once."""
    import httpx2

    return httpx2.create_ssl_context()


def joined(address: str, other: str) -> str:
    """``other`` as seen from ``address``. Raises DownloadError when it is no address."""
    try:
        return urljoin(address, other)
    except ValueError:
        raise refused_answer(address, "sends an address that is none") from None


def refused_answer(address: str, what: str) -> DownloadError:
    """The refusal of an answer; ``what`` continues the host's name."""
    host = urlsplit(address).hostname if "://" in address else ""
    return DownloadError(
        f"The server {(host or address)[:60]} {what}.",
        "What it sent was thrown away. Check the mirror in the settings.",
        "refused",
    )


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), port


def _repository(address: str) -> str:
    path = urlsplit(address).path
    found = re.search(r"/(?:api/models/)?([^/]+/[^/]+)/(?:resolve/|tree/|revision/|auth-check)", path)
    return found[1].rpartition("/models/")[2] if found else "what was asked for"


def _pause(headers: Mapping[str, str]) -> float:
    """Seconds that a 429 asks for: ``Retry-After``, or the hub's ``RateLimit: "api";r=0;t=55``."""
    after = headers.get("retry-after", "")
    if after.strip().isdigit():
        return float(min(int(after), 1 << 20))
    limit = re.search(r";\s*t=(\d{1,7})", headers.get("ratelimit", ""))
    return float(limit[1]) if limit else 60.0


def _socket_of(response: httpx2.Response) -> socket.socket | None:
    stream: Any = response.extensions.get("network_stream")
    found: Any = stream.get_extra_info("socket") if stream is not None else None
    return found if isinstance(found, socket.socket) else None


def _lost_sentence(error: Exception, address: str) -> str:
    import httpx2

    host = urlsplit(address).hostname or "the hub"
    if isinstance(error, httpx2.ProxyError):
        return "The proxy does not answer, or refuses the connection."
    if isinstance(error, httpx2.ConnectError):
        text = str(error).lower()
        if "certificate" in text or "ssl" in text:
            return f"The connection to {host} is not safe: its certificate can't be verified."
        return f"No connection to {host}."
    if isinstance(error, httpx2.TimeoutException):
        return f"{host} stopped sending."
    return f"The connection to {host} was lost."
