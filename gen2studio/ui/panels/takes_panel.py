"""The takes of the clip under the playhead: compare, rate, apply, discard, reuse."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    QThreadPool,
    Signal,
)
from PySide6.QtGui import QAction, QImage, QPainter, QPixmap
from PySide6.QtWidgets import (
    QHBoxLayout,
    QListView,
    QMenu,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.generation import Generation
from gen2studio.app.posters import mode_of
from gen2studio.app.session import Session
from gen2studio.document.model import Clip, Document, MediaItem, Take
from gen2studio.ui import theme
from gen2studio.ui.panels.media_pool import ThumbnailSource
from gen2studio.ui.panels.mode_chooser import MODE_ICONS
from gen2studio.ui.widgets.elided_label import ElidedLabel
from gen2studio.ui.widgets.empty_state import EmptyState
from gen2studio.ui.widgets.pictures import image_from_file

_THUMB = QSize(128, 72)
Index = QModelIndex | QPersistentModelIndex

ON_BUTTONS = (
    "take.apply", "take.source", "take.renew", "take.pin", "take.compare", "take.reuse", "take.discard",
)  # fmt: skip
CHOOSING = ("take.pin", "take.rename", "take.compare", "take.promote")
"""What can be done with a take among the others of its clip."""
RATINGS = (*(f"take.rate_{stars}" for stars in range(5, 0, -1)), "take.unrate", "take.reject")
OPERATORS = ("take.footage", "take.extend", "take.variations", "take.interpolate", "take.upscale", "take.purge")
"""What else can become of a take."""
SOURCE = ""
"""The id of the row that stands for the footage itself."""


class TakesModel(QAbstractListModel):
    """The source first, then the takes of one clip: pinned ones, and the rest latest first."""

    _arrived = Signal(object, object)
    """((take id, frame), QImage), from a pool thread."""

    def __init__(
        self,
        take_folder: Callable[[str], Path],
        stale: Callable[[Clip, Take], bool],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._folder = take_folder
        self._stale = stale
        self.clip: Clip | None = None
        self.source_words = ("Source", "Footage")
        """What stands in the source's row: a shot that a generator fills has no footage."""
        self._takes: list[Take] = []
        self._pictures: dict[tuple[str, int], QPixmap] = {}
        self._stale_cache: dict[str, bool] = {}
        self.thumbnails: ThumbnailSource | None = None
        """Reads a picture of the footage."""
        self.item: MediaItem | None = None
        self.source_icon = "film"
        self._sources: dict[str, QPixmap] = {}
        self._arrived.connect(self._on_arrived, Qt.ConnectionType.QueuedConnection)

    def show(self, document: Document, clip: Clip | None) -> None:
        takes = [document.takes[t] for t in reversed(clip.takes) if t in document.takes] if clip else []
        takes.sort(key=lambda take: not take.pinned)
        item = document.media.get(clip.media_id) if clip else None
        empty = item is not None and item.shot is not None
        self.source_words = ("Empty shot", "nothing") if empty else ("Source", "Footage")
        self.item, self.source_icon = item, MODE_ICONS[mode_of(document, clip)] if empty else "film"
        if clip is self.clip and takes == self._takes:
            return
        reset = [t.id for t in takes] != [t.id for t in self._takes] or (clip is None) != (self.clip is None)
        if reset:
            self.beginResetModel()
        self.clip, self._takes = clip, takes
        self._stale_cache.clear()
        if reset:
            self.endResetModel()
        elif clip is not None:
            self.dataChanged.emit(self.index(0), self.index(len(takes)))

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() or self.clip is None else len(self._takes) + 1

    @property
    def takes(self) -> tuple[Take, ...]:
        """In the order in which they are shown."""
        return tuple(self._takes)

    def take(self, index: Index) -> Take | None:
        """None for the source's row."""
        row = index.row()
        return self._takes[row - 1] if 1 <= row <= len(self._takes) else None

    def row_of(self, take_id: str) -> int:
        return next((i + 1 for i, t in enumerate(self._takes) if t.id == take_id), 0)

    def is_stale(self, take: Take) -> bool:
        if take.id not in self._stale_cache:
            self._stale_cache[take.id] = self.clip is not None and self._stale(self.clip, take)
        return self._stale_cache[take.id]

    def picture(self, take: Take) -> QPixmap:
        if not take.done:
            return QPixmap()
        first, last = take.done[0]
        frame = (first + last) // 2 if take.complete else first
        key = (take.id, frame)
        if key not in self._pictures:
            # Null until it was read: a full-size PNG takes longer to decode than a repaint may last.
            self._pictures[key] = QPixmap()
            path = self._folder(take.id) / f"frame_{frame:06d}.png"
            QThreadPool.globalInstance().start(lambda: self._read(key, path))
        return self._pictures[key]

    def source_picture(self) -> QPixmap:
        """The footage of the clip; null for an empty shot, and until it was read."""
        item = self.item
        if item is None or item.shot is not None or self.thumbnails is None:
            return QPixmap()
        if item.path not in self._sources:
            path = item.path
            self._sources[path] = QPixmap()
            self.thumbnails(item, lambda pixmap: self._on_source(path, pixmap))
        return self._sources[item.path]

    def _on_source(self, path: str, pixmap: QPixmap) -> None:
        self._sources[path] = pixmap
        if self.rowCount():
            self.dataChanged.emit(self.index(0), self.index(0))

    def _read(self, key: tuple[str, int], path: Path) -> None:
        image = image_from_file(path, _THUMB)
        # The panel may be gone by now.
        with contextlib.suppress(RuntimeError):
            self._arrived.emit(key, image)

    def _on_arrived(self, key: tuple[str, int], image: QImage) -> None:
        self._pictures[key] = QPixmap.fromImage(image)
        row = self.row_of(key[0])
        if row:
            self.dataChanged.emit(self.index(row), self.index(row))

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        take = self.take(index)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return take.name if take else self.source_words[0]
        if role == Qt.ItemDataRole.ToolTipRole:
            return self.describe(take) if take else "The footage itself"
        return None

    def describe(self, take: Take) -> str:
        done = sum(b - a for a, b in take.done)
        lines = [
            f"{take.name}, pinned" if take.pinned else take.name,
            f"{done} of {take.stop - take.start} frames, {take.width}×{take.height}, seed {take.look.seed}",
        ]
        if take.flicker is not None:
            lines.append(f"Flicker {take.flicker:.2f}× the source's own")
        if take.drift is not None:
            lines.append(f"Colour drift ΔE {take.drift:.1f}")
        if self.is_stale(take):
            lines.append("Stale: controls or mask have changed since this take was made.")
        return "\n".join(lines)


