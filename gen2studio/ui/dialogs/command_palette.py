"""Find any command by typing: fuzzy, keyboard only if you like."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, QSize, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QDialog, QLabel, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from gen2studio.ui import theme
from gen2studio.ui.action_binder import ActionBinder


def match_score(query: str, text: str) -> int | None:
    """How well ``query`` fits ``text``: smaller is better, None = not at all.

    All letters must occur in order; starts of words and unbroken runs count as better.
    """
    query, text = query.casefold().replace(" ", ""), text.casefold()
    score, position = 0, -1
    for letter in query:
        found = text.find(letter, position + 1)
        if found < 0:
            return None
        gap = found - position - 1
        starts_word = found == 0 or not text[found - 1].isalnum()
        score += 0 if gap == 0 else 2 if starts_word else 4 + gap
        position = found
    return score


class CommandPalette(QDialog):
    """Type, arrow, Enter. Disabled commands are shown faint and do nothing."""

    def __init__(self, binder: ActionBinder, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("commandPalette")
        self.setAccessibleName("Command palette")
        self._binder = binder
        self.search = QLineEdit(self)
        self.search.setObjectName("commandPalette.search")
        self.search.setAccessibleName("Command to find")
        self.search.setPlaceholderText("Type a command…")
        self.search.setToolTip("Type letters of a command; Up and Down choose, Enter runs it")
        self.search.installEventFilter(self)
        self.list = QListWidget(self)
        self.list.setObjectName("commandPalette.list")
        self.list.setAccessibleName("Commands")
        self.list.setUniformItemSizes(True)
        self.list.setIconSize(QSize(16, 16))
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        hint = QLabel("↑ ↓ choose   ⏎ run   Esc close", self)
        hint.setProperty("role", "faint")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 10, 10, 8)
        layout.addWidget(self.search)
        layout.addWidget(self.list, 1)
        layout.addWidget(hint)
        self.setStyleSheet(
            f"#commandPalette {{ background: {theme.tokens()['raised']}; "
            f"border: 1px solid {theme.tokens()['line_strong']}; }}"
        )
        self.search.textChanged.connect(self._refill)
        self.list.itemClicked.connect(self._run)
        self._refill("")

    def open_over(self, window: QWidget) -> None:
        width = min(620, window.width() - 80)
        self.resize(width, min(430, window.height() - 120))
        self.move(window.mapToGlobal(QPoint((window.width() - width) // 2, 70)))
        self.search.clear()
        self._refill("")
        self.show()
        self.search.setFocus()

    def _refill(self, text: str) -> None:
        ranked: list[tuple[int, int, str]] = []
        for order, row in enumerate(self._binder.rows.values()):
            scores = [match_score(text, t) for t in (row.text, f"{row.menu} {row.text}")]
            best = [s for s in scores if s is not None]
            if best:
                ranked.append((min(best), order, row.id))
        self.list.clear()
        for _, _, action_id in sorted(ranked):
            action, row = self._binder.action(action_id), self._binder.rows[action_id]
            key = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
            where = row.menu.split("/")[-1] or row.scope.capitalize()
            item = QListWidgetItem(action.icon(), f"{row.text.rstrip('…')}   —   {where}{'   ' + key if key else ''}")
            item.setData(Qt.ItemDataRole.UserRole, action_id)
            item.setToolTip(row.tip)
            if not action.isEnabled():
                item.setForeground(theme.colour("text_faint"))
            self.list.addItem(item)
        self.list.setCurrentRow(0)

    def _run(self, item: QListWidgetItem | None) -> None:
        if item is None:
            return
        action = self._binder.action(item.data(Qt.ItemDataRole.UserRole))
        self.hide()
        if action.isEnabled():
            action.trigger()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.search and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: 8, Qt.Key.Key_PageUp: -8}.get(
                Qt.Key(event.key())
            )
            if step is not None and self.list.count():
                self.list.setCurrentRow(min(self.list.count() - 1, max(0, self.list.currentRow() + step)))
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._run(self.list.currentItem())
                return True
        return super().eventFilter(watched, event)
