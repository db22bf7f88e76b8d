"""Configs with values that no model has: refused in a sentence wherever they are read; nothing is computed of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gen2studio.core.errors import ModelError
from gen2studio.models.architecture import number, numbers
from gen2studio.models.checkpoint import check_checkpoint
from gen2studio.models.families.flux2_klein import FLUX2_KLEIN
from gen2studio.models.families.ltx import LTX
from gen2studio.models.families.rules import ClipShape
from tests.models.folder import TINY, change_json, write_checkpoint

ODD: tuple[Any, ...] = ("abc", [], {}, -1, 10**30, float("nan"), [None], ["x"], True)
CLIP = ClipShape(width=64, height=64, frames=5)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("hostile") / "tiny", TINY)


@pytest.mark.parametrize(
    ("part", "key"),
    [
        ("vae", "decoder_base_dim"), ("vae", "patch_size"), ("vae", "base_dim"), ("vae", "dim_mult"),
        ("transformer", "vace_layers"), ("transformer", "num_layers"), ("text_encoder", "d_model"),
    ],
)  # fmt: skip
def test_a_checkpoint_with_an_odd_config_is_refused(checkpoint: Path, part: str, key: str) -> None:
    path = checkpoint / part / "config.json"
    whole = path.read_text()
    for value in ODD:
        change_json(path, **{key: value})
        with pytest.raises(ModelError):
            check_checkpoint(checkpoint)
    path.write_text(whole)
    found = check_checkpoint(checkpoint)
    assert found.family.work(found.configs, CLIP).denoiser.denoising_bytes(2) > 0


@pytest.mark.parametrize("value", [-1, "UMT5EncoderModel", {}, [{}], [["x"]]])
def test_a_class_that_is_no_name_is_passed_over_or_refused(checkpoint: Path, value: Any) -> None:
    path = checkpoint / "text_encoder" / "config.json"
    whole = path.read_text()
    change_json(path, architectures=value)
    try:
        assert check_checkpoint(checkpoint).classes["text_encoder"][1] == "UMT5EncoderModel"
    except ModelError as error:
        assert "text_encoder" in error.sentence
    finally:
        path.write_text(whole)


@pytest.mark.parametrize("value", ODD)
def test_numbers_are_whole_and_lists_are_not_empty(value: Any) -> None:
    with pytest.raises(ModelError, match="of the VAE has a “key”"):
        number({"key": value}, "vae", "key", 1, 100)
    with pytest.raises(ModelError):
        numbers({"key": value}, "vae", "key", [1], 100)
    with pytest.raises(ModelError):
        number({}, "vae", "key", None, 100)
    assert numbers({}, "vae", "key", [1], 100) == [1] and number({}, "vae", "key", 7, 100) == 7


@pytest.mark.parametrize("value", ODD)
def test_an_estimate_computes_nothing_of_odd_values(value: Any) -> None:
    transformer = {"num_attention_heads": 2, "attention_head_dim": 8, "mlp_ratio": value}
    with pytest.raises(ModelError, match="mlp_ratio"):
        FLUX2_KLEIN.work({"transformer": transformer, "vae": {}, "text_encoder": {}}, CLIP)
    with pytest.raises(ModelError, match=r"decoder_block_out_channels|upsample_factor"):
        LTX.work({"transformer": {}, "vae": {"decoder_block_out_channels": value, "upsample_factor": value}}, CLIP)
