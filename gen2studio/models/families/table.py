"""The families of checkpoints that may be loaded: pipeline class → what is known of it."""

from __future__ import annotations

from collections.abc import Mapping

from gen2studio.models.families.rules import CheckpointFamily
from gen2studio.models.families.wan_vace import WAN_VACE

CHECKPOINT_FAMILIES: Mapping[str, CheckpointFamily] = {family.pipeline: family for family in (WAN_VACE,)}
