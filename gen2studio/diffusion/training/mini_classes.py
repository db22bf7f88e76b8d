"""The diffusers and transformers classes that the mini model is made of.

They are imported as the program imports them: beside a torchvision that does not fit this torch a plain
``import diffusers`` dies (see :mod:`gen2studio.diffusion.runtime.torchvision_operators`), and the training commands
must run wherever the program runs.
"""

from __future__ import annotations

from gen2studio.diffusion.runtime.torch_loading import load_diffusers

load_diffusers()

from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan, WanResidualBlock, unpatchify  # noqa: E402
from diffusers.models.transformers.transformer_wan_vace import WanVACETransformer3DModel  # noqa: E402
from diffusers.pipelines.wan.pipeline_wan_vace import WanVACEPipeline  # noqa: E402
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler  # noqa: E402
from transformers import PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel  # noqa: E402

__all__ = [
    "AutoencoderKLWan",
    "FlowMatchEulerDiscreteScheduler",
    "PreTrainedTokenizerFast",
    "UMT5Config",
    "UMT5EncoderModel",
    "WanResidualBlock",
    "WanVACEPipeline",
    "WanVACETransformer3DModel",
    "unpatchify",
]
