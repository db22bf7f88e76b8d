"""What all preset painters share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.cancel import CancelToken
from gen2studio.example import colour_map
from gen2studio.example.brushwork import Brushwork
from gen2studio.example.compiled import Team
from gen2studio.example.film import Carried, KeyLayer
from gen2studio.example.filters import gaussian, luma, resized
from gen2studio.example.kernels import F32
from gen2studio.example.kuwahara import kuwahara, tangent_field
from gen2studio.example.lines import along_flow, smoothstep, without_specks

Picture = NDArray[np.uint8]


class Medium:
    """A preset painter: one instance paints one clip. ``table`` is the clip's colour table, ``samples`` a few of its
    frames."""

    keyed = False

    def __init__(self, brushwork: Brushwork, table: F32, samples: Sequence[Picture]) -> None:
        self.brush = brushwork
        self.table = table
        self.samples = samples
        self._clip = brushwork, table
        self._surfaces: dict[tuple[str, int, int], F32] = {}

    def key(self, picture: F32, carried: Carried | None, team: Team, cancel: CancelToken) -> KeyLayer:
        """The layer to carry; media without one are never asked."""
        raise AssertionError(f"{type(self).__name__} has no layer")

    def finish(self, picture: F32, layer: F32 | None, team: Team) -> F32:
        """The finished frame."""
        return colour_map.apply(self.table, picture, team)

    def turn_to(self, brushwork: Brushwork, table: F32) -> None:
        """Use these controls and this colour table from now on: those of the next frame."""
        self.brush, self.table = brushwork, table

    # -- tools ---------------------------------------------------------------------------------------------------------

    @property
    def unit(self) -> float:
        """Pixels for one pixel at 288 lines."""
        return self.brush.unit

    def get(self, name: str, default: float) -> float:
        return self.brush.get(name, default)

    def looseness(self, tight: float, normal: float, loose: float) -> float:
        """A value that follows the structure control: ``tight`` at 0, ``normal`` at 2, ``loose`` at 7."""
        return float(np.interp(self.brush.structure, [0, 2, 7], [tight, normal, loose]))

    def clip_looseness(self, tight: float, normal: float, loose: float) -> float:
        """As :meth:`looseness`, the same on every frame: for what can't change in the middle of a clip."""
        return float(np.interp(self._clip[0].structure, [0, 2, 7], [tight, normal, loose]))

    @property
    def weight(self) -> float:
        """The style weight, 0…2."""
        return self.brush.style_weight

    def amount(self, value: float, limit: float = 1.0) -> float:
        """An effect's amount scaled by the style weight."""
        return min(limit, value * self.weight)

    def surface(self, name: str, shape: tuple[int, ...], make: Callable[[int, int], F32]) -> F32:
        """A texture of the frame's size, or with shape (0, 0) a measure of the clip, made once."""
        key = (name, shape[0], shape[1])
        found = self._surfaces.get(key)
        if found is None:
            # With the clip's own controls: it must not matter which frame is painted first.
            here = self.brush, self.table
            self.turn_to(*self._clip)
            found = self._surfaces[key] = make(shape[0], shape[1])
            self.turn_to(*here)
        return found

    def simplified(
        self, picture: F32, team: Team, radius: float = 4.0, *, unit: float | None = None, passes: int = 1
    ) -> F32:
        """The mapped frame with its detail abstracted as the structure control says; ``radius`` at 288 lines."""
        scale = self.unit if unit is None else unit
        out = colour_map.apply(self.table, picture, team)
        reach = radius * scale * self.looseness(0.45, 1.0, 2.3)
        for i in range(passes + (self.brush.structure > 4.5)):
            out = kuwahara(out, reach * 0.75**i, team)
        return out

    def line_light(self, picture: F32) -> F32:
        """(H, W) lightness that lines are drawn from; blurred more the looser the structure."""
        light = luma(picture)
        sigma = self.unit * self.looseness(0.35, 0.7, 3.0)
        return gaussian(light, sigma)

    def features(self, picture: F32) -> F32:
        """(H, W) 0…1 small dark marks such as eyes, brows and mouths, which abstraction would swallow (morphological
        black hat)."""
        unit = self.unit
        light = gaussian(luma(picture), 0.6 * unit)
        side = max(3, 2 * round(3.2 * unit) + 1)
        hat = cv2.morphologyEx(light, cv2.MORPH_BLACKHAT, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
        marks = smoothstep(0.055, 0.15, np.asarray(hat, np.float32))
        return without_specks(marks, 5 * unit * unit) * np.float32(self.looseness(1.2, 1.0, 0.0))

    def edge_responses(self, form: F32, sigma: float, team: Team) -> tuple[F32, F32, F32]:
        """Fine and broad edge responses (H, W) over all colour channels, and the tangent field."""
        lab = gaussian(colour_map.to_lab(form), 0.4 * sigma)
        along = tangent_field(form, 2.6 * sigma)
        gap = np.abs(gaussian(lab, 1.6 * sigma) - gaussian(lab, sigma)).sum(-1)
        broad = np.abs(gaussian(lab, 3.4 * sigma) - gaussian(lab, 2.1 * sigma)).sum(-1)
        return along_flow(gap, along, 5 * sigma, team), along_flow(broad, along, 6 * sigma, team), along

    def edge_scales(self, sigma: float, team: Team) -> tuple[float, float]:
        """What counts as a strong edge in this clip: the 96th percentile over small copies of its sample frames."""

        def measured(_height: int, _width: int) -> F32:
            fine: list[F32] = []
            broad: list[F32] = []
            for picture in self.samples:
                width = round(288 * picture.shape[1] / picture.shape[0])
                small = resized(picture, width, 288) / np.float32(255)
                a, b, _ = self.edge_responses(
                    kuwahara(colour_map.apply(self.table, small, team), 4.5, team), sigma, team
                )
                fine.append(a)
                broad.append(b)
            return np.array([np.quantile(np.stack(fine), 0.96), np.quantile(np.stack(broad), 0.96)], np.float32)

        scales = self.surface("scales", (0, 0), measured)
        return max(float(scales[0]), 0.004), max(float(scales[1]), 0.006)


def with_light(picture: F32, light: F32) -> F32:
    """``picture`` with its Lab lightness replaced by ``light`` (H, W) 0…1."""
    lab = colour_map.to_lab(picture)
    lab[..., 0] = light
    return colour_map.to_rgb(lab)


def stepped(values: NDArray, steps: float, softness: float) -> F32:
    """Values 0…1 in ``steps`` flat levels with soft borders; ``softness`` is the share of a step they take."""
    level = values * steps
    part = level - np.floor(level)
    t = np.clip((part - 0.5) / max(softness, 1e-3) + 0.5, 0, 1)
    return np.asarray((np.floor(level) + t * t * (3 - 2 * t)) / steps, np.float32)


def saturated(picture: F32, factor: float) -> F32:
    """Chroma multiplied by ``factor``."""
    grey = luma(picture)[..., None]
    return np.asarray(np.clip(grey + (picture - grey) * factor, 0, 1), np.float32)


def mixed(a: NDArray, b: NDArray, amount: float | NDArray) -> F32:
    """a + (b − a)·amount."""
    return np.asarray(a + (b - a) * amount, np.float32)
