"""Fixtures for every test: an isolated home, the shared media, and guards against leaks."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_SCALE_FACTOR", "1")

import faulthandler
import gc
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

faulthandler.enable()

_MEDIA = Path(__file__).resolve().parents[2] / "shared" / "media"


@pytest.fixture(scope="session")
def media_root() -> Path:
    """The folder of real clips that tests measure on (``../shared/media`` beside the checkout)."""
    assert _MEDIA.is_dir(), f"the shared test media is missing: {_MEDIA}"
    return _MEDIA


@pytest.fixture(autouse=True)
def isolated_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Preferences, caches and recovery files of a test never touch the user's own. Compiled kernels are kept."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("GEN2STUDIO_HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def log_level() -> Iterator[None]:
    """A headless verb run in this process sets the program's log level: the next test starts as it found it."""
    logger = logging.getLogger("gen2studio")
    before = logger.level
    yield
    logger.setLevel(before)


@pytest.fixture(autouse=True)
def no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves threads, windows or running timers behind; Qt is only looked at where it is in use."""
    before = set(threading.enumerate())
    yield
    _check_widgets(request)
    deadline = threading.Event()
    for _ in range(60):
        left = [t for t in threading.enumerate() if t not in before and t.is_alive() and not _library_thread(t)]
        if not left:
            break
        deadline.wait(0.05)
    assert not left, f"threads left running: {[t.name for t in left]}"


def _library_thread(thread: threading.Thread) -> bool:
    return thread.name.startswith(("pytest_timeout", "Dummy", "hypothesis"))


def _check_widgets(request: pytest.FixtureRequest) -> None:
    if "qapp" not in request.fixturenames and "qtbot" not in request.fixturenames:
        return
    from PySide6.QtCore import QCoreApplication, QEvent, QObject, QThread, QTimer
    from PySide6.QtWidgets import QApplication

    app = QApplication.instance()
    if not isinstance(app, QApplication):
        return
    for _ in range(3):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        gc.collect()
    visible = [w for w in app.topLevelWidgets() if w.isVisible()]
    assert not visible, f"windows left open: {[w.objectName() or type(w).__name__ for w in visible]}"
    for item in gc.get_objects():
        try:
            if isinstance(item, QThread) and item.isRunning() and item is not app.thread():
                raise AssertionError(f"QThread left running: {item.objectName() or type(item).__name__}")
            if isinstance(item, QTimer) and item.isActive() and not isinstance(item.parent(), QObject):
                raise AssertionError(f"timer left running: {item.objectName() or 'QTimer'}")
        except (RuntimeError, ReferenceError):
            continue


@pytest.fixture
def qtbot(qapp: object, request: pytest.FixtureRequest) -> object:
    """pytest-qt's, but no wait of a test gives up because the machine is busy."""
    from tests.patient_bot import PatientBot

    return PatientBot(request)


@pytest.fixture
def window(qtbot: object) -> Iterator[object]:
    """The real window on an untitled project with the real engine, without a sound device."""
    from PySide6.QtWidgets import QApplication

    from gen2studio.compose import studio
    from gen2studio.ui import theme
    from gen2studio.ui.main_window import MainWindow

    application = QApplication.instance()
    assert isinstance(application, QApplication)
    theme.apply(application)
    services = studio(sound=False)
    made = MainWindow(services)
    made.resize(1440, 860)
    made.show()
    qtbot.waitExposed(made)  # type: ignore[attr-defined]
    made.late.finish()
    yield made
    made.shutdown()
    made.hide()
    made.deleteLater()
    services.deleteLater()
