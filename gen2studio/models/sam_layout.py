"""Which Segment Anything model a checkpoint holds, read from the names and shapes of its tensors alone.

Kirillov et al., "Segment Anything", ICCV 2023: an image encoder (ViT of Li et al., arXiv 2203.16527: windowed
attention with a few global blocks, relative positions), a prompt encoder and a mask decoder. What the shapes don't say
is the same in every published checkpoint: eight heads in the decoder, a two-block two-way transformer, three masks per
prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from gen2studio.core.errors import ModelError

Shapes = Mapping[str, tuple[int, ...]]

DECODER_HEADS = 8
DECODER_BLOCKS = 2
MASKS = 3
"""Masks per ambiguous prompt; one more is for prompts that leave no doubt."""
_LARGEST_SIDE = 4096
_KNOWN = {(768, 12): "ViT-B", (1024, 24): "ViT-L", (1280, 32): "ViT-H"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SamShape:
    """The numbers that build a SAM."""

    width: int
    """Channels of the image encoder."""
    blocks: int
    heads: int
    patch: int
    """Pixels of a patch's side."""
    image_side: int
    """Pixels of the square that a picture is fitted into."""
    window: int
    """Patches of an attention window's side."""
    global_blocks: tuple[int, ...]
    """Blocks that look at the whole picture."""
    embedding: int
    """Channels of the image embedding and of the decoder."""
    mlp_ratio: float
    mask_channels: int
    """Hidden channels of the mask prompt's encoder."""
    decoder_mlp: int
    score_hidden: int
    score_layers: int

    @property
    def grid(self) -> int:
        """Side of the image embedding in patches."""
        return self.image_side // self.patch

    @property
    def title(self) -> str:
        """As the artist reads it."""
        return f"Segment Anything ({_KNOWN.get((self.width, self.blocks), f'{self.blocks} blocks of {self.width}')})"


def is_sam(shapes: Shapes) -> bool:
    """Whether the names are those of a SAM at all."""
    return "image_encoder.patch_embed.proj.weight" in shapes and "mask_decoder.mask_tokens.weight" in shapes


def sam_shape(shapes: Shapes) -> SamShape:
    """The model that ``shapes`` belong to. Raises ModelError when it is not the original SAM or is not whole.

    Every name and shape is held against what that model has, so that loading can't fail half-way.
    """
    if not is_sam(shapes):
        raise ModelError(
            "The file does not hold a Segment Anything model.",
            "Use sam_vit_b, sam_vit_l or sam_vit_h as Meta published them.",
        )
    try:
        shape = _derived(shapes)
    except (KeyError, IndexError, ValueError, ZeroDivisionError):
        raise _damaged("parts of it are missing or have a shape that no such model has") from None
    wanted = expected_shapes(shape)
    missing = sorted(wanted.keys() - shapes.keys())
    strange = sorted(shapes.keys() - wanted.keys())
    wrong = sorted(name for name in wanted.keys() & shapes.keys() if wanted[name] != shapes[name])
    if wrong:
        raise _damaged(f"“{wrong[0]}” is {_times(shapes[wrong[0]])} and should be {_times(wanted[wrong[0]])}")
    if missing or strange:
        raise _damaged(f"it lacks “{missing[0]}”" if missing else f"it holds “{strange[0][:80]}”, which SAM has not")
    return shape


def expected_shapes(shape: SamShape) -> dict[str, tuple[int, ...]]:
    """Every tensor of the model with its shape."""
    return {**_image_encoder(shape), **_prompt_encoder(shape), **_mask_decoder(shape)}


