"""Engine (a): a look from style images, a preset or words, over the whole clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.cancel import CancelToken
from gen2studio.engine.generators import RunContext
from gen2studio.engine.requests import GenerateRequest
from gen2studio.example import colour_map, grades, patchmatch
from gen2studio.example.brushwork import Brushwork
from gen2studio.example.compiled import Team
from gen2studio.example.film import Carried, Footage, KeyLayer, as_float, run_film, sample_frames
from gen2studio.example.filters import gaussian, luma
from gen2studio.example.kernels import F32
from gen2studio.example.kuwahara import kuwahara, tangent_field
from gen2studio.example.looks import LookPreset
from gen2studio.example.media_table import medium
from gen2studio.example.skin import protected
from gen2studio.example.words import Intent

Picture = NDArray[np.uint8]
PAINTING_HEIGHT = 1.45
"""Height of the painting against the frame's: sets the size of its strokes in the picture."""


def run_look(request: GenerateRequest, look: LookPreset | None, intent: Intent, context: RunContext) -> None:
    """Paint every wanted frame in the look of the style images, the preset and the words together."""
    footage = Footage(request, context)
    with Team(context.threads) as team:
        context.progress(0, len(request.wanted), "Reading the clip's colours")
        styles = [(context.blob(ref), ref.weight) for ref in request.styles if ref.weight > 0]
        colours = ClipColours(footage, look, styles, intent)
        brushwork, table = Brushwork.of(request, look), colours.table(request.controls.style_weight)
        painter: Inner
        if look is not None:
            painter = medium(look.medium)(brushwork, table, [footage.source(f) for f in sample_frames(request)])
        elif styles:
            painter = PaintingLook(brushwork, table, styles, footage.work[1])
        else:
            painter = medium("grade")(brushwork, table, [])
        run_film(Finished(painter, request, look, colours), footage, team)


class Inner(Protocol):
    """A painter that can be told the controls of the next frame."""

    @property
    def keyed(self) -> bool: ...

    def turn_to(self, brushwork: Brushwork, table: F32) -> None: ...

    def key(self, picture: F32, carried: Carried | None, team: Team, cancel: CancelToken) -> KeyLayer: ...

    def finish(self, picture: F32, layer: F32 | None, team: Team) -> F32: ...


class ClipColours:
    """The colour table of the clip: fitted to the style images, or the preset's grade; then the words' light and
    colours. One table for all frames, but for how strongly the style counts on each."""

    def __init__(
        self, footage: Footage, look: LookPreset | None, styles: Sequence[tuple[Picture, float]], intent: Intent
    ) -> None:
        self._fitted = _fitted_table(footage, look, styles)
        self._most = 1.2 if look is None else 1.0
        self._intent = intent
        self._last: tuple[float, F32] | None = None

    def table(self, style_weight: float) -> F32:
        """The table at a style weight of 0…2."""
        amount = min(style_weight, self._most)
        if self._last is None or self._last[0] != amount:
            table = colour_map.blended(self._fitted, amount)
            for name in self._intent.grades:
                table = colour_map.after(table, grades.table_of(grades.NAMED[name]))
            if self._intent.colours:
                table = colour_map.after(table, grades.toward(self._intent.colours))
            self._last = amount, table
        return self._last[1]


def _fitted_table(footage: Footage, look: LookPreset | None, styles: Sequence[tuple[Picture, float]]) -> F32:
    request = footage.request
    table = colour_map.lattice()
    if styles:
        frames = [footage.source(f) for f in sample_frames(request)]
        source = colour_map.samples_of(frames, 12_000, request.seed)
        goal = colour_map.samples_of([p for p, _ in styles], 12_000, request.seed + 1, [w for _, w in styles])
        table = colour_map.fit(source, goal, seed=request.seed)
    elif look is not None and look.grade:
        table = grades.table_of(grades.Grade.of(look.grade))
    return table


class Finished:
    """A painter with the last touches, skin protection and strength, and with the controls of every frame."""

    def __init__(self, inner: Inner, request: GenerateRequest, look: LookPreset | None, colours: ClipColours) -> None:
        self.inner, self.brushwork = inner, Brushwork.of(request, look)
        self._request, self._look, self._colours = request, look, colours

    @property
    def keyed(self) -> bool:
        return self.inner.keyed

    def turn_to(self, frame: int) -> None:
        if self._request.levels:
            self.brushwork = Brushwork.of(self._request, self._look, frame)
            self.inner.turn_to(self.brushwork, self._colours.table(self.brushwork.style_weight))

    def key(self, picture: F32, carried: Carried | None, team: Team, cancel: CancelToken) -> KeyLayer:
        return self.inner.key(picture, carried, team, cancel)

    def finish(self, picture: F32, layer: F32 | None, team: Team) -> F32:
        painted = np.clip(self.inner.finish(picture, layer, team), 0, 1)
        painted = protected(painted, picture, self.brushwork.protect_skin, self.brushwork.unit)
        if self.brushwork.strength < 1:
            painted = picture + (painted - picture) * np.float32(self.brushwork.strength)
        return np.asarray(painted, np.float32)


