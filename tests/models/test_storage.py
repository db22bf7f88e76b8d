"""What was downloaded: verified, moved, deleted, found again. Real folders and files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gen2studio.core.cancel import Cancelled, CancelToken
from gen2studio.core.errors import ModelError
from gen2studio.core.hashing import file_digest
from gen2studio.core.paths import data_dir
from gen2studio.models import storage
from gen2studio.models.adapters import AdapterLibrary
from gen2studio.models.catalog_entries import CatalogEntry, Licence
from gen2studio.models.download_values import DownloadError, StoredFile, StoredModel
from gen2studio.models.library import ModelLibrary
from gen2studio.models.licences import licence_text
from gen2studio.models.mask_models import MaskModelLibrary
from gen2studio.models.receipts import LICENCE_NAME, RECEIPT_NAME, read_receipt, write_receipt
from gen2studio.models.storage import ModelStore
from tests.models.folder import write_checkpoint, write_json, write_weights
from tests.models.hub_entries import files_in, weights


def stored(name: str = "tiny", kind: str = "shared", source: Path | None = None) -> StoredModel:
    """A folder as a download leaves it: files, receipt, licence."""
    folder = data_dir() / "models" / "downloaded" / name
    folder.mkdir(parents=True)
    if source is None:
        (folder / "unet").mkdir()
        (folder / "unet" / "model.safetensors").write_bytes(weights(300_000))
        (folder / "config.json").write_text("{}")
    else:
        for path in files_in(source):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes((source / path).read_bytes())
    files = tuple(
        StoredFile(path=path, size=(folder / path).stat().st_size, sha256=file_digest(folder / path))
        for path in files_in(folder)
    )
    model = StoredModel(
        id=name, title=name.title(), kind=kind, folder=folder, repo="lab/tiny", commit="0" * 40, licence_id="MIT",
        licence_title="MIT License", accepted="2026-01-02", downloaded="2026-01-02", files=files,
    )  # fmt: skip
    write_receipt(model, "The terms.\n")
    return ModelStore().keep(model)


def weights_of(model: StoredModel) -> Path:
    return model.folder / "unet" / "model.safetensors"


def test_what_was_downloaded_is_found_again() -> None:
    model = stored()
    store = ModelStore()
    assert store.stored() == (model,) and store.find("tiny") == model
    assert store.folder_of("tiny") == model.folder and store.folder_of("other") is None
    assert model.bytes == sum((model.folder / file.path).stat().st_size for file in model.files)
    with pytest.raises(ModelError):
        store.model("other")


def test_a_models_folder_of_another_machine_is_simply_there() -> None:
    model = stored()
    (data_dir() / "models" / storage.INDEX_NAME).unlink()
    assert [found.id for found in ModelStore().stored()] == ["tiny"]
    assert ModelStore().verify("tiny").whole
    assert ModelStore().delete("tiny").bytes > model.bytes and ModelStore().stored() == ()


def test_files_that_are_missing_or_cut_off_are_a_problem() -> None:
    model = stored()
    os.truncate(weights_of(model), 1000)
    assert "not whole" in ModelStore().stored()[0].problem and ModelStore().folder_of("tiny") is None
    weights_of(model).unlink()
    assert "missing" in ModelStore().stored()[0].problem
    model.folder.rename(model.folder.with_name("away"))
    found = ModelStore().stored()
    assert [row.id for row in found] == ["tiny"] and "Connect its drive" in found[0].problem
    with pytest.raises(ModelError, match="Connect its drive"):
        ModelStore().verify("tiny")


def test_verifying_finds_one_wrong_bit() -> None:
    model = stored()
    seen: list[tuple[int, int]] = []
    assert ModelStore().verify("tiny", lambda done, total: seen.append((done, total))).whole
    assert seen[-1] == (model.bytes, model.bytes) and seen == sorted(seen)
    data = bytearray(weights_of(model).read_bytes())
    data[-1] ^= 1
    weights_of(model).write_bytes(data)
    found = ModelStore().verify("tiny")
    assert found.wrong == ("unet/model.safetensors",) and not found.whole and found.compared == 2
    weights_of(model).unlink()
    assert ModelStore().verify("tiny").missing == ("unet/model.safetensors",)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        ModelStore().verify("tiny", cancel=token)


def test_a_model_moves_on_one_disk_by_its_name(tmp_path: Path) -> None:
    model = stored()
    inode = weights_of(model).stat().st_ino
    moved = ModelStore().move("tiny", tmp_path)
    assert moved.folder == tmp_path / "tiny" and not model.folder.exists()
    assert weights_of(moved).stat().st_ino == inode
    assert ModelStore().folder_of("tiny") == moved.folder and ModelStore().verify("tiny").whole
    assert ModelStore().move("tiny", tmp_path).folder == moved.folder


def test_a_model_moves_to_another_disk_and_goes_on_after_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "_renamed", lambda folder, target: False)
    monkeypatch.setattr("gen2studio.models.copying.BLOCK", 50_000)
    ModelStore()._settings.save(storage.HubSettingsFile().load().__class__(reserve=0))
    model = stored()
    data = weights_of(model).read_bytes()
    token = CancelToken()

    def stop(done: int, total: int) -> None:
        if done > total // 2:
            token.cancel()

    with pytest.raises(Cancelled):
        ModelStore().move("tiny", tmp_path, stop, token)
    assert ModelStore().folder_of("tiny") == model.folder and ModelStore().verify("tiny").whole
    part = tmp_path / ".incoming" / f"tiny{storage.MOVING}" / "unet" / "model.safetensors.part"
    assert 0 < part.stat().st_size < len(data)
    assert ModelStore().unfinished_moves() == (("tiny", tmp_path),)
    # What is there is used again, and what was damaged meanwhile is not.
    damaged = bytearray(part.read_bytes())
    damaged[0] ^= 1
    part.write_bytes(damaged)
    moved = ModelStore().move("tiny", tmp_path)
    assert weights_of(moved).read_bytes() == data and not model.folder.exists()
    assert files_in(tmp_path) == sorted(
        f"tiny/{name}" for name in (*(f.path for f in model.files), LICENCE_NAME, RECEIPT_NAME)
    )
    assert ModelStore().verify("tiny").whole


def test_what_a_killed_move_left_is_deleted_at_the_next_start(tmp_path: Path) -> None:
    model = stored()
    moved = ModelStore().move("tiny", tmp_path)
    # As it is when the program ends before it deletes: the old files are there, and the list says so.
    for path in files_in(moved.folder):
        (model.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (model.folder / path).write_bytes((moved.folder / path).read_bytes())
    ModelStore()._note("tiny", old=str(model.folder))
    ModelStore().tidy()
    assert not model.folder.exists() and ModelStore().folder_of("tiny") == moved.folder
    # A list that names the model itself deletes nothing.
    ModelStore()._note("tiny", old=str(moved.folder))
    ModelStore().tidy()
    assert ModelStore().verify("tiny").whole


def test_a_move_that_was_killed_after_renaming_is_ended(tmp_path: Path) -> None:
    """The folder has its new name, and nothing was written down yet."""
    model = stored("tiny", "model", write_checkpoint(tmp_path / "source"))
    listed = model.registered.removeprefix("model:")
    target = tmp_path / "other" / "tiny"
    ModelStore()._note("tiny", moving=str(target))
    target.parent.mkdir()
    model.folder.rename(target)
    found = ModelStore().model("tiny")
    assert (found.folder, found.problem) == (target, "") and ModelStore().verify("tiny").whole
    assert ModelStore().unfinished_moves() == ()
    ModelStore().tidy()
    assert ModelStore().stored()[0].folder == target
    assert ModelLibrary().model(listed).usable and ModelLibrary().model(listed).folder == target
    assert "moving" not in (data_dir() / "models" / storage.INDEX_NAME).read_text()


def test_a_downloaded_adapter_that_is_none_says_why(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    write_weights(folder / "lora.safetensors", {"double_blocks.0.img_attn.qkv.weight": (96, 32)})
    none = stored("tiny", "adapter", folder)
    assert none.registered == "" and "not a LoRA adapter" in ModelStore().refusal(none)


def test_deleting_takes_along_what_a_stopped_move_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_renamed", lambda folder, target: False)
    monkeypatch.setattr("gen2studio.models.copying.BLOCK", 50_000)
    ModelStore()._settings.save(storage.HubSettingsFile().load().__class__(reserve=0))
    stored()
    token = CancelToken()
    with pytest.raises(Cancelled):
        ModelStore().move("tiny", tmp_path / "disk", lambda _done, _total: token.cancel(), token)
    assert files_in(tmp_path / "disk")
    ModelStore().delete("tiny")
    assert files_in(tmp_path / "disk") == [] and ModelStore().unfinished_moves() == ()


def test_a_model_is_not_moved_into_itself() -> None:
    model = stored()
    for place in (model.folder, model.folder / "unet", model.folder / "new"):
        with pytest.raises(DownloadError, match="into itself"):
            ModelStore().move("tiny", place)
    assert ModelStore().verify("tiny").whole and not (model.folder / "new").exists()


def test_a_damaged_model_is_not_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_renamed", lambda folder, target: False)
    ModelStore()._settings.save(storage.HubSettingsFile().load().__class__(reserve=0))
    model = stored()
    data = bytearray(weights_of(model).read_bytes())
    data[1000] ^= 1
    weights_of(model).write_bytes(data)
    with pytest.raises(DownloadError) as caught:
        ModelStore().move("tiny", tmp_path)
    assert "damaged" in caught.value.sentence and weights_of(model).is_file()
    assert not (tmp_path / "tiny").exists()


def test_moving_is_refused_where_there_is_no_room_or_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = stored()
    (tmp_path / "tiny").mkdir()
    with pytest.raises(DownloadError) as caught:
        ModelStore().move("tiny", tmp_path)
    assert "already" in caught.value.sentence
    monkeypatch.setattr(storage, "_renamed", lambda folder, target: False)
    ModelStore()._settings.save(storage.HubSettingsFile().load().__class__(reserve=1 << 49))
    with pytest.raises(DownloadError) as caught:
        ModelStore().move("tiny", tmp_path / "more")
    assert caught.value.kind == "disk" and model.folder.is_dir()


def test_deleting_says_what_it_frees(tmp_path: Path) -> None:
    model = stored()
    os.link(weights_of(model), tmp_path / "shared.safetensors")
    (model.folder / "unet" / "mine.txt").write_text("mine")
    size = weights_of(model).stat().st_size
    would = ModelStore().would_free("tiny")
    assert would.shared == size and 0 < would.bytes < 5000
    assert ModelStore().delete("tiny") == would
    # What did not come with the download stays.
    assert files_in(model.folder) == ["unet/mine.txt"] and (tmp_path / "shared.safetensors").stat().st_size == size
    assert ModelStore().stored() == ()


def test_a_model_is_listed_moves_and_goes_with_its_files(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "source")
    model = stored("tiny-wan", "model", source)
    assert model.registered == "model:tiny-wan" and ModelLibrary().model("tiny-wan").usable
    ModelStore().move("tiny-wan", tmp_path / "disk")
    assert ModelLibrary().model("tiny-wan").folder == (tmp_path / "disk" / "tiny-wan").resolve()
    assert ModelLibrary().model("tiny-wan").usable
    ModelStore().delete("tiny-wan")
    assert "tiny-wan" not in {found.id for found in ModelLibrary().models()}
    assert not (tmp_path / "disk" / "tiny-wan").exists()


_LORA = {"blocks.0.attn1.to_q.lora_A.weight": (4, 32), "blocks.0.attn1.to_q.lora_B.weight": (32, 4)}


def test_an_adapter_is_linked_into_the_library_and_freed_with_it(tmp_path: Path) -> None:
    write_weights(tmp_path / "source" / "few.safetensors", _LORA)
    model = stored("few-steps", "adapter", tmp_path / "source")
    shelf, _, name = model.registered.partition(":")
    adapter = AdapterLibrary().adapter(name)
    assert shelf == "adapter" and adapter.name == "Few-Steps" and not adapter.problem
    assert adapter.path.samefile(model.folder / "few.safetensors")
    would = ModelStore().would_free("few-steps")
    assert would.shared == 0 and would.bytes > model.bytes
    moved = ModelStore().move("few-steps", tmp_path / "disk")
    assert moved.registered == model.registered and len(AdapterLibrary().adapters()) == 1
    ModelStore().delete("few-steps")
    assert AdapterLibrary().adapters() == ()


def test_a_pair_of_adapters_is_two_and_an_own_one_stays(tmp_path: Path) -> None:
    names = ("wan2.2_t2v_A14b_high_noise_lora.safetensors", "wan2.2_t2v_A14b_low_noise_lora.safetensors")
    for number, name in enumerate(names):
        write_weights(tmp_path / "source" / name, _LORA, metadata={"number": str(number)})
    model = stored("pair", "adapter", tmp_path / "source")
    found = {adapter.name: adapter for adapter in AdapterLibrary().adapters()}
    assert set(found) == {"Pair (high noise)", "Pair (low noise)"}
    assert {adapter.file_name for adapter in found.values()} == set(names)
    assert set(model.registered.partition(":")[2].split(",")) == {adapter.id for adapter in found.values()}
    ModelStore().delete("pair")
    assert AdapterLibrary().adapters() == ()
    # What the artist had imported before is the artist's.
    mine = AdapterLibrary().import_file(tmp_path / "source" / names[0], name="Mine")
    model = stored("again", "adapter", tmp_path / "source")
    assert mine.id not in model.registered and len(AdapterLibrary().adapters()) == 2
    ModelStore().delete("again")
    assert [adapter.name for adapter in AdapterLibrary().adapters()] == ["Mine"]


def test_a_mask_model_is_listed_with_the_masks(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    write_json(folder / "config.json", {"model_type": "sam2_video"})
    write_weights(folder / "model.safetensors", {"a": (4,)})
    model = stored("sam2", "masks", folder)
    assert model.registered == "masks:sam2" and MaskModelLibrary().model("sam2").tracks
    ModelStore().delete("sam2")
    assert MaskModelLibrary().models() == ()


def test_a_model_that_cannot_be_used_yet_says_why() -> None:
    model = stored(kind="model")
    assert model.registered == "" and "model_index.json" in ModelStore().refusal(model)
    assert ModelStore().folder_of("tiny") == model.folder
    part = stored("part")
    assert ModelStore().refusal(part) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"id": "../tiny"}, {"id": "Tiny"}, {"kind": "program"}, {"files": []}, {"files": "all"}, {"files": [{}]},
        {"files": [{"path": "../../etc/passwd", "size": 1, "sha256": "0" * 64}]},
        {"files": [{"path": "/etc/passwd", "size": 1, "sha256": "0" * 64}]},
        {"files": [{"path": "a.json", "size": -1, "sha256": "0" * 64}]},
        {"files": [{"path": "a.json", "size": 1, "sha256": "zz"}]},
    ],
)  # fmt: skip
def test_a_receipt_that_lies_is_no_receipt(change: dict[str, object]) -> None:
    """Or deleting such a model would delete other files."""
    model = stored()
    path = model.folder / RECEIPT_NAME
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert read_receipt(model.folder) is None
    assert "not there" in ModelStore().stored()[0].problem


def test_a_link_in_a_model_is_not_followed_by_deleting(tmp_path: Path) -> None:
    model = stored()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "model.safetensors").write_bytes(weights_of(model).read_bytes())
    weights_of(model).unlink()
    (model.folder / "unet").rmdir()
    (model.folder / "unet").symlink_to(outside)
    assert ModelStore().verify("tiny").missing == ("unet/model.safetensors",)
    ModelStore().delete("tiny")
    assert files_in(outside) == ["model.safetensors"]


def test_texts_of_strangers_do_nothing_to_a_terminal() -> None:
    model = stored()
    path = model.folder / RECEIPT_NAME
    path.write_text(
        json.dumps({**json.loads(path.read_text()), "title": "Tiny\x1b]0;mine\x07\r\n\u202eevil", "repo": 7})
    )
    found = read_receipt(model.folder)
    assert found is not None and found.title == "Tiny]0;mineevil" and found.repo == ""
    terms = Licence(id="Lab", title="Lab", text="", source_path="LICENSE")
    of = CatalogEntry(id="tiny", title="Tiny", kind="shared", repo="lab/tiny", licence=terms)
    assert licence_text(of, lambda _path: "One\r\n\x1b[2JTwo\tthree\u202e").text == "One\n[2JTwo\tthree\n"
