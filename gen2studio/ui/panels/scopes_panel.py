"""Scopes of the picture in the viewer: waveform, RGB parade, vectorscope and histogram."""

from __future__ import annotations

from math import cos, radians, sin

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QHideEvent, QImage, QPainter, QPainterPath, QPaintEvent, QPen, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from gen2studio.app.scopes import HISTOGRAM, KINDS, PARADE, VECTORSCOPE, WAVEFORM, ScopePictures, Scopes
from gen2studio.app.viewer_feed import ViewerFeed, ViewerPicture
from gen2studio.raster.scopes import BAR_LEVEL, SKIN_DEGREES, target
from gen2studio.ui import theme
from gen2studio.ui.widgets.in_view import InView
from gen2studio.ui.widgets.named import named

_TITLES = {WAVEFORM: "Waveform", PARADE: "Parade", VECTORSCOPE: "Vectorscope", HISTOGRAM: "Histogram"}
_WORDS = {WAVEFORM: "Wave", PARADE: "RGB", VECTORSCOPE: "Vector", HISTOGRAM: "Histo"}
"""On the buttons: the four stand beside each other in a narrow dock."""
_TIPS = {
    WAVEFORM: "Luma (BT.709) from left to right as in the picture, 0 to 100 %",
    PARADE: "Red, green and blue levels side by side, 0 to 100 %",
    VECTORSCOPE: "Hue as direction, saturation as distance; the line is that of skin, the boxes are 75 % bars",
    HISTOGRAM: "How many pixels have each level of red, green, blue and luma",
}
_BARS = {"R": (1, 0, 0), "Mg": (1, 0, 1), "B": (0, 0, 1), "Cy": (0, 1, 1), "G": (0, 1, 0), "Yl": (1, 1, 0)}
_INKS = ((255, 90, 84), (96, 214, 110), (96, 150, 255), (226, 228, 232))


class ScopeView(QWidget):
    """One scope with its scale."""

    def __init__(self, kind: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName(f"scopes.{kind}")
        self.setAccessibleName(_TITLES[kind])
        self.setToolTip(_TIPS[kind])
        self.kind = kind
        self._image: QImage | None = None
        self._counts: np.ndarray | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, 90)

    def sizeHint(self) -> QSize:
        return QSize(260, 200 if self.kind == VECTORSCOPE else 150)

    def show_scopes(self, found: ScopePictures) -> None:
        """Take over what belongs to this scope."""
        if self.kind == HISTOGRAM:
            self._counts = found.histogram
        else:
            pixels = found.pictures.get(self.kind)
            if pixels is not None:
                height, width = pixels.shape[:2]
                form = QImage.Format.Format_ARGB32_Premultiplied
                self._image = QImage(pixels.data, width, height, width * 4, form).copy()
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.colour("canvas"))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setFont(theme.fixed_font(7))
        area = QRectF(self.rect()).adjusted(8, 8, -8, -8)
        if self.kind == VECTORSCOPE:
            self._paint_vectors(painter, area)
        elif self.kind == HISTOGRAM:
            self._paint_histogram(painter, area)
        else:
            self._paint_waveform(painter, area)
        painter.end()

    def _paint_waveform(self, painter: QPainter, area: QRectF) -> None:
        area = area.adjusted(22, 0, 0, 0)
        for percent in (0, 25, 50, 75, 100):
            y = area.bottom() - area.height() * percent / 100
            painter.setPen(theme.colour("line_strong" if percent in (0, 100) else "line"))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(theme.colour("text_faint"))
            painter.drawText(
                QRectF(area.left() - 28, y - 7, 24, 14), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                str(percent),
            )  # fmt: skip
        if self._image is not None:
            painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Plus)
            painter.drawImage(area, self._image)
            painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
        if self.kind == PARADE:
            for number, letter in enumerate("RGB"):
                painter.setPen(QColor(*_INKS[number]))
                painter.drawText(QPointF(area.left() + area.width() * number / 3 + 4, area.top() + 9), letter)

    def _paint_vectors(self, painter: QPainter, area: QRectF) -> None:
        # The names of the targets stand outside.
        side = min(area.width(), area.height()) * 0.94
        area = QRectF(area.center().x() - side / 2, area.center().y() - side / 2, side, side)
        middle = area.center()

        def place(cb: float, cr: float) -> QPointF:
            return QPointF(middle.x() + cb * side, middle.y() - cr * side)

        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(theme.colour("line_strong"))
        painter.drawEllipse(area)
        painter.setPen(theme.colour("line"))
        painter.drawLine(QPointF(area.left(), middle.y()), QPointF(area.right(), middle.y()))
        painter.drawLine(QPointF(middle.x(), area.top()), QPointF(middle.x(), area.bottom()))
        skin = radians(SKIN_DEGREES)
        painter.setPen(QPen(QColor(226, 178, 140, 150), 1))
        painter.drawLine(middle, place(0.5 * cos(skin), 0.5 * sin(skin)))
        if self._image is not None:
            painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Plus)
            painter.drawImage(area, self._image)
            painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
        for name, (red, green, blue) in _BARS.items():
            spot = place(*target(red * BAR_LEVEL, green * BAR_LEVEL, blue * BAR_LEVEL))
            painter.setPen(QColor(90 + 165 * red, 90 + 165 * green, 90 + 165 * blue))
            painter.drawRect(QRectF(spot.x() - 4, spot.y() - 4, 8, 8))
            outwards = spot - middle
            at = middle + outwards * (1 + 15 / max(1.0, (outwards.x() ** 2 + outwards.y() ** 2) ** 0.5))
            painter.drawText(QRectF(at.x() - 12, at.y() - 7, 24, 14), Qt.AlignmentFlag.AlignCenter, name)

    def _paint_histogram(self, painter: QPainter, area: QRectF) -> None:
        painter.setPen(theme.colour("line"))
        for part in range(5):
            x = area.left() + area.width() * part / 4
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        if self._counts is None:
            return
        # The ends are left out of the scale: a black border would press everything else to the ground.
        top = max(1.0, float(np.sqrt(self._counts[:, 1:255].max())))
        for number, row in enumerate(self._counts):
            heights = np.minimum(1.0, np.sqrt(row) / top)
            path = QPainterPath(area.bottomLeft())
            for level, height in enumerate(heights.tolist()):
                path.lineTo(area.left() + area.width() * level / 255, area.bottom() - area.height() * height)
            path.lineTo(area.bottomRight())
            red, green, blue = _INKS[number]
            painter.setPen(QPen(QColor(red, green, blue, 220), 1))
            painter.setBrush(QColor(red, green, blue, 46) if number < 3 else Qt.BrushStyle.NoBrush)
            painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Plus)
            painter.drawPath(path)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)


