"""Mask models are recognised by what is in them, without torch and without running what is in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gen2studio.core.errors import ModelError
from gen2studio.models.mask_models import MaskModelLibrary, check_mask_model, is_mask_model
from gen2studio.models.sam_layout import expected_shapes, sam_shape
from gen2studio.models.torch_archive import read_archive
from tests.segmentation.small_sam import CHECKPOINT, SMALL

State = dict[str, Any]


class Attack:
    """Pickles as a command."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.system, ("touch pwned",)


def state() -> State:
    return torch.load(CHECKPOINT, weights_only=True)


def written(folder: Path, content: Any, name: str = "model.pth", **options: Any) -> Path:
    path = folder / name
    torch.save(content, path, **options)
    return path


def test_the_shapes_of_a_checkpoint_say_what_it_is(tmp_path: Path) -> None:
    shapes = {name: tensor.shape for name, tensor in read_archive(CHECKPOINT).items()}
    assert shapes == {name: tuple(tensor.shape) for name, tensor in state().items()}
    assert sam_shape(shapes) == SMALL and expected_shapes(SMALL) == shapes
    found = check_mask_model(written(tmp_path, {"model": state()}, "mine.pt"))
    assert (found.id, found.family, found.tracks, found.problem) == ("mine", "sam", False, "")


@pytest.mark.parametrize(("build", "title"), [("vit_b", "ViT-B"), ("vit_l", "ViT-L"), ("vit_h", "ViT-H")])
def test_the_published_sizes_are_recognised(build: str, title: str) -> None:
    from gen2studio.diffusion.runtime.torch_loading import load_torch
    from gen2studio.segmentation.sam_building import build_sam, import_package

    load_torch()
    with torch.device("meta"):
        published = import_package().sam_model_registry[build]()
    shapes = {name: tuple(tensor.shape) for name, tensor in published.state_dict().items()}
    shape = sam_shape(shapes)
    assert title in shape.title and shape.image_side == 1024 and shape.window == 14
    with torch.device("meta"):
        ours = build_sam(shape)
    assert {name: tuple(tensor.shape) for name, tensor in ours.state_dict().items()} == shapes
    assert repr(ours) == repr(published)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda: {"memory_attention.a": torch.zeros(2)}, "Meta's own format"),
        (lambda: {"image_encoder.layers.0.a": torch.zeros(2)}, "MobileSAM"),
        (lambda: {"conv.weight": torch.zeros(2, 2)}, "no Segment Anything checkpoint"),
        (lambda: {"a": Attack()}, "wants to run"),
        (lambda: torch.nn.Linear(2, 2), "wants to run"),
        (lambda: {"epoch": 3, "a": torch.zeros(2)}, "more than the weights"),
        (dict, "no weights"),
        (lambda: dict(list(state().items())[:-1]), "it lacks “"),
        (lambda: {**state(), "extra": torch.zeros(1)}, "“extra”, which SAM has not"),
        (lambda: {**state(), "mask_decoder.iou_token.weight": torch.zeros(1, 63)}, "is 1×63 and should be 1×64"),
    ],
)
def test_other_files_are_refused_in_one_sentence(tmp_path: Path, content: Callable[[], Any], said: str) -> None:
    path = written(tmp_path, content())
    with pytest.raises(ModelError, match=said) as refused:
        check_mask_model(path)
    assert "\n" not in str(refused.value) and refused.value.remedy
    assert not (tmp_path / "pwned").exists() and not Path("pwned").exists()


def test_damaged_files_are_refused_in_one_sentence(tmp_path: Path) -> None:
    whole = CHECKPOINT.read_bytes()
    cut, noise = tmp_path / "cut.pth", tmp_path / "noise.pth"
    cut.write_bytes(whole[: len(whole) // 2])
    noise.write_bytes(b"\0" * 5000)
    old = written(tmp_path, state(), "old.pth", _use_new_zipfile_serialization=False)
    for path in (cut, noise, old):
        with pytest.raises(ModelError, match="no checkpoint of torch"):
            check_mask_model(path)
    with pytest.raises(ModelError, match="no file"):
        check_mask_model(tmp_path / "none.pth")


def folder(path: Path, config: dict[str, Any], weights: str = "model.safetensors") -> Path:
    from safetensors.torch import save_file

    path.mkdir()
    (path / "config.json").write_text(json.dumps(config))
    if weights:
        save_file({"a": torch.zeros(4)}, path / weights)
    return path


def test_folders_are_known_by_their_config(tmp_path: Path) -> None:
    video = folder(tmp_path / "video", {"model_type": "sam2_video"})
    image = folder(tmp_path / "image", {"model_type": "sam2"})
    other = folder(tmp_path / "other", {"model_type": "bert"})
    bare = folder(tmp_path / "bare", {"model_type": "sam3_video"}, weights="")
    assert check_mask_model(video).tracks and not check_mask_model(image).tracks
    assert is_mask_model(video) and not is_mask_model(other) and not is_mask_model(tmp_path)
    for place, said in ((other, "a bert model"), (bare, "no .safetensors weights"), (tmp_path, "no config.json")):
        with pytest.raises(ModelError, match=said):
            check_mask_model(place)
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (video / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match=r"lacks “model-1.safetensors”"):
        check_mask_model(video)


def test_the_list_remembers_and_tells_what_went_away(tmp_path: Path) -> None:
    library = MaskModelLibrary(tmp_path / "list.json")
    path = written(tmp_path, state(), "flow.pth")
    added = library.add(path)
    assert added.id == "flow-2", "the built-in engines keep their names"
    assert library.add(path).id == added.id and len(library.models()) == 1
    path.unlink()
    assert "is not there" in MaskModelLibrary(tmp_path / "list.json").model(added.id).problem
    library.remove(added.id)
    assert library.models() == ()
    with pytest.raises(ModelError, match="not installed"):
        library.remove(added.id)
    (tmp_path / "list.json").write_text("{")
    with pytest.raises(ModelError, match="can't be read"):
        library.models()


def test_listing_imports_no_torch(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from gen2studio.models.mask_models import MaskModelLibrary\n"
        "from gen2studio.segmentation.catalog import mask_engine_entries\n"
        f"library = MaskModelLibrary(Path({str(tmp_path / 'l.json')!r}))\n"
        f"library.add(Path({str(CHECKPOINT)!r}))\n"
        "entries = mask_engine_entries(library.models(), lambda: None, lambda: False)\n"
        "print([e.info.id for e in entries], [m for m in ('torch', 'cv2', 'segment_anything') if m in sys.modules])\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "['small-sam', 'graph-cut', 'flow'] []"
