"""Small random checkpoints of the very classes that AnimateDiff on Stable Diffusion 1.5 is made of.

``build`` makes one folder with everything inside, ``build_apart`` folders as downloads lie side by side. What stock
initialisation leaves at zero (the way out of motion modules and of ControlNets) gets weights, so that every part acts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tests.diffusion.tiny import WORDS

WIDTHS = (16, 32)
_WORD_DIM = 24
_IMAGE_DIM = 20
_IMAGE_SIDE = 28
_GROUPS = 4
CONTROLS = ("depth", "scribble", "canny", "tile")


def build(folder: Path, *, without: tuple[str, ...] = (), seed: int = 11) -> Path:
    """Write a model folder with every companion inside but those in ``without``, and return it."""
    return _written(folder, seed, lambda part: None if part in without else folder / part)


def build_apart(home: Path, *, seed: int = 11) -> Path:
    """The same parts in folders of their own in ``home``, called as they were published. Returns the model's."""
    places = {
        "motion_adapter": "animatediff-motion-v1-5-3",
        **{f"controlnet_{kind}": f"controlnet-sd15-{kind}" for kind in CONTROLS},
        "ip_adapter.safetensors": "ip-adapter-sd15/models/ip-adapter_sd15.safetensors",
        "image_encoder": "ip-adapter-sd15/models/image_encoder",
    }
    return _written(home / "stable-diffusion-1.5", seed, lambda part: home / places[part] if part in places else None)


def _written(folder: Path, seed: int, place: Callable[[str], Path | None]) -> Path:
    from gen2studio.diffusion.runtime.torch_loading import load_diffusers

    load_diffusers()
    state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    makers: dict[str, Callable[[Path], object]] = {
        "motion_adapter": lambda at: motion_adapter().save_pretrained(at, safe_serialization=True),
        **{f"controlnet_{kind}": _control for kind in CONTROLS},
        "ip_adapter.safetensors": _style,
        "image_encoder": _image_encoder,
        "few_step_lora.safetensors": few_step_lora,
    }
    try:
        _stable_diffusion(folder)
        for part, make in makers.items():
            at = place(part)
            if at is not None:
                at.parent.mkdir(parents=True, exist_ok=True)
                make(at)
    finally:
        torch.random.set_rng_state(state)
    return folder


def manifest() -> dict[str, Any]:
    return {
        "id": "tiny-animatediff",
        "title": "Tiny AnimateDiff",
        "revision": "1",
        "licence": "Apache-2.0",
        "sizes": [[64, 64], [96, 64], [64, 96]],
        "frames": {"native": 8, "max": 16, "multiple": 1},
        "rate": "8",
        "guidance": {"default": 2.0, "min": 1.0, "max": 12.0},
        "steps": {"default": 3, "min": 1, "max": 50},
    }


def unet2d() -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=8, in_channels=4, out_channels=4, block_out_channels=WIDTHS, layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=_WORD_DIM, attention_head_dim=2, norm_num_groups=_GROUPS,
    )  # fmt: skip


def motion_adapter() -> Any:
    from diffusers import MotionAdapter

    made = MotionAdapter(
        block_out_channels=WIDTHS, motion_layers_per_block=1, motion_num_attention_heads=2,
        motion_norm_num_groups=_GROUPS, motion_max_seq_length=16, use_motion_mid_block=False,
    )  # fmt: skip
    for name, parameter in made.named_parameters():
        if "proj_out" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    return made


def _stable_diffusion(folder: Path) -> None:
    from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline
    from transformers import CLIPTextConfig, CLIPTextModel

    vae = AutoencoderKL(
        block_out_channels=(4, 8, 8, 8), layers_per_block=1, norm_num_groups=2, sample_size=64,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, latent_channels=4,
    )  # fmt: skip
    tokenizer = _tokenizer()
    words = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer), hidden_size=_WORD_DIM, intermediate_size=32, num_hidden_layers=1,
            num_attention_heads=2, max_position_embeddings=77, bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
        )
    )  # fmt: skip
    pipe = StableDiffusionPipeline(
        vae=vae, text_encoder=words.eval(), tokenizer=tokenizer, unet=unet2d(),
        scheduler=PNDMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, skip_prk_steps=True,
            set_alpha_to_one=False,
        ),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipe.save_pretrained(folder, safe_serialization=True)
    index = json.loads((folder / "model_index.json").read_text())
    # As published: a checker that is named, whose folder may even be there, and that must never be opened.
    index["safety_checker"] = ["stable_diffusion", "StableDiffusionSafetyChecker"]
    index["feature_extractor"] = ["transformers", "CLIPImageProcessor"]
    (folder / "model_index.json").write_text(json.dumps(index, indent=2))
    (folder / "gen2studio.json").write_text(json.dumps(manifest(), indent=2))


