"""Building the original Segment Anything model from its package, with any sizes that a checkpoint has."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from gen2studio.core.errors import ModelError
from gen2studio.models.sam_layout import DECODER_BLOCKS, DECODER_HEADS, MASKS, SamShape


def build_sam(shape: SamShape) -> Any:
    """A ``segment_anything.modeling.Sam`` with random weights, in evaluation mode.

    The same parts as ``segment_anything.build_sam`` puts together; for the published sizes it is the same model. Raises
    ModelError when the package, or torchvision which it needs, can't be imported.
    """
    modeling = import_package().modeling
    torch = __import__("torch")
    encoder = modeling.ImageEncoderViT(
        depth=shape.blocks, embed_dim=shape.width, img_size=shape.image_side, mlp_ratio=shape.mlp_ratio,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6), num_heads=shape.heads, patch_size=shape.patch, qkv_bias=True,
        use_rel_pos=True, global_attn_indexes=shape.global_blocks, window_size=shape.window, out_chans=shape.embedding,
    )  # fmt: skip
    prompts = modeling.PromptEncoder(
        embed_dim=shape.embedding, image_embedding_size=(shape.grid, shape.grid),
        input_image_size=(shape.image_side, shape.image_side), mask_in_chans=shape.mask_channels,
    )  # fmt: skip
    decoder = modeling.MaskDecoder(
        num_multimask_outputs=MASKS,
        transformer=modeling.TwoWayTransformer(
            depth=DECODER_BLOCKS, embedding_dim=shape.embedding, mlp_dim=shape.decoder_mlp, num_heads=DECODER_HEADS
        ),
        transformer_dim=shape.embedding, iou_head_depth=shape.score_layers, iou_head_hidden_dim=shape.score_hidden,
    )  # fmt: skip
    return modeling.Sam(
        image_encoder=encoder, prompt_encoder=prompts, mask_decoder=decoder, pixel_mean=[123.675, 116.28, 103.53],
        pixel_std=[58.395, 57.12, 57.375],
    ).eval()  # fmt: skip


def import_package() -> Any:
    """The ``segment_anything`` package. Raises ModelError with the reason when it can't be imported."""
    try:
        import segment_anything
    except (ImportError, RuntimeError) as error:
        raise ModelError(
            f"Segment Anything can't be used: {' '.join(str(error).split()) or type(error).__name__}.",
            "Install it with its parts: pip install segment-anything torchvision",
        ) from error
    return segment_anything


Loader = Callable[[], Any]
"""Imports torch the way the program wants it and returns the module."""
