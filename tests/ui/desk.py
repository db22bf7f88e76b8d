"""The real window over an engine whose jobs advance only when a test says so, and an artist's hands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QMimeData, QPoint, QPointF, QSize, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QPushButton, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from gen2studio.engine.abilities import GeneratorRegistry
from gen2studio.ui import theme
from gen2studio.ui.main_window import MainWindow
from tests.fakes.fake_host import FakeHost
from tests.fakes.fake_studio import fake_studio, with_clip

W = TypeVar("W", bound=QWidget)
LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier
Desk = tuple[MainWindow, FakeHost]


@contextmanager
def open_desk(qtbot: QtBot, media_root: Path | None, registry: GeneratorRegistry | None = None) -> Iterator[Desk]:
    """A window, with the test clip on its timeline where ``media_root`` is given; ``registry`` = what is installed."""
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    theme.apply(application)
    studio, host = fake_studio(registry)
    window = MainWindow(studio)
    window.showNormal()
    window.resize(1440, 860)
    qtbot.waitExposed(window)
    window.late.finish()
    if media_root is not None:
        with_clip(studio, media_root, qtbot)
    yield window, host
    # Closing the window in a test ends everything already; ending it twice does no harm.
    window.shutdown()
    window.hide()
    window.deleteLater()
    studio.deleteLater()


def part(window: QWidget, kind: type[W], name: str) -> W:
    found = window.findChild(kind, name)
    assert found is not None, name
    return found


def at_rest(qtbot: QtBot, window: QWidget, name: str) -> None:
    """Wait until a widget lies still: sections are laid out in turns of the event loop that follow."""
    places: list[tuple[QPoint, QSize]] = []

    def still() -> bool:
        widget = part(window, QWidget, name)
        places.append((widget.mapTo(window, QPoint()), widget.size()))
        return len(places) > 2 and places[-1] == places[-2] == places[-3]

    qtbot.waitUntil(still)


def click(window: QWidget, name: str) -> None:
    button = window.findChild(QPushButton, name) or window.findChild(QToolButton, name)
    assert button is not None, name
    assert button.isEnabled(), name
    QTest.mouseClick(button, LEFT)


def choose(combo: QComboBox, row: int) -> None:
    """Choose a row by keyboard."""
    combo.setFocus()
    QTest.keyClick(combo, Qt.Key.Key_Home)
    for _ in range(row):
        QTest.keyClick(combo, Qt.Key.Key_Down)
    assert combo.currentIndex() == row


def drop(target: QWidget, paths: list[Path]) -> bool:
    """Drop files from the desktop; whether something took them."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    enter = QDragEnterEvent(QPoint(5, 5), Qt.DropAction.CopyAction, data, LEFT, NONE)
    enter.ignore()
    QApplication.sendEvent(target, enter)
    if enter.isAccepted():
        QApplication.sendEvent(target, QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, LEFT, NONE))
    return enter.isAccepted()
