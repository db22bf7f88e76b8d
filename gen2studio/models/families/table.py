"""The families of checkpoints that may be loaded: pipeline class → what is known of it."""

from __future__ import annotations

from collections.abc import Mapping

from gen2studio.models.families.animatediff import ANIMATEDIFF
from gen2studio.models.families.cogvideox import COGVIDEOX, COGVIDEOX_IMAGE
from gen2studio.models.families.flux2_klein import FLUX2_KLEIN
from gen2studio.models.families.hunyuan import HUNYUAN, HUNYUAN_IMAGE
from gen2studio.models.families.ltx import LTX
from gen2studio.models.families.qwen_image_edit import QWEN_IMAGE_EDIT
from gen2studio.models.families.rules import CheckpointFamily
from gen2studio.models.families.svd import SVD
from gen2studio.models.families.wan import DISTILLED, IMAGE, TEXT
from gen2studio.models.families.wan_vace import WAN_VACE
from gen2studio.models.families.z_image import Z_IMAGE

CHECKPOINT_FAMILIES: Mapping[str, CheckpointFamily] = {
    family.pipeline: family
    for family in (
        *(WAN_VACE, TEXT, IMAGE, DISTILLED, ANIMATEDIFF, LTX, SVD, COGVIDEOX, COGVIDEOX_IMAGE),
        *(HUNYUAN, HUNYUAN_IMAGE, FLUX2_KLEIN, QWEN_IMAGE_EDIT, Z_IMAGE),
    )
}
