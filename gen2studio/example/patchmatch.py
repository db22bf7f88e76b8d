"""Example-based synthesis: a pyramid of expectation-maximisation passes over guided PatchMatch.

Image Analogies (Hertzmann et al. 2001) as a patch-voting EM (Kwatra et al. 2005; StyLit, Fišer et al. 2016).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from gen2studio.core.cancel import CancelToken
from gen2studio.example import kernels
from gen2studio.example.compiled import Team
from gen2studio.example.filters import gaussian
from gen2studio.example.kernels import F32, I32


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How one synthesis runs."""

    patch: int = 5
    style_weight: float = 1.0
    """Weight of the result channels against the guides."""
    passes: tuple[int, ...] = (6, 4, 3, 2, 2)
    """EM passes from the coarsest level to the finest; the last number counts for all finer levels."""
    first_sweeps: int = 6
    sweeps: int = 2
    uniformity: float = 0.03
    """Cost of using a source patch more often than its share, on every level but the finest."""
    sharpness: float = 500.0
    """How much better matches outweigh worse ones in the vote."""
    reach: int = 64
    """First search radius on all but the two coarsest levels."""
    coarsest: int = 14
    """Short side of the coarsest level in pixels, about."""
    restore: bool = True
    """Give the voted picture the local contrast of the unvoted one."""
    seed: int = 1


@dataclass(slots=True)
class Exemplar:
    """A painting and its guides on every level, finest first, ready to be matched against many targets."""

    results: list[F32]
    guides: list[F32]
    penalties: list[F32]
    """Extra cost of centres, per level: seams between several paintings, unequal weights."""


@dataclass(slots=True)
class Synthesis:
    result: F32
    """(H, W, C) the voted picture."""
    field: I32
    """(H, W, 2) the matches on the finest level."""
    cost: F32
    """(H, W) what each match costs."""


