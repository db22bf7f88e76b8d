"""AnimateDiff (arXiv 2307.04725) on Stable Diffusion 1.5: an image model with motion modules between its layers.

Its parts are separate works, and what a model can do depends on which of them lie beside it: ControlNets (arXiv
2302.05543) follow depth, lines or colour of footage, an IP-Adapter (arXiv 2308.06721) takes a style image. Footage
itself comes in as the start of the run (SDEdit) and, around a mask, as what the latents are held on.

=============  ======================  ====================  ================================
task           ControlNet              start                 held
=============  ======================  ====================  ================================
text           none                    noise                 nothing
reference      none (IP-Adapter)       noise                 nothing
structure      depth, lines, colour    noise                 nothing
variation      as structure, or none   the noised footage    frames, where strength is keyed
mask           of the shape, or none   noise, or footage     all but the subject
background     as mask                 as mask               the subject
outpaint       none                    noise                 the footage
=============  ======================  ====================  ================================
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gen2studio.core.errors import GenerationError
from gen2studio.core.records import dataclass
from gen2studio.diffusion.families.contract import (
    Clip,
    Conditions,
    FamilyTraits,
    FrameRule,
    LatentGeometry,
    Matte,
    MemoryHint,
    PipelineInputs,
    StepRecipe,
)
from gen2studio.diffusion.families.footage_start import clip_of, footage_start, guidance_in_range
from gen2studio.engine.events import Picture
from gen2studio.engine.requests import GenerateRequest
from gen2studio.models.families.animatediff import ANIMATE_LCM, CONTROL_PREFIX, LIGHTNING
from gen2studio.models.manifest import ModelManifest

if TYPE_CHECKING:
    from gen2studio.diffusion.families.driving import FamilyDriver
    from gen2studio.models.library import InstalledModel

RECIPES = (
    StepRecipe(
        ANIMATE_LCM, 6, 2.0, "LCMScheduler", (("beta_schedule", "linear"),),
        "for AnimateLCM's motion adapter with its LoRA: 4 to 8 steps, guidance 1 to 2 (its model card)",
    ),
    *(
        StepRecipe(
            f"{LIGHTNING} {steps}-step", steps, 1.0, "EulerDiscreteScheduler",
            (("beta_schedule", "linear"), ("timestep_spacing", "trailing")),
            "for AnimateDiff-Lightning's motion adapter of as many steps, without guidance (its model card)",
        )
        for steps in (1, 2, 4, 8)
    ),
)  # fmt: skip
MOST_REFERENCES = 4
_STYLE_SCALE = 0.7
"""IP-Adapter's weight beside the words at a style weight of 1: the words still count."""
_MARGIN = 8 / 480
"""A latent cell is 8 pixels: grow the mask by about one, by this part of the height."""
_READERS = {"depth": ("depth",), "edges": ("scribble", "canny"), "layout": ("tile",)}
"""Kind of structure picture → the ControlNets that read it, preferred first. Scribble and canny both read white lines;
tile reads the colours of a blurred picture."""
_ALWAYS = (
    *(
        "prompt",
        "negative_prompt",
        "region",
        "seed",
        "guidance",
        "steps",
        "reuse",
        "consistency",
        "strength",
        "motion",
        "fill",
    ),
    *("grow", "feather", "outpaint", "adapters"),
)
_CONTROLLED = ("structure", "structure_source", "depth_pass", "control_scale")
_STYLED = ("styles", "style_weight")
_NO_CONTROL = "it takes a ControlNet, and none lies beside this model: add it with one for depth, scribble or canny"
_NO_STYLE = "it takes an IP-Adapter and its image encoder, which don't lie beside this model"

