"""The media pool: every file of the project with a thumbnail. Drag from here to the timeline; drop files into it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from PySide6.QtCore import (
    QAbstractListModel,
    QMimeData,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent, QKeyEvent, QPainter, QPixmap
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QListView,
    QMenu,
    QStackedLayout,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.posters import clips_of_shots, mode_of, poster
from gen2studio.app.store import DocumentStore
from gen2studio.core.media_info import MediaKind
from gen2studio.core.time import rate_label
from gen2studio.document.model import Document, MediaItem
from gen2studio.engine.take_store import frame_name
from gen2studio.ui import theme
from gen2studio.ui.panels.mode_chooser import MODE_ICONS
from gen2studio.ui.widgets.empty_state import EmptyState

MEDIA_MIME = "application/x-gen2studio-media"
_THUMB = QSize(112, 63)

ThumbnailSource = Callable[[MediaItem, Callable[[QPixmap], None]], None]
"""Asks for a picture of an item; the callback arrives later on the UI thread."""

Index = QModelIndex | QPersistentModelIndex


def facts_of(item: MediaItem) -> str:
    """One line about a file: size, rate, length."""
    info = item.info
    parts: list[str] = []
    if info.has_video:
        parts.append(f"{info.width}×{info.height}")
    if info.kind in (MediaKind.VIDEO, MediaKind.SEQUENCE):
        parts.append(f"{rate_label(info.rate)} fps{' variable' if info.variable_rate else ''}")
    if info.kind is not MediaKind.STILL:
        parts.append(f"{float(info.duration):.1f} s")
    if info.kind is MediaKind.AUDIO and info.audio:
        parts.append(f"{info.audio.sample_rate / 1000:g} kHz")
    return " · ".join(parts)


class MediaModel(QAbstractListModel):
    """The project's media as a list; order of import."""

    def __init__(self, store: DocumentStore, thumbnails: ThumbnailSource, parent: QWidget) -> None:
        super().__init__(parent)
        self._store = store
        self._source = thumbnails
        self._items: list[MediaItem] = []
        self._pictures: dict[str, QPixmap] = {}
        self._filter = ""
        self._posters: dict[str, tuple[str, int] | None] = {}
        self.take_folder: Callable[[str], Path] | None = None
        """Take id → the folder of its frames: shots show a frame of the take on the timeline."""
        self.offline: frozenset[str] = frozenset()
        store.changed.connect(self._on_changed)
        store.replaced.connect(self._on_replaced)
        self._refill(store.document)

    def _on_changed(self, old: Document, new: Document) -> None:
        if old.media is not new.media:
            for key, item in old.media.items():
                if key not in new.media or new.media[key].path != item.path:
                    self._pictures.pop(key, None)
            self._refill(new)
        if old.sequences is not new.sequences or old.takes is not new.takes:
            self._look_at_shots(new)

    def _look_at_shots(self, document: Document) -> None:
        """Shots whose take or mode is another one now are shown anew."""
        clips = clips_of_shots(document)
        for row, item in enumerate(self._items):
            if item.shot is None:
                continue
            found = poster(document, clips.get(item.id))
            key = (found[0].id, found[1]) if found is not None else None
            if self._posters.get(item.id) != key:
                self._posters[item.id] = key
                self._pictures.pop(item.id, None)
            self.dataChanged.emit(self.index(row), self.index(row))

    def icon_of(self, item: MediaItem) -> str:
        """The icon in place of a picture."""
        if item.shot is not None:
            document = self._store.document
            return MODE_ICONS[mode_of(document, clips_of_shots(document).get(item.id))]
        return "music" if item.info.kind is MediaKind.AUDIO else "film"

    def _on_replaced(self, new: Document) -> None:
        self._pictures.clear()
        self._posters.clear()
        self._refill(new)

    def set_filter(self, text: str) -> None:
        self._filter = text.casefold()
        self._refill(self._store.document)

    def set_offline(self, media_ids: frozenset[str]) -> None:
        for key in self.offline - media_ids:
            self._pictures.pop(key, None)
        self.offline = media_ids
        if self._items:
            self.dataChanged.emit(self.index(0), self.index(len(self._items) - 1))

    def _refill(self, document: Document) -> None:
        self.beginResetModel()
        self._items = [m for m in document.media.values() if self._filter in m.name.casefold()]
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._items)

    def item(self, index: Index) -> MediaItem:
        return self._items[index.row()]

    def picture(self, item: MediaItem) -> QPixmap | None:
        found = self._pictures.get(item.id)
        if found is None and item.id not in self.offline and (wanted := self._pictured(item)) is not None:
            self._pictures[item.id] = QPixmap()
            asked = self._posters.get(item.id)
            self._source(wanted, lambda pixmap: self._on_picture(item.id, pixmap, asked))
        return found if found is not None and not found.isNull() else None

    def _pictured(self, item: MediaItem) -> MediaItem | None:
        """What to take the picture of: the file itself, or for a shot a frame of its take; the grey slate says
        nothing."""
        if item.shot is None:
            return item
        if item.id not in self._posters:
            document = self._store.document
            found = poster(document, clips_of_shots(document).get(item.id))
            self._posters[item.id] = (found[0].id, found[1]) if found is not None else None
        shown = self._posters[item.id]
        if shown is None or self.take_folder is None:
            return None
        still = replace(item.info, kind=MediaKind.STILL, duration=Fraction(0))
        return replace(item, path=(self.take_folder(shown[0]) / frame_name(shown[1])).as_posix(), info=still)

    def _on_picture(self, media_id: str, pixmap: QPixmap, asked: tuple[str, int] | None = None) -> None:
        if self._posters.get(media_id) != asked:
            return
        self._pictures[media_id] = pixmap
        for row, item in enumerate(self._items):
            if item.id == media_id:
                self.dataChanged.emit(self.index(row), self.index(row))

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        item = self.item(index)
        if role == Qt.ItemDataRole.DisplayRole:
            return item.name
        if role == Qt.ItemDataRole.ToolTipRole:
            state = (
                "\nOffline: the file is not at this place. Use File ▸ Relink missing media."
                if item.id in self.offline
                else ""
            )
            return f"{item.name}\n{facts_of(item)}\n{item.path}{state}"
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{item.name}, {facts_of(item)}"
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        base = super().flags(index)
        return base | Qt.ItemFlag.ItemIsDragEnabled if index.isValid() else base

    def mimeTypes(self) -> list[str]:
        return [MEDIA_MIME]

    def mimeData(self, indexes: list[QModelIndex]) -> QMimeData:  # pyright: ignore[reportIncompatibleMethodOverride]
        data = QMimeData()
        data.setData(MEDIA_MIME, json.dumps([self.item(i).id for i in indexes]).encode())
        return data


