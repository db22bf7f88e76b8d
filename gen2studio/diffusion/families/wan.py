"""Wan beside VACE: text to video, a picture to video, and both in one (2.1, 2.2 A14B with two experts, 2.2 TI2V-5B).

These models are steered by words and by the pictures a shot begins and ends with. What footage brings goes in through
the latents alone: a run begins from its noised latents (SDEdit, arXiv 2108.01073), and what must stay is put back after
every step. They follow no depth, no lines and no reference images; Wan VACE does.

==============  =============================================  ========================================================
id              checkpoints                                    shows
==============  =============================================  ========================================================
wan-t2v         Wan 2.1 T2V 1.3B/14B, 2.2 T2V-A14B, FastWan    words; footage as a start; a region of it
wan-ti2v        Wan 2.2 TI2V-5B                                the same, and a first frame
wan-i2v         Wan 2.1 I2V 14B (image branch)                 a first frame and words
wan-i2v-ends    Wan 2.2 I2V-A14B                               a first frame, perhaps a last one, and words
wan-flf         Wan 2.1 FLF2V 14B                              a first and a last frame and words
==============  =============================================  ========================================================
"""

from __future__ import annotations

from dataclasses import replace
from math import lcm
from typing import TYPE_CHECKING, Any, cast

from gen2studio.core.errors import GenerationError
from gen2studio.core.records import dataclass
from gen2studio.diffusion.families.contract import (
    Clip,
    Conditions,
    FamilyTraits,
    FrameRule,
    LatentGeometry,
    MemoryHint,
    PipelineInputs,
)
from gen2studio.diffusion.families.footage_start import LEAST, clip_of, guidance_in_range, of_groups, region_masks
from gen2studio.diffusion.families.wan_recipes import RECIPES
from gen2studio.engine.events import Picture
from gen2studio.engine.requests import GenerateRequest
from gen2studio.models.library import InstalledModel
from gen2studio.models.manifest import ModelManifest

if TYPE_CHECKING:
    from gen2studio.diffusion.families.driving import FamilyDriver

_EVERY = (
    "prompt",
    "negative_prompt",
    "seed",
    "guidance",
    "steps",
    "reuse",
    "consistency",
    "motion",
    "lead",
    "adapters",
)
_FOOTAGE = ("strength", "region", "grow", "feather")
_UNSTEERED = "Wan follows no drawn motion: say it in the prompt, or use Wan VACE"
_NO_STRUCTURE = "Wan sees footage only as a start: how much of it stays is the strength; Wan VACE follows structure"
_WHY_NOT = (
    ("camera", _UNSTEERED),
    ("motion_brush", _UNSTEERED),
    ("styles", "Wan takes no style images: say the style in the prompt, train it as an adapter, or use Wan VACE"),
    ("structure", _NO_STRUCTURE),
    ("structure_source", _NO_STRUCTURE),
    ("depth_pass", _NO_STRUCTURE),
    ("control_scale", _NO_STRUCTURE),
    ("layout", "Wan follows no layout: begin with the picture as it is, or use Wan VACE"),
    ("fill", "how much of the old shape stays is the strength"),
    ("outpaint", "Wan draws whole pictures; Wan VACE draws around footage"),
)
_ONLY_WORDS = "this checkpoint makes shots from words; Wan 2.2 TI2V-5B, Wan I2V and Wan VACE begin with a picture"
_BEGINNING = "this checkpoint takes a picture at the beginning only"

_MEMORY = (
    MemoryHint("whole", 2.0, "all weights beside the work, in bf16"),
    MemoryHint("offloaded blocks", 0.15, "blocks of the transformer come and go"),
    MemoryHint("8 bit", 1.0, "weights kept in 8 bits, computed in bf16"),
)

TEXT = FamilyTraits(
    id="wan-t2v",
    title="Wan",
    pipeline="WanPipeline",
    modes=("text", "stylize", "mask", "customize"),
    conditions=frozenset({"text", "variation", "mask", "background", "extend"}),
    controls=frozenset({*_EVERY, *_FOOTAGE}),
    why_not=(
        *_WHY_NOT,
        ("first_frame", _ONLY_WORDS),
        ("last_frame", _ONLY_WORDS),
        ("keys", _ONLY_WORDS),
    ),
    schedulers=("UniPCMultistepScheduler", "FlowMatchEulerDiscreteScheduler", "FlowMatchLCMScheduler"),
    recipes=RECIPES,
    memory=_MEMORY,
    frame_consistency=True,
    adapters=True,
)
BOTH = replace(
    TEXT,
    id="wan-ti2v",
    modes=("text", "text_image", "image", "storyboard", "stylize", "mask", "customize"),
    conditions=TEXT.conditions | {"keys"},
    controls=TEXT.controls | {"first_frame"},
    why_not=(*_WHY_NOT, ("last_frame", _BEGINNING), ("keys", _BEGINNING)),
)
IMAGE = replace(
    TEXT,
    id="wan-i2v",
    title="Wan I2V",
    pipeline="WanImageToVideoPipeline",
    modes=("text_image", "image", "storyboard", "customize"),
    conditions=frozenset({"keys", "extend"}),
    controls=frozenset({*_EVERY, "first_frame"}),
    needs=frozenset({"first_frame"}),
    why_not=BOTH.why_not,
)
ENDS = replace(
    IMAGE,
    id="wan-i2v-ends",
    controls=IMAGE.controls | {"last_frame"},
    why_not=(*_WHY_NOT, ("keys", "this checkpoint takes a picture at the beginning and one at the end")),
)
BETWEEN = replace(
    ENDS,
    id="wan-flf",
    title="Wan FLF2V",
    modes=("text_image", "image", "storyboard"),
    needs=frozenset({"first_frame", "last_frame"}),
    # Every run has both pictures: the whole way is one run.
    joint_windows=1_000_000,
)


