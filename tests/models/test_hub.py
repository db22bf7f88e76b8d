"""Listing repositories of a real server: pages, commits, what is refused, and one sentence for every error."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen2studio.core.cancel import Cancelled
from gen2studio.models.download_values import DownloadError
from gen2studio.models.file_names import target_in
from gen2studio.models.hub import Listing, check_access, list_repository
from gen2studio.models.hub_connection import HubConnection, Patience, TransferToken
from gen2studio.models.hub_settings import HubSettings
from tests.fakes.hub_server import COMMIT, HubServer, sha256_of
from tests.models.certificates import self_signed
from tests.models.hub_entries import QUICK, weights


def connect(hub: HubServer, token: str = "", patience: Patience = QUICK) -> HubConnection:
    return HubConnection(HubSettings(endpoint=hub.endpoint, proxy="none"), token, patience)


@pytest.fixture
def connection(hub: HubServer) -> Iterator[HubConnection]:
    with connect(hub) as made:
        yield made


def listed(connection: HubConnection, repo: str = "lab/tiny", revision: str = "main") -> Listing:
    return list_repository(connection, repo, revision, TransferToken())


def refusal(connection: HubConnection, repo: str = "lab/tiny", revision: str = "main") -> DownloadError:
    with pytest.raises(DownloadError) as caught:
        listed(connection, repo, revision)
    assert caught.value.sentence.endswith(".") and caught.value.remedy.endswith(".")
    return caught.value


def test_all_pages_are_read_at_one_commit(hub: HubServer, connection: HubConnection) -> None:
    data = weights(5000)
    for number in range(5):
        hub.put("lab/tiny", f"part/{number}.json", b"{}")
    digest = hub.put("lab/tiny", "part/model.safetensors", data)
    hub.repository("lab/tiny").page = 2
    found = listed(connection)
    assert found.commit == COMMIT
    assert len(found.files) == 6
    assert found.files["part/model.safetensors"].sha256 == digest == sha256_of(data)
    assert found.files["part/0.json"].sha256 == "" and len(found.files["part/0.json"].git_oid) == 40
    assert len(hub.seen("/tree/")) == 3
    assert all(COMMIT in request.path for request in hub.seen("/tree/"))


def test_requests_say_who_asks_and_nothing_else(hub: HubServer) -> None:
    hub.put("lab/tiny", "config.json", b"{}")
    with connect(hub, token="hf_secret_token") as connection:
        listed(connection)
    assert {request.token for request in hub.requests} == {"hf_secret_token"}
    assert all(request.agent.startswith("gen2studio/") for request in hub.requests)


def test_a_token_is_not_sent_without_encryption_to_other_machines() -> None:
    with HubConnection(HubSettings(endpoint="http://mirror.example"), "hf_secret_token") as open_line:
        assert not open_line.has_token
    with HubConnection(HubSettings(), "hf_secret_token") as connection:
        own = connection._headers("https://huggingface.co/a/b/resolve/main/c", 0, None)
        elsewhere = connection._headers("https://cdn-lfs.hf.co/a", 0, None)
        downgraded = connection._headers("http://huggingface.co/a", 0, None)
    assert own["Authorization"] == "Bearer hf_secret_token"
    assert "Authorization" not in elsewhere and "Authorization" not in downgraded


def test_what_is_not_there(hub: HubServer) -> None:
    hub.put("lab/tiny", "config.json", b"{}")
    with connect(hub) as stranger:
        found = refusal(stranger, "lab/nothing")
        assert found.kind == "unauthorised" and "lab/nothing" in found.sentence
        assert refusal(stranger, revision="v9").kind == "missing"
    with connect(hub, token="hf_token_of_mine") as known:
        assert refusal(known, "lab/nothing").kind == "missing"


def test_gated_models_need_a_token_that_may_read_them(hub: HubServer) -> None:
    hub.put("lab/tiny", "config.json", b"{}")
    repository = hub.repository("lab/tiny")
    repository.gated = True
    repository.allowed = {"hf_allowed_one"}
    with connect(hub) as stranger, pytest.raises(DownloadError) as caught:
        assert listed(stranger).gated
        check_access(stranger, "lab/tiny", TransferToken())
    assert caught.value.kind == "unauthorised" and f"{hub.endpoint}/lab/tiny" in caught.value.remedy
    with connect(hub, token="hf_another_one") as other, pytest.raises(DownloadError) as caught:
        check_access(other, "lab/tiny", TransferToken())
    assert caught.value.kind == "gated" and "lab/tiny" in caught.value.sentence
    with connect(hub, token="hf_allowed_one") as member:
        check_access(member, "lab/tiny", TransferToken())


def test_a_pause_that_the_hub_asks_for_is_kept(hub: HubServer, connection: HubConnection) -> None:
    hub.put("lab/tiny", "config.json", b"{}")
    hub.fail("api", 429, times=2, Retry_After="0")
    notes: list[str] = []
    assert list_repository(connection, "lab/tiny", "main", TransferToken(), notes.append).files
    assert any("pause" in note for note in notes) and notes[-1] == ""


@pytest.mark.parametrize("headers", [{"Retry_After": "1200"}, {"RateLimit": '"api";r=0;t=1200'}])
def test_a_pause_that_is_too_long_is_said(hub: HubServer, connection: HubConnection, headers: dict[str, str]) -> None:
    hub.put("lab/tiny", "config.json", b"{}")
    hub.fail("api", 429, **headers)
    found = refusal(connection)
    assert found.kind == "busy" and "20 minutes" in found.remedy


def test_trouble_of_the_hub_is_tried_again_and_ends(hub: HubServer, connection: HubConnection) -> None:
    hub.put("lab/tiny", "config.json", b"{}")
    hub.fail("api", 503, times=3)
    assert listed(connection).files
    hub.fail("api", 503, times=QUICK.tries)
    assert "503" in refusal(connection).sentence
    assert len(hub.seen("/revision/")) == 1 + 3 + QUICK.tries


def test_no_network_is_one_sentence() -> None:
    with HubServer() as gone:
        endpoint = gone.endpoint
    settings = HubSettings(endpoint=endpoint, proxy="none")
    with HubConnection(settings, patience=Patience(tries=2, first_wait=0.01)) as connection:
        found = refusal(connection)
    assert found.kind == "offline" and found.sentence.startswith("No connection to 127.0.0.1")


def test_a_server_that_cannot_prove_who_it_is_gets_nothing(tmp_path: Path) -> None:
    """A certificate that nobody vouches for: as of somebody in between."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path / "server.pem"))
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
                heard.append(secured.recv(1000))

        thread = threading.Thread(target=serve)
        thread.start()
        settings = HubSettings(endpoint=f"https://localhost:{listening.getsockname()[1]}", proxy="none")
        with HubConnection(settings, "hf_secret_token", Patience(tries=1)) as connection:
            assert connection.has_token
            found = refusal(connection)
        thread.join()
    assert "certificate can't be verified" in found.sentence
    assert b"".join(heard) == b""


