"""What families share that turn footage by noising it and denoising it again (SDEdit, arXiv 2108.01073). No torch."""

from __future__ import annotations

from collections.abc import Sequence

from gen2studio.core.errors import GenerationError
from gen2studio.diffusion.families.contract import Clip, Conditions, FrameRule, Matte
from gen2studio.engine.events import Picture
from gen2studio.engine.requests import GenerateRequest
from gen2studio.models.manifest import ModelManifest

FREE_MARGIN = 12 / 480
"""Part of the height that a region grows by where it may take another shape."""
LEAST = 0.02
"""Below this strength nothing would be left to denoise."""


def guidance_in_range(manifest: ModelManifest, asked: float) -> float:
    """What was asked, kept in the model's range, or the model's default when 0."""
    own = manifest.guidance
    return min(max(asked, own.lowest), own.highest) if asked else own.default


def clip_of(clip: Clip, frames: FrameRule) -> int:
    """The number of frames of a run. Raises GenerationError when the model can't make so many at once."""
    count = len(clip)
    if count < 1:
        raise GenerationError("The range holds no frames.", "Choose a range of at least one frame.")
    if frames.padded(count) != count:
        raise GenerationError(f"This model can't make {count} frames at once.", "Choose another range.")
    return count


def footage_start(
    request: GenerateRequest, clip: Clip, conditions: Conditions, frames: FrameRule
) -> tuple[float, tuple[Picture, ...], tuple[float, ...]]:
    """(strength, frames to start from, a strength for every latent frame or nothing) of a run on footage.

    A strength of 1 forgets the footage, but for what lies around a mask. Without footage: 1, nothing, nothing.
    """
    if not conditions.source:
        return 1.0, (), ()
    keyed = request.varies("strength")
    strengths = [request.control("strength", frame) for frame in clip.frames] if keyed else []
    strength = max(strengths) if keyed else request.controls.strength
    if strength >= 1.0 and not keyed and not conditions.masks:
        return 1.0, (), ()
    return max(LEAST, strength), conditions.source, of_groups(strengths, frames) if keyed else ()


def region_masks(masks: Sequence[Matte], height: int, group: int, margin: float = FREE_MARGIN) -> tuple[Matte, ...]:
    """Where a run on footage may draw: one for each frame, 0 or 255. ``margin`` is a part of the ``height``.

    Everything that the composite shows of a feathered mask counts, and a margin around it, because a tight silhouette
    forces the old shape on a model; what changes in any of the ``group`` frames of a latent one changes in all.
    """
    from gen2studio.diffusion.conditioning.masks import binary, dilate, pool_groups

    if not masks:
        return ()
    return tuple(pool_groups([dilate(binary(mask, 1), round(margin * height)) for mask in masks], group))


def of_groups(values: list[float], frames: FrameRule) -> tuple[float, ...]:
    """The mean over the frames that share a latent one."""
    groups: list[list[float]] = [[] for _ in range(frames.latent(len(values)))]
    for index, value in enumerate(values):
        groups[frames.group_of(index)].append(value)
    return tuple(sum(group) / len(group) for group in groups)


def first_picture(title: str, conditions: Conditions) -> Picture:
    """The picture a clip begins with: the last frame of what came before, or the key on its first frame.

    Raises GenerationError when there is none, or one later; ``title`` is the family's.
    """
    if conditions.lead and conditions.keys:
        raise GenerationError(
            f"{title} takes one picture: it can't go on from a clip and show another picture.",
            "Take the key frame away, or let the shot begin anew.",
        )
    late = any(at > 0 for at, _ in conditions.keys)
    first = conditions.lead[-1:] or tuple(picture for at, picture in conditions.keys if at == 0)
    if late or not first:
        raise GenerationError(
            f"{title} begins with a picture and takes none later." if late else "There is no picture to begin with.",
            "Put the picture on the shot's first frame.",
        )
    return first[0]
