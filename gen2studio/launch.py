"""Starting the window, in order: interpreter settings, Qt, theme, services, window, then whatever was asked to open."""

from __future__ import annotations

import builtins
import faulthandler
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2studio.core import garbage, late_import

if TYPE_CHECKING:
    from gen2studio.app.studio import Studio
    from gen2studio.ui.main_window import MainWindow

_LATE = ("numpy", "argparse", "ctypes", "html", "platform", "subprocess")
"""Imported when they are first used: none of them has a part in the first frame."""
_WITHOUT_QT = ("gen2studio.compose", "gen2studio.app.planning", "gen2studio.app.recovery", "gen2studio.media.metadata")


def main(argv: Sequence[str] | None = None) -> int:
    """Open the window on a project, a clip, or (``--sample``) the bundled sample. Returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    faulthandler.enable()
    # Other threads must give the interpreter back quickly, or the window stutters beside Python work.
    sys.setswitchinterval(0.0005)
    _clear_foreign_plugins()

    services, window = open_window()
    services.start()

    import signal

    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication

    application = QApplication.instance()
    assert isinstance(application, QApplication)
    QTimer.singleShot(0, lambda: _open(window, arguments))
    QTimer.singleShot(1500, _warm_kernels)
    # Ctrl-C in the terminal ends the program; Qt only looks at it when Python code runs.
    signal.signal(signal.SIGINT, lambda *_: window.close())
    pulse = QTimer(application)
    pulse.timeout.connect(lambda: None)
    pulse.start(400)
    code = application.exec()
    pulse.stop()
    if services.stuck:
        # Qt aborts when a running thread is destroyed.
        os._exit(code)
    return code


def open_window() -> tuple[Studio, MainWindow]:
    """Make the application, every service and the window, and show it: what stands between the start and the picture.

    Nothing made here dies before the program does, so the garbage collector looks at none of it.
    """
    garbage.pause()
    for name in _LATE:
        late_import.import_late(name)
    for name in _WITHOUT_QT:
        importlib.import_module(name)

    _import_qt()

    from PySide6.QtWidgets import QApplication

    _leave_sources_unread()

    from gen2studio.ui import theme

    application = QApplication.instance()
    if not isinstance(application, QApplication):
        application = theme.new_application("gen2studio")
    application.setApplicationName("Gen2 Studio")
    application.setDesktopFileName("gen2studio")

    from gen2studio.compose import studio
    from gen2studio.ui.main_window import MainWindow

    services = studio()
    window = MainWindow(services)
    window.late.add(lambda: application.setWindowIcon(theme.icon("app")))
    window.late.add(garbage.resume)
    window.show()
    return services, window


def _import_qt() -> None:
    """Import PySide6 without the generator of its stub files.

    Qt's bindings carry Python sources inside a library and compile all of them at every start. One is a tool that
    writes ``.pyi`` files, with a command line and a dozen regular expressions; nothing in a running program calls it,
    and it is a twentieth of our start. It is compiled as an empty module here.
    """
    if "PySide6" in sys.modules:
        return
    compile_any = builtins.compile

    def compile_needed(source: Any, filename: Any, *options: Any, **named: Any) -> Any:
        empty = str(filename).endswith("shibokensupport/signature/lib/pyi_generator.py")
        return compile_any(b"" if empty else source, filename, *options, **named)

    builtins.compile = compile_needed
    try:
        importlib.import_module("PySide6.QtCore")
    finally:
        builtins.compile = compile_any


def _leave_sources_unread() -> None:
    """Answer for PySide6 what it reads the text of every imported module for.

    It wants to know which modules may ask for names in its other spelling (``from __feature__ import …``): three
    hundred files before the first frame, a twentieth of the start, and as many again when torch is imported. None of
    ours does, and a module that is told to be one of Qt's and asks for nothing is left alone.
    """
    from shibokensupport import feature  # pyright: ignore[reportMissingImports, reportUnknownVariableType]

    if hasattr(feature, "_mod_uses_pyside"):  # pyright: ignore[reportUnknownArgumentType]
        setattr(feature, "_mod_uses_pyside", lambda _module: True)  # noqa: B010  # pyright: ignore


def _warm_kernels() -> None:
    """Compile generator kernels in a child process on the first start: no stutter here, no wait for the first still."""
    from PySide6.QtCore import QProcess

    from gen2studio.compose import warming_command

    command = warming_command()
    if command:
        QProcess.startDetached(command[0], command[1:])


def _clear_foreign_plugins() -> None:
    """opencv-python (not headless) points Qt at its own plug-ins when some other package pulled it in."""
    for name in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR"):
        if "cv2" in os.environ.get(name, ""):
            del os.environ[name]


def _open(window: object, arguments: list[str]) -> None:
    from gen2studio.ui import window_commands
    from gen2studio.ui.main_window import MainWindow

    assert isinstance(window, MainWindow)
    window_commands.offer_recovery(window)
    if "--sample" in arguments:
        window.studio.open_sample()
    paths = [Path(a).absolute() for a in arguments if not a.startswith("--")]
    if paths:
        window_commands.open_paths(window, paths)


if __name__ == "__main__":
    sys.exit(main())