def test_waiting_ends_when_it_is_cancelled(hub: HubServer) -> None:
    hub.put("lab/tiny", "config.json", b"{}")
    hub.fail("api", 503)
    token = TransferToken()
    with connect(hub, patience=Patience(first_wait=250.0, longest_wait=250.0)) as connection, pytest.raises(Cancelled):
        # The note comes before the wait.
        list_repository(connection, "lab/tiny", "main", token, lambda _note: token.cancel())


BAD_PATHS = (
    "../outside.json", "a/../../outside.json", "/etc/passwd", "C:/windows.json", "c:evil.json", "a\\b.json",
    "a//b.json", "./a.json", "a/.", "con.json", "a/NUL", "lpt1.safetensors", "dot./a.json", "space /a.json",
    "a\0b.json", "a\nb.json",
    "a\u202egnp.json", "model.safetensors.part", "x" * 300, "a/" * 9 + "b.json", "file:stream.json", "~/a.json", "",
)  # fmt: skip
BAD_ROWS: tuple[object, ...] = (
    {"type": "symlink", "path": "a.json", "size": 1, "oid": "0" * 40},
    {"type": "file", "path": "a.json", "size": -1, "oid": "0" * 40},
    {"type": "file", "path": "a.json", "size": True, "oid": "0" * 40},
    {"type": "file", "path": "a.json", "size": 1 << 60, "oid": "0" * 40},
    {"type": "file", "path": "a.json", "size": 1, "oid": "not hex"},
    {"type": "file", "path": "a.json", "size": 1, "oid": "0" * 40, "lfs": {"oid": "short", "size": 1}},
    {"type": "file", "path": ["a.json"], "size": 1, "oid": "0" * 40},
    # One name on Windows and macOS.
    {"type": "file", "path": "CONFIG.json", "size": 1, "oid": "0" * 40},
    {"type": "directory", "path": "../a"},
    "a.json",
    None,
)


