"""Fixtures for every test: an isolated home, the shared media, and guards against leaks."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_SCALE_FACTOR", "1")

import faulthandler
import gc
import itertools
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

faulthandler.enable()

# The same examples at every run, however slow the machine: whether a change is fine must not be a question of luck.
# To look for new ones: pytest --hypothesis-profile=default --hypothesis-seed=random tests/core
settings.register_profile(
    "house", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")

_MEDIA = Path(__file__).resolve().parents[2] / "shared" / "media"


@pytest.fixture(scope="session")
def media_root() -> Path:
    """The folder of real clips that tests measure on (``../shared/media`` beside the checkout)."""
    assert _MEDIA.is_dir(), f"the shared test media is missing: {_MEDIA}"
    return _MEDIA


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An endless row of fresh folders. pytest would look through all that came before to number the next one."""
    root = tmp_path_factory.mktemp("homes")
    return (root / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def isolated_home(homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Preferences, caches and recovery files of a test never touch the user's own. Compiled kernels are kept."""
    home = next(homes)
    home.mkdir()
    monkeypatch.setenv("GEN2STUDIO_HOME", str(home))
    return home


@pytest.fixture(scope="module", autouse=True)
def settled_heap() -> None:
    """What outlives a file of tests is left out of the collections that :func:`no_leaks` makes after every window.

    All test files are imported before the first test runs, with them every library: some hundred thousand classes and
    functions that would be visited three times for each window (three quarters of such a test's time).
    """
    gc.collect()
    gc.freeze()


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
    # A thread that was told to end may wait for the processor: how long is no question of a test.
    give_up = time.monotonic() + 60
    while left := [t for t in threading.enumerate() if t not in before and t.is_alive() and not _library_thread(t)]:
        assert time.monotonic() < give_up, f"threads left running: {[t.name for t in left]}"
        left[0].join(0.05)


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
