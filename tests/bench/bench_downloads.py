"""One file from a server on this machine: ours against huggingface_hub's ``http_get``, processor time per gigabyte.

``python -m tests.bench.bench_downloads [megabytes]``. Ours hashes while it writes and syncs the file; ``http_get`` does
neither, so it is measured with the SHA-256 that has to follow, and without. The server is a process of its own. Then
the second call after a stop in the middle: bytes that come over the network again.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from gen2studio.core.cancel import Cancelled
from gen2studio.core.hashing import file_digest
from gen2studio.models.download_values import PlannedFile
from gen2studio.models.fetching import FetchListener, fetch_file
from gen2studio.models.hub import file_address
from gen2studio.models.hub_connection import HubConnection, TransferToken
from gen2studio.models.hub_settings import HubSettings
from tests.fakes.hub_server import COMMIT, HubServer

REPO, NAME = "lab/tiny", "model.safetensors"


def _serve(size: int, channel: Connection) -> None:
    with HubServer() as hub:
        digest = hub.put(REPO, NAME, os.urandom(1 << 20) * (size >> 20))
        channel.send((hub.endpoint, digest))
        while channel.recv() == "sent":
            channel.send(hub.bytes_sent)


class _Stopper(FetchListener):
    def __init__(self, token: TransferToken, at: int) -> None:
        self._token, self._at, self._have = token, at, 0

    def moved(self, count: int, fetched: bool) -> None:
        self._have += count
        if self._have >= self._at:
            self._token.cancel()


def _measured(work: Callable[[], object]) -> tuple[float, float]:
    """(processor seconds of this process, seconds on the clock)."""
    before, clock = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent, time.perf_counter() - clock


def main() -> None:
    size = int(sys.argv[1] if len(sys.argv) > 1 else 512) << 20
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=_serve, args=(size, there), daemon=True)
    server.start()
    endpoint, digest = here.recv()
    os.environ |= {"HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    from huggingface_hub.file_download import http_get

    settings = HubSettings(endpoint=endpoint, proxy="none")
    file = PlannedFile(path=NAME, repo=REPO, source=NAME, commit=COMMIT, size=size, sha256=digest)
    with tempfile.TemporaryDirectory() as home, HubConnection(settings) as connection:
        address = file_address(connection, REPO, COMMIT, NAME)
        target = Path(home) / NAME

        def ours() -> None:
            fetch_file(connection, address, file, target, TransferToken())

        def theirs() -> None:
            with open(target, "wb") as handle:
                http_get(address, handle, expected_size=size)

        def theirs_checked() -> None:
            theirs()
            assert file_digest(target) == digest

        rows: dict[str, tuple[float, float]] = {}
        for _ in range(3):
            for name, work in (("ours", ours), ("http_get, then SHA-256", theirs_checked), ("http_get alone", theirs)):
                target.unlink(missing_ok=True)
                found = _measured(work)
                rows[name] = min(rows.get(name, found), found)
        gigabytes = size / 1e9
        base = rows["http_get, then SHA-256"][0]
        for name, (spent, clock) in rows.items():
            cost, speed = spent / gigabytes, gigabytes / clock
            print(f"{name:<24} {cost:6.2f} s/GB of processor, {speed:5.2f} GB/s, {spent / base:5.2f}×")
        target.unlink()
        here.send("sent")
        before = here.recv()
        token = TransferToken()
        try:
            fetch_file(connection, address, file, target, token, _Stopper(token, size // 2))
        except Cancelled:
            ours()
        threading.Event().wait(0.2)
        here.send("sent")
        again = (here.recv() - before) / size
        print(f"stopped in the middle, then again: {again:.3f} of the file came over the network")
    here.send("end")
    server.join()


if __name__ == "__main__":
    main()
