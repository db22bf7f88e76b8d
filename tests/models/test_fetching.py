"""One file over a real connection: lost, slow, wrong, too long, redirected, packed; and what is left on the disk."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gen2studio.core.cancel import Cancelled
from gen2studio.models.download_values import DownloadError, PlannedFile
from gen2studio.models.fetching import FetchListener, fetch_file
from gen2studio.models.hub import file_address
from gen2studio.models.hub_connection import HubConnection, Patience, TransferToken
from gen2studio.models.hub_settings import HubSettings
from tests.fakes.hub_server import COMMIT, HubServer, git_oid_of, sha256_of
from tests.models.hub_entries import QUICK, files_in, weights

NAME = "model.safetensors"
SIZE = 600_000


class Ear(FetchListener):
    """Remembers what a transfer says."""

    def __init__(self) -> None:
        self.bytes = self.fetched = 0
        self.notes: list[str] = []
        self.checked: list[bool] = []

    def moved(self, count: int, fetched: bool) -> None:
        self.bytes += count
        self.fetched += count if fetched else 0

    def checking(self, yes: bool) -> None:
        self.checked.append(yes)

    def noted(self, sentence: str) -> None:
        self.notes.append(sentence)


class Room:
    """One file on a server, and the folder it goes to."""

    def __init__(self, hub: HubServer, folder: Path) -> None:
        self.hub, self.folder, self.data = hub, folder, weights(SIZE)
        self.digest = hub.put("lab/tiny", NAME, self.data)
        self.target = folder / NAME
        self.part = folder / f"{NAME}.part"
        self.ear = Ear()

    def file(self, **other: object) -> PlannedFile:
        known: dict[str, object] = {"size": len(self.data), "sha256": self.digest, **other}
        return PlannedFile(path=NAME, repo="lab/tiny", source=NAME, commit=COMMIT, **known)  # type: ignore[arg-type]

    def fetch(
        self, file: PlannedFile | None = None, token: TransferToken | None = None, patience: Patience = QUICK
    ) -> str:
        self.ear = Ear()
        settings = HubSettings(endpoint=self.hub.endpoint, proxy="none")
        with HubConnection(settings, patience=patience) as connection:
            address = file_address(connection, "lab/tiny", COMMIT, NAME)
            return fetch_file(connection, address, file or self.file(), self.target, token or TransferToken(), self.ear)

    def refused(self, file: PlannedFile | None = None) -> DownloadError:
        """The refusal, after which nothing may be left."""
        with pytest.raises(DownloadError) as caught:
            self.fetch(file)
        assert caught.value.kind == "refused" and caught.value.sentence.endswith(".")
        assert files_in(self.folder) == []
        return caught.value

    def is_whole(self) -> bool:
        return files_in(self.folder) == [NAME] and self.target.read_bytes() == self.data

    def ranges(self) -> list[str]:
        return [request.range for request in self.hub.seen("/cdn/")]


@pytest.fixture
def room(hub: HubServer, tmp_path: Path) -> Room:
    return Room(hub, tmp_path)


def test_a_file_arrives_whole_and_is_hashed_on_the_way(room: Room) -> None:
    assert room.fetch() == room.digest
    assert room.is_whole()
    assert room.ear.bytes == room.ear.fetched == len(room.data)


def test_a_lost_connection_goes_on_where_it_was(room: Room) -> None:
    room.hub.drop(NAME, after=200_000)
    room.hub.drop(NAME, after=100_000)
    assert room.fetch() == room.digest
    assert room.is_whole()
    first, second, third = room.ranges()
    assert first == "" and second.startswith("bytes=") and third.startswith("bytes=")
    assert room.ear.bytes == len(room.data)
    assert any("lost" in note or "closed" in note for note in room.ear.notes) and room.ear.notes[-1] == ""


def test_a_line_that_is_always_lost_ends_with_a_sentence_and_keeps_the_part(room: Room) -> None:
    room.hub.drop(NAME, after=0, times=100)
    with pytest.raises(DownloadError) as caught:
        room.fetch()
    assert caught.value.kind == "offline"
    assert len(room.ranges()) == QUICK.tries
    assert files_in(room.folder) == [f"{NAME}.part"]


def test_a_server_that_stops_sending_is_asked_again(room: Room) -> None:
    room.hub.hold(NAME, after=150_000)
    assert room.fetch(patience=Patience(first_wait=0.01, read=1.0)) == room.digest
    assert room.is_whole()
    assert any("stopped sending" in note for note in room.ear.notes)


def test_a_pause_ends_a_read_that_waits_and_keeps_what_is_there(room: Room) -> None:
    room.hub.hold(NAME, after=300_000)
    token = TransferToken()
    ended: list[BaseException] = []

    def run() -> None:
        try:
            room.fetch(token=token, patience=Patience(read=250.0))
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(lambda: room.part.is_file() and room.part.stat().st_size == 300_000)
    token.cancel()
    thread.join()
    assert [type(error) for error in ended] == [Cancelled]
    assert room.part.stat().st_size == 300_000
    room.hub.release()
    assert room.fetch() == room.digest
    assert room.is_whole()
    assert room.ranges()[-1] == "bytes=300000-"
    assert room.ear.checked == [True, False]
    assert room.ear.bytes == len(room.data) and room.ear.fetched == len(room.data) - 300_000


def test_a_server_that_ignores_ranges_begins_again(room: Room) -> None:
    room.part.write_bytes(room.data[:1000])
    room.hub.ignore_range(NAME)
    assert room.fetch() == room.digest
    assert room.is_whole() and room.ear.bytes == len(room.data)


def test_a_part_of_another_file_is_fetched_anew(room: Room) -> None:
    room.part.write_bytes(b"?" * 5000)
    assert room.fetch() == room.digest
    assert room.is_whole() and room.ranges() == ["bytes=5000-", ""]


def test_a_part_that_is_too_long_or_already_whole(room: Room) -> None:
    room.part.write_bytes(room.data + b"more")
    assert room.fetch() == room.digest
    room.target.rename(room.part)
    assert room.fetch() == room.digest
    assert room.is_whole() and len(room.ranges()) == 1


def test_wrong_bytes_are_fetched_once_more_and_then_refused(room: Room) -> None:
    room.hub.corrupt(NAME)
    assert room.fetch() == room.digest
    room.target.unlink()
    room.hub.corrupt(NAME, times=2)
    assert "SHA-256" in room.refused().sentence
    assert room.ear.bytes == 0


def test_small_files_are_checked_by_the_name_that_git_gives_them(room: Room) -> None:
    assert room.fetch(room.file(sha256="", git_oid=git_oid_of(room.data))) == room.digest
    room.target.unlink()
    room.refused(room.file(sha256="", git_oid=git_oid_of(b"other")))


def test_an_empty_file_is_a_file(room: Room) -> None:
    room.data = b""
    room.hub.put("lab/tiny", NAME, b"")
    assert room.fetch(room.file(size=0, sha256="", git_oid=git_oid_of(b""))) == sha256_of(b"")
    assert room.is_whole()


def test_more_than_was_announced_is_cut_off(room: Room) -> None:
    room.hub.resize(NAME, by=50 << 20)
    room.refused()
    assert room.hub.bytes_sent < 40 << 20
    room.refused(room.file(size=1000))


def test_less_than_was_announced_is_asked_for_again(room: Room) -> None:
    room.hub.resize(NAME, by=-1000)
    assert room.fetch() == room.digest
    assert room.ranges()[-1] == f"bytes={len(room.data) - 1000}-"


def test_what_is_packed_is_not_unpacked(room: Room) -> None:
    room.hub.pack(NAME, gzip.compress(bytes(64 << 20)))
    assert "packs" in room.refused().sentence


@pytest.mark.parametrize(
    "place",
    [
        "http://localhost.example/model", "https://evil.example/model", "https://huggingface.co.evil.example/model",
        "http://huggingface.co/model", "file:///etc/passwd", "//evil.example/model", "https://user@cdn-lfs.hf.co/model",
        "javascript:alert(1)", "http://[broken",
    ],
)  # fmt: skip
def test_a_redirect_to_another_host_is_refused(room: Room, place: str) -> None:
    room.hub.redirect(NAME, place)
    room.refused()


def test_a_redirect_to_another_server_of_this_machine_is_refused(room: Room) -> None:
    with HubServer() as other:
        other.put("lab/tiny", NAME, room.data)
        room.hub.redirect(NAME, f"{other.endpoint}/cdn/lab/tiny/{NAME}")
        room.refused()
        assert other.requests == []


def test_redirects_without_end_are_refused(room: Room) -> None:
    room.hub.redirect(NAME, f"/lab/tiny/resolve/{COMMIT}/{NAME}", times=50)
    assert "without end" in room.refused().sentence


def test_the_content_network_is_reached_through_the_proxy(hub: HubServer, tmp_path: Path) -> None:
    """It is an allowed place: the proxy is asked for it, and this one does not serve that."""
    hub.put("lab/tiny", NAME, b"x" * 2000)
    settings = HubSettings(endpoint="https://huggingface.co", proxy=hub.endpoint)
    file = PlannedFile(path=NAME, repo="lab/tiny", source=NAME, commit=COMMIT, size=2000, sha256=sha256_of(b"x" * 2000))
    with HubConnection(settings, patience=Patience(tries=1)) as connection, pytest.raises(DownloadError) as caught:
        fetch_file(connection, "https://cdn-lfs.hf.co/lab/tiny", file, tmp_path / NAME, TransferToken())
    assert "proxy" in caught.value.sentence


def test_another_version_than_was_listed_is_refused(room: Room) -> None:
    room.hub.repository("lab/tiny").commit = "f" * 40
    assert "another version" in room.refused().sentence


def test_a_file_that_changed_under_its_name_is_refused(room: Room) -> None:
    room.hub.put("lab/tiny", NAME, weights(SIZE))
    assert "another SHA-256" in room.refused().sentence


def test_a_link_in_the_place_of_the_part_is_not_written_through(
    room: Room, tmp_path_factory: pytest.TempPathFactory
) -> None:
    victim = tmp_path_factory.mktemp("elsewhere") / "victim.txt"
    victim.write_text("mine")
    room.part.symlink_to(victim)
    assert room.fetch() == room.digest
    assert victim.read_text() == "mine" and not room.target.is_symlink()
    room.target.unlink()
    room.part.hardlink_to(victim)
    assert room.fetch() == room.digest
    assert victim.read_text() == "mine"


def test_a_place_that_cannot_be_written_is_one_sentence(room: Room) -> None:
    room.part.mkdir()
    with pytest.raises(DownloadError) as caught:
        room.fetch()
    assert caught.value.kind == "disk"


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait for something another thread or process does; the test's own limit ends it."""
    pause = threading.Event()
    while not condition():
        pause.wait(0.01)
