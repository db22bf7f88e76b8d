"""Finishes a matte in the real window on a real clip and keeps a picture of every step, to be looked at.

    xvfb-run -s "-screen 0 1920x1080x24" python -m tests.flows.walk_roto --out DIR [--frames 16]

Scribbles in and out, propagation, two corrections, refine, every view, export as ProRes 4444 and OpenEXR, and both
imported again and compared. Everything done with hand or key is done by Qt events on the widgets.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QDialog, QLineEdit, QPushButton

from gen2studio.app.mattes import MatteSource
from gen2studio.raster.tiles import Mask
from gen2studio.ui.dialogs.matte_export_dialog import MatteExportDialog
from gen2studio.ui.dialogs.matte_import_dialog import MatteImportDialog
from tests.flows.test_mattes import drop
from tests.flows.walk import LEFT, MEDIA, Walk, wait

VIEWS = ("alpha", "colour", "matte", "checker", "outline", "onion", "side", "overlay")
CLIP = "clips/golden_retriever_512_3.2s.mp4"
INSIDE = (((150, 90), (180, 160), (210, 250)), ((90, 140), (120, 175)), ((300, 180), (330, 240)))
OUTSIDE = (((420, 60), (480, 260)), ((40, 420), (400, 470)))


class RotoWalk(Walk):
    """One shot from scribbles to files."""

    def matte(self, frame: int) -> Mask:
        studio = self.studio
        owner = studio.masks.current()
        assert owner is not None
        source = MatteSource(studio.store.document, studio.store.tiles)
        try:
            return source.matte(owner.id, frame)
        finally:
            source.close()

    def scribble(self, tool: str, points: tuple[tuple[int, int], ...]) -> None:
        masks = self.studio.masks
        self.act(f"tool.{tool}")
        self.drag(list(points))
        self.until(lambda: masks.jobs.job is None, 60)
        wait(200)

    def go(self, frame: int) -> None:
        self.studio.session.set_playhead(frame)
        self.until(lambda: self.studio.feed.picture.media_frame == frame)

    def roto(self) -> None:
        studio, session = self.studio, self.studio.session
        studio.new_project()
        studio.import_files([MEDIA / CLIP])
        self.until(lambda: studio.feed.picture.shows == "source")
        session.set_playhead(self.frames)
        self.act("timeline.trim_tail")
        self.go(0)
        self.act("timeline.zoom_fit")
        self.window.raise_dock("masks")
        self.shoot("empty_mask_panel")
        for points in INSIDE:
            self.scribble("include", points)
        self.shoot("scribbled_in")
        for points in OUTSIDE:
            self.scribble("exclude", points)
        self.shoot("scribbled_out")
        self.carry("forward")
        for frame in (self.frames - 1, self.frames // 2):
            self.go(frame)
            self.shoot(f"carried_{frame}")
        self.correct()
        self.refine()
        for view in VIEWS:
            self.act(f"maskview.{view}")
            wait(600)
            self.shoot(f"view_{view}")
        self.files()

    def carry(self, direction: str) -> None:
        self.act(f"mask.propagate_{direction}")
        self.until(lambda: self.studio.masks.jobs.job is not None, 10)
        self.until(lambda: self.studio.masks.jobs.job is None, 240)

    def correct(self) -> None:
        """Two frames corrected by brush and scribble; what lies between is carried again."""
        owner = self.studio.masks.current()
        assert owner is not None
        for tool, frame, points in (
            ("include", self.frames // 2, ((150, 150), (200, 200))),
            ("brush", self.frames - 1, ((90, 220), (130, 280))),
        ):
            self.go(frame)
            self.act(f"tool.{tool}")
            self.drag(list(points))
            self.until(lambda: self.studio.masks.jobs.job is None, 60)
            wait(200)
            self.carry("both")
        after = self.studio.masks.current()
        assert after is not None and set(after.anchors) >= {0, self.frames // 2, self.frames - 1}, after.anchors
        self.shoot("two_corrections")

    def refine(self) -> None:
        """Keys in the fields of the refine stack."""
        self.go(self.frames // 3)
        before = self.matte(self.frames // 3).copy()
        sliders = self.window.masks.refine.sliders
        for name, keys in (("despeckle", 12), ("chatter", 2), ("edge", 6), ("feather", 1)):
            field = sliders[name].field
            field.setFocus()
            for _ in range(keys):
                QTest.keyClick(field, Qt.Key.Key_Up)
            QTest.keyClick(field, Qt.Key.Key_Return)
            wait(300)
        self.shoot("refined")
        changed = int(np.count_nonzero(self.matte(self.frames // 3) != before))
        print(f"          refined: {changed} pixels differ from what was carried", flush=True)
        assert changed

    def files(self) -> None:
        """Out as ProRes 4444 and OpenEXR, and in again."""
        wanted = {frame: self.matte(frame).copy() for frame in range(self.frames)}
        self.act("mask.export")
        dialog = self.window.findChild(MatteExportDialog)
        assert dialog is not None
        made: list[Path] = []
        for kind in ("prores4444", "exr"):
            box = dialog.findChild(QComboBox, "matte_export.format")
            path = dialog.findChild(QLineEdit, "matte_export.path")
            assert box is not None and path is not None
            box.setCurrentIndex(box.findData(kind))
            target = self.out / f"mattes_{kind}{'.mov' if kind == 'prores4444' else ''}"
            shutil.rmtree(target, ignore_errors=True)
            target.unlink(missing_ok=True)
            path.setText(str(target))
            wait(200)
            dialog.grab().save(str(self.out / f"{self.step + 1:02d}_export_{kind}.png"))
            self.click(dialog, "matte_export.start")
            self.until(lambda: "ready" in dialog.status.text() or dialog.status.property("role") == "error", 120)
            print(f"          {dialog.status.text()}", flush=True)
            made.append(target)
        self.click(dialog, "matte_export.close")
        for path in made:
            drop(self.window.masks, path)
            importing = self.window.findChild(MatteImportDialog)
            assert importing is not None
            self.until(importing.start.isEnabled, 30)
            wait(500)
            importing.grab().save(str(self.out / f"{self.step + 1:02d}_import_{path.stem}.png"))
            self.click(importing, "matte_import.start")
            self.until(lambda: self.window.findChild(MatteImportDialog) is None, 60)
            worst = max(int(np.abs(self.matte(f).astype(int) - wanted[f]).max()) for f in wanted)
            print(f"          {path.name}: imported again, largest difference {worst} of 255", flush=True)
            assert worst == 0
        self.shoot("imported_again")

    @staticmethod
    def click(dialog: QDialog, name: str) -> None:
        button = dialog.findChild(QPushButton, name)
        assert button is not None and button.isEnabled(), name
        QTest.mouseClick(button, LEFT)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path("out/roto"))
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--size", default="1920x1080")
    options = parser.parse_args()
    walk = RotoWalk(options.out.resolve(), options.frames)
    width, height = (int(side) for side in options.size.split("x"))
    walk.window.setGeometry(0, 0, width, height)
    walk.roto()
    walk.window.shutdown()
    walk.window.hide()


if __name__ == "__main__":
    main()
