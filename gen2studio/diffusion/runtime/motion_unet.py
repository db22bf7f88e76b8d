"""An image model and a motion adapter as one UNet, of the very layers that were loaded: nothing is copied."""

from __future__ import annotations

from typing import Any

from gen2studio.core.errors import ModelError
from gen2studio.diffusion.runtime.torch_loading import load_diffusers


def with_motion(unet: Any, adapter: Any) -> Any:
    """UNetMotionModel made of the layers of a UNet2DConditionModel and of a MotionAdapter, as ``from_unet2d`` makes it.

    Its layers are theirs, with whatever they are stored as; ``from_unet2d`` would hold every weight twice for a while.
    Raises ModelError when they don't fit.
    """
    from accelerate import init_empty_weights

    library: Any = load_diffusers()
    try:
        with init_empty_weights():
            made = library.UNetMotionModel.from_unet2d(unet, adapter, load_weights=False)
    except ValueError as error:
        raise ModelError(f"The motion adapter doesn't fit the image model: {error}.", "Choose another one.") from None
    for name in ("conv_in", "time_proj", "time_embedding", "conv_norm_out", "conv_act", "conv_out"):
        setattr(made, name, getattr(unet, name))
    ways = [
        *zip(made.down_blocks, unet.down_blocks, adapter.down_blocks, strict=True),
        *zip(made.up_blocks, unet.up_blocks, adapter.up_blocks, strict=True),
        (made.mid_block, unet.mid_block, adapter.mid_block),
    ]
    for block, pictures, motion in ways:
        for name in ("resnets", "attentions", "downsamplers", "upsamplers"):
            if getattr(block, name, None) is not None:
                setattr(block, name, getattr(pictures, name))
        if getattr(block, "motion_modules", None) is not None:
            block.motion_modules = motion.motion_modules
    left = next((name for name, tensor in made.state_dict().items() if tensor.is_meta), "")
    if left:
        raise ModelError(f"The motion adapter doesn't fit the image model: “{left}” is missing.", "Choose another one.")
    return made.eval().requires_grad_(False)