def test_a_listing_with_a_path_that_leads_elsewhere_is_refused(hub: HubServer, connection: HubConnection) -> None:
    hub.put("lab/tiny", "config.json", b"{}")
    for path in BAD_PATHS:
        hub.repository("lab/tiny").extra_rows[:] = [{"type": "file", "path": path, "size": 1, "oid": "0" * 40}]
        assert refusal(connection).kind == "refused", path
    assert not hub.seen("/resolve/")


def test_a_listing_with_rows_that_are_no_files_is_refused(hub: HubServer, connection: HubConnection) -> None:
    hub.put("lab/tiny", "config.json", b"{}")
    for row in BAD_ROWS:
        hub.repository("lab/tiny").extra_rows[:] = [row]  # type: ignore[list-item]
        assert refusal(connection).kind == "refused", row


def test_what_is_no_repository_is_not_asked_for(hub: HubServer, connection: HubConnection) -> None:
    for repo in ("lab", "lab/tiny/more", "../lab", "lab/..", "lab/tiny?x", "la b/tiny", "http://x/y", ""):
        assert refusal(connection, repo).kind == "refused", repo
    assert not hub.requests


def test_a_packed_answer_is_not_unpacked(hub: HubServer, connection: HubConnection) -> None:
    hub.put("lab/tiny", "config.json", b"{}")
    hub.pack("api", gzip.compress(bytes(30 << 20)))
    assert "packs" in refusal(connection).sentence


def test_a_listing_from_elsewhere_is_refused(hub: HubServer, connection: HubConnection) -> None:
    hub.put("lab/tiny", "config.json", b"{}")
    places = (
        "http://127.0.0.1:9/api",
        "https://evil.example/api",
        "file:///etc/passwd",
        "ftp://x/y",
        "//evil.example/",
    )
    for place in places:
        hub.redirect("api", place)
        assert refusal(connection).kind == "refused", place
    assert len(hub.requests) == len(places)


_NAMES = st.text(st.sampled_from("ab.~ /\\:*con\0\n\u202e…é"), max_size=12)


@given(_NAMES | st.text(max_size=40))
def test_no_path_that_is_let_in_leads_out(path: str) -> None:
    """Whatever is let in is a plain name below the folder, on every system."""
    try:
        target = target_in(Path("/models/tiny"), path)
    except DownloadError as refusal:
        assert refusal.kind == "refused" and "\n" not in refusal.sentence and "\0" not in refusal.sentence
        return
    assert Path("/models/tiny") in target.parents and ".." not in target.parts
    for system in (PurePosixPath("/models/tiny") / path, PureWindowsPath("C:/models/tiny") / path):
        assert system.parts[: len(system.parent.parts)] == system.parent.parts
        assert list(system.parts)[-len(path.split("/")) :] == path.split("/") and not system.is_reserved()


def _ask(connection: HubConnection, token: TransferToken, left: threading.Event) -> None:
    with pytest.raises(Cancelled):
        connection.text(f"{connection.settings.endpoint}/x", token, 100)
    left.set()


def test_a_server_that_takes_the_request_and_says_nothing_is_left_at_once() -> None:
    """On a new connection, and on one that was kept from an earlier answer."""
    silent = threading.Event()

    def serve(answers: int) -> None:
        connection, _ = server.accept()
        with connection:
            for _ in range(answers):
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            connection.recv(4096)
            silent.set()
            # Until the other side hangs up.
            connection.recv(4096)

    for answers in (0, 1):
        silent.clear()
        with socket.create_server(("127.0.0.1", 0)) as server:
            serving = threading.Thread(target=serve, args=(answers,))
            serving.start()
            settings = HubSettings(endpoint=f"http://127.0.0.1:{server.getsockname()[1]}", proxy="none")
            token, left = TransferToken(), threading.Event()
            with HubConnection(settings, "", Patience(tries=1, read=120.0)) as connection:
                for _ in range(answers):
                    assert connection.text(f"{settings.endpoint}/x", TransferToken(), 100) == b"ok"

                asking = threading.Thread(target=_ask, args=(connection, token, left))
                asking.start()
                assert silent.wait(60)
                token.cancel()
                assert left.wait(60)
                asking.join()
            serving.join()
