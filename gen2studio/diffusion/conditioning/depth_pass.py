"""True depth passes beside the footage: EXR sequences, 8- and 16-bit image sequences, videos, plain or colour-mapped.

What comes out is inverse depth (1 = nearest), the same thing that depth networks estimate and models were trained on:

- EXR of distances (``near_is_white`` off): Z in scene units becomes 1/Z; infinity is farthest. With ``near_is_white``
  its values are taken as inverse depth already.
- Pictures and videos (0…1 of full scale): taken as inverse depth; dark-is-near passes are turned round.
- Passes painted with a colour map (viridis, turbo, magma, inferno, plasma, cividis, jet, hot) are read back through it.

``near`` and ``far`` are values of the file (EXR: scene units; pictures: 0…1); without them the range is the 2nd to 98th
percentile over the clip.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.errors import MediaError
from gen2studio.diffusion.conditioning.depth import Depth
from gen2studio.diffusion.conditioning.exr_plane import read_exr_plane

_INFINITE = 1e9
"""Renderers write this or more for "nothing there"."""
_SAMPLES = 12
_ASPECT = 0.02
_LEVELS = 64
_MAPS = ("VIRIDIS", "TURBO", "MAGMA", "INFERNO", "PLASMA", "CIVIDIS", "JET", "HOT")


class DepthPassReader:
    """An open depth pass. Not thread-safe. Raises MediaError: one sentence and what to do."""

    def __init__(self, path: Path, *, near_is_white: bool = True) -> None:
        from gen2studio.media import codecs

        codecs.load()
        from gen2studio.media.stills import find_run, is_still

        self._path = path
        self._near_is_white = near_is_white
        self._video = None
        self._map: NDArray[np.float32] | None = None
        self._settled = False
        self._run = None
        self.distances = False
        """The file holds distances in scene units: EXR, near is small."""
        if not path.exists() and "%" not in path.name:
            raise MediaError(f"The depth pass “{path.name}” is not there.", "Choose it again.")
        if path.is_dir() or "%" in path.name or is_still(path):
            self._run = find_run(path, as_sequence=path.is_file())
            if self._run is None or not self._run.files:
                raise MediaError(f"“{path.name}” holds no numbered images.", "Choose the first image of the pass.")
            self.count = self._run.frame_count
            self.distances = self._suffix() == ".exr" and not near_is_white
            return
        from gen2studio.media.decoder import open_decoder

        self._video = open_decoder(path)
        self.count = self._video.info.frame_count or 0

    def close(self) -> None:
        if self._video is not None:
            self._video.close()

    def inverse(self, frame: int) -> Depth:
        """(H, W) float32 of frame ``frame``, larger = nearer, at the pass's own size and scale."""
        plane = self._plane(frame)
        if self.distances:
            gone = ~np.isfinite(plane) | (plane >= _INFINITE)
            return np.where(gone, np.float32(0), 1 / np.maximum(plane, np.float32(1e-6))).astype(np.float32)
        return plane if self._near_is_white else np.asarray(-plane, np.float32)

    def inverse_of(self, value: float) -> float:
        """What :meth:`inverse` makes of one value of the file (near, far)."""
        if self.distances:
            return 1 / max(1e-6, value)
        return value if self._near_is_white else -value

    def _suffix(self) -> str:
        assert self._run is not None
        return Path(next(iter(self._run.files.values()))).suffix.lower()

    def _plane(self, frame: int) -> NDArray[np.float32]:
        if not 0 <= frame < self.count:
            raise MediaError(
                f"The depth pass “{self._path.name}” has {self.count} frames; frame {frame} is not among them.",
                "Render the pass for the whole clip.",
            )
        if self._video is not None:
            return self._single(self._video.rgb(frame))
        assert self._run is not None
        found = self._run.path_of(frame)
        if found is None or not found[1]:
            raise MediaError(
                f"The depth pass lacks its image of frame {frame} (number {self._run.first + frame}).",
                "Render that frame again.",
            )
        path = found[0]
        if path.suffix.lower() == ".exr":
            return read_exr_plane(path)
        try:
            data = np.frombuffer(path.read_bytes(), np.uint8)
        except OSError as error:
            raise MediaError(f"“{path.name}” can't be read from the disk.", "Check the drive it is on.") from error
        pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
        if pixels is None:
            raise MediaError(f"The image “{path.name}” is damaged or cut short.", "Render it again.")
        return self._single(np.asarray(pixels)[..., 2::-1] if pixels.ndim == 3 and pixels.shape[2] >= 3 else pixels)

    def _single(self, pixels: NDArray) -> NDArray[np.float32]:
        """One plane 0…1 of a grey, RGB or colour-mapped picture."""
        top = float(np.iinfo(pixels.dtype).max) if np.issubdtype(pixels.dtype, np.integer) else 1.0
        if pixels.ndim == 2:
            return (pixels.astype(np.float32) / np.float32(top)).astype(np.float32)
        if pixels.shape[2] < 3:
            return (pixels[..., 0].astype(np.float32) / np.float32(top)).astype(np.float32)
        unit = pixels[..., :3].astype(np.float32) / np.float32(top)
        if not self._settled:
            # Once per pass: a frame that happens to be grey must not be read differently from its neighbours.
            table = _colour_map(unit, self._path.name)
            self._map = None if table is None else _cube(table)
            self._settled = True
        return np.asarray(unit[..., 1], np.float32) if self._map is None else _unmapped(unit, self._map)