class _TakeDelegate(QStyledItemDelegate):
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(_THUMB.width() + 14, _THUMB.height() + 46)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        model = index.model()
        assert isinstance(model, TakesModel)
        take = model.take(index)
        rect: QRect = option.rect.adjusted(3, 3, -3, -3)  # pyright: ignore[reportAttributeAccessIssue]
        # Its hundreds of names are learnt with the first item, not before the first frame.
        from PySide6.QtWidgets import QStyle

        state: QStyle.StateFlag = option.state  # pyright: ignore[reportAttributeAccessIssue]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        painter.setPen(theme.colour("accent" if chosen else "line"))
        painter.setBrush(theme.colour("accent_soft" if chosen else "panel"))
        painter.drawRoundedRect(rect, 5, 5)
        frame = QRect(rect.x() + 4, rect.y() + 4, rect.width() - 8, _THUMB.height() - 4)
        painter.fillRect(frame, theme.colour("stage"))
        picture = model.picture(take) if take else model.source_picture()
        if picture.isNull():
            name = model.source_icon if take is None else "loader"
            painter.drawPixmap(frame.center() - QPoint(11, 11), theme.icon_pixmap(name, 22, "text_faint"))
        else:
            size = picture.deviceIndependentSize().toSize().scaled(frame.size(), Qt.AspectRatioMode.KeepAspectRatio)
            place = QRect(QPoint(0, 0), size)
            place.moveCenter(frame.center())
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawPixmap(place, picture)
        active = model.clip is not None and model.clip.active_take == (take.id if take else SOURCE)
        if active:
            font = painter.font()
            font.setPointSizeF(7.5)
            painter.setFont(font)
            width = painter.fontMetrics().horizontalAdvance("on timeline") + 10
            badge = QRect(frame.right() - width - 3, frame.y() + 4, width, 15)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("success"))
            painter.drawRoundedRect(badge, 4, 4)
            painter.setPen(theme.colour("accent_text"))
            painter.drawText(badge, Qt.AlignmentFlag.AlignCenter, "on timeline")
        if take is not None and take.pinned:
            corner = QRect(frame.x() + 4, frame.y() + 4, 17, 17)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("background"))
            painter.setOpacity(0.8)
            painter.drawRoundedRect(corner, 4, 4)
            painter.setOpacity(1.0)
            painter.drawPixmap(corner.topLeft() + QPoint(2, 2), theme.icon_pixmap("pin", 13, "accent"))
        text = QRect(frame.x(), frame.bottom() + 3, frame.width(), 16)
        font = option.font  # pyright: ignore[reportAttributeAccessIssue]
        painter.setFont(font)
        painter.setPen(theme.colour("text"))
        name = take.name if take else model.source_words[0]
        painter.drawText(
            text,
            Qt.AlignmentFlag.AlignVCenter,
            painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, text.width()),
        )
        line, ink = self._status(model, take)
        small = painter.font()
        small.setPointSizeF(small.pointSizeF() - 1.5)
        painter.setFont(small)
        painter.setPen(theme.colour(ink))
        painter.drawText(text.translated(0, 16), Qt.AlignmentFlag.AlignVCenter, line)
        painter.restore()

    @staticmethod
    def _status(model: TakesModel, take: Take | None) -> tuple[str, str]:
        if take is None:
            return model.source_words[1], "text_muted"
        stars = "rejected" if take.rating < 0 else "★" * take.rating
        if not take.complete:
            done = sum(b - a for a, b in take.done)
            return f"{done} of {take.stop - take.start} frames {stars}", "band_running"
        if model.is_stale(take):
            return f"stale {stars}", "band_stale"
        return f"complete {stars}", "band_done"