def _tokenizer() -> Any:
    from transformers import CLIPTokenizer

    letters = sorted(set("".join(WORDS)))
    names = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    merges: list[str] = []
    for word in dict.fromkeys(WORDS):
        pieces = [*word[:-1], f"{word[-1]}</w>"]
        while len(pieces) > 1:
            merges.append(f"{pieces[0]} {pieces[1]}")
            pieces = [pieces[0] + pieces[1], *pieces[2:]]
            names.append(pieces[0])
    table = {name: index for index, name in enumerate(dict.fromkeys(names))}
    return CLIPTokenizer(
        vocab=table, merges=[tuple(pair.split(" ")) for pair in dict.fromkeys(merges)], model_max_length=77
    )


def _control(folder: Path) -> None:
    from diffusers import ControlNetModel

    made = ControlNetModel(
        in_channels=4, block_out_channels=WIDTHS, layers_per_block=1, attention_head_dim=2,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), cross_attention_dim=_WORD_DIM,
        norm_num_groups=_GROUPS, conditioning_embedding_out_channels=(4, 4, 8, 8),
    )  # fmt: skip
    for name, parameter in made.named_parameters():
        if name.startswith(("controlnet_down_blocks", "controlnet_mid_block")) or "cond_embedding.conv_out" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    made.save_pretrained(folder, safe_serialization=True)


def _image_encoder(folder: Path) -> None:
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    encoder = CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=_IMAGE_DIM, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
            image_size=_IMAGE_SIDE, patch_size=14, projection_dim=_IMAGE_DIM,
        )
    )  # fmt: skip
    encoder.eval().save_pretrained(folder, safe_serialization=True)


def _style(path: Path) -> None:
    from diffusers import UNetMotionModel
    from safetensors.torch import save_file

    unet = UNetMotionModel.from_unet2d(unet2d(), motion_adapter())
    tensors = {
        "image_proj.proj.weight": torch.randn(4 * _WORD_DIM, _IMAGE_DIM) * 0.5,
        "image_proj.proj.bias": torch.zeros(4 * _WORD_DIM),
        "image_proj.norm.weight": torch.ones(_WORD_DIM),
        "image_proj.norm.bias": torch.zeros(_WORD_DIM),
    }
    layers = [name for name in unet.attn_processors if name.endswith("attn2.processor") and "motion" not in name]
    for number, name in enumerate(layers):
        width = unet.get_submodule(name.removesuffix(".processor")).to_q.out_features
        for side in ("k", "v"):
            tensors[f"ip_adapter.{2 * number + 1}.to_{side}_ip.weight"] = torch.randn(width, _WORD_DIM) * 0.5
    save_file(tensors, path)


def plus_style(path: Path) -> None:
    """Make the IP-Adapter in ``path`` a “plus” one: a resampler over all tokens of the image (64 wide, four layers)."""
    from safetensors.torch import load_file, save_file

    made = torch.Generator().manual_seed(5)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=made) * 0.2

    tensors = {name: tensor for name, tensor in load_file(path).items() if name.startswith("ip_adapter.")}
    found = {
        "latents": drawn(1, 4, 64), "proj_in.weight": drawn(64, _IMAGE_DIM), "proj_in.bias": drawn(64),
        "proj_out.weight": drawn(_WORD_DIM, 64), "proj_out.bias": drawn(_WORD_DIM),
        "norm_out.weight": torch.ones(_WORD_DIM), "norm_out.bias": torch.zeros(_WORD_DIM),
    }  # fmt: skip
    for layer in range(4):
        for norm in ("0.norm1", "0.norm2", "1.0"):
            found |= {f"layers.{layer}.{norm}.weight": torch.ones(64), f"layers.{layer}.{norm}.bias": torch.zeros(64)}
        shapes = {"0.to_q": (64, 64), "0.to_kv": (128, 64), "0.to_out": (64, 64), "1.1": (256, 64), "1.3": (64, 256)}
        found |= {f"layers.{layer}.{name}.weight": drawn(*shape) for name, shape in shapes.items()}
    save_file({**tensors, **{f"image_proj.{name}": tensor for name, tensor in found.items()}}, path)


def few_step_lora(path: Path) -> Path:
    """A LoRA on the image model's attention, as AnimateLCM brings one."""
    from safetensors.torch import save_file

    tensors: dict[str, torch.Tensor] = {}
    for name, module in unet2d().named_modules():
        if name.endswith((".to_q", ".to_v")):
            tensors[f"unet.{name}.lora_A.weight"] = torch.randn(2, module.in_features) * 0.3
            tensors[f"unet.{name}.lora_B.weight"] = torch.randn(module.out_features, 2) * 0.3
    save_file(tensors, path)
    return path


if __name__ == "__main__":
    build(Path(sys.argv[1]))