def read_depth_pass(
    path: Path,
    frames: Sequence[int],
    size: tuple[int, int],
    *,
    near_is_white: bool = True,
    near: float | None = None,
    far: float | None = None,
    footage_frames: int = 0,
    span: tuple[int, int] | None = None,
    checkpoint: Callable[[int, int], None] | None = None,
) -> list[Depth]:
    """The depth of media ``frames``, one (H, W) float32 0…1 map (1 = nearest) each, at ``size`` (width, height).

    The range is measured once over ``span`` ([start, stop) of the clip; None = over ``frames``), so that stills match
    the render. ``footage_frames`` > 0 is held against the length of the pass. Raises MediaError for a wrong length or
    shape.
    """
    reader = DepthPassReader(path, near_is_white=near_is_white)
    try:
        if footage_frames and reader.count != footage_frames:
            raise MediaError(
                f"The depth pass has {reader.count} frames, the footage {footage_frames}.",
                "Render the pass for exactly the frames of the footage.",
            )
        low, high = _range(reader, frames, span, near, far)
        scale = np.float32(1 / (high - low)) if high > low else np.float32(0)
        out: list[Depth] = []
        for index, frame in enumerate(frames):
            if checkpoint is not None:
                checkpoint(index, len(frames))
            plane = _fitted(reader.inverse(frame), size)
            flat = np.full(plane.shape, 0.5, np.float32) if not scale else (plane - np.float32(low)) * scale
            out.append(np.clip(flat, 0, 1).astype(np.float32))
        return out
    finally:
        reader.close()


def _range(
    reader: DepthPassReader,
    frames: Sequence[int],
    span: tuple[int, int] | None,
    near: float | None,
    far: float | None,
) -> tuple[float, float]:
    low = None if far is None else reader.inverse_of(far)
    high = None if near is None else reader.inverse_of(near)
    if low is None or high is None:
        clip = list(range(*span)) if span is not None else list(frames)
        chosen = sorted({clip[round(i)] for i in np.linspace(0, len(clip) - 1, min(_SAMPLES, len(clip)))})
        sample = np.concatenate([reader.inverse(frame)[::3, ::3].ravel() for frame in chosen])
        sample = sample[np.isfinite(sample)]
        # What is infinitely far says nothing about the range of what is there.
        solid = sample[sample > 0] if reader.distances else sample
        measured = np.percentile(solid, (2, 98)) if solid.size else np.zeros(2)
        low, high = (float(measured[0]) if low is None else low), (float(measured[1]) if high is None else high)
    if low > high:
        raise MediaError(
            "The depth pass would be nearest where it is farthest.",
            "Swap its near and far values, or switch “near is white”.",
        )
    return low, high


def _fitted(plane: Depth, size: tuple[int, int]) -> Depth:
    height, width = plane.shape
    if (width, height) == size:
        return plane
    if abs(width / height / (size[0] / size[1]) - 1) > _ASPECT:
        raise MediaError(
            f"The depth pass is {width}×{height}, which is another shape than the footage ({size[0]}×{size[1]}).",
            "Render the pass at the footage's size.",
        )
    shrinking = size[0] < width
    filled = np.nan_to_num(plane, nan=0.0, posinf=0.0, neginf=0.0)
    return np.asarray(
        cv2.resize(filled, size, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR), np.float32
    )


@lru_cache(maxsize=1)
def _tables() -> tuple[tuple[str, NDArray[np.float32]], ...]:
    """Name and (256, 3) RGB 0…1 of the colour maps that depth is commonly shown in."""
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    found: list[tuple[str, NDArray[np.float32]]] = []
    for name in _MAPS:
        painted = np.asarray(cv2.applyColorMap(ramp, getattr(cv2, f"COLORMAP_{name}")), np.float32)
        found.append((name, np.asarray(painted[:, 0, ::-1] / np.float32(255), np.float32)))
    return tuple(found)


def _colour_map(unit: NDArray[np.float32], name: str) -> NDArray[np.float32] | None:
    """The table a picture was coloured with; None for a grey one. Raises MediaError for a picture that is no pass."""
    sample = unit[::7, ::7].reshape(-1, 3)
    if float(np.percentile(sample.max(1) - sample.min(1), 90)) < 0.06:
        return None
    errors = [(float(np.percentile(_nearest(sample, table)[1], 90)), table) for _, table in _tables()]
    error, table = min(errors, key=lambda found: found[0])
    if error > 0.12:
        raise MediaError(
            f"“{name}” is a colour picture, not a depth pass.", "Choose the pass that shows depth as grey."
        )
    return table


def _nearest(colours: NDArray[np.float32], table: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    square = (colours**2).sum(1)[:, None] - 2 * colours @ table.T + (table**2).sum(1)[None]
    best = square.argmin(1)
    return best, np.sqrt(np.maximum(square[np.arange(len(best)), best], 0)).astype(np.float32)


def _cube(table: NDArray[np.float32]) -> NDArray[np.float32]:
    """(64, 64, 64) the value of every colour: each is looked up once, whatever the pictures' sizes."""
    levels = np.linspace(0, 1, _LEVELS, dtype=np.float32)
    slabs = [np.stack(np.meshgrid(r, levels, levels, indexing="ij"), -1).reshape(-1, 3) for r in levels]
    values = np.stack([_nearest(slab, table)[0] for slab in slabs]).reshape(_LEVELS, _LEVELS, _LEVELS)
    return (values.astype(np.float32) / np.float32(255)).astype(np.float32)


def _unmapped(unit: NDArray[np.float32], cube: NDArray[np.float32]) -> NDArray[np.float32]:
    index = np.rint(np.clip(unit, 0, 1) * (_LEVELS - 1)).astype(np.intp)
    return np.asarray(cube[index[..., 0], index[..., 1], index[..., 2]], np.float32)
