"""The middle of the window: programme and source viewer as tabs or side by side, framed where the keys go."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QApplication, QHBoxLayout, QSplitter, QTabBar, QToolButton, QVBoxLayout, QWidget

from gen2studio.app.transport import PROGRAMME, SOURCE, Transport
from gen2studio.ui import theme

_PAGES = (SOURCE, PROGRAMME)


class ViewerPane(QWidget):
    """One viewer with a line around it: blue where the keys go."""

    def __init__(self, viewer: QWidget, parent: QWidget) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self._marked = False
        self._framed = False
        self._focused = False
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(2, 2, 2, 2)
        self._rows.addWidget(viewer)

    def set_framed(self, framed: bool) -> None:
        """Say always which viewer the keys mean. Alone, a viewer is framed while it has the keyboard itself."""
        self._framed = framed
        self.update()

    def set_focused(self, focused: bool) -> None:
        """Whether something in the viewer has the keyboard."""
        if focused != self._focused:
            self._focused = focused
            self.update()

    @property
    def marked(self) -> bool:
        """Whether the frame says that the keys go here."""
        return self._framed and self._marked

    def set_marked(self, marked: bool) -> None:
        if marked != self._marked:
            self._marked = marked
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        marked = self._marked if self._framed else self._focused
        painter.fillRect(self.rect(), theme.colour("accent" if marked else "line" if self._framed else "background"))
        painter.fillRect(self.rect().adjusted(2, 2, -2, -2), theme.colour("panel"))


class ViewerArea(QWidget):
    """Holds the programme viewer from the start, and the source viewer from the first file on that is opened."""

    split_changed = Signal(bool)

    def __init__(
        self,
        programme: QWidget,
        make_source: Callable[[QWidget], QWidget],
        transport: Transport,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("viewerArea")
        self._make_source = make_source
        self._transport = transport
        self._split = False
        self._followers: dict[str, list[QWidget]] = {PROGRAMME: [programme], SOURCE: []}
        self.splitter = QSplitter(Qt.Orientation.Horizontal, self)
        self.splitter.setObjectName("viewers.splitter")
        self.splitter.setChildrenCollapsible(False)
        self.panes = {PROGRAMME: ViewerPane(programme, self)}
        self.splitter.addWidget(self.panes[PROGRAMME])
        self._head: QWidget | None = None
        self.tabs: QTabBar | None = None
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(0)
        self._rows.addWidget(self.splitter, 1)
        self.setFocusProxy(programme)
        transport.viewer_changed.connect(lambda _viewer: self._show())
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.focusChanged.connect(self._on_focus_changed)

    # -- for the window ------------------------------------------------------------------------------------------------

    def follow(self, viewer: str, *widgets: QWidget) -> None:
        """Whoever works in ``widgets`` means ``viewer`` by transport keys."""
        self._followers[viewer].extend(widgets)

    @property
    def source(self) -> QWidget | None:
        """The source viewer once there is one."""
        pane = self.panes.get(SOURCE)
        return pane.viewer if pane is not None else None

    @property
    def split(self) -> bool:
        return self._split

    def open_source(self) -> QWidget:
        """Make the source viewer if need be, show it and give it the keys."""
        if SOURCE not in self.panes:
            self._build()
        self._transport.set_viewer(SOURCE)
        self._show()
        viewer = self.panes[SOURCE].viewer
        viewer.setFocus(Qt.FocusReason.OtherFocusReason)
        return viewer

    def open_programme(self) -> None:
        """Show the programme and give it the keys."""
        self._transport.set_viewer(PROGRAMME)
        self.panes[PROGRAMME].viewer.setFocus(Qt.FocusReason.OtherFocusReason)

    def set_split(self, split: bool) -> None:
        """Both viewers side by side, or the one that has the keys alone."""
        if split and SOURCE not in self.panes:
            self._build()
        if split != self._split:
            self._split = split
            self._show()
            if split:
                half = max(1, self.width() // 2)
                self.splitter.setSizes([half, half])
            self.split_changed.emit(split)

    # -- building ------------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        # A child made in the splitter would become a pane of its own.
        viewer = self._make_source(self)
        self.panes[SOURCE] = ViewerPane(viewer, self)
        self._followers[SOURCE].append(viewer)
        self.splitter.insertWidget(0, self.panes[SOURCE])
        self._head = head = QWidget(self)
        head.setObjectName("viewers.head")
        row = QHBoxLayout(head)
        row.setContentsMargins(0, 0, 6, 0)
        row.setSpacing(4)
        self.tabs = QTabBar(head)
        self.tabs.setObjectName("viewers.tabs")
        self.tabs.setAccessibleName("Viewers")
        self.tabs.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        for page, title in zip(_PAGES, ("Source", "Programme"), strict=True):
            self.tabs.setTabToolTip(self.tabs.addTab(title), f"Give the keys to the {page} viewer")
        self.tabs.tabBarClicked.connect(self._on_tab_clicked)
        self.tabs.currentChanged.connect(self._on_tab_changed)
        self.split_button = QToolButton(head)
        self.split_button.setObjectName("viewers.split")
        self.split_button.setAccessibleName("Viewers side by side")
        self.split_button.setProperty("command", "source.split")
        self.split_button.setToolTip("Show both viewers side by side, or one behind the other")
        self.split_button.setIcon(theme.icon("columns-2"))
        self.split_button.setIconSize(theme.icon_size(15))
        self.split_button.setCheckable(True)
        self.split_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.split_button.clicked.connect(self.set_split)
        row.addWidget(self.tabs)
        row.addStretch(1)
        row.addWidget(self.split_button)
        self._rows.insertWidget(0, head)
        for pane in self.panes.values():
            pane.set_framed(True)

    # -- following -----------------------------------------------------------------------------------------------------

    def _on_tab_clicked(self, index: int) -> None:
        if index >= 0:
            self._give(_PAGES[index])

    def _on_tab_changed(self, index: int) -> None:
        self._transport.set_viewer(_PAGES[index])

    def _give(self, viewer: str) -> None:
        if viewer == SOURCE:
            self.open_source()
        else:
            self.open_programme()

    def _on_focus_changed(self, _old: QWidget | None, new: QWidget | None) -> None:
        for pane in self.panes.values():
            pane.set_focused(new is not None and pane.isAncestorOf(new))
        if new is None or SOURCE not in self.panes:
            return
        for viewer, widgets in self._followers.items():
            if any(w is new or w.isAncestorOf(new) for w in widgets):
                self._transport.set_viewer(viewer)
                return

    def _show(self) -> None:
        if SOURCE not in self.panes:
            return
        viewer = self._transport.viewer
        for name, pane in self.panes.items():
            pane.set_marked(name == viewer)
            pane.setVisible(self._split or name == viewer)
        if self.tabs is not None:
            blocked = self.tabs.blockSignals(True)
            self.tabs.setCurrentIndex(_PAGES.index(viewer))
            self.tabs.blockSignals(blocked)
            self.split_button.setChecked(self._split)
