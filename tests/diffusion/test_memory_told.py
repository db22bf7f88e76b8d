"""What is told before a run about one pass of each driven class is what the allocator then hands out, within a fifth.

Wan's classes are held to the same in their own tests; whole runs are measured by ``tests.bench.bench_memory``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from gen2studio.diffusion.runtime.torch_loading import load_diffusers
from gen2studio.models.families.animatediff import ANIMATEDIFF
from gen2studio.models.families.cogvideox import COGVIDEOX
from gen2studio.models.families.ltx import LTX
from gen2studio.models.families.rules import CheckpointFamily, ClipShape
from gen2studio.models.families.svd import SVD
from tests.diffusion.allocations import peak_of

_HEADS = {"num_attention_heads": 8, "attention_head_dim": 64}
_STAGES = (64, 128, 256, 256)


@dataclass
class Pass:
    """A class with random weights, what one pass of it is given, and the clip that this stands for."""

    family: CheckpointFamily
    models: dict[str, Any]
    inputs: dict[str, Any]
    clip: ClipShape
    forms: tuple[torch.dtype, ...] = (torch.float32, torch.bfloat16)

    @property
    def configs(self) -> dict[str, Any]:
        """As they would be read from a folder."""
        return {name: json.loads(json.dumps(dict(model.config), default=str)) for name, model in self.models.items()}


def ltx(library: Any) -> Pass:
    model = library.LTXVideoTransformer3DModel(
        **_HEADS, in_channels=128, out_channels=128, cross_attention_dim=512, num_layers=1, caption_channels=64
    )
    vae = library.AutoencoderKLLTXVideo(
        block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4, layers_per_block=(1,) * 5,
        decoder_layers_per_block=(1,) * 5,
    )  # fmt: skip
    tokens = 3 * 12 * 12
    inputs: dict[str, Any] = {
        "hidden_states": torch.randn(2, tokens, 128), "encoder_hidden_states": torch.randn(2, 16, 64),
        "encoder_attention_mask": torch.ones(2, 16), "timestep": torch.full((2, tokens), 500.0),
        "num_frames": 3, "height": 12, "width": 12,
    }  # fmt: skip
    return Pass(LTX, {"transformer": model, "vae": vae}, inputs, ClipShape(width=384, height=384, frames=17))


def cogvideox(library: Any) -> Pass:
    model = library.CogVideoXTransformer3DModel(
        **_HEADS, in_channels=16, out_channels=16, time_embed_dim=128, text_embed_dim=64, num_layers=1,
        sample_width=24, sample_height=24, sample_frames=9, max_text_seq_length=32,
    )  # fmt: skip
    vae = library.AutoencoderKLCogVideoX(
        down_block_types=("CogVideoXDownBlock3D",) * 4, up_block_types=("CogVideoXUpBlock3D",) * 4,
        block_out_channels=(8,) * 4, layers_per_block=1, norm_num_groups=2,
    )  # fmt: skip
    inputs: dict[str, Any] = {
        "hidden_states": torch.randn(2, 3, 16, 24, 24), "encoder_hidden_states": torch.randn(2, 32, 64),
        "timestep": torch.full((2,), 500),
    }  # fmt: skip
    return Pass(COGVIDEOX, {"transformer": model, "vae": vae}, inputs, ClipShape(width=192, height=192, frames=9))


def svd(library: Any) -> Pass:
    down = (*("CrossAttnDownBlockSpatioTemporal",) * 3, "DownBlockSpatioTemporal")
    up = ("UpBlockSpatioTemporal", *("CrossAttnUpBlockSpatioTemporal",) * 3)
    model = library.UNetSpatioTemporalConditionModel(
        sample_size=24, in_channels=8, out_channels=4, block_out_channels=_STAGES, down_block_types=down,
        up_block_types=up, addition_time_embed_dim=8, projection_class_embeddings_input_dim=24, cross_attention_dim=16,
        num_attention_heads=(1, 2, 4, 4), num_frames=3,
    )  # fmt: skip
    vae = library.AutoencoderKLTemporalDecoder(
        down_block_types=("DownEncoderBlock2D",) * 4, block_out_channels=(32,) * 4, layers_per_block=1
    )
    inputs: dict[str, Any] = {
        "sample": torch.randn(2, 3, 8, 24, 24), "encoder_hidden_states": torch.randn(2, 1, 16),
        "timestep": torch.tensor(5), "added_time_ids": torch.zeros(2, 3),
    }  # fmt: skip
    return Pass(SVD, {"unet": model, "vae": vae}, inputs, ClipShape(width=192, height=192, frames=3))


def animatediff(library: Any) -> Pass:
    down = (*("CrossAttnDownBlock2D",) * 3, "DownBlock2D")
    up = ("UpBlock2D", *("CrossAttnUpBlock2D",) * 3)
    image = library.UNet2DConditionModel(
        sample_size=24, block_out_channels=_STAGES, cross_attention_dim=24, attention_head_dim=4, down_block_types=down,
        up_block_types=up,
    )  # fmt: skip
    motion = library.MotionAdapter(
        block_out_channels=_STAGES, motion_num_attention_heads=4, motion_max_seq_length=16, use_motion_mid_block=False
    )
    vae = library.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(32,) * 4,
    )  # fmt: skip
    model = library.UNetMotionModel.from_unet2d(image, motion)
    inputs: dict[str, Any] = {
        "sample": torch.randn(2, 4, 3, 24, 24), "encoder_hidden_states": torch.randn(6, 77, 24),
        "timestep": torch.tensor(5),
    }  # fmt: skip
    # In 16 bits a processor keeps more of it in float32 than a GPU does, which is what is told.
    clip = ClipShape(width=192, height=192, frames=3)
    return Pass(ANIMATEDIFF, {"unet": model, "vae": vae}, inputs, clip, (torch.float32,))


@pytest.mark.parametrize("make", [ltx, cogvideox, svd, animatediff], ids=lambda make: make.__name__)
def test_the_memory_of_a_pass_is_what_the_allocator_says(make: Any) -> None:
    made = make(load_diffusers())
    model = made.models.get("transformer") or made.models["unet"]
    work = made.family.work(made.configs, made.clip).denoiser
    kept = tuple(model._keep_in_fp32_modules or ())
    for form in made.forms:
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if tensor.is_floating_point() and not any(part in name.split(".") for part in kept):
                tensor.data = tensor.data.to(form)
        given = {
            name: value.to(form) if name.endswith(("states", "sample", "ids")) else value
            for name, value in made.inputs.items()
        }
        measured = peak_of(lambda given=given: model.eval()(**given, return_dict=False))
        assert work.denoising_bytes(form.itemsize) == pytest.approx(measured, rel=0.2), form