class PaintingLook:
    """Colours and brush relief of one or several paintings: mapped Kuwahara base plus a synthesised detail band."""

    keyed = True

    def __init__(
        self, brushwork: Brushwork, table: F32, styles: Sequence[tuple[Picture, float]], work_height: int
    ) -> None:
        self.brush, self.table = brushwork, table
        self.work_unit, self.work_height = work_height / 288, work_height
        self.settings = patchmatch.Settings(seed=brushwork.seed)
        self.styles = styles
        self._example: tuple[float, patchmatch.Exemplar] | None = None

    def turn_to(self, brushwork: Brushwork, table: F32) -> None:
        """Use these controls and this colour table from now on."""
        self.brush, self.table = brushwork, table

    @property
    def guide(self) -> float:
        """How much the footage's own colours and directions decide which strokes are taken."""
        return float(np.interp(self.brush.structure, [0, 2, 7], [1.7, 1.0, 0.45]))

    @property
    def example(self) -> patchmatch.Exemplar:
        """The paintings, with their guides weighed as those of the present key frame."""
        if self._example is None or self._example[0] != self.guide:
            self._example = self.guide, self._exemplar(self.styles, self.work_height)
        return self._example[1]

    def base(self, picture: F32, team: Team, unit: float) -> F32:
        """The mapped and abstracted frame."""
        brush = self.brush
        mapped = colour_map.apply(self.table, picture, team)
        radius = unit * float(np.interp(brush.structure, [0, 2, 7], [1.6, 4.0, 12.0])) * brush.stroke**0.5
        out = kuwahara(mapped, radius, team)
        if brush.structure > 4:
            out = kuwahara(out, radius * 0.7, team)
        return out

    def _exemplar(self, styles: Sequence[tuple[Picture, float]], work_height: int) -> patchmatch.Exemplar:
        pages: list[F32] = []
        costs: list[F32] = []
        heaviest = max(w for _, w in styles)
        height = max(48, round(work_height * PAINTING_HEIGHT * self.brush.stroke))
        for picture, weight in styles:
            scale = height / picture.shape[0]
            size = (max(48, min(round(picture.shape[1] * scale), 4 * height)), height)
            way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
            pages.append(as_float(np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)))
            cost = np.full(size[::-1], 0.6 * (1 - weight / heaviest), np.float32)
            if pages[1:] or len(styles) > 1:
                cost[:, :4] = cost[:, -4:] = 50.0
            costs.append(cost)
        page = np.concatenate(pages, axis=1)
        levels = patchmatch.levels_for(work_height, work_height, self.settings.coarsest, self.settings.patch)
        levels = min(levels, patchmatch.levels_for(page.shape[0], page.shape[1], 10, self.settings.patch))
        lab = colour_map.to_lab(page)
        detail = lab - gaussian(lab, 5 * self.work_unit * max(1.0, self.brush.stroke**0.5))
        return patchmatch.exemplar(
            np.asarray(detail, np.float32), self._guides(lab, 2.0), levels, np.concatenate(costs, axis=1)
        )

    def _guides(self, lab: F32, blur: float) -> F32:
        """(H, W, 5): blurred Lab and orientation (cos 2t, sin 2t by coherence), scaled by the roots of their
        weights."""
        colour = gaussian(lab, blur * self.work_unit)
        along = tangent_field(np.ascontiguousarray(lab[..., 0]), 2.5 * self.work_unit)
        double = np.dstack(
            [
                along[..., 2] * (along[..., 0] ** 2 - along[..., 1] ** 2),
                along[..., 2] * 2 * along[..., 0] * along[..., 1],
            ]
        )
        g = self.guide
        weights = np.sqrt(np.array([1.5 * g, g, g, 0.05 * g, 0.05 * g], np.float32))
        return np.asarray(np.concatenate([colour, double], axis=2) * weights, np.float32)

    def key(self, picture: F32, carried: Carried | None, team: Team, cancel: CancelToken) -> KeyLayer:
        lab = colour_map.to_lab(self.base(picture, team, self.work_unit))
        guides = self._guides(lab, 1.5)
        if carried is None or carried.field is None:
            made = patchmatch.synthesise(self.example, guides, self.settings, team, cancel)
            return KeyLayer(made.result, made.field)
        quick = patchmatch.Settings(seed=self.settings.seed, passes=(3, 2, 2))
        made = patchmatch.synthesise(
            self.example,
            guides,
            quick,
            team,
            cancel,
            start=carried.field,
            start_level=2,
            anchor=carried.layer,
            anchor_weight=carried.weight,
        )
        hold = (0.85 * np.minimum(1.0, carried.weight / 3))[..., None]
        mixed = made.result + (carried.layer - made.result) * hold
        wanted = patchmatch.local_deviation(made.result)
        return KeyLayer(patchmatch.with_contrast_of(np.asarray(mixed, np.float32), wanted, 1.5), made.field)

    def finish(self, picture: F32, layer: F32 | None, team: Team) -> F32:
        assert layer is not None
        lab = colour_map.to_lab(self.base(picture, team, self.brush.unit))
        lab = lab + layer * np.float32(self.brush.style_weight)
        crisp = float(np.interp(self.brush.structure, [0, 1, 2, 4], [1.1, 0.75, 0.38, 0.0]))
        if crisp:
            light = luma(picture)
            fine = gaussian(light, 0.5 * self.brush.unit) - gaussian(light, 2.4 * self.brush.unit)
            lab[..., 0] += crisp * np.clip(fine, -0.12, 0.12)
        return colour_map.to_rgb(np.asarray(lab, np.float32))