class ScopesPanel(QWidget):
    """Buttons choose which scopes are seen; counting stops while the panel is hidden."""

    def __init__(self, feed: ViewerFeed, scopes: Scopes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("scopesPanel")
        self._feed = feed
        self._scopes = scopes
        self.views: dict[str, ScopeView] = {}
        self.buttons: dict[str, QToolButton] = {}
        top = QHBoxLayout()
        top.setSpacing(2)
        column = QVBoxLayout()
        column.setSpacing(6)
        for kind in KINDS:
            view = self.views[kind] = ScopeView(kind, self)
            button = named(QToolButton(self), f"scopes.show_{kind}", _TITLES[kind], f"{_TITLES[kind]}: {_TIPS[kind]}")
            button.setText(_WORDS[kind])
            button.setCheckable(True)
            button.setChecked(kind in (WAVEFORM, VECTORSCOPE))
            view.setVisible(button.isChecked())
            button.toggled.connect(view.setVisible)
            button.toggled.connect(lambda _on: self._choose())
            self.buttons[kind] = button
            top.addWidget(button)
            column.addWidget(view, 1)
        top.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(6)
        layout.addLayout(top)
        layout.addLayout(column, 1)
        self._view = InView(self, lambda: None)
        self._view.changed.connect(lambda _front: self._choose())
        feed.picture_changed.connect(self._on_picture_changed)
        scopes.ready.connect(self._on_ready)

    def _choose(self) -> None:
        shown = {kind for kind, button in self.buttons.items() if button.isChecked()}
        self._scopes.wanted = frozenset(shown) if self._view.now else frozenset()
        self._scopes.show(self._feed.picture.image)

    def _on_picture_changed(self, picture: ViewerPicture) -> None:
        self._scopes.show(picture.image)

    def _on_ready(self, found: ScopePictures) -> None:
        for view in self.views.values():
            view.show_scopes(found)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._choose()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._scopes.wanted = frozenset()
