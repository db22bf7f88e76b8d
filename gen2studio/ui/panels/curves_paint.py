"""How the curve editor's graph is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPen, QPixmap, QPolygonF

from gen2studio.app.clip_curves import NamedCurve
from gen2studio.app.curve_editing import CurveEditing
from gen2studio.core.curve import Ease
from gen2studio.core.time import nominal_rate, timecode
from gen2studio.ui import theme
from gen2studio.ui.panels.curves_view import LEFT, TOP, steps
from gen2studio.ui.widgets.key_button import diamond

if TYPE_CHECKING:
    from gen2studio.ui.panels.curves_graph import CurvesGraph

_NEAR_STEPS = (1, 2, 5, 10)
"""Frames between the marks of the ruler, before it counts in seconds."""
_MIDDLE = QPointF(8, 8)
"""Of the picture of a key."""
_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)


def paint(painter: QPainter, graph: CurvesGraph, curves: CurveEditing) -> None:
    """Grid, clip, curves, keys, ruler: all but the playhead."""
    view = graph.view
    whole = QRectF(graph.rect())
    painter.fillRect(whole, theme.colour("timeline"))
    clip, sequence = curves.clip(), curves.session.sequence
    inner = QRectF(LEFT, TOP, graph.width() - LEFT, graph.height() - TOP)
    painter.setFont(theme.fixed_font(8.0))
    if clip is None or sequence is None:
        return
    painter.save()
    painter.setClipRect(inner)
    span = QRectF(view.x(clip.start), TOP, (clip.duration) * view.ppf, inner.height())
    painter.fillRect(span.intersected(inner), theme.colour("panel"))
    painter.restore()
    listed = graph.listed()
    current = listed[-1] if listed else None
    if current is not None:
        _paint_values(painter, graph, current)
    painter.save()
    painter.setClipRect(inner)
    painter.setPen(QPen(theme.colour("line_strong"), 1))
    for edge in (span.left(), span.right()):
        painter.drawLine(QPointF(edge, TOP), QPointF(edge, graph.height()))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for each in listed:
        _paint_curve(painter, graph, curves, each, each is current)
    if graph.snapped is not None:
        x = view.x(graph.snapped)
        painter.setPen(QPen(theme.colour("snap"), 1, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(x, TOP), QPointF(x, graph.height()))
    if not graph.band.isNull():
        painter.setPen(QPen(theme.colour("accent"), 1))
        painter.setBrush(theme.colour("accent", 40))
        painter.drawRect(graph.band)
    painter.restore()
    _paint_ruler(painter, graph, sequence.rate)
    if graph.hasFocus():
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(QPen(theme.colour("accent", 150), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(graph.rect().adjusted(0, 0, -1, -1))


def _paint_values(painter: QPainter, graph: CurvesGraph, each: NamedCurve) -> None:
    view, kind = graph.view, each.kind
    low, high = (kind.shown(value) for value in view.range_of(kind))
    metrics = QFontMetricsF(painter.font())
    for shown in steps(low, high, view.inner_height, 30):
        value = shown / kind.factor
        y = round(view.y(kind, value)) + 0.5
        inside = kind.low - 1e-9 <= value <= kind.high + 1e-9
        painter.setPen(QPen(theme.colour("line" if inside else "background"), 1))
        painter.drawLine(QPointF(LEFT, y), QPointF(graph.width(), y))
        if inside:
            painter.setPen(theme.colour("text_muted"))
            text = f"{shown:g}".replace("-", "−")
            painter.drawText(QPointF(LEFT - 7 - metrics.horizontalAdvance(text), y + metrics.ascent() / 2 - 1.5), text)
    if kind.unit:
        painter.setPen(theme.colour("text_faint"))
        painter.drawText(
            QRectF(0, 0, LEFT - 7, TOP), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, kind.unit
        )


def _paint_curve(painter: QPainter, graph: CurvesGraph, curves: CurveEditing, each: NamedCurve, current: bool) -> None:
    view = graph.view
    ink = theme.colour(each.kind.colour)
    if not current:
        ink.setAlpha(120)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    hot = graph.hover.kind == "curve" and graph.hover.name == each.name
    crowded = view.crowded(each)
    if crowded:
        _paint_crowd(painter, graph, each, ink)
    else:
        # Qt draws lines of one pixel many times as fast as wider ones: a wider one is some of them.
        painter.setPen(QPen(ink, 1))
        path = view.path(each)
        for offset in (-0.7, 0.0, 0.7) if hot else (-0.35, 0.35) if current else (0.0,):
            painter.translate(0, offset)
            painter.drawPath(path)
            painter.translate(0, -offset)
    rgba, ratio, name, picked = ink.rgba(), graph.devicePixelRatioF(), each.name, curves.chosen
    under = graph.hover.frame if graph.hover.kind == "key" and graph.hover.name == name else None
    indices = view.seen(each, LEFT - 10, graph.width() + 10)
    for index in _told_apart(graph, each, indices, picked) if crowded else indices:
        key = each.curve.keys[index]
        chosen = (name, key.frame) in picked
        at = view.key_point(each, key)
        if chosen:
            _paint_handles(painter, graph, each, index, at, ink)
        hot = under == key.frame
        look = key.ease, rgba, chosen, hot, ratio
        stamp = graph.stamps.get(look)
        if stamp is None:
            stamp = graph.stamps[look] = _key_stamp(ratio, key.ease, ink, chosen, hot)
        painter.drawPixmap(at - _MIDDLE, stamp)


def _paint_crowd(painter: QPainter, graph: CurvesGraph, each: NamedCurve, ink: QColor) -> None:
    """A curve whose keys can't be told apart, as a picture: for each column of pixels what is reached there."""
    ratio = graph.devicePixelRatioF()
    top, bottom = graph.view.columns(each, ratio)
    high = max(1, round(graph.height() * ratio))
    # A flat stretch is still a line of one pixel of the widget. Small whole numbers are compared many at once.
    first = np.clip(np.floor(top), -1, high).astype(np.int16)
    last = np.clip(np.maximum(np.ceil(bottom), first + max(1, round(ratio))), 0, high).astype(np.int16)
    above, below = int(max(0, first.min())), int(last.max())
    if below <= above:
        return
    rows = np.arange(above, below, dtype=np.int16)[:, None]
    alpha = ink.alpha()
    red, green, blue = (part * alpha // 255 for part in (ink.red(), ink.green(), ink.blue()))
    pixels = ((rows >= first) & (rows < last)) * np.uint32(alpha << 24 | red << 16 | green << 8 | blue)
    kind = QImage.Format.Format_ARGB32_Premultiplied
    image = QImage(pixels.data, pixels.shape[1], pixels.shape[0], pixels.strides[0], kind)
    image.setDevicePixelRatio(ratio)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.drawImage(QPointF(0, above / ratio), image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)


def _told_apart(
    graph: CurvesGraph, each: NamedCurve, indices: range, picked: frozenset[tuple[str, int]]
) -> Iterator[int]:
    """Of a crowd of keys the chosen ones, those of them that do not lie on another."""
    if not any(name == each.name for name, _ in picked):
        return
    drawn: set[tuple[int, int]] = set()
    for index in indices:
        key = each.curve.keys[index]
        if (each.name, key.frame) in picked:
            at = graph.view.key_point(each, key)
            place = round(at.x() / 5), round(at.y() / 5)
            if place not in drawn:
                drawn.add(place)
                yield index


def _key_stamp(ratio: float, ease: Ease, ink: QColor, chosen: bool, hot: bool) -> QPixmap:
    """A key, drawn once: there may be hundreds of them in view."""
    side = round(2 * _MIDDLE.x() * ratio)
    stamp = QPixmap(side, side)
    stamp.setDevicePixelRatio(ratio)
    stamp.fill(Qt.GlobalColor.transparent)
    painter = QPainter(stamp)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    _paint_key(painter, _MIDDLE, ease, ink, chosen=chosen, hot=hot)
    painter.end()
    return stamp


def _paint_key(painter: QPainter, at: QPointF, ease: Ease, ink: QColor, *, chosen: bool, hot: bool) -> None:
    """The shape says how the curve goes on: a diamond straight, a square holds, a circle smoothly."""
    reach = 6.5 if hot else 5.5
    painter.setPen(QPen(theme.colour("timeline" if chosen else "background"), 1.2))
    painter.setBrush(theme.colour("text") if chosen else ink)
    if ease is Ease.HOLD:
        painter.drawRect(QRectF(at.x() - reach * 0.8, at.y() - reach * 0.8, reach * 1.6, reach * 1.6))
    elif ease in (Ease.SMOOTH, Ease.BEZIER):
        painter.drawEllipse(at, reach * 0.9, reach * 0.9)
    else:
        painter.drawPolygon(diamond(at, reach))


def _paint_handles(
    painter: QPainter, graph: CurvesGraph, each: NamedCurve, index: int, at: QPointF, ink: QColor
) -> None:
    for _out, end in graph.handles(each, index):
        painter.setPen(QPen(theme.colour("text_muted"), 1))
        painter.drawLine(at, end)
        painter.setPen(QPen(theme.colour("text"), 1.2))
        painter.setBrush(ink)
        painter.drawEllipse(end, 3.6, 3.6)


def _paint_ruler(painter: QPainter, graph: CurvesGraph, rate: object) -> None:
    from fractions import Fraction

    assert isinstance(rate, Fraction)
    view = graph.view
    painter.fillRect(QRectF(0, 0, graph.width(), TOP), theme.colour("ruler"))
    painter.setPen(theme.colour("line"))
    painter.drawLine(QPointF(0, TOP - 0.5), QPointF(graph.width(), TOP - 0.5))
    base = nominal_rate(rate)
    metrics = QFontMetricsF(painter.font())
    wide = metrics.horizontalAdvance("00:00:00:00") + 18
    choices = [step for step in _NEAR_STEPS if step < base] + [base * seconds for seconds in _SECONDS]
    step = next((each for each in choices if each * view.ppf >= wide), choices[-1])
    frame = max(0, int(view.first // step) * step)
    painter.save()
    painter.setClipRect(QRectF(LEFT, 0, graph.width() - LEFT, TOP))
    while frame <= view.last:
        x = view.x(frame)
        painter.setPen(theme.colour("line_strong"))
        painter.drawLine(QPointF(x, TOP - 7), QPointF(x, TOP - 1))
        painter.setPen(theme.colour("text_muted"))
        painter.drawText(QPointF(x + 4, TOP - 8), timecode(frame, rate))
        frame += step
    painter.restore()


def paint_playhead(painter: QPainter, graph: CurvesGraph, playhead: int) -> None:
    """The line of the playhead and its head in the ruler."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    x = graph.view.x(playhead)
    if x < LEFT - 0.5 or x > graph.width():
        return
    ink = theme.colour("playhead")
    painter.setPen(QPen(ink, 1))
    painter.drawLine(QPointF(x, TOP - 8), QPointF(x, graph.height()))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(ink)
    top = TOP - 12
    painter.drawPolygon(QPolygonF([QPointF(x - 5, top), QPointF(x + 5, top), QPointF(x, top + 7)]))