TRAITS = FamilyTraits(
    id="animatediff",
    title="AnimateDiff",
    pipeline="StableDiffusionPipeline",
    modes=("text", "text_image", "stylize", "mask", "render", "customize"),
    conditions=frozenset({"text", "reference", "structure", "mask", "background", "outpaint", "variation"}),
    controls=frozenset((*_ALWAYS, *_CONTROLLED, *_STYLED)),
    why_not=(
        ("keys", "motion modules take no given frames: put the look into a style image, or use Wan VACE"),
        ("first_frame", "motion modules take no given frames: use Wan VACE or an image-to-video model"),
        ("last_frame", "motion modules take no given frames: use Wan VACE or an image-to-video model"),
        ("lead", "motion modules take no given frames: extend with Wan VACE"),
        ("camera", "there is no picture that a camera move could be drawn from: say it in the prompt"),
        ("motion_brush", "there is no picture that strokes could move: say the motion in the prompt"),
    ),
    schedulers=("DDIMScheduler", "LCMScheduler", "EulerDiscreteScheduler"),
    recipes=RECIPES,
    memory=(
        MemoryHint("whole", 2.0, "all weights beside the work, in bf16"),
        MemoryHint("offloaded blocks", 0.3, "blocks of the UNet come and go"),
    ),
    frame_consistency=True,
    adapters=True,
    # Later windows know nothing of earlier ones but what they share at every step: the more go together the better.
    joint_windows=32,
    structure_why_not=(
        ("grey", "no ControlNet for Stable Diffusion 1.5 is driven here that reads light and shade alone"),
        ("flow", "there is no ControlNet for Stable Diffusion 1.5 that reads motion"),
    ),
)


