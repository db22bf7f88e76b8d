"""After a crash: what can be brought back, offered once at the start."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.recovery import Candidate


class RecoveryDialog(QDialog):
    """``chosen`` is the candidate to bring back, or None; ``dropped`` the ones to forget."""

    def __init__(self, candidates: tuple[Candidate, ...], parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("recoveryDialog")
        self.setWindowTitle("Bring back unsaved work")
        self.setMinimumWidth(460)
        self.chosen: Candidate | None = None
        self.dropped: list[Candidate] = []
        head = QLabel(
            "Gen2 Studio was interrupted. This work was not saved; nothing but the last gesture is lost.", self
        )
        head.setWordWrap(True)
        self.list = QListWidget(self)
        self.list.setObjectName("recovery.list")
        self.list.setAccessibleName("Unsaved work")
        for candidate in candidates:
            when = datetime.fromtimestamp(candidate.when).strftime("%d %B %Y, %H:%M")
            changes = "1 change" if candidate.changes == 1 else f"{candidate.changes} changes"
            item = QListWidgetItem(f"{candidate.name}   ·   {when}   ·   {changes}")
            item.setData(Qt.ItemDataRole.UserRole, candidate)
            item.setToolTip(str(candidate.path or candidate.folder))
            self.list.addItem(item)
        self.list.setCurrentRow(0)
        self.list.itemDoubleClicked.connect(lambda _item: self._on_recover_clicked())
        recover = QPushButton("Bring back", self)
        recover.setObjectName("recovery.recover")
        recover.setToolTip("Open the chosen work as it was (Enter)")
        recover.setProperty("primary", True)
        recover.setDefault(True)
        recover.clicked.connect(self._on_recover_clicked)
        drop = QPushButton("Delete", self)
        drop.setObjectName("recovery.drop")
        drop.setToolTip("Delete the chosen unsaved work for good")
        drop.setProperty("danger", True)
        drop.clicked.connect(self._on_drop_clicked)
        later = QPushButton("Later", self)
        later.setObjectName("recovery.later")
        later.setToolTip("Keep it and ask again at the next start (Esc)")
        later.clicked.connect(self.reject)
        row = QHBoxLayout()
        row.addWidget(drop)
        row.addStretch(1)
        row.addWidget(later)
        row.addWidget(recover)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 14)
        layout.setSpacing(12)
        layout.addWidget(head)
        layout.addWidget(self.list, 1)
        layout.addLayout(row)

    def _current(self) -> Candidate | None:
        row = self.list.currentRow()
        return self.list.item(row).data(Qt.ItemDataRole.UserRole) if row >= 0 else None

    def _on_recover_clicked(self) -> None:
        self.chosen = self._current()
        self.accept()

    def _on_drop_clicked(self) -> None:
        candidate = self._current()
        if candidate is not None:
            self.dropped.append(candidate)
            self.list.takeItem(self.list.currentRow())
        if self.list.count() == 0:
            self.reject()
