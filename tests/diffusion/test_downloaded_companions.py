"""A model of the catalog and the parts that work beside it, downloaded in any order, moved and deleted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gen2studio.core.hashing import file_digest
from gen2studio.core.paths import data_dir
from gen2studio.models.download_values import StoredFile, StoredModel
from gen2studio.models.library import InstalledModel, ModelLibrary
from gen2studio.models.receipts import write_receipt
from gen2studio.models.storage import ModelStore
from tests.diffusion import tiny_animatediff

MOTION, DEPTH, STYLE = "animatediff-motion-v1-5-3", "controlnet-sd15-depth", "ip-adapter-sd15"
KINDS = {MOTION: "motion", DEPTH: "control", STYLE: "image_adapter"}


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the model; its parts lie beside it."""
    return tiny_animatediff.build_apart(tmp_path_factory.mktemp("apart"))


def keep(source: Path, kind: str) -> StoredModel:
    """Put a folder where a download puts it, and list it as one."""
    folder = data_dir() / "models" / "downloaded" / source.name
    shutil.copytree(source, folder)
    files = tuple(
        StoredFile(path=path.relative_to(folder).as_posix(), size=path.stat().st_size, sha256=file_digest(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    )
    model = StoredModel(
        id=source.name, title=source.name, kind=kind, folder=folder, repo="lab/x", commit="0" * 40, licence_id="MIT",
        licence_title="MIT", accepted="2026-01-02", downloaded="2026-01-02", files=files,
    )  # fmt: skip
    write_receipt(model, "Terms.\n")
    return ModelStore().keep(model)


def listed(apart: Path) -> InstalledModel | None:
    """The model as the library lists it."""
    folder = (data_dir() / "models" / "downloaded" / apart.name).resolve()
    return next((model for model in ModelLibrary().models() if model.folder == folder), None)


@pytest.mark.parametrize("model_first", [True, False])
def test_parts_find_their_model_in_any_order(apart: Path, model_first: bool) -> None:
    names = [MOTION, DEPTH, STYLE]
    if model_first:
        kept = keep(apart, "model")
        assert kept.registered == "" and "motion" in ModelStore().refusal(kept)
    for name in names:
        part = keep(apart.parent / name, KINDS[name])
        assert part.registered.startswith("beside:") is model_first
    if not model_first:
        keep(apart, "model")
    model = listed(apart)
    assert model is not None and model.usable
    assert {"motion_adapter", "controlnet_depth", "ip_adapter", "image_encoder"} <= set(dict(model.parts))
    registered = {stored.id: stored.registered for stored in ModelStore().stored()}
    assert registered[apart.name] == f"model:{model.id}"
    assert all(registered[name] == f"beside:{model.id}" for name in names)
    assert all(ModelStore().refusal(stored) == "" for stored in ModelStore().stored())


def test_parts_move_and_go_without_their_model(apart: Path, tmp_path: Path) -> None:
    keep(apart, "model")
    for name, kind in KINDS.items():
        keep(apart.parent / name, kind)
    ModelStore().move(MOTION, tmp_path)
    model = listed(apart)
    assert model is not None and model.usable
    assert dict(model.parts)["motion_adapter"] == tmp_path / MOTION
    ModelStore().delete(DEPTH)
    model = listed(apart)
    assert model is not None and model.usable and "controlnet_depth" not in dict(model.parts)
    # The model without what moves its pictures is there, and says what it lacks.
    ModelStore().delete(MOTION)
    model = listed(apart)
    assert model is not None and "motion" in model.problem
    ModelStore().delete(apart.name)
    assert listed(apart) is None
    assert [stored.id for stored in ModelStore().stored()] == [STYLE]
