"""What opens the matte dialogs: the Mask menu, the mask panel, and matte files dropped on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent
from PySide6.QtWidgets import QDialog, QFileDialog, QWidget

if TYPE_CHECKING:
    from gen2studio.app.studio import Studio


def handlers(studio: Studio, window: QWidget) -> dict[str, Callable[..., object]]:
    """The two rows of the action table that are about matte files."""
    return {
        "mask.import": lambda: import_mattes(studio, window),
        "mask.export": lambda: export_mattes(studio, window),
    }


def export_mattes(studio: Studio, parent: QWidget) -> None:
    """Open the export dialog on the objects of the clip in the viewer."""
    session, masks = studio.session, studio.masks
    if not masks.media_id or not session.document.masks_of(masks.media_id):
        session.tell("There is no mask object to export. Paint on the picture first.", "warning")
        return
    window = parent.window()
    if _raised(window, "matteExportDialog"):
        return
    from gen2studio.ui.dialogs.matte_export_dialog import MatteExportDialog

    dialog = MatteExportDialog(session, masks.media_id, studio.preferences, studio.project.folder, window)
    dialog.finished.connect(dialog.deleteLater)
    dialog.show()


def import_mattes(studio: Studio, parent: QWidget) -> None:
    """Ask for a matte file, then open the import dialog on it."""
    if not _has_clip(studio):
        return
    from gen2studio.ui.dialogs.matte_import_dialog import FILTER

    preferences = studio.preferences
    dialog = QFileDialog(parent.window(), "Import mattes", preferences.get("import_folder"), FILTER)
    dialog.setObjectName("matte_import.open_dialog")
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.fileSelected.connect(lambda name: import_file(studio, parent, Path(name)))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def import_file(studio: Studio, parent: QWidget, path: Path) -> None:
    """Open the import dialog on ``path`` for the clip in the viewer."""
    window = parent.window()
    if not _has_clip(studio) or _raised(window, "matteImportDialog"):
        return
    from gen2studio.ui.dialogs.matte_import_dialog import MatteImportDialog

    studio.preferences.set("import_folder", str(path.parent))
    masks = studio.masks
    dialog = MatteImportDialog(studio.session, masks.media_id, masks.frame, path, window)
    dialog.finished.connect(dialog.deleteLater)
    dialog.show()


def close_dialogs(window: QWidget) -> None:
    """The window goes: stop what runs in dialogs of mattes and farms, and end their threads."""
    for name in ("matteExportDialog", "matteImportDialog", "farmSubmitDialog", "farmCollectDialog"):
        for dialog in window.findChildren(QDialog, name):
            stop = getattr(dialog, "stop", None)
            if stop is not None:
                stop()
            dialog.close()


def _has_clip(studio: Studio) -> bool:
    if studio.masks.media_id in studio.session.document.media:
        return True
    studio.session.tell("There is no clip for mattes. Move the playhead onto a clip first.", "warning")
    return False


def _raised(window: QWidget, name: str) -> bool:
    """Bring a dialog that is open already to the front."""
    there = window.findChild(QDialog, name)
    if there is None or not there.isVisible():
        return False
    there.raise_()
    there.activateWindow()
    return True


class MatteDrop(QObject):
    """Files dropped on a widget are imported as mattes. It belongs to the widget."""

    def __init__(self, studio: Studio, target: QWidget) -> None:
        super().__init__(target)
        self._studio = studio
        self._target = target
        target.setAcceptDrops(True)
        target.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QDropEvent | QDragEnterEvent | QDragMoveEvent) and event.type() in (
            QEvent.Type.DragEnter, QEvent.Type.DragMove, QEvent.Type.Drop,
        ):  # fmt: skip
            paths = [Path(u.toLocalFile()) for u in event.mimeData().urls() if u.isLocalFile()]
            if not paths:
                return False
            event.acceptProposedAction()
            if event.type() is QEvent.Type.Drop:
                self._drop(paths)
            return True
        return super().eventFilter(watched, event)

    def _drop(self, paths: list[Path]) -> None:
        folders = {path.parent for path in paths}
        if len(paths) > 1 and (len(folders) > 1 or len({path.suffix.lower() for path in paths}) > 1):
            self._studio.session.tell("Drop one matte file, one sequence or one folder at a time.", "warning")
            return
        import_file(self._studio, self._target, min(paths))