def _derived(shapes: Shapes) -> SamShape:
    width, _, patch, patch_across = shapes["image_encoder.patch_embed.proj.weight"]
    _, grid, grid_across, _ = shapes["image_encoder.pos_embed"]
    if patch != patch_across or grid != grid_across or not 0 < patch * grid <= _LARGEST_SIDE or patch * grid < 32:
        raise ValueError("not square")
    blocks = 1 + max(int(name.split(".")[2]) for name in shapes if name.startswith("image_encoder.blocks."))
    reach = [shapes[f"image_encoder.blocks.{i}.attn.rel_pos_h"] for i in range(blocks)]
    head = reach[0][1]
    spans = [(length + 1) // 2 for length, _ in reach]
    whole = tuple(i for i, span in enumerate(spans) if span == grid)
    windows = {span for span in spans if span != grid}
    if len(windows) > 1 or width % head:
        raise ValueError("windows")
    layers = 1 + max(
        int(name.split(".")[3]) for name in shapes if name.startswith("mask_decoder.iou_prediction_head.layers.")
    )
    return SamShape(
        width=width,
        blocks=blocks,
        heads=width // head,
        patch=patch,
        image_side=patch * grid,
        window=windows.pop() if windows else 0,
        global_blocks=whole,
        embedding=shapes["image_encoder.neck.0.weight"][0],
        mlp_ratio=shapes["image_encoder.blocks.0.mlp.lin1.weight"][0] / width,
        mask_channels=shapes["prompt_encoder.mask_downscaling.3.weight"][0],
        decoder_mlp=shapes["mask_decoder.transformer.layers.0.mlp.lin1.weight"][0],
        score_hidden=shapes["mask_decoder.iou_prediction_head.layers.0.weight"][0],
        score_layers=layers,
    )


def _linear(name: str, out: int, into: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def _norm(name: str, size: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


def _conv(name: str, out: int, into: int, side: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out, into, side, side), f"{name}.bias": (out,)}


def _image_encoder(shape: SamShape) -> dict[str, tuple[int, ...]]:
    width, inner = shape.width, int(shape.width * shape.mlp_ratio)
    found: dict[str, tuple[int, ...]] = {"image_encoder.pos_embed": (1, shape.grid, shape.grid, width)}
    found |= _conv("image_encoder.patch_embed.proj", width, 3, shape.patch)
    for index in range(shape.blocks):
        block = f"image_encoder.blocks.{index}"
        span = shape.grid if index in shape.global_blocks or not shape.window else shape.window
        found |= _norm(f"{block}.norm1", width) | _norm(f"{block}.norm2", width)
        found |= _linear(f"{block}.attn.qkv", 3 * width, width) | _linear(f"{block}.attn.proj", width, width)
        found |= {f"{block}.attn.rel_pos_{axis}": (2 * span - 1, width // shape.heads) for axis in "hw"}
        found |= _linear(f"{block}.mlp.lin1", inner, width) | _linear(f"{block}.mlp.lin2", width, inner)
    found["image_encoder.neck.0.weight"] = (shape.embedding, width, 1, 1)
    found["image_encoder.neck.2.weight"] = (shape.embedding, shape.embedding, 3, 3)
    return found | _norm("image_encoder.neck.1", shape.embedding) | _norm("image_encoder.neck.3", shape.embedding)


def _prompt_encoder(shape: SamShape) -> dict[str, tuple[int, ...]]:
    size, hidden = shape.embedding, shape.mask_channels
    stem = "prompt_encoder"
    found: dict[str, tuple[int, ...]] = {f"{stem}.pe_layer.positional_encoding_gaussian_matrix": (2, size // 2)}
    # Outside, inside, and the two corners of a box.
    found |= {f"{stem}.point_embeddings.{i}.weight": (1, size) for i in range(4)}
    found |= {f"{stem}.{name}.weight": (1, size) for name in ("not_a_point_embed", "no_mask_embed")}
    found |= _conv(f"{stem}.mask_downscaling.0", hidden // 4, 1, 2) | _norm(f"{stem}.mask_downscaling.1", hidden // 4)
    found |= _conv(f"{stem}.mask_downscaling.3", hidden, hidden // 4, 2) | _norm(f"{stem}.mask_downscaling.4", hidden)
    return found | _conv(f"{stem}.mask_downscaling.6", size, hidden, 1)


def _mask_decoder(shape: SamShape) -> dict[str, tuple[int, ...]]:
    size, stem = shape.embedding, "mask_decoder"
    found: dict[str, tuple[int, ...]] = {
        f"{stem}.iou_token.weight": (1, size),
        f"{stem}.mask_tokens.weight": (MASKS + 1, size),
    }
    for index in range(DECODER_BLOCKS):
        block = f"{stem}.transformer.layers.{index}"
        found |= _attention(f"{block}.self_attn", size, size)
        found |= _attention(f"{block}.cross_attn_token_to_image", size, size // 2)
        found |= _attention(f"{block}.cross_attn_image_to_token", size, size // 2)
        found |= _linear(f"{block}.mlp.lin1", shape.decoder_mlp, size)
        found |= _linear(f"{block}.mlp.lin2", size, shape.decoder_mlp)
        for number in range(1, 5):
            found |= _norm(f"{block}.norm{number}", size)
    found |= _attention(f"{stem}.transformer.final_attn_token_to_image", size, size // 2)
    found |= _norm(f"{stem}.transformer.norm_final_attn", size)
    found |= {f"{stem}.output_upscaling.0.weight": (size, size // 4, 2, 2)}
    found |= {f"{stem}.output_upscaling.0.bias": (size // 4,)} | _norm(f"{stem}.output_upscaling.1", size // 4)
    found |= {f"{stem}.output_upscaling.3.weight": (size // 4, size // 8, 2, 2)}
    found |= {f"{stem}.output_upscaling.3.bias": (size // 8,)}
    for number in range(MASKS + 1):
        found |= _chain(f"{stem}.output_hypernetworks_mlps.{number}", (size, size, size, size // 8))
    widths = (size, *(shape.score_hidden,) * (shape.score_layers - 1), MASKS + 1)
    return found | _chain(f"{stem}.iou_prediction_head", widths)


def _attention(name: str, size: int, inner: int) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for part in ("q_proj", "k_proj", "v_proj"):
        found |= _linear(f"{name}.{part}", inner, size)
    return found | _linear(f"{name}.out_proj", size, inner)


def _chain(name: str, widths: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for index, (into, out) in enumerate(pairwise(widths)):
        found |= _linear(f"{name}.layers.{index}", out, into)
    return found


def _damaged(what: str) -> ModelError:
    return ModelError(f"This is no whole Segment Anything checkpoint: {what}.", "Download it again from its publisher.")


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(str(side) for side in shape) or "a single number"