@dataclass(frozen=True, slots=True)
class AnimateDiffAdapter:
    """Implements :class:`gen2studio.diffusion.families.contract.FamilyAdapter` for a model with certain parts."""

    traits: FamilyTraits = TRAITS
    controls: tuple[str, ...] = ("depth", "scribble", "canny", "tile")
    """The ControlNets that are there."""

    @classmethod
    def of(cls, model: InstalledModel) -> AnimateDiffAdapter:
        """The adapter of a model: what needs a part that is not there is not offered, and says so."""
        parts = frozenset(model.checkpoint().headers)
        controls = tuple(name.removeprefix(CONTROL_PREFIX) for name in sorted(parts) if name.startswith(CONTROL_PREFIX))
        return cls.with_parts(controls, style={"ip_adapter", "image_encoder"} <= parts)

    @classmethod
    def with_parts(cls, controls: tuple[str, ...], *, style: bool) -> AnimateDiffAdapter:
        served, why_not, modes = set(TRAITS.controls), list(TRAITS.why_not), TRAITS.modes
        unread = [*TRAITS.structure_why_not]
        for source, readers in (("depth_pass", _READERS["depth"]), *_READERS.items()):
            if not _reader(source, controls):
                unread.append((source, f"it takes a ControlNet for {' or '.join(readers)} beside this model"))
        if not controls:
            served -= {*_CONTROLLED}
            why_not += [(name, _NO_CONTROL) for name in _CONTROLLED]
        elif "depth" not in controls:
            served -= {"depth_pass"}
            why_not.append(("depth_pass", "no ControlNet for depth lies beside this model"))
        if not style:
            served -= {*_STYLED}
            why_not += [(name, _NO_STYLE) for name in _STYLED]
            modes = tuple(mode for mode in modes if mode != "text_image")
        traits = replace(
            TRAITS, controls=frozenset(served), why_not=tuple(why_not), modes=modes, structure_why_not=tuple(unread)
        )
        return cls(traits, controls)

    def task(self, request: GenerateRequest) -> str:
        if any(request.outpaint):
            return "outpaint"
        if request.mode == "mask" or (request.masks and request.region != "all"):
            return "background" if request.region == "background" else "mask"
        if request.mode in ("stylize", "render"):
            return "structure"
        return "reference" if request.styles else "text"

    def guidance(self, manifest: ModelManifest, task: str, asked: float = 0.0) -> float:
        del task
        return guidance_in_range(manifest, asked)

    def inputs(self, request: GenerateRequest, clip: Clip, conditions: Conditions, frames: FrameRule) -> PipelineInputs:
        """One run's inputs. Raises GenerationError for a structure picture that no ControlNet of the model reads."""
        count = clip_of(clip, frames)
        task = self.task(request)
        kind, structure = self._structure(request, clip, conditions)
        strength, start, frame_strength = footage_start(request, clip, conditions, frames)
        masks: tuple[Matte, ...] = ()
        if conditions.border is not None:
            masks, start, strength, frame_strength = (conditions.border,) * count, conditions.source, 1.0, ()
        elif conditions.masks:
            masks, start = _edit_masks(conditions.masks, _MARGIN * clip.height), conditions.source
        known = conditions.lead[:count]
        if known:
            start = (*known, *(start[len(known) :] if start else (known[-1],) * (count - len(known))))
            own = frame_strength or (strength,) * count
            frame_strength = (*(0.0 for _ in known), *own[len(known) :])
        # In the order of the pictures, heaviest first.
        weights = sorted((ref.weight for ref in request.styles if ref.weight > 0), reverse=True)[:MOST_REFERENCES]
        return PipelineInputs(
            task="variation" if task == "structure" and strength < 1.0 else task,
            width=clip.width,
            height=clip.height,
            frames=count,
            masks=masks,
            references=conditions.references[:MOST_REFERENCES] if "styles" in self.traits.controls else (),
            reference_scale=_STYLE_SCALE * max(weights, default=1.0) * request.controls.style_weight,
            reference_weights=tuple(weights),
            scale=request.controls.control_scale,
            strength=strength,
            start=start,
            frame_strength=frame_strength,
            structure=structure,
            structure_kind=kind,
        )

    def _structure(
        self, request: GenerateRequest, clip: Clip, conditions: Conditions
    ) -> tuple[str, tuple[Picture, ...]]:
        """(the ControlNet, what it is shown)."""
        if not conditions.structure:
            return "", ()
        if len(conditions.structure) != len(clip):
            raise GenerationError(f"There are {len(conditions.structure)} control pictures for {len(clip)} frames.")
        reader = _reader(conditions.structure_kind, self.controls)
        if not reader:
            wanted = " or ".join(_READERS.get(conditions.structure_kind, ())) or "none there is"
            raise GenerationError(
                f"No ControlNet of this model reads {conditions.structure_kind} (it takes: {wanted}).",
                "Choose another structure source, or add the model again with that ControlNet.",
            )
        if reader == "canny" and conditions.source:
            levels = [request.control("structure", frame) for frame in clip.frames]
            return reader, tuple(canny(f, each) for f, each in zip(conditions.source, levels, strict=True))
        return reader, conditions.structure

    def geometry(self, model: InstalledModel) -> LatentGeometry:
        from gen2studio.models.families.animatediff import vae_scale

        vae = model.checkpoint().configs["vae"]
        spatial = vae_scale(vae)
        return LatentGeometry(
            spatial=spatial,
            multiple=spatial,
            channels=int(vae.get("latent_channels", 4)),
            frames=FrameRule(1, 1),
            temporal=1,
        )

    def driver(self) -> FamilyDriver:
        from gen2studio.diffusion.families.animatediff_driver import AnimateDiffDriver

        return AnimateDiffDriver()


def canny(picture: Picture, level: float = 0.0) -> Picture:
    """(H, W, 3) uint8: thin white lines on black as the canny ControlNet was trained on, fewer at a higher ``level``.

    Canny's detector at 100 and 200, of a picture blurred the wider the higher the structure level 0…7 is.
    """
    import cv2

    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    if level > 0:
        luma = cv2.GaussianBlur(luma, (0, 0), 0.8 * min(luma.shape) / 512 * 1.5**level)
    return np.repeat(np.asarray(cv2.Canny(luma, 100, 200), np.uint8)[..., None], 3, axis=2)


def _reader(kind: str, controls: tuple[str, ...]) -> str:
    wanted = _READERS.get("depth" if kind == "depth_pass" else kind, ())
    return next((name for name in wanted if name in controls), "")


def _edit_masks(masks: tuple[Matte, ...], margin: float) -> tuple[Matte, ...]:
    from gen2studio.diffusion.conditioning.masks import binary, dilate

    # A feathered mask counts from its outermost level: everything the composite shows has been generated.
    return tuple(dilate(binary(mask, 1), round(margin)) for mask in masks)