@dataclass(frozen=True, slots=True)
class WanAdapter:
    """Implements :class:`gen2studio.diffusion.families.contract.FamilyAdapter` for each row of the module's table."""

    traits: FamilyTraits = TEXT

    def task(self, request: GenerateRequest) -> str:
        if request.lead is not None:
            return "extend"
        if request.mode == "mask" or (request.masks and request.region != "all"):
            return "background" if request.region == "background" else "mask"
        if request.mode == "stylize":
            return "variation"
        return "keys" if request.keys else "text"

    def guidance(self, manifest: ModelManifest, task: str, asked: float = 0.0) -> float:
        edits = task in ("mask", "background")
        return guidance_in_range(manifest, asked or (manifest.guidance.mask_edit if edits else 0.0))

    def inputs(self, request: GenerateRequest, clip: Clip, conditions: Conditions, frames: FrameRule) -> PipelineInputs:
        """What is known of the clip's ends, of its first latent frames and of its footage. Raises GenerationError."""
        count = clip_of(clip, frames)
        _check(clip, conditions)
        ends = self._ends(count, conditions, frames)
        keyed = request.varies("strength")
        strengths = [request.control("strength", frame) for frame in clip.frames] if keyed else []
        footage = conditions.source
        strength = (max(strengths) if keyed else request.controls.strength) if footage else 1.0
        masks = region_masks(conditions.masks, clip.height, frames.group)
        levels = list(of_groups(strengths, frames)) if keyed and footage else []
        start = footage if footage and (strength < 1.0 or keyed or masks) else ()
        if conditions.lead and count > 1:
            # Whole latent frames that the pictures before the shot cover.
            known = frames.latent(min(len(conditions.lead), count))
            levels = [0.0] * known + (levels or [strength] * frames.latent(count))[known:]
            pictures = 1 + (known - 1) * frames.group
            start = (*conditions.lead[:pictures], *start[pictures:])
        return PipelineInputs(
            task=self.task(request),
            width=clip.width,
            height=clip.height,
            frames=count,
            masks=masks,
            strength=max(LEAST, strength),
            start=start,
            frame_strength=tuple(levels),
            keys=ends,
        )

    def _ends(self, count: int, conditions: Conditions, frames: FrameRule) -> tuple[tuple[int, Picture], ...]:
        """The pictures at the clip's first and last frame. Raises GenerationError for others."""
        begins = "first_frame" in self.traits.controls
        first: Picture | None = conditions.lead[0] if conditions.lead and begins else None
        last: Picture | None = None
        for index, picture in conditions.keys:
            # A clip is as long as whole latent frames: its end is the last one of them.
            at_end = count > 1 and frames.group_of(index) == frames.latent(count) - 1
            if index == 0 and begins:
                first = picture
            elif at_end and index and "last_frame" in self.traits.controls:
                last = picture
            elif begins and conditions.lead and index == len(conditions.lead):
                raise GenerationError(
                    "The shot goes on from a clip, so it begins with that clip's last frame.",
                    "Take the first frame off, or don't go on from a clip.",
                )
            else:
                sentence = dict(self.traits.why_not).get("keys", _BEGINNING)
                raise GenerationError(
                    f"A picture lies at frame {index} of the shot, and {sentence}.",
                    "Take it off, or choose Wan VACE, which takes pictures anywhere.",
                )
        if first is None and last is not None:
            raise GenerationError(
                "A last frame needs a first one with this model.", "Add a first frame, or choose Wan VACE."
            )
        ends = [(0, first)] if first is not None else []
        if last is not None:
            ends.append((count - 1, last))
        return tuple(ends)

    def geometry(self, model: InstalledModel) -> LatentGeometry:
        """From the VAE's own scales, as the pipelines take them. Lengths are 4k + 1 whatever the temporal factor is:
        the VAE encodes in chunks of 1 + 4 + 4 … frames. Raises ModelError."""
        configs = model.checkpoint().configs
        vae = configs["vae"]
        spatial, temporal = int(vae.get("scale_factor_spatial") or 8), int(vae.get("scale_factor_temporal") or 4)
        patch = cast("list[Any]", configs["transformer"].get("patch_size") or [1, 2, 2])
        return LatentGeometry(
            spatial=spatial,
            # The pipelines refuse sides that are no multiples of 16.
            multiple=lcm(16, spatial * int(patch[1])),
            channels=int(vae.get("z_dim") or 16),
            frames=FrameRule(4, temporal),
            temporal=temporal,
        )

    def driver(self) -> FamilyDriver:
        from gen2studio.diffusion.families.wan_driver import WanDriver

        return WanDriver()


ADAPTERS = {traits.id: WanAdapter(traits) for traits in (TEXT, BOTH, IMAGE, ENDS, BETWEEN)}
"""Id → adapter."""


def _check(clip: Clip, conditions: Conditions) -> None:
    shape = (clip.height, clip.width)
    pictures = [*conditions.source, *conditions.lead, *(picture for _, picture in conditions.keys)]
    counts = {len(conditions.source), len(conditions.masks)} - {0}
    if any(picture.shape[:2] != shape for picture in pictures) or counts - {len(clip)}:
        raise GenerationError(
            f"The prepared frames don't fit a clip of {len(clip)} frames of {clip.width}×{clip.height} pixels."
        )
