"""A small list of transitions: drag one onto a cut, or press Enter or click for the cut nearest to the playhead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, QPoint, QPointF, QSize, Qt
from PySide6.QtGui import QColor, QDrag, QIcon, QLinearGradient, QPainter, QPixmap, QPolygonF
from PySide6.QtWidgets import QLabel, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from gen2studio.document.composition import TransitionKind
from gen2studio.ui import theme
from gen2studio.ui.timeline.drops import TRANSITION_MIME
from gen2studio.ui.timeline.shapes import TRANSITION_NAMES

if TYPE_CHECKING:
    from gen2studio.ui.timeline.panel import TimelinePanel

TELLS = {
    TransitionKind.DISSOLVE: "One picture fades into the next; sound is crossfaded",
    TransitionKind.WIPE: "A straight edge moves over the picture",
    TransitionKind.CLOCK: "An edge turns like the hand of a clock",
    TransitionKind.IRIS: "A circle opens",
    TransitionKind.PUSH: "The next picture pushes the old one out",
    TransitionKind.SLIDE: "The next picture slides over the old one",
    TransitionKind.DIP: "Through a colour",
}
_ICON = QSize(40, 24)


class TransitionList(QWidget):
    """A pop-up that closes after its use."""

    def __init__(self, panel: TimelinePanel) -> None:
        super().__init__(panel, Qt.WindowType.Popup)
        self.setObjectName("timeline_transitions")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._panel = panel
        self.list = _DragList(self)
        self.list.setObjectName("timeline_transition_list")
        self.list.setAccessibleName("Transitions")
        self.list.setToolTip("Drag a transition onto a cut, or press Enter for the cut nearest to the playhead")
        self.list.setIconSize(_ICON)
        for kind, name in TRANSITION_NAMES.items():
            item = QListWidgetItem(QIcon(picture_of(kind, self.devicePixelRatioF())), name)
            item.setData(Qt.ItemDataRole.UserRole, kind.value)
            item.setToolTip(TELLS[kind])
            self.list.addItem(item)
        self.list.setCurrentRow(0)
        self.list.itemClicked.connect(self._use)
        self.list.itemActivated.connect(self._use)
        self.list.setFixedSize(210, 7 * 33 + 6)
        note = QLabel("Drag onto a cut, or click for the cut\nnearest to the playhead", self)
        note.setProperty("role", "faint")
        rows = QVBoxLayout(self)
        rows.setContentsMargins(7, 7, 7, 7)
        rows.addWidget(self.list)
        rows.addWidget(note)
        self._used = False

    def open_at(self, place: QPoint) -> None:
        """Show at ``place`` (global), wholly on the screen."""
        self.adjustSize()
        area = self._panel.screen().availableGeometry()
        x = min(place.x(), area.right() - self.width())
        y = place.y() if place.y() + self.height() <= area.bottom() else place.y() - self.height() - 30
        self.move(x, max(area.top(), y))
        self.show()
        self.list.setFocus(Qt.FocusReason.PopupFocusReason)

    def _use(self, item: QListWidgetItem) -> None:
        if self._used:
            return
        self._used = True
        kind = TransitionKind(item.data(Qt.ItemDataRole.UserRole))
        self.close()
        self._panel.join_nearest_cut(kind)


class _DragList(QListWidget):
    def __init__(self, parent: TransitionList) -> None:
        super().__init__(parent)
        self.setDragEnabled(True)
        self._popup = parent

    def startDrag(self, _actions: Qt.DropAction) -> None:
        if self.currentRow() < 0:
            return
        item = self.currentItem()
        mime = QMimeData()
        mime.setData(TRANSITION_MIME, str(item.data(Qt.ItemDataRole.UserRole)).encode())
        drag = QDrag(self._popup.parentWidget() or self)
        drag.setMimeData(mime)
        drag.setPixmap(item.icon().pixmap(_ICON))
        self._popup.hide()
        drag.exec(Qt.DropAction.CopyAction)
        self._popup.close()


def picture_of(kind: TransitionKind, ratio: float) -> QPixmap:
    """A transition half way: what goes is dark, what comes is light."""
    wide, high = _ICON.width(), _ICON.height()
    picture = QPixmap(round(wide * ratio), round(high * ratio))
    picture.setDevicePixelRatio(ratio)
    old, new = theme.colour("clip_video"), theme.colour("transition")
    picture.fill(old)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(new)
    if kind is TransitionKind.DISSOLVE:
        blend = QLinearGradient(0, 0, wide, 0)
        blend.setColorAt(0, old)
        blend.setColorAt(1, new)
        painter.fillRect(0, 0, wide, high, blend)
    elif kind is TransitionKind.WIPE:
        painter.drawRect(0, 0, wide // 2, high)
    elif kind is TransitionKind.CLOCK:
        painter.drawPie(-wide // 2, -high, wide * 2, high * 3, 90 * 16, -200 * 16)
    elif kind is TransitionKind.IRIS:
        painter.drawEllipse(QPointF(wide / 2, high / 2), 8, 8)
    elif kind is TransitionKind.DIP:
        blend = QLinearGradient(0, 0, wide, 0)
        for place, ink in ((0, old), (0.5, QColor(0, 0, 0)), (1, new)):
            blend.setColorAt(place, ink)
        painter.fillRect(0, 0, wide, high, blend)
    else:
        painter.drawRect(wide // 2, 0, wide // 2, high)
        painter.setBrush(theme.colour("background"))
        x, y = wide / 2 - (1 if kind is TransitionKind.SLIDE else -5), high / 2
        painter.drawPolygon(QPolygonF([QPointF(x - 8, y), QPointF(x - 1, y - 5), QPointF(x - 1, y + 5)]))
    painter.end()
    return picture