class _MediaDelegate(QStyledItemDelegate):
    """Thumbnail on top, name and facts below."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(_THUMB.width() + 12, _THUMB.height() + 46)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        model = index.model()
        assert isinstance(model, MediaModel)
        item = model.item(index)
        rect: QRect = option.rect.adjusted(3, 3, -3, -3)  # pyright: ignore[reportAttributeAccessIssue]
        # Its hundreds of names are learnt with the first item, not before the first frame.
        from PySide6.QtWidgets import QStyle

        state: QStyle.StateFlag = option.state  # pyright: ignore[reportAttributeAccessIssue]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if state & QStyle.StateFlag.State_Selected:
            painter.setPen(theme.colour("accent"))
            painter.setBrush(theme.colour("accent_soft"))
            painter.drawRoundedRect(rect, 5, 5)
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("raised"))
            painter.drawRoundedRect(rect, 5, 5)
        frame = QRect(rect.x() + 3, rect.y() + 3, rect.width() - 6, _THUMB.height())
        painter.fillRect(frame, theme.colour("stage"))
        picture = model.picture(item)
        offline = item.id in model.offline
        if picture is not None:
            size = picture.deviceIndependentSize().toSize().scaled(frame.size(), Qt.AspectRatioMode.KeepAspectRatio)
            place = QRect(QPoint(0, 0), size)
            place.moveCenter(frame.center())
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawPixmap(place, picture)
        else:
            name = "triangle-alert" if offline else model.icon_of(item)
            pixmap = theme.icon_pixmap(
                name, 22, "warning" if offline else "text_faint", painter.device().devicePixelRatioF()
            )
            painter.drawPixmap(frame.center() - QPoint(11, 11), pixmap)
        badge = {MediaKind.STILL: "image", MediaKind.SEQUENCE: "images"}.get(item.info.kind)
        if badge and picture is not None:
            painter.drawPixmap(
                frame.topLeft() + QPoint(4, 4),
                theme.icon_pixmap(badge, 14, "text", painter.device().devicePixelRatioF()),
            )
        name_rect = QRect(frame.x(), frame.bottom() + 4, frame.width(), 16)
        painter.setPen(theme.colour("warning" if offline else "text"))
        metrics = painter.fontMetrics()
        painter.drawText(
            name_rect,
            Qt.AlignmentFlag.AlignVCenter,
            metrics.elidedText(item.name, Qt.TextElideMode.ElideMiddle, name_rect.width()),
        )
        font = painter.font()
        font.setPointSizeF(font.pointSizeF() - 1.5)
        painter.setFont(font)
        painter.setPen(theme.colour("text_muted"))
        facts = "Offline" if offline else facts_of(item)
        metrics = painter.fontMetrics()
        painter.drawText(
            name_rect.translated(0, 16),
            Qt.AlignmentFlag.AlignVCenter,
            metrics.elidedText(facts, Qt.TextElideMode.ElideRight, name_rect.width()),
        )
        painter.restore()


class MediaPool(QWidget):
    """The panel. Signals carry media ids or paths; it changes nothing by itself."""

    import_requested = Signal()
    files_dropped = Signal(object)
    """list[Path] dropped from the desktop."""
    open_requested = Signal(str)
    """Id of a media to look at in the source viewer."""
    insert_requested = Signal(object)
    append_requested = Signal(object)
    remove_requested = Signal(object)
    relink_requested = Signal(object)
    """tuple of media ids."""

    def __init__(self, store: DocumentStore, thumbnails: ThumbnailSource, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("mediaPool")
        self.setAcceptDrops(True)
        self.model = MediaModel(store, thumbnails, self)
        self.search = QLineEdit(self)
        self.search.setObjectName("mediaPool.search")
        self.search.setAccessibleName("Find media by name")
        self.search.setPlaceholderText("Find media")
        self.search.setToolTip("Show only media whose name contains these letters")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self.model.set_filter)
        add = QToolButton(self)
        add.setObjectName("mediaPool.import")
        add.setAccessibleName("Import media")
        add.setProperty("command", "file.import")
        add.setToolTip("Import media (Ctrl+I)")
        add.setIcon(theme.icon("plus"))
        add.clicked.connect(self.import_requested)
        self.view = QListView(self)
        self.view.setObjectName("mediaPool.list")
        self.view.setAccessibleName("Media of this project")
        self.view.setViewMode(QListView.ViewMode.IconMode)
        self.view.setResizeMode(QListView.ResizeMode.Adjust)
        self.view.setMovement(QListView.Movement.Static)
        self.view.setUniformItemSizes(True)
        self.view.setSelectionMode(QListView.SelectionMode.ExtendedSelection)
        self.view.setDragEnabled(True)
        self.view.setDragDropMode(QListView.DragDropMode.DragOnly)
        self.view.setMouseTracking(True)
        self.view.setItemDelegate(_MediaDelegate(self.view))
        self.view.setModel(self.model)
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(self._on_menu_requested)
        self.view.activated.connect(lambda index: self.open_requested.emit(self.model.item(index).id))
        self.empty = EmptyState(
            "clapperboard", "No media yet", "Drop clips, images or sound here, or import them.", "Import media…", self
        )
        assert self.empty.button is not None
        self.empty.button.setObjectName("mediaPool.emptyImport")
        self.empty.button.setProperty("command", "file.import")
        self.empty.button.setToolTip("Import media (Ctrl+I)")
        self.empty.button.clicked.connect(self.import_requested)

        self._stack = QStackedLayout()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.view)
        top = QHBoxLayout()
        top.addWidget(self.search, 1)
        top.addWidget(add)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(theme.SPACING)
        layout.addLayout(top)
        layout.addLayout(self._stack, 1)
        self.model.modelReset.connect(self._on_reset)
        self._on_reset()

    def selected(self) -> tuple[str, ...]:
        return tuple(self.model.item(i).id for i in self.view.selectedIndexes())

    def _on_reset(self) -> None:
        filtered = bool(self.search.text())
        if filtered:
            self.empty.say("Nothing found", "No media has these letters in its name.")
        else:
            self.empty.say("No media yet", "Drop clips, images or sound here, or import them.")
        self._stack.setCurrentIndex(1 if self.model.rowCount() else 0)

    def _on_menu_requested(self, position: QPoint) -> None:
        chosen = self.selected()
        menu = QMenu(self)
        if chosen:
            menu.addAction(theme.icon("film"), "Open in source viewer", lambda: self.open_requested.emit(chosen[0]))
            menu.addSeparator()
            menu.addAction(
                theme.icon("corner-down-right"), "Insert at playhead", lambda: self.insert_requested.emit(chosen)
            )
            menu.addAction(
                theme.icon("arrow-right-to-line"), "Append to timeline", lambda: self.append_requested.emit(chosen)
            )
            menu.addSeparator()
            menu.addAction(theme.icon("link"), "Relink…", lambda: self.relink_requested.emit(chosen))
            menu.addAction(theme.icon("trash-2"), "Remove from project", lambda: self.remove_requested.emit(chosen))
        else:
            menu.addAction(theme.icon("import"), "Import media…", self.import_requested.emit)
        menu.popup(self.view.viewport().mapToGlobal(position))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and self.selected():
            self.remove_requested.emit(self.selected())
            return
        super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.files_dropped.emit(paths)


def poster_time(item: MediaItem) -> Fraction:
    """Where a thumbnail is taken: a tenth in, past fades from black."""
    return item.info.duration / 10
