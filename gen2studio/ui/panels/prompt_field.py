"""The prompt with its words marked: plain where the generator understands them, dotted amber where it doesn't.

Words that are read as another one say so underneath ("automobile → car").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QSyntaxHighlighter, QTextCursor
from PySide6.QtWidgets import QLabel, QPlainTextEdit, QVBoxLayout, QWidget

from gen2studio.engine.catalog import PromptWord
from gen2studio.ui import theme

if TYPE_CHECKING:
    from PySide6.QtGui import QTextCharFormat


class _Marker(QSyntaxHighlighter):
    def __init__(self, field: QPlainTextEdit) -> None:
        super().__init__(field.document())
        self.unknown: frozenset[str] = frozenset()
        self.synonyms: frozenset[str] = frozenset()

    def highlightBlock(self, text: str) -> None:
        position = 0
        for word in text.split():
            position = text.index(word, position)
            bare = bare_word(word)
            if bare in self.unknown:
                self.setFormat(position, len(word), _underlined("warning", coloured=True))
            elif bare in self.synonyms:
                self.setFormat(position, len(word), _underlined("accent", coloured=False))
            position += len(word)


def bare_word(word: str) -> str:
    """A word as marks compare it: without punctuation and case."""
    return word.strip(".,;:!?\"'()").casefold()


def _underlined(ink: str, *, coloured: bool) -> QTextCharFormat:
    # An empty prompt has no marks, and the first frame no need of a hundred and fifty more names.
    from PySide6.QtGui import QTextCharFormat

    mark = QTextCharFormat()
    if coloured:
        mark.setForeground(theme.colour(ink))
    mark.setUnderlineStyle(QTextCharFormat.UnderlineStyle.DotLine)
    mark.setUnderlineColor(theme.colour(ink))
    return mark


class PromptField(QWidget):
    """``text_committed`` comes when typing pauses or the field loses focus."""

    text_committed = Signal(str)

    def __init__(self, words: Callable[[str], tuple[PromptWord, ...]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._words = words
        self.field = QPlainTextEdit(self)
        self.field.setObjectName("prompt")
        self.field.setAccessibleName("Prompt")
        self.field.setPlaceholderText("for example: a white dog with black spots, watercolour, evening light")
        self.field.setToolTip(
            "Say what you want to see. Words that the chosen generator does not understand are underlined."
        )
        self.field.setFixedHeight(58)
        self.field.setTabChangesFocus(True)
        self.field.installEventFilter(self)
        self._marker = _Marker(self.field)
        self.note = QLabel(self)
        self.note.setObjectName("prompt.note")
        self.note.setWordWrap(True)
        self.note.setProperty("role", "warning")
        self.note.hide()
        self.synonyms = QLabel(self)
        self.synonyms.setObjectName("prompt.synonyms")
        self.synonyms.setWordWrap(True)
        self.synonyms.setProperty("role", "muted")
        self.synonyms.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(self.field)
        layout.addWidget(self.synonyms)
        layout.addWidget(self.note)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(700)
        self._timer.timeout.connect(self._commit)
        self._committed = ""
        self.field.textChanged.connect(self._on_text_changed)

    def set_text(self, text: str) -> None:
        """Show ``text`` without a signal; what is being typed right now is left alone."""
        self._committed = text
        # Spaces that were tidied away are no reason to take the cursor out of the artist's hand.
        if self._typed() != text and not self._timer.isActive():
            with QSignalBlocker(self.field):
                self.field.setPlainText(text)
                self.field.moveCursor(QTextCursor.MoveOperation.End)
        self._mark()

    def _typed(self) -> str:
        return " ".join(self.field.toPlainText().split())

    def drop_pending(self) -> None:
        """Forget what was typed and not committed: it was meant for another clip."""
        if self._timer.isActive():
            self._timer.stop()
            self.set_text(self._committed)

    def _on_text_changed(self) -> None:
        if self.field.toPlainText() != self._committed:
            self._timer.start()

    def _commit(self) -> None:
        self._timer.stop()
        text = self._typed()
        self._mark()
        if text != self._committed:
            self._committed = text
            self.text_committed.emit(text)

    def show_hints(self, hints: Sequence[str], lines: int = 3) -> None:
        """Suggest in an empty field the first sentence of which every word is understood, else the last one; and how
        many lines the field is high."""
        known = (hint for hint in hints if all(word.known for word in self._words(hint)))
        hint = next(known, hints[-1] if hints else "")
        self.field.setPlaceholderText(f"for example: {hint}" if hint else "")
        metrics = self.field.fontMetrics()
        self.field.setFixedHeight(metrics.lineSpacing() * lines + 18)

    def _mark(self) -> None:
        words = self._words(self.field.toPlainText())
        unknown = [w.word for w in words if not w.known]
        read_as = {w.word: w.means for w in words if w.known and w.means and bare_word(w.word) != w.means.casefold()}
        marks = frozenset(map(bare_word, unknown)), frozenset(map(bare_word, read_as))
        if marks != (self._marker.unknown, self._marker.synonyms):
            self._marker.unknown, self._marker.synonyms = marks
            with QSignalBlocker(self.field):
                self._marker.rehighlight()
        self.synonyms.setVisible(bool(read_as))
        self.synonyms.setText("Read as: " + ", ".join(f"{word} → {means}" for word, means in read_as.items()))
        self.note.setVisible(bool(unknown))
        if unknown:
            listed = ", ".join(f"“{w}”" for w in unknown[:4]) + (" …" if len(unknown) > 4 else "")
            self.note.setText(
                f"Not understood by this generator and left out: {listed}. "
                "A text-driven model (Wan 2.1 VACE) would know them."
            )

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QFocusEvent) and event.type() == QEvent.Type.FocusOut:
            self._commit()
        if (
            isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.KeyPress
            and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
            and not event.modifiers()
        ):
            self._commit()
            return True
        return super().eventFilter(watched, event)
