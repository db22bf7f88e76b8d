"""Whole downloads over a real connection: licences, queues, pauses, kills, full disks, reuse, hostile repositories."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gen2studio.core.paths import data_dir, resources_dir
from gen2studio.models.catalog_entries import CatalogFile, Licence
from gen2studio.models.download_jobs import DownloadJob
from gen2studio.models.download_orders import OrderFiles
from gen2studio.models.download_values import Download, DownloadError, DownloadState
from gen2studio.models.downloads import Downloads
from gen2studio.models.library import ModelLibrary
from gen2studio.models.receipts import LICENCE_NAME, RECEIPT_NAME, read_receipt
from gen2studio.models.storage import ModelStore
from tests.fakes.hub_server import HubServer
from tests.models.folder import write_checkpoint
from tests.models.hub_entries import APACHE, accepted, entry, files_in, queue_for, safetensors, settings_for, weights
from tests.models.test_fetching import wait_for

ROOT = Path(__file__).resolve().parents[2]
BIG = 400_000


@pytest.fixture
def queues() -> Iterator[list[Downloads]]:
    """Queues that are closed whatever happens."""
    made: list[Downloads] = []
    yield made
    for queue in made:
        queue.close()


@pytest.fixture
def tiny(hub: HubServer) -> dict[str, bytes]:
    """A repository with a big and a small file."""
    files = {"config.json": b'{"a": 1}', "unet/model.safetensors": weights(BIG)}
    for path, data in files.items():
        hub.put("lab/tiny", path, data)
    return files


@pytest.fixture
def queue(hub: HubServer, queues: list[Downloads]) -> Downloads:
    queues.append(queue_for(hub))
    return queues[0]


def folder() -> Path:
    return data_dir() / "models" / "downloaded"


def state(queue: Downloads, name: str = "tiny") -> Download:
    return next(value for value in queue.downloads() if value.id == name)


def run(queue: Downloads, *args: object) -> Download:
    """Download the tiny entry to its end."""
    queue.start(accepted(queue, entry(*args)))  # type: ignore[arg-type]
    assert queue.wait(250)
    return queue.downloads()[-1]


def nothing_left() -> bool:
    """Whether no byte of any download lies in the models folder."""
    return files_in(folder()) == [] if folder().exists() else True


def test_a_plan_says_what_would_happen_and_fetches_nothing(
    hub: HubServer, queue: Downloads, tiny: dict[str, bytes]
) -> None:
    plan = queue.plan(entry(needs=("encoder",)))
    assert plan.bytes == plan.to_fetch == plan.disk == sum(map(len, tiny.values()))
    assert plan.folder == folder() / "tiny" and not plan.installed and plan.needs == ("encoder",)
    assert plan.licence.text == (resources_dir() / "licences" / "apache-2.0.txt").read_text().strip() + "\n"
    assert plan.licence.accepted == "" and plan.problem == ""
    assert not hub.seen("/resolve/") and nothing_left()


def test_nothing_is_fetched_before_the_licence_was_accepted(
    hub: HubServer, queue: Downloads, tiny: dict[str, bytes]
) -> None:
    plan = queue.plan(entry())
    with pytest.raises(DownloadError) as caught:
        queue.start(plan)
    assert caught.value.kind == "licence" and not hub.seen("/resolve/")
    plan = queue.accept_licence(plan)
    assert len(plan.licence.accepted) == 10
    queue.start(plan)
    assert queue.wait(250) and state(queue).state is DownloadState.DONE
    # The copy beside the weights is the text that was accepted, and the receipt says when.
    text = (folder() / "tiny" / LICENCE_NAME).read_text()
    assert hashlib.sha256(text.encode()).hexdigest() == plan.licence.digest
    receipt = read_receipt(folder() / "tiny")
    assert receipt is not None and receipt.accepted == plan.licence.accepted and receipt.licence_id == "Apache-2.0"


def test_a_gated_model_is_refused_before_anything_is_fetched(
    hub: HubServer, queues: list[Downloads], tiny: dict[str, bytes]
) -> None:
    hub.repository("lab/tiny").gated = True
    hub.repository("lab/tiny").allowed = {"hf_allowed_one"}
    queues += [queue_for(hub), queue_for(hub, token="hf_allowed_one")]
    with pytest.raises(DownloadError) as caught:
        queues[0].plan(entry())
    assert caught.value.kind == "unauthorised" and "token" in caught.value.remedy
    assert run(queues[1]).state is DownloadState.DONE
    # Taken back while it runs: the download says so, and goes on when it may again.
    queues[1].forget("tiny")
    ModelStore().delete("tiny")
    plan = accepted(queues[1], entry())
    hub.repository("lab/tiny").allowed = set()
    queues[1].start(plan)
    assert queues[1].wait(250) and state(queues[1]).kind == "gated"
    hub.repository("lab/tiny").allowed = {"hf_allowed_one"}
    queues[1].resume("tiny")
    assert queues[1].wait(250) and state(queues[1]).state is DownloadState.DONE


def test_terms_that_changed_have_to_be_read_again(hub: HubServer, queue: Downloads, tiny: dict[str, bytes]) -> None:
    hub.put("lab/tiny", "LICENSE", b"You may look at it.")
    terms = Licence(id="Lab", title="Lab Terms", text="", source_path="LICENSE")
    plan = queue.accept_licence(queue.plan(entry(licence=terms)))
    assert plan.licence.text == "You may look at it.\n" and plan.licence.accepted
    hub.put("lab/tiny", "LICENSE", b"You may not.")
    changed = queue.plan(entry(licence=terms))
    assert changed.licence.accepted == ""
    with pytest.raises(DownloadError):
        queue.start(changed)


def test_a_download_arrives_and_says_so(hub: HubServer, queue: Downloads, tiny: dict[str, bytes]) -> None:
    heard: list[Download] = []
    end = queue.listen(heard.append)
    done = run(queue)
    end()
    assert done.state is DownloadState.DONE and done.done == done.total == sum(map(len, tiny.values()))
    assert done.folder == folder() / "tiny" and done.outcome
    for path, data in tiny.items():
        assert (done.folder / path).read_bytes() == data
    assert files_in(folder()) == sorted(f"tiny/{path}" for path in (*tiny, LICENCE_NAME, RECEIPT_NAME))
    assert [value.done for value in heard] == sorted(value.done for value in heard)
    assert {value.state for value in heard} >= {DownloadState.WAITING, DownloadState.RUNNING, DownloadState.DONE}
    assert OrderFiles().load() == () and files_in(OrderFiles().folder) == []
    with pytest.raises(DownloadError):
        queue.start(accepted(queue, entry()))
    queue.forget("tiny")
    assert queue.downloads() == () and (folder() / "tiny" / "config.json").is_file()


def test_a_model_is_listed_when_it_is_whole(hub: HubServer, queue: Downloads, tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "wan")
    for path in files_in(source):
        hub.put("lab/wan", path, (source / path).read_bytes())
    done = run(queue, "tiny-wan", "lab/wan")
    assert done.state is DownloadState.DONE
    kinds = {model.id for model in ModelLibrary().models()}
    assert "tiny-wan" not in kinds, "a shared part is no model"
    queue.forget("tiny-wan")
    ModelStore().delete("tiny-wan")
    queue.start(accepted(queue, entry("tiny-wan", "lab/wan", kind="model")))
    assert queue.wait(250) and "Listed among the models" in state(queue, "tiny-wan").outcome
    assert ModelLibrary().model("tiny-wan").usable
    assert ModelStore().folder_of("tiny-wan") == folder() / "tiny-wan"


def test_a_model_that_nothing_here_can_use_is_kept_and_says_why(queue: Downloads, tiny: dict[str, bytes]) -> None:
    queue.start(accepted(queue, entry(kind="model")))
    assert queue.wait(250)
    assert state(queue).state is DownloadState.DONE
    assert state(queue).outcome.startswith("It is whole, but can't be used yet:")
    assert ModelStore().find("tiny") is not None


def test_pause_and_resume(hub: HubServer, queue: Downloads, tiny: dict[str, bytes]) -> None:
    hub.hold("unet/model.safetensors", after=200_000)
    queue.start(accepted(queue, entry()))
    part = folder() / ".incoming" / "tiny" / "files" / "unet" / "model.safetensors.part"
    wait_for(lambda: part.is_file() and part.stat().st_size == 200_000)
    queue.pause("tiny")
    assert queue.wait(250)
    paused = state(queue)
    assert paused.state is DownloadState.PAUSED and paused.done == 200_000 + len(tiny["config.json"])
    hub.release()
    queue.resume("tiny")
    assert queue.wait(250) and state(queue).state is DownloadState.DONE
    assert [request.range for request in hub.seen("/cdn/")] == ["", "bytes=200000-"]
    assert (folder() / "tiny" / "unet" / "model.safetensors").read_bytes() == tiny["unet/model.safetensors"]


def test_a_pause_that_is_taken_back_at_once(hub: HubServer, queue: Downloads, tiny: dict[str, bytes]) -> None:
    hub.hold("unet/model.safetensors", after=200_000)
    queue.start(accepted(queue, entry()))
    assert hub.held.wait(250)
    queue.pause("tiny")
    queue.resume("tiny")
    hub.release()
    assert queue.wait(250) and state(queue).state is DownloadState.DONE
    assert ModelStore().verify("tiny").whole


def test_cancel_leaves_nothing(hub: HubServer, queue: Downloads, tiny: dict[str, bytes]) -> None:
    heard: list[Download] = []
    queue.listen(heard.append)
    hub.hold("unet/model.safetensors", after=200_000)
    queue.start(accepted(queue, entry()))
    assert hub.held.wait(250)
    queue.cancel("tiny")
    assert queue.wait(250)
    assert queue.downloads() == () and nothing_left() and OrderFiles().load() == ()
    assert heard[-1].total == 0
    # One that is paused goes the same way.
    hub.release()
    hub.hold_again()
    hub.hold("unet/model.safetensors", after=200_000)
    queue.start(accepted(queue, entry()))
    assert hub.held.wait(250)
    queue.pause("tiny")
    assert queue.wait(250) and not nothing_left()
    queue.cancel("tiny")
    assert queue.wait(250) and queue.downloads() == () and nothing_left()


def test_a_cancel_that_comes_while_a_pause_ends_is_not_lost(
    hub: HubServer, queue: Downloads, tiny: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = Downloads._ended

    def then_cancelled(self: Downloads, job: DownloadJob) -> None:
        ended(self, job)
        if job.wanted == "pause":
            # The artist's next click, before the thread is gone.
            self.cancel(job.order.id)

    monkeypatch.setattr(Downloads, "_ended", then_cancelled)
    hub.hold("unet/model.safetensors", after=200_000)
    queue.start(accepted(queue, entry()))
    assert hub.held.wait(250)
    queue.pause("tiny")
    assert queue.wait(250)
    assert queue.downloads() == () and nothing_left() and OrderFiles().load() == ()


def test_an_order_says_what_an_ended_program_left(
    hub: HubServer, queues: list[Downloads], tiny: dict[str, bytes]
) -> None:
    hub.hold("unet/model.safetensors", after=200_000)
    first = queue_for(hub)
    queues.append(first)
    first.start(accepted(first, entry()))
    assert hub.held.wait(250)
    first.close()
    hub.release()
    second = queue_for(hub)
    queues.append(second)
    plan = second.plan(entry())
    assert plan.resumed > 0 and plan.resumed + plan.to_fetch == plan.bytes
    assert [value.id for value in second.restore()] == ["tiny"]
    assert second.wait(250) and state(second).state is DownloadState.DONE


def test_what_was_paused_stays_paused_at_the_next_start(
    hub: HubServer, queues: list[Downloads], tiny: dict[str, bytes]
) -> None:
    hub.hold("unet/model.safetensors", after=200_000)
    queues += [queue_for(hub), queue_for(hub)]
    queues[0].start(accepted(queues[0], entry()))
    assert hub.held.wait(250)
    queues[0].pause("tiny")
    assert queues[0].wait(250)
    queues[0].close()
    restored = queues[1].restore()
    assert [value.state for value in restored] == [DownloadState.PAUSED]
    assert len(hub.seen("/cdn/")) == 1


def child(hub: HubServer, largest: str = "") -> subprocess.Popen[str]:
    """A program that downloads the tiny entry into this test's home."""
    command = [sys.executable, "-m", "tests.models.download_child", hub.endpoint, "lab/tiny", "tiny"]
    return subprocess.Popen([*command, *([largest] if largest else [])], stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_a_killed_program_goes_on_where_it_was(hub: HubServer, queues: list[Downloads], tiny: dict[str, bytes]) -> None:
    hub.hold("unet/model.safetensors", after=300_000)
    program = child(hub)
    part = folder() / ".incoming" / "tiny" / "files" / "unet" / "model.safetensors.part"
    wait_for(lambda: (part.is_file() and part.stat().st_size == 300_000) or program.poll() is not None)
    # While it runs nobody else takes its download.
    queues.append(queue_for(hub))
    assert queues[0].restore() == ()
    program.kill()
    program.communicate()
    hub.release()
    assert next(value.state for value in queues[0].restore()).active
    assert queues[0].wait(250) and state(queues[0]).state is DownloadState.DONE
    data = (folder() / "tiny" / "unet" / "model.safetensors").read_bytes()
    assert data == tiny["unet/model.safetensors"]
    assert [request.range for request in hub.seen("/cdn/")] == ["", "bytes=300000-"]
    assert ModelStore().verify("tiny").whole


def test_a_program_that_ended_when_all_was_in_place_says_so(
    hub: HubServer, queues: list[Downloads], tiny: dict[str, bytes]
) -> None:
    hub.hold("unet/model.safetensors", after=1000)
    queues += [queue_for(hub), queue_for(hub)]
    queues[0].start(accepted(queues[0], entry(kind="model")))
    assert hub.held.wait(250)
    order = OrderFiles().load()[0]
    hub.release()
    assert queues[0].wait(250) and state(queues[0]).state is DownloadState.DONE
    queues[0].close()
    # As it is when the program ends between the renaming of the folder and the end of the order.
    there = read_receipt(order.folder)
    assert there is not None
    OrderFiles().save(replace(order, finished={file.path: file.sha256 for file in there.files}))
    asked = len(hub.requests)
    queues[1].restore()
    assert queues[1].wait(250) and state(queues[1]).state is DownloadState.DONE
    assert len(hub.requests) == asked and OrderFiles().load() == ()


def test_a_full_disk_keeps_what_is_there(hub: HubServer, queues: list[Downloads], tiny: dict[str, bytes]) -> None:
    program = child(hub, largest="150000")
    said, _ = program.communicate()
    assert said.splitlines()[0] == "failed disk" and "full" in said
    part = folder() / ".incoming" / "tiny" / "files" / "unet" / "model.safetensors.part"
    assert part.stat().st_size == 150_000
    queues.append(queue_for(hub))
    restored = queues[0].restore()
    assert restored[0].state is DownloadState.FAILED and "full" in restored[0].problem and restored[0].remedy
    queues[0].resume("tiny")
    assert queues[0].wait(250) and state(queues[0]).state is DownloadState.DONE
    assert [request.range for request in hub.seen("/cdn/")][-1] == "bytes=150000-"


def test_a_disk_without_room_is_said_before(hub: HubServer, queues: list[Downloads], tiny: dict[str, bytes]) -> None:
    queues.append(queue_for(hub))
    settings_for(hub, reserve=1 << 49)
    plan = accepted(queues[0], entry())
    assert "are needed" in plan.problem and "Free some space" in plan.problem
    with pytest.raises(DownloadError) as caught:
        queues[0].start(plan)
    assert caught.value.kind == "disk" and not hub.seen("/resolve/")


def test_two_downloads_share_a_file(hub: HubServer, queue: Downloads, tiny: dict[str, bytes]) -> None:
    hub.put("lab/other", "encoder.safetensors", tiny["unet/model.safetensors"])
    hub.put("lab/other", "own.json", b"{}")
    heard: list[Download] = []
    waiting = threading.Event()

    def hear(value: Download) -> None:
        heard.append(value)
        if "waiting for it" in value.note:
            waiting.set()

    queue.listen(hear)
    hub.hold("unet/model.safetensors", after=100_000)
    hub.hold("encoder.safetensors", after=100_000)
    queue.start(accepted(queue, entry()))
    assert hub.held.wait(250)
    queue.start(accepted(queue, entry("other", "lab/other")))
    assert waiting.wait(250)
    hub.release()
    assert queue.wait(250)
    assert {value.state for value in queue.downloads()} == {DownloadState.DONE}
    assert len(hub.seen("/cdn/")) == 1
    one, two = folder() / "tiny" / "unet" / "model.safetensors", folder() / "other" / "encoder.safetensors"
    assert one.samefile(two) and ModelStore().verify("other").whole


def test_what_waits_for_another_download_takes_over_when_that_is_cancelled(
    hub: HubServer, queue: Downloads, tiny: dict[str, bytes]
) -> None:
    hub.put("lab/other", "encoder.safetensors", tiny["unet/model.safetensors"])
    waiting = threading.Event()
    queue.listen(lambda value: waiting.set() if "waiting for it" in value.note else None)
    hub.hold("unet/model.safetensors", after=100_000)
    queue.start(accepted(queue, entry()))
    assert hub.held.wait(250)
    queue.start(accepted(queue, entry("other", "lab/other")))
    assert waiting.wait(250)
    queue.cancel("tiny")
    assert queue.wait(250)
    assert [value.id for value in queue.downloads()] == ["other"]
    assert state(queue, "other").state is DownloadState.DONE and ModelStore().verify("other").whole


def test_only_so_many_run_at_once(hub: HubServer, queues: list[Downloads], tiny: dict[str, bytes]) -> None:
    hub.put("lab/other", "own.safetensors", weights(5000))
    queue = queue_for(hub, parallel=1)
    queues.append(queue)
    hub.hold("unet/model.safetensors", after=1000)
    queue.start(accepted(queue, entry()))
    assert hub.held.wait(250)
    queue.start(accepted(queue, entry("other", "lab/other")))
    assert state(queue, "other").state is DownloadState.WAITING and not hub.seen("other/resolve")
    # One that waits can be paused and cancelled as well.
    queue.pause("other")
    assert state(queue, "other").state is DownloadState.PAUSED
    queue.resume("other")
    hub.release()
    assert queue.wait(250)
    assert [value.state for value in queue.downloads()] == [DownloadState.DONE] * 2


def test_the_hub_cache_is_linked_and_only_read(
    hub: HubServer, queues: list[Downloads], tiny: dict[str, bytes], tmp_path: Path
) -> None:
    data = tiny["unet/model.safetensors"]
    blob = tmp_path / "cache" / "models--lab--other" / "blobs" / hashlib.sha256(data).hexdigest()
    blob.parent.mkdir(parents=True)
    blob.write_bytes(data)
    before = (blob.stat().st_mtime_ns, files_in(tmp_path))
    queue = queue_for(hub)
    queues.append(queue)
    settings_for(hub, hub_cache=str(tmp_path / "cache"), reuse_hub_cache=True)
    plan = queue.plan(entry())
    assert plan.reused == len(data) and plan.to_fetch == len(tiny["config.json"])
    assert run(queue).state is DownloadState.DONE
    assert not hub.seen("/cdn/")
    assert (folder() / "tiny" / "unet" / "model.safetensors").samefile(blob)
    assert (blob.stat().st_mtime_ns, files_in(tmp_path)) == before


def test_a_damaged_cache_is_not_believed(
    hub: HubServer, queues: list[Downloads], tiny: dict[str, bytes], tmp_path: Path
) -> None:
    data = tiny["unet/model.safetensors"]
    blob = tmp_path / "models--lab--tiny" / "blobs" / hashlib.sha256(data).hexdigest()
    blob.parent.mkdir(parents=True)
    blob.write_bytes(bytes(len(data)))
    queue = queue_for(hub)
    queues.append(queue)
    settings_for(hub, hub_cache=str(tmp_path), reuse_hub_cache=True)
    assert queue.plan(entry()).reused == 0
    assert run(queue).state is DownloadState.DONE and ModelStore().verify("tiny").whole


def test_a_file_of_comfyui_is_reused_whatever_its_name(
    hub: HubServer, queues: list[Downloads], tiny: dict[str, bytes], tmp_path: Path
) -> None:
    same = tmp_path / "models" / "unet" / "renamed by me.safetensors"
    same.parent.mkdir(parents=True)
    same.write_bytes(tiny["unet/model.safetensors"])
    (same.parent / "as long.safetensors").write_bytes(bytes(same.stat().st_size))
    queue = queue_for(hub, comfyui_folders=(str(tmp_path),))
    queues.append(queue)
    assert queue.plan(entry()).reused == same.stat().st_size
    assert run(queue).state is DownloadState.DONE
    assert not hub.seen("/cdn/") and (folder() / "tiny" / "unet" / "model.safetensors").samefile(same)


HOSTILE: dict[str, Callable[[HubServer], None]] = {
    "a path that leads out": lambda hub: hub.repository("lab/tiny").extra_rows.append(
        {"type": "file", "path": "../../evil.json", "size": 2, "oid": "0" * 40}
    ),
    "a redirect to another host": lambda hub: hub.redirect(
        "unet/model.safetensors", "http://evil.example/model", times=9
    ),
    "wrong bytes": lambda hub: hub.corrupt("unet/model.safetensors", times=9),
    "a bomb in gzip": lambda hub: hub.pack("unet/model.safetensors", b"\x1f\x8b" + bytes(1000), times=9),
    "more than announced": lambda hub: hub.resize("unet/model.safetensors", by=1 << 20, times=9),
    "a header of 100 GB": lambda hub: _replace(hub, (100 << 30).to_bytes(8, "little") + bytes(5000)),
    "a pickle under another name": lambda hub: _replace(hub, b"\x80\x04cposix\nsystem\n(S'touch /tmp/pwned'\ntR." * 99),
    "tensors outside the file": lambda hub: _replace(hub, safetensors(5000)[:-1000]),
    "a config with a program": lambda hub: _describe(hub, "config.json", {"auto_map": {"AutoModel": "evil.Evil"}}),
    "shards elsewhere": lambda hub: _describe(
        hub, "unet/model.safetensors.index.json", {"weight_map": {"a": "../../../evil.safetensors"}}
    ),
    "shards that are pickles": lambda hub: _describe(hub, "a.index.json", {"weight_map": {"a": "evil.bin"}}),
    "a config without end": lambda hub: _replace(hub, b"[" * 100_000, "unet/config.json"),
}


def _replace(hub: HubServer, data: bytes, path: str = "unet/model.safetensors") -> None:
    hub.put("lab/tiny", path, data)


def _describe(hub: HubServer, path: str, table: object) -> None:
    hub.put("lab/tiny", path, json.dumps(table).encode(), large=False)


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_repositories_leave_nothing(
    hub: HubServer, queue: Downloads, tiny: dict[str, bytes], what: str
) -> None:
    """Refused in one sentence, nothing executed, nothing of it left behind."""
    hub.repository("lab/tiny").files.pop("config.json")
    hub.put("lab/tiny", "pipeline.py", b"open('/tmp/pwned', 'w')")
    HOSTILE[what](hub)
    try:
        ended = run(queue)
    except DownloadError as refusal:
        problem, remedy = refusal.sentence, refusal.remedy
        assert refusal.kind == "refused"
    else:
        assert ended.state is DownloadState.FAILED and ended.kind == "refused"
        problem, remedy = ended.problem, ended.remedy
    assert problem.endswith(".") and problem.count("\n") == 0 and remedy.endswith(".")
    assert nothing_left() and not (folder() / "tiny").exists()
    assert not (folder().parent / "evil.json").exists() and not Path("/tmp/pwned").exists()
    assert ModelStore().stored() == ()


def test_what_is_hostile_in_a_description_is_refused_before_the_weights_are_fetched(
    hub: HubServer, queue: Downloads, tiny: dict[str, bytes]
) -> None:
    _describe(hub, "text_encoder/config.json", {"auto_map": {"AutoModel": "evil.Evil"}})
    assert "program code" in run(queue).problem
    assert not hub.seen("/cdn/") and nothing_left()


def test_pickles_and_programs_are_never_fetched(hub: HubServer, queue: Downloads, tiny: dict[str, bytes]) -> None:
    for path in ("unet/model.bin", "evil.py", "run.sh", "a.ckpt", "weights.pth", "LICENSE.py"):
        hub.put("lab/tiny", path, b"x" * 2000)
    assert {file.path for file in queue.plan(entry()).files} == set(tiny)
    with pytest.raises(DownloadError) as caught:
        queue.plan(entry("tiny", "lab/tiny", "unet/model.bin"))
    assert caught.value.kind == "refused"
    hub.put("lab/pickles", "model.bin", b"x" * 2000)
    with pytest.raises(DownloadError) as caught:
        queue.plan(entry("pickles", "lab/pickles"))
    assert caught.value.kind == "refused" and "pickles" in caught.value.sentence


def test_an_archive_comes_only_with_a_hash_that_the_catalog_knows(hub: HubServer, queue: Downloads) -> None:
    digest = hub.put("lab/sam", "sam.pth", b"p" * 3000)
    with pytest.raises(DownloadError):
        queue.plan(entry("sam", "lab/sam", "sam.pth"))
    known = entry("sam", "lab/sam", files=(CatalogFile(path="sam.pth", sha256=digest),), patterns=())
    assert queue.plan(known).files[0].sha256 == digest
    other = entry("sam", "lab/sam", files=(CatalogFile(path="sam.pth", sha256="0" * 64),), patterns=())
    with pytest.raises(DownloadError) as caught:
        queue.plan(other)
    assert "not the file that the catalog knows" in caught.value.sentence


def test_a_link_in_the_staging_folder_leads_nowhere(
    hub: HubServer, queue: Downloads, tiny: dict[str, bytes], tmp_path: Path
) -> None:
    staged = folder() / ".incoming" / "tiny" / "files"
    staged.mkdir(parents=True)
    (staged / "unet").symlink_to(tmp_path)
    assert run(queue).kind == "refused"
    assert files_in(tmp_path) == []


def test_what_somebody_put_into_the_place_of_a_model_is_not_touched(queue: Downloads, tiny: dict[str, bytes]) -> None:
    mine = folder() / "tiny" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    ended = run(queue)
    assert ended.state is DownloadState.FAILED and "not downloaded" in ended.problem
    assert mine.read_text() == "mine"


def test_a_damaged_model_is_downloaded_again_with_what_is_whole(
    hub: HubServer, queue: Downloads, tiny: dict[str, bytes]
) -> None:
    hub.put("lab/tiny", "vae/model.safetensors", weights(BIG))
    run(queue)
    asked = len(hub.seen("/cdn/"))
    (folder() / "tiny" / "vae" / "model.safetensors").unlink()
    assert "missing" in ModelStore().stored()[0].problem
    queue.forget("tiny")
    plan = queue.plan(entry())
    assert not plan.installed and plan.reused == len(tiny["unet/model.safetensors"])
    assert run(queue).state is DownloadState.DONE
    assert len(hub.seen("/cdn/")) == asked + 1 and ModelStore().verify("tiny").whole


def test_orders_that_were_tampered_with_are_not_taken_up(queue: Downloads, hub: HubServer) -> None:
    orders = OrderFiles().folder
    orders.mkdir(parents=True)
    (orders / "a.json").write_text("{")
    (orders / "b.json").write_text('{"version": 1, "id": "../b"}')
    (orders / "c.json").write_bytes(os.urandom(100))
    assert queue.restore() == () and not hub.requests


def test_licences_without_a_text_are_no_licences(queue: Downloads, tiny: dict[str, bytes]) -> None:
    for terms in (
        Licence(id="X", title="X", text=""),
        Licence(id="X", title="X", text="../../pyproject.toml"),
        Licence(id="X", title="X", text="nothing.txt", url="https://example.org"),
    ):
        with pytest.raises(DownloadError) as caught:
            queue.plan(entry(licence=terms))
        assert caught.value.kind == "licence"
    assert APACHE.text
