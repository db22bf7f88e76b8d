"""The parts of the mini model in the classes of ``WanVACEPipeline``, and its checkpoint folder."""

from __future__ import annotations

import json
import re
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn

from gen2studio.diffusion.training.mini_classes import (
    AutoencoderKLWan,
    FlowMatchEulerDiscreteScheduler,
    PreTrainedTokenizerFast,
    UMT5Config,
    UMT5EncoderModel,
    WanVACEPipeline,
    WanVACETransformer3DModel,
)
from gen2studio.diffusion.vocabulary import KNOWN, TRIGGERS

TITLE = "Built-in mini (demo world)"


@dataclass(frozen=True)
class MiniGeometry:
    """Sizes of the model. Stage A: analytic 8×, t1 VAE; stage B: learned 16×, t4 VAE."""

    stage: str
    latent_channels: int
    dim: int
    heads: int
    ffn: int
    layers: int
    vace_layers: tuple[int, ...]
    patch: tuple[int, int, int]
    spatial: int
    temporal: int
    text_dim: int
    text_layers: int
    text_length: int = 32
    shift: float = 3.0


STAGE_A = MiniGeometry("A", 16, 160, 5, 480, 6, (0, 2, 4), (1, 2, 2), 8, 1, 128, 2)
STAGE_B = MiniGeometry("B", 32, 320, 5, 960, 10, (0, 4, 7), (1, 1, 1), 16, 4, 256, 3)
GEOMETRIES = {"A": STAGE_A, "B": STAGE_B}


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Taught words are one token each; any other word is spelled, so that trigger words of customizations differ; and
    ``<trigger1>`` … ``<trigger16>`` are reserved for them. Pad 0, end of text 1, unknown 2."""
    letters = string.ascii_lowercase + string.digits
    vocabulary = ["<pad>", "</s>", "<unk>", *TRIGGERS]
    vocabulary += sorted(KNOWN - set(letters)) + list(letters) + [f"##{letter}" for letter in letters]
    tokenizer = Tokenizer(
        models.WordPiece({word: i for i, word in enumerate(vocabulary)}, unk_token="<unk>", max_input_chars_per_word=24)
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(),
         normalizers.Replace(Regex("[^a-z0-9]+"), " ")]
    )  # fmt: skip
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.add_special_tokens([AddedToken(t, normalized=False) for t in ("<pad>", "</s>", "<unk>")])
    tokenizer.add_tokens([AddedToken(t, normalized=False) for t in TRIGGERS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512,
        padding_side="right",
    )  # fmt: skip


def build_text_encoder(geometry: MiniGeometry, vocabulary: int) -> UMT5EncoderModel:
    """A UMT5 encoder of a few hundred thousand parameters, trained with the transformer."""
    settings: Any = UMT5Config
    config = settings(
        vocab_size=vocabulary,
        d_model=geometry.text_dim,
        d_kv=32,
        d_ff=2 * geometry.text_dim,
        num_layers=geometry.text_layers,
        num_heads=geometry.text_dim // 32,
        dropout_rate=0.0,
        tie_word_embeddings=False,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
    )
    model = UMT5EncoderModel(config)
    nn.init.normal_(model.get_input_embeddings().weight)
    return model


def build_transformer(geometry: MiniGeometry) -> WanVACETransformer3DModel:
    """The transformer with gates and outputs that start near zero: nothing random has to be unlearned first."""
    model = WanVACETransformer3DModel(
        patch_size=geometry.patch,
        num_attention_heads=geometry.heads,
        attention_head_dim=geometry.dim // geometry.heads,
        in_channels=geometry.latent_channels,
        out_channels=geometry.latent_channels,
        text_dim=geometry.text_dim,
        freq_dim=128,
        ffn_dim=geometry.ffn,
        num_layers=geometry.layers,
        cross_attn_norm=True,
        qk_norm="rms_norm_across_heads",
        eps=1e-6,
        rope_max_seq_len=64,
        vace_layers=list(geometry.vace_layers),
        vace_in_channels=2 * geometry.latent_channels + geometry.spatial**2,
    )
    parts: Any = model
    nn.init.zeros_(parts.proj_out.weight)
    nn.init.zeros_(parts.proj_out.bias)
    for index, block in enumerate(parts.vace_blocks):
        nn.init.zeros_(block.proj_out.weight)
        nn.init.zeros_(block.proj_out.bias)
        if index == 0:
            nn.init.zeros_(block.proj_in.bias)
            with torch.no_grad():
                block.proj_in.weight.copy_(torch.eye(geometry.dim))
    for name, parameter in parts.named_parameters():
        if name.endswith("scale_shift_table"):
            nn.init.normal_(parameter, std=0.02)
    with torch.no_grad():
        # Gates of attention and feed-forward open at one; shifts and scales start at nought.
        for block in [*parts.blocks, *parts.vace_blocks]:
            block.scale_shift_table[:, 2] += 1.0
            block.scale_shift_table[:, 5] += 1.0
    nn.init.zeros_(parts.condition_embedder.time_proj.weight)
    nn.init.zeros_(parts.condition_embedder.time_proj.bias)
    return model


def embed_prompts(
    tokenizer: PreTrainedTokenizerFast, encoder: UMT5EncoderModel, prompts: list[str], length: int
) -> Tensor:
    """[B, length, D] exactly as ``WanVACEPipeline`` makes them: what is after the end of text is zero."""
    tokens = tokenizer(prompts, padding="max_length", max_length=length, truncation=True, return_tensors="pt")
    device = encoder.get_input_embeddings().weight.device
    ids, mask = tokens.input_ids.to(device), tokens.attention_mask.to(device)
    return encoder(ids, mask).last_hidden_state * mask.unsqueeze(-1)


def control_latents(codec: Any, video: Tensor, mask: Tensor, reference: Tensor | None, spatial: int = 8,
                    temporal: int = 1) -> Tensor:  # fmt: skip
    """The VACE condition [B, 2C+s², T', h, w] of ``video`` [B, T, 3, H, W] in −1…1 and ``mask`` [B, T, H, W] 0/1 (1 =
    to be made), with an optional ``reference`` [B, R, 3, H, W] in front, as the pipeline assembles it."""
    hole = mask.unsqueeze(2)
    kept, wanted = codec.encode_clip(video * (1 - hole)), codec.encode_clip(video * hole)
    batch, frames, height, width = mask.shape
    cells = mask.reshape(batch, frames, height // spatial, spatial, width // spatial, spatial)
    cells = cells.permute(0, 3, 5, 1, 2, 4).flatten(1, 2)
    if temporal > 1:
        count = (frames + temporal - 1) // temporal
        cells = nn.functional.interpolate(cells, size=(count, *cells.shape[-2:]), mode="nearest-exact")
    control = torch.cat((kept, wanted, cells), 1)
    if reference is not None:
        looked = [codec.encode_clip(reference[:, i : i + 1]) for i in range(reference.shape[1])]
        front = torch.cat(looked, 2)
        blank = torch.zeros_like(control[:, front.shape[1] :, : front.shape[2]])
        control = torch.cat((torch.cat((front, blank), 1), control), 2)
    return control


def manifest(geometry: MiniGeometry, revision: str, colours: tuple[list[list[float]], list[float]]) -> dict[str, Any]:
    """What ``gen2studio.json`` says beside ``model_index.json``. Sizes are (width, height)."""
    return {
        "id": "mini",
        "title": TITLE,
        "revision": revision,
        "family": "wan_vace",
        "stage": geometry.stage,
        "text_length": geometry.text_length,
        "frames": {"multiple": 4, "native": 17, "max": 33},
        "sizes": [[128, 128], [160, 96], [96, 160]],
        "rate": 8,
        "guidance": {"default": 3.0, "min": 1.0, "max": 5.0, "mask_edit": 1.75},
        "steps": {"default": 8, "min": 4, "max": 30},
        "strength": 0.5,
        "flow_shift": geometry.shift,
        "temporal_scale": geometry.temporal,
        "spatial_scale": geometry.spatial,
        "latent_rgb": {"weight": colours[0], "bias": colours[1]},
        "licence": "Apache-2.0",
        "note": "Draws a small toy world of nine places and seven subjects at thumbnail size; it knows nothing else.",
        "vocabulary": "gen2studio.diffusion.vocabulary",
    }


def save_checkpoint(
    folder: Path,
    geometry: MiniGeometry,
    transformer: WanVACETransformer3DModel,
    text_encoder: UMT5EncoderModel,
    vae: AutoencoderKLWan,
    revision: str,
    colours: tuple[list[list[float]], list[float]],
) -> None:
    """Write the checkpoint in the standard layout, safetensors shards of at most 15 MB, float32."""
    scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=geometry.shift)
    tokenizer: Any = build_tokenizer()
    pipeline = WanVACEPipeline(
        tokenizer=tokenizer, text_encoder=text_encoder, vae=vae, scheduler=scheduler, transformer=transformer
    )
    pipeline.save_pretrained(folder, safe_serialization=True, max_shard_size="15MB")
    for path in (folder / "model_index.json", folder / "tokenizer" / "tokenizer_config.json"):
        # transformers 5 writes a class name that version 4 and diffusers' type checks don't know.
        path.write_text(path.read_text().replace("TokenizersBackend", "PreTrainedTokenizerFast"))
    text = json.dumps(manifest(geometry, revision, colours), indent=2)
    # Rows of the colour table on one line each.
    text = re.sub(r"\[\s+(-?[\d.e-]+),\s+(-?[\d.e-]+)(?:,\s+(-?[\d.e-]+))?\s+\]",
                  lambda m: "[" + ", ".join(g for g in m.groups() if g) + "]", text)  # fmt: skip
    (folder / "gen2studio.json").write_text(text + "\n")