class TakesPanel(QWidget):
    """A strip of takes with what can be done to the chosen one."""

    take_chosen = Signal(str)
    """Take id (empty = source) under the cursor: what compare and apply work on."""

    def __init__(
        self,
        session: Session,
        generation: Generation,
        take_folder: Callable[[str], Path],
        stale: Callable[[Clip, Take], bool],
        actions: dict[str, QAction],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("takesPanel")
        self._session = session
        self._generation = generation
        self._actions = actions
        self.model = TakesModel(take_folder, stale, self)
        self.view = QListView(self)
        self.view.setObjectName("takes.list")
        self.view.setAccessibleName("Takes of this clip")
        self.view.setViewMode(QListView.ViewMode.IconMode)
        self.view.setResizeMode(QListView.ResizeMode.Adjust)
        self.view.setMovement(QListView.Movement.Static)
        self.view.setUniformItemSizes(True)
        self.view.setItemDelegate(_TakeDelegate(self.view))
        self.view.setModel(self.model)
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(self._on_menu_requested)
        self.view.selectionModel().currentChanged.connect(self._on_current_changed)
        self.view.doubleClicked.connect(lambda _i: actions["take.apply"].trigger())
        self.empty = EmptyState(
            "layers",
            "No takes yet",
            "Choose a look, make four stills, then generate: every run lands here as a take.",
            "",
            self,
        )
        buttons = QHBoxLayout()
        buttons.setSpacing(2)
        for name in (
            "take.apply",
            "take.source",
            "take.renew",
            "take.pin",
            "take.compare",
            "take.reuse",
            "take.discard",
        ):
            button = QToolButton(self)
            button.setObjectName(f"button.{name}")
            button.setAccessibleName(actions[name].text())
            button.setDefaultAction(actions[name])
            buttons.addWidget(button)
        self.more = QToolButton(self)
        self.more.setObjectName("takes.more")
        self.more.setAccessibleName("More about this take")
        self.more.setToolTip("Use as footage, extend, variations, interpolate, upscale")
        self.more.setIcon(theme.icon("ellipsis"))
        self.more.clicked.connect(self._show_operators)
        buttons.addWidget(self.more)
        buttons.addStretch(1)
        judged = QHBoxLayout()
        judged.setSpacing(2)
        self._stars: list[QToolButton] = []
        for star in range(1, 6):
            button = QToolButton(self)
            button.setObjectName(f"take.star.{star}")
            button.setAccessibleName(f"Rate {star} of 5")
            button.setToolTip(f"Rate {star} of 5; the same star again takes the rating off")
            button.setIconSize(theme.icon_size(14))
            button.clicked.connect(lambda _checked=False, n=star: self._on_star_clicked(n))
            self._stars.append(button)
            judged.addWidget(button)
        self.scores = ElidedLabel(parent=self)
        self.scores.setProperty("role", "muted")
        judged.addSpacing(6)
        judged.addWidget(self.scores, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 8)
        layout.setSpacing(4)
        layout.addLayout(buttons)
        layout.addLayout(judged)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.empty, 1)
        generation.target_changed.connect(lambda _clip: self.reload())
        session.store.changed.connect(lambda _old, _new: self.reload())
        session.store.replaced.connect(lambda _new: self.reload())
        self.reload()

    @property
    def chosen(self) -> str:
        """Take id of the current row; empty for the source or nothing."""
        index = self.view.currentIndex()
        take = self.model.take(index) if index.isValid() else None
        return take.id if take else ""

    def choose(self, take_id: str) -> None:
        self.view.setCurrentIndex(self.model.index(self.model.row_of(take_id)))

    def reload(self) -> None:
        clip = self._generation.target
        before, before_clip = self.chosen, self.model.clip.id if self.model.clip else ""
        known = {*(self.model.clip.takes if self.model.clip else ())}
        self.model.show(self._session.document, clip)
        has = bool(clip and clip.takes)
        self.view.setVisible(has)
        self.empty.setVisible(not has)
        if clip is not None and has:
            fresh = [t for t in clip.takes if t not in known]
            same = clip.id == before_clip
            self.choose(fresh[-1] if same and fresh else before if same and before in clip.takes else clip.active_take)
        self._show_state()

    def _on_current_changed(self, _current: QModelIndex, _previous: QModelIndex) -> None:
        self._show_state()
        self.take_chosen.emit(self.chosen)

    def _show_state(self) -> None:
        take = self._session.document.takes.get(self.chosen)
        clip = self._generation.target
        self._actions["take.apply"].setEnabled(take is not None and clip is not None and clip.active_take != take.id)
        self._actions["take.source"].setEnabled(clip is not None and clip.active_take != "")
        shown = self._session.document.takes.get(clip.active_take) if clip is not None else None
        self._actions["take.renew"].setEnabled(shown is not None and self.model.is_stale(shown))
        self._actions["take.pin"].setText("Unpin take" if take is not None and take.pinned else "Pin take")
        self._actions["take.compare"].setEnabled(clip is not None and bool(clip.takes))
        for name in ("take.reuse", "take.discard", "take.footage", "take.pin", "take.rename", "take.promote", *RATINGS):
            self._actions[name].setEnabled(take is not None)
        for name in ("take.extend", "take.variations", "take.interpolate", "take.upscale"):
            self._actions[name].setEnabled(clip is not None)
        for index, button in enumerate(self._stars):
            lit = take is not None and take.rating > index
            button.setIcon(theme.icon("star", "warning" if lit else "text_faint"))
            button.setEnabled(take is not None)
        parts: list[str] = []
        if take is not None and take.flicker is not None:
            parts.append(f"flicker {take.flicker:.2f}× source")
        if take is not None and take.drift is not None:
            parts.append(f"drift ΔE {take.drift:.1f}")
        self.scores.show_text(" · ".join(parts))

    def _on_star_clicked(self, star: int) -> None:
        take = self._session.document.takes.get(self.chosen)
        if take is not None:
            self._generation.rate_take(take.id, 0 if take.rating == star else star)

    def _show_operators(self) -> None:
        menu = QMenu(self)
        for name in CHOOSING:
            menu.addAction(self._actions[name])
        menu.addSeparator()
        for name in OPERATORS:
            menu.addAction(self._actions[name])
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.more.mapToGlobal(self.more.rect().bottomLeft()))

    def _on_menu_requested(self, position: QPoint) -> None:
        menu = QMenu(self)
        for name in ("take.apply", "take.source", "take.renew", "take.reuse", "take.discard"):
            menu.addAction(self._actions[name])
        menu.addSeparator()
        for name in CHOOSING:
            menu.addAction(self._actions[name])
        ratings = menu.addMenu(theme.icon("star"), "Rating")
        for name in RATINGS:
            ratings.addAction(self._actions[name])
        menu.addSeparator()
        for name in OPERATORS:
            menu.addAction(self._actions[name])
        menu.popup(self.view.viewport().mapToGlobal(position))
