"""Models are listed where they lie; what happens to their files is noticed and told."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from pathlib import Path

import pytest

from gen2studio.cli.main import main
from gen2studio.core.cancel import Cancelled, CancelToken
from gen2studio.core.errors import ModelError
from gen2studio.diffusion.runtime.residency import text_digest
from gen2studio.models.library import ModelLibrary
from gen2studio.models.list_lock import alone
from gen2studio.models.wan_layout import expected_shapes
from tests.models.folder import SMALL_WAN, TINY, change_json, original_name, shape_of, write_checkpoint, write_weights

WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture
def builtin(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "mini", manifest={"id": "mini", "title": "Built-in mini (demo world)"})


@pytest.fixture
def library(tmp_path: Path, builtin: Path) -> ModelLibrary:
    return ModelLibrary(tmp_path / "models.json", builtin)


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()}


def test_the_built_in_model_is_first_and_stays(tmp_path: Path, library: ModelLibrary) -> None:
    added = library.add(write_checkpoint(tmp_path / "a", SMALL_WAN, dtype="BF16"))
    assert [model.id for model in library.models()] == ["mini", "wan2.1-vace-1.3b"]
    assert library.models()[0].built_in
    assert added.usable
    with pytest.raises(ModelError, match="built in"):
        library.remove("mini")


def test_two_that_change_the_list_at_once_lose_nothing(tmp_path: Path, library: ModelLibrary) -> None:
    """The window's library and the command line's are two, and the list is read and written whole."""
    first = write_checkpoint(tmp_path / "a", TINY, manifest={"id": "first"})
    second = write_checkpoint(tmp_path / "b", TINY, manifest={"id": "second"})
    other = ModelLibrary(library.registry_file, tmp_path / "mini")
    ended = threading.Event()

    def add() -> None:
        other.add(second)
        ended.set()

    thread = threading.Thread(target=add)
    with alone(library.registry_file):
        thread.start()
        assert not ended.wait(0.3)
        library.add(first)
    thread.join()
    assert [model.id for model in library.models()] == ["mini", "first", "second"]


def test_rows_of_the_list_that_are_none_are_passed_over(library: ModelLibrary) -> None:
    rows = [{"id": "x"}, {"id": 5, "folder": "/x"}, {"id": "x", "folder": ["/x"]}, "x", None]
    library.registry_file.write_text(json.dumps({"version": 1, "models": rows}))
    assert [model.id for model in library.models()] == ["mini"]


def test_adding_copies_and_changes_nothing_and_is_remembered(tmp_path: Path, library: ModelLibrary) -> None:
    folder = write_checkpoint(tmp_path / "a", SMALL_WAN, dtype="BF16")
    before = snapshot(folder)
    added = library.add(folder)
    assert snapshot(folder) == before
    assert sum(p.stat().st_size for p in tmp_path.glob("models.json*")) < 4000
    again = ModelLibrary(library.registry_file, tmp_path / "mini")
    assert again.model(added.id) == added
    assert again.add(folder).id == added.id
    assert len(again.models()) == 2
    again.remove(added.id)
    assert [model.id for model in ModelLibrary(library.registry_file, tmp_path / "mini").models()] == ["mini"]
    assert snapshot(folder) == before


def test_two_models_of_one_kind_have_two_ids(tmp_path: Path, library: ModelLibrary) -> None:
    ids = [library.add(write_checkpoint(tmp_path / name, SMALL_WAN, dtype="BF16")).id for name in ("a", "b")]
    assert ids == ["wan2.1-vace-1.3b", "wan2.1-vace-1.3b-2"]


def test_a_model_that_vanished_or_broke_is_listed_with_one_sentence(tmp_path: Path, library: ModelLibrary) -> None:
    folder = write_checkpoint(tmp_path / "a", SMALL_WAN, dtype="BF16")
    added = library.add(folder)
    change_json(folder / "model_index.json", vae=["os", "system"])
    broken = library.model(added.id)
    assert "os.system" in broken.problem
    with pytest.raises(ModelError, match=r"os\.system"):
        broken.checkpoint()
    shutil.rmtree(folder)
    gone = library.model(added.id)
    assert (gone.title, gone.usable) == ("Wan 2.1 VACE 1.3B", False)
    assert "is not there" in gone.problem
    assert [model.id for model in library.usable()] == ["mini"]
    write_checkpoint(folder, SMALL_WAN, dtype="BF16")
    assert library.model(added.id).usable


def test_listing_again_reads_only_what_changed(tmp_path: Path, library: ModelLibrary) -> None:
    added = library.add(write_checkpoint(tmp_path / "a", SMALL_WAN, dtype="BF16", shards=8))
    assert library.model(added.id).usable
    shard = next((tmp_path / "a" / "transformer").glob("*-00001-of-*.safetensors"))
    before = shard.stat()
    shard.write_bytes(bytes(before.st_size))
    os.utime(shard, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert library.model(added.id).usable, "a file of the same size and date is not read again"
    os.utime(shard, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000))
    assert not library.model(added.id).usable


def test_a_damaged_list_is_told_and_kept(library: ModelLibrary) -> None:
    library.registry_file.write_text("{ half")
    with pytest.raises(ModelError, match="can't be read") as refusal:
        library.models()
    assert "not touched" in refusal.value.remedy
    assert library.registry_file.read_text() == "{ half"


def test_the_transformer_is_known_by_its_weights(tmp_path: Path, library: ModelLibrary, builtin: Path) -> None:
    first = library.model("mini").digest
    other = write_checkpoint(tmp_path / "b")
    path = other / "transformer" / WEIGHTS
    data = bytearray(path.read_bytes())
    data[-5] = 1
    path.write_bytes(bytes(data))
    assert library.add(other).digest not in ("", first)
    assert library.add(shutil.copytree(builtin, tmp_path / "c")).digest == first


def test_what_cuts_prompts_is_known_by_its_files(library: ModelLibrary, builtin: Path) -> None:
    before = library.model("mini")
    change_json(builtin / "tokenizer" / "tokenizer.json", version="2.0")
    after = library.model("mini")
    assert before.component_digest("tokenizer") != after.component_digest("tokenizer") != ""
    assert before.component_digest("text_encoder") == after.component_digest("text_encoder")
    assert text_digest(before) != text_digest(after), "prompts cut otherwise are embedded anew"


def test_a_single_file_borrows_the_other_parts(tmp_path: Path, library: ModelLibrary) -> None:
    shapes = {original_name(name): shape for name, shape in expected_shapes(shape_of(TINY)).items()}
    file = write_weights(tmp_path / "files" / "Fine Tune.safetensors", shapes, "BF16")
    added = library.add(file)
    assert (added.id, added.transformer_file) == ("mini-fine-tune", file)
    assert added.title == "Fine Tune (Built-in mini (demo world))"
    assert added.folder == library.models()[0].folder
    file.unlink()
    assert "Fine Tune.safetensors is not there" in library.model(added.id).problem


def test_a_single_file_without_its_parts_says_what_it_is(tmp_path: Path, library: ModelLibrary) -> None:
    shapes = expected_shapes(shape_of(SMALL_WAN))
    file = write_weights(tmp_path / "files" / "wan.safetensors", shapes, "BF16")
    with pytest.raises(ModelError, match=r"Wan VACE 1\.3B transformer"):
        library.add(file)
    rest = write_checkpoint(tmp_path / "rest", SMALL_WAN, dtype="BF16")
    (rest / "transformer" / WEIGHTS).unlink()
    assert library.add(file, rest).usable
    (tmp_path / "files" / "x.ckpt").write_bytes(b"")
    with pytest.raises(ModelError, match="pickle"):
        library.add(tmp_path / "files" / "x.ckpt")
    (tmp_path / "files" / "x.gguf").write_bytes(b"")
    with pytest.raises(ModelError, match="GGUF"):
        library.add(tmp_path / "files" / "x.gguf")
    (tmp_path / "files" / "x.txt").write_bytes(b"")
    with pytest.raises(ModelError, match="no safetensors file"):
        library.add(tmp_path / "files" / "x.txt")


def test_verifying_reads_everything_and_remembers(library: ModelLibrary, builtin: Path) -> None:
    seen: list[tuple[int, int]] = []
    first = library.verify("mini", lambda done, total: seen.append((done, total)))
    assert first.compared == 0
    assert seen[-1][0] == seen[-1][1] > 0
    path = builtin / "transformer" / WEIGHTS
    assert dict(first.files)[f"transformer/{WEIGHTS}"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert library.verify("mini").compared == len(first.files) == 3
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ModelError, match="bytes have changed"):
        library.verify("mini")
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        library.verify("mini", cancel=token)


def test_a_model_that_was_changed_on_purpose_is_added_again(
    tmp_path: Path, library: ModelLibrary, builtin: Path
) -> None:
    folder = write_checkpoint(tmp_path / "a")
    model_id = library.add(folder).id
    library.verify(model_id)
    path = folder / "transformer" / WEIGHTS
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    with pytest.raises(ModelError, match="bytes have changed"):
        library.verify(model_id)
    assert library.add(folder).id == model_id
    assert library.verify(model_id).compared == 0
    library.verify("mini")
    change_json(builtin / "gen2studio.json", revision="2")
    assert library.verify("mini").compared == 0


def test_sums_of_the_description_are_held_against(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "m", manifest={"files": {f"vae/{WEIGHTS}": "0" * 64}})
    with pytest.raises(ModelError, match="bytes have changed"):
        ModelLibrary(tmp_path / "list.json", folder).verify("m")


def test_the_verb_adds_lists_checks_and_removes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_checkpoint(tmp_path / "big", SMALL_WAN, dtype="BF16")
    assert main(["models", "add", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "Wan 2.1 VACE 1.3B" in said
    assert "832×480, 480×832; 81 frames at 16 fps" in said
    assert "transformer 2.15 B" in said
    assert "held" in said
    assert main(["models", "list", "--json"]) == 0
    row = next(r for r in json.loads(capsys.readouterr().out) if not r["built_in"])
    assert (row["id"], row["problem"], row["folder"]) == ("wan2.1-vace-1.3b", "", str(folder))
    (folder / "vae" / WEIGHTS).unlink()
    assert main(["models", "check", row["id"]]) == 1
    assert "no weights" in capsys.readouterr().err
    assert main(["models", "list"]) == 0
    assert "problem" in capsys.readouterr().out
    assert main(["models", "remove", row["id"]]) == 0
    assert main(["models", "remove", row["id"]]) == 1
    assert "not installed" in capsys.readouterr().err
    assert main(["models", "add", str(tmp_path / "none")]) == 1
    assert "There is nothing at" in capsys.readouterr().err