def halved(picture: F32) -> F32:
    """The next pyramid level (area mean, sides rounded up); any number of channels."""
    height, width = picture.shape[:2]
    size = (max(1, -(-width // 2)), max(1, -(-height // 2)))
    if picture.ndim == 2 or picture.shape[2] <= 4:
        return np.ascontiguousarray(
            cv2.resize(picture, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1), np.float32
        )
    parts = [
        cv2.resize(np.ascontiguousarray(picture[..., i : i + 4]), size, interpolation=cv2.INTER_AREA)
        for i in range(0, picture.shape[2], 4)
    ]
    return np.asarray(np.concatenate([p.reshape(size[1], size[0], -1) for p in parts], axis=2), np.float32)


def levels_for(height: int, width: int, coarsest: int, patch: int) -> int:
    """How many pyramid levels until the short side is about ``coarsest``."""
    short, count = min(height, width), 1
    while short // 2 >= max(coarsest, patch + 2):
        short //= 2
        count += 1
    return count


def pyramid(picture: F32, levels: int) -> list[F32]:
    """``levels`` pictures, finest first."""
    out = [np.ascontiguousarray(picture if picture.ndim == 3 else picture[..., None], np.float32)]
    for _ in range(levels - 1):
        out.append(halved(out[-1]))
    return out


def exemplar(result: F32, guides: F32, levels: int, penalty: F32 | None = None) -> Exemplar:
    """``result`` (H, W, C) and ``guides`` (H, W, G), channels already scaled by the roots of their weights."""
    base = np.zeros(result.shape[:2], np.float32) if penalty is None else penalty
    costs = [p[..., 0].copy() for p in pyramid(base, levels)]
    return Exemplar(pyramid(result, levels), pyramid(guides, levels), costs)


def synthesise(
    example: Exemplar,
    guides: F32,
    settings: Settings,
    team: Team,
    cancel: CancelToken | None = None,
    *,
    start: I32 | None = None,
    start_level: int = 0,
    anchor: F32 | None = None,
    anchor_weight: F32 | None = None,
) -> Synthesis:
    """Paint the target described by ``guides`` (H, W, G) with patches of ``example``.

    ``start`` is a full-resolution field to begin from on level ``start_level`` (0 = finest) instead of noise on the
    coarsest one. ``anchor`` (H, W, C) is a picture the result is pulled towards with ``anchor_weight`` (H, W) ≥ 0:
    after
    every vote the estimate becomes (vote + w·anchor) / (1 + w). Raises Cancelled between sweeps.
    """
    height, width = guides.shape[:2]
    levels = min(len(example.results), levels_for(height, width, settings.coarsest, settings.patch))
    top = levels - 1 if start is None else min(start_level, levels - 1)
    targets = pyramid(guides, top + 1)
    anchors = pyramid(anchor, top + 1) if anchor is not None else None
    weights = pyramid(anchor_weight, top + 1) if anchor_weight is not None else None
    matches = _first_field(example, targets, settings, top, start, team)
    estimate: F32 | None = None
    number = 0
    for level in range(top, -1, -1):
        if level < top:
            matches = _doubled(matches, targets[level].shape[:2], example.results[level].shape[:2], settings.patch)
        passes = settings.passes[min(top - level, len(settings.passes) - 1)]
        pull = (anchors[level], weights[level]) if anchors is not None and weights is not None else None
        if level < top or start is not None:
            estimate = _pulled(voted(example.results[level], matches, None, settings, team), pull)
        cost = np.zeros(matches.shape[:2], np.float32)
        for _ in range(passes):
            if cancel is not None:
                cancel.check()
            first = estimate is None
            target, source, channels = _packed(example, targets, level, estimate, settings)
            penalty = _usage_penalty(matches, example.penalties[level], settings, level)
            size = max(example.results[level].shape[:2])
            kernels.run_sweeps(
                target,
                source,
                matches,
                cost,
                penalty,
                patch=settings.patch,
                channels=channels,
                seed=settings.seed,
                level=level,
                first=number,
                count=settings.first_sweeps if first else settings.sweeps,
                reach=size if level >= levels - 2 else min(settings.reach, size),
                team=team,
            )
            number += settings.first_sweeps if first else settings.sweeps
            estimate = _pulled(voted(example.results[level], matches, cost, settings, team), pull)
        if level == 0 and estimate is not None:
            if settings.restore:
                estimate = _restored(estimate, example.results[0], matches, team)
            return Synthesis(estimate, matches, cost)
    raise AssertionError("a pyramid has at least one level")


def _first_field(
    example: Exemplar, targets: list[F32], settings: Settings, top: int, start: I32 | None, team: Team
) -> I32:
    height, width = targets[top].shape[:2]
    source_height, source_width = example.results[top].shape[:2]
    if start is None:
        field = np.empty((height, width, 2), np.int32)
        seed = settings.seed * 7919 + 17
        team.over(height, lambda a, b: kernels.scatter(field, seed, settings.patch, source_height, source_width, a, b))
        return field
    step = 1 << top
    ys = np.minimum(np.arange(height) * step, start.shape[0] - 1)
    xs = np.minimum(np.arange(width) * step, start.shape[1] - 1)
    return _inside(start[ys][:, xs] // step, (source_height, source_width), settings.patch)


def _inside(field: I32, size: tuple[int, int], patch: int) -> I32:
    radius = patch // 2
    out = np.empty_like(field)
    np.clip(field[..., 0], radius, size[1] - radius - 1, out=out[..., 0])
    np.clip(field[..., 1], radius, size[0] - radius - 1, out=out[..., 1])
    return np.ascontiguousarray(out)


def _doubled(field: I32, shape: tuple[int, int], source: tuple[int, int], patch: int) -> I32:
    ys, xs = np.arange(shape[0]), np.arange(shape[1])
    up = field[np.minimum(ys // 2, field.shape[0] - 1)][:, np.minimum(xs // 2, field.shape[1] - 1)] * 2
    up[..., 0] += (xs & 1)[None, :].astype(np.int32)
    up[..., 1] += (ys & 1)[:, None].astype(np.int32)
    return _inside(up, source, patch)


def _packed(
    example: Exemplar, targets: list[F32], level: int, estimate: F32 | None, settings: Settings
) -> tuple[F32, F32, int]:
    """Padded target, source (both (H, W·C)) and C. Without an estimate only the guides count."""
    root = float(np.sqrt(settings.style_weight))
    source_guides, target_guides = example.guides[level], targets[level]
    radius = settings.patch // 2
    if estimate is None:
        source, target = source_guides, target_guides
    else:
        source = np.concatenate([example.results[level] * root, source_guides], axis=2)
        target = np.concatenate([estimate * root, target_guides], axis=2)
    border = ((radius, radius), (radius, radius), (0, 0))
    padded = np.pad(target, border, mode="reflect" if min(target.shape[:2]) > radius else "edge")
    channels = target.shape[2]
    flat_target = np.ascontiguousarray(padded, np.float32).reshape(padded.shape[0], -1)
    return flat_target, np.ascontiguousarray(source, np.float32).reshape(source.shape[0], -1), channels


def _usage_penalty(field: I32, fixed: F32, settings: Settings, level: int) -> F32:
    """Source patches used more often than average become dearer (frozen during the sweeps of a pass)."""
    if settings.uniformity <= 0 or level == 0:
        return fixed
    uses = np.zeros(fixed.shape, np.float32)
    kernels.count_uses(field, uses)
    uses = cv2.boxFilter(uses, -1, (settings.patch, settings.patch))
    uses /= max(float(uses.mean()), 1e-6)
    np.minimum(uses, 20.0, out=uses)
    return np.asarray(fixed + uses * np.float32(settings.uniformity * settings.patch**2), np.float32)


def voted(picture: F32, field: I32, cost: F32 | None, settings: Settings, team: Team) -> F32:
    """(H, W, C) mean of the overlapping patches of ``picture`` in ``field``; without ``cost`` all count alike."""
    height, width, channels = *field.shape[:2], picture.shape[2]
    packed = np.ascontiguousarray(picture).reshape(picture.shape[0], -1)
    result = np.empty((height, width * channels), np.float32)
    used = np.zeros((height, width), np.float32) if cost is None else cost
    team.over(
        height,
        lambda a, b: kernels.vote(packed, field, used, channels, settings.patch, settings.sharpness, result, a, b),
    )
    return result.reshape(height, width, channels)


def _pulled(estimate: F32, pull: tuple[F32, F32] | None) -> F32:
    if pull is None:
        return estimate
    return np.asarray((estimate + pull[1] * pull[0]) / (1.0 + pull[1]), np.float32)


def _restored(estimate: F32, picture: F32, field: I32, team: Team) -> F32:
    copy = np.empty_like(estimate)
    team.over(field.shape[0], lambda a, b: kernels.gather(picture, field, copy, a, b))
    return with_contrast_of(estimate, local_deviation(copy), 2.0)


def local_deviation(picture: F32, sigma: float = 4.0) -> F32:
    """(H, W, C) standard deviation in a Gaussian window."""
    mean = gaussian(picture, sigma)
    square = gaussian(picture * picture, sigma)
    return np.sqrt(np.maximum(square - mean * mean, 0.0)).astype(np.float32).reshape(picture.shape)


def with_contrast_of(picture: F32, wanted: F32, limit: float, sigma: float = 4.0) -> F32:
    """Raise the local contrast of ``picture`` around its local mean to ``wanted`` (H, W, C deviations), at most
    ``limit``-fold."""
    mean = gaussian(picture, sigma).reshape(picture.shape)
    gain = np.clip(wanted / np.maximum(local_deviation(picture, sigma), 1e-4), 1.0, limit)
    return np.asarray(mean + (picture - mean) * gain, np.float32)


def warm_up() -> None:
    """Run one tiny synthesis through every kernel."""
    noise = np.linspace(0, 1, 24 * 24 * 3, dtype=np.float32).reshape(24, 24, 3)
    with Team(1) as team:
        synthesise(exemplar(noise, noise, 2), noise, Settings(passes=(1,), first_sweeps=1, sweeps=1), team)
