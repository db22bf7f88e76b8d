"""The open timelines as tabs above the ruler; timelines opened out of a clip stand behind the one they lie in."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QHBoxLayout, QInputDialog, QMenu, QSizePolicy, QTabBar, QToolButton, QWidget

from gen2studio.app import actions_timeline_view
from gen2studio.app.session import Session
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.document import sequences
from gen2studio.document.model import Document
from gen2studio.ui import key_tips, theme

_BACK = next(row for row in actions_timeline_view.ROWS if row.id == "timeline.close_nested")


class SequenceTabs(QWidget):
    """One tab for every timeline that was opened; hidden while there is only one in the project."""

    def __init__(self, session: Session, editing: TimelineEditing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("timeline_tabs")
        self._session, self._editing = session, editing
        self._open: list[str] = []
        self._parents: dict[str, tuple[str, int]] = {}
        """Nested sequence → (the one it was opened from, the playhead there)."""
        self._showing = False
        self.back = QToolButton(self)
        self.back.setObjectName("timeline_back")
        self.back.setAccessibleName("Back to the outer timeline")
        self.back.setIcon(theme.icon("arrow-up"))
        self.back.setProperty("command", _BACK.id)
        self.back.setToolTip(key_tips.tip(_BACK))
        self.back.setAutoRaise(True)
        self.back.clicked.connect(self.close_nested)
        self.bar = QTabBar(self)
        self.bar.setObjectName("timeline_tab_bar")
        self.bar.setAccessibleName("Open timelines")
        self.bar.setToolTip("Open timelines. Double-click a nested clip to open the timeline it stands for.")
        self.bar.setExpanding(False)
        self.bar.setTabsClosable(True)
        self.bar.setMovable(True)
        self.bar.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.bar.setUsesScrollButtons(True)
        self.bar.setDrawBase(False)
        self.bar.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.bar.currentChanged.connect(self._on_chosen)
        self.bar.tabCloseRequested.connect(self._on_close_wanted)
        self.bar.tabMoved.connect(self._on_moved)
        self.bar.tabBarDoubleClicked.connect(self._rename)
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 0, 4, 0)
        row.setSpacing(2)
        row.addWidget(self.back)
        row.addWidget(self.bar, 1)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        session.store.changed.connect(lambda _old, new: self._show(new))
        session.store.replaced.connect(self._on_replaced)
        self._show(session.document)

    def _on_replaced(self, document: Document) -> None:
        self._open.clear()
        self._parents.clear()
        self._show(document)

    def _show(self, document: Document) -> None:
        known = document.sequences
        self._open = [s for s in self._open if s in known]
        active = document.active_sequence
        if active in known and active not in self._open:
            parent = self._parents.get(active, ("", 0))[0]
            at = self._open.index(parent) + 1 if parent in self._open else len(self._open)
            self._open.insert(at, active)
        self._showing = True
        try:
            while self.bar.count() > len(self._open):
                self.bar.removeTab(self.bar.count() - 1)
            for index, sequence_id in enumerate(self._open):
                inner = self._parents.get(sequence_id, ("", 0))[0] in known
                name = ("› " if inner else "") + known[sequence_id].name
                if index >= self.bar.count():
                    self.bar.addTab(name)
                elif self.bar.tabText(index) != name:
                    self.bar.setTabText(index, name)
                self.bar.setTabData(index, sequence_id)
                self.bar.setTabToolTip(index, self._path(sequence_id, document))
            if active in self._open:
                self.bar.setCurrentIndex(self._open.index(active))
        finally:
            self._showing = False
        self.setVisible(len(known) > 1)
        self.back.setVisible(self.parent_of(active) != "")

    def _path(self, sequence_id: str, document: Document) -> str:
        """``Film › Scene 2 › Dream``."""
        names: list[str] = []
        while sequence_id in document.sequences and len(names) < 20:
            names.insert(0, document.sequences[sequence_id].name)
            sequence_id = self._parents.get(sequence_id, ("", 0))[0]
        return " › ".join(names)

    def parent_of(self, sequence_id: str) -> str:
        """The sequence that this one was opened from and that still exists, or empty."""
        parent = self._parents.get(sequence_id, ("", 0))[0]
        return parent if parent in self._session.document.sequences else ""

    # -- going elsewhere ---------------------------------------------------------------------------------------------

    def open(self, sequence_id: str, nested: bool = False) -> None:
        """Show another timeline; ``nested``: it was opened out of the present one."""
        document = self._session.document
        if sequence_id == document.active_sequence or sequence_id not in document.sequences:
            return
        if nested:
            self._parents[sequence_id] = (document.active_sequence, self._session.playhead)
        self._session.set_shuttle(0.0)
        name = document.sequences[sequence_id].name
        if self._editing.perform_on_document(f"Open {name}", lambda d: sequences.activate(d, sequence_id)):
            self._session.set_playhead(0)

    def close_nested(self) -> None:
        """Back to where this timeline was opened from, with the playhead as it was."""
        active = self._session.document.active_sequence
        parent = self.parent_of(active)
        if parent:
            playhead = self._parents[active][1]
            self.open(parent)
            self._session.set_playhead(playhead)

    def _on_chosen(self, index: int) -> None:
        if not self._showing and 0 <= index < len(self._open):
            self.open(self._open[index])

    def _on_moved(self, source: int, target: int) -> None:
        self._open.insert(target, self._open.pop(source))

    def _on_close_wanted(self, index: int) -> None:
        """Closing a tab leaves its timeline in the project."""
        if len(self._open) < 2:
            self._session.tell("The last open timeline stays open.", "info")
            return
        closed = self._open.pop(index)
        if closed == self._session.document.active_sequence:
            self.open(self.parent_of(closed) or self._open[max(0, index - 1)])
            self._open = [s for s in self._open if s != closed]
        self._show(self._session.document)

    def _rename(self, index: int) -> None:
        if not 0 <= index < len(self._open):
            return
        sequence_id = self._open[index]
        old = self._session.document.sequences[sequence_id].name
        name, good = QInputDialog.getText(self, "Rename Timeline", "Name:", text=old)
        if good and name.strip() and name.strip() != old:
            self._editing.perform_on_document(
                "Rename Timeline", lambda d: sequences.rename_sequence(d, sequence_id, name.strip())
            )

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Every timeline of the project, open or not."""
        menu = QMenu(self)
        menu.setObjectName("timeline_tabs_menu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        document = self._session.document
        for sequence_id, sequence in document.sequences.items():
            entry = menu.addAction(sequence.name, lambda s=sequence_id: self.open(s))
            entry.setCheckable(True)
            entry.setChecked(sequence_id == document.active_sequence)
        index = self.bar.tabAt(self.bar.mapFrom(self, event.pos()))
        if index >= 0:
            menu.addSeparator()
            menu.addAction("Rename…", lambda: self._rename(index))
            menu.addAction("Close Tab", lambda: self._on_close_wanted(index)).setEnabled(len(self._open) > 1)
        menu.popup(event.globalPos())
