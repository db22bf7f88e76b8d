"""Walks the main job through the real window on three real clips and keeps a picture of every step, to be looked at.

    xvfb-run -s "-screen 0 1920x1080x24" python -m tests.flows.walk --out DIR [--frames 10]

Everything an artist does with hand or key is done by Qt events on the widgets: box select, brush, buttons, menus.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("GEN2STUDIO_HOME", tempfile.mkdtemp(prefix="walk-"))
sys.setswitchinterval(0.0005)

from PySide6.QtCore import QEventLoop, QPoint, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton, QToolButton

from gen2studio.compose import studio
from gen2studio.document.model import Clip
from gen2studio.media.decoder import open_decoder
from gen2studio.ui import theme
from gen2studio.ui.dialogs.export_dialog import ExportDialog
from gen2studio.ui.main_window import MainWindow

LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier
MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media"


def wait(milliseconds: int) -> None:
    """Let the window live. Not QTest.qWait: that sleeps with the interpreter lock held and starves the engine."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


@dataclass(frozen=True)
class Job:
    """One clip and what is done with it. Boxes and strokes are media pixels of the first frame."""

    name: str
    clip: str
    box: tuple[int, int, int, int]
    stroke: tuple[tuple[int, int], ...]
    region: str
    preset: str = ""
    style: str = ""
    prompt: str = ""
    mode: str = "stylize"


JOBS = (
    Job("dog", "clips/golden_retriever_512_3.2s.mp4", (0, 5, 345, 330), ((120, 110), (200, 130), (250, 170)),
        "foreground", prompt="a white dog with black spots", mode="mask"),
    Job("runner", "clips/woman_running_512_6s.mp4", (120, 20, 420, 510), ((260, 180), (265, 260)), "background",
        preset="oil"),
    Job("coast", "clips/drone_coast_gopro_karma_12s.mp4", (0, 0, 0, 0), (), "all",
        style="style/van_gogh_starry_night.jpg"),
)  # fmt: skip


class Walk:
    """One window, one output folder."""

    def __init__(self, out: Path, frames: int) -> None:
        self.out, self.frames = out, frames
        out.mkdir(parents=True, exist_ok=True)
        self.application = QApplication(["walk"])
        theme.apply(self.application)
        self.studio = studio(sound=False)
        self.window = MainWindow(self.studio)
        self.window.show()
        self.window.setGeometry(0, 0, 1920, 1080)
        self.step = 0
        self.begun = time.perf_counter()

    def until(self, done: Callable[[], object], seconds: float = 60.0) -> None:
        end = time.perf_counter() + seconds
        while not done():
            wait(25)
            if time.perf_counter() > end:
                self.shoot("stuck")
                raise SystemExit(f"waited {seconds} s in vain")

    def shoot(self, name: str) -> None:
        wait(250)
        self.step += 1
        self.window.grab().save(str(self.out / f"{self.step:02d}_{name}.png"))
        print(f"{time.perf_counter() - self.begun:7.1f} s  {name}", flush=True)

    def press(self, name: str) -> None:
        button = self.window.findChild(QPushButton, name) or self.window.findChild(QToolButton, name)
        assert button is not None and button.isEnabled(), name
        QTest.mouseClick(button, LEFT)

    def act(self, name: str) -> None:
        action = self.window.binder.action(name)
        assert action.isEnabled(), name
        action.trigger()

    def drag(self, points: list[tuple[int, int]]) -> None:
        canvas = self.window.canvas
        places = [canvas.transform.to_view(x, y).toPoint() for x, y in points]
        QTest.mousePress(canvas, LEFT, NONE, places[0])
        for a, b in pairwise(places):
            for i in range(1, 9):
                QTest.mouseMove(canvas, QPoint(a.x() + (b.x() - a.x()) * i // 8, a.y() + (b.y() - a.y()) * i // 8))
        QTest.mouseRelease(canvas, LEFT, NONE, places[-1])

    def clip(self) -> Clip:
        clip = self.studio.generation.target
        assert clip is not None
        return clip

    def run(self, job: Job) -> None:
        studio, session = self.studio, self.studio.session
        studio.new_project()
        studio.import_files([MEDIA / job.clip])
        self.until(lambda: studio.feed.picture.shows == "source")
        session.set_playhead(self.frames)
        self.act("timeline.trim_tail")
        session.set_playhead(0)
        self.act("timeline.zoom_fit")
        self.until(lambda: studio.feed.picture.shows == "source" and studio.feed.picture.media_frame == 0)
        self.shoot(f"{job.name}_opened")
        if job.region != "all":
            self.mask(job)
        self.look(job)
        self.press("generate.stillsButton")
        begun = time.perf_counter()
        self.until(lambda: studio.generation.stills and studio.generation.stills[0].picture is not None, 120)
        print(f"          first still after {time.perf_counter() - begun:.1f} s", flush=True)
        self.until(lambda: all(s.picture is not None for s in studio.generation.stills), 120)
        self.shoot(f"{job.name}_stills")
        self.press("generate.runButton")
        wait(4000)
        self.shoot(f"{job.name}_running")
        self.until(lambda: self.clip().takes and studio.store.document.takes[self.clip().takes[-1]].complete, 600)
        session.set_playhead(self.frames // 2)
        for mode in ("wipe", "side", "difference"):
            self.act(f"compare.{mode}")
            wait(600)
            self.shoot(f"{job.name}_{mode}")
        self.act("compare.off")
        self.act("take.apply")
        self.until(lambda: studio.feed.picture.shows == "take")
        self.shoot(f"{job.name}_applied")
        self.export(job)

    def mask(self, job: Job) -> None:
        studio, session = self.studio, self.studio.session
        self.window.raise_dock("masks")
        session.set_tool("select_box")
        left, top, right, bottom = job.box
        self.drag([(left, top), (right, bottom)])
        media = studio.feed.picture.media_id
        self.until(lambda: any(o.frames for o in studio.store.document.masks_of(media)), 60)
        self.shoot(f"{job.name}_box_selected")
        session.set_tool("brush")
        self.drag(list(job.stroke))
        self.shoot(f"{job.name}_brushed")
        self.act("mask.propagate_forward")
        self.until(lambda: len(studio.store.document.masks_of(media)[0].frames) >= self.frames, 180)
        session.set_playhead(self.frames - 1)
        self.until(lambda: studio.feed.picture.media_frame == self.frames - 1)
        self.shoot(f"{job.name}_propagated")
        session.set_playhead(0)

    def look(self, job: Job) -> None:
        self.window.raise_dock("generate")
        generation = self.studio.generation
        if job.mode == "mask":
            self.press("generate.mode.mask")
        if job.prompt:
            field = self.window.generate.prompt.field
            field.setFocus()
            QTest.keyClicks(field, job.prompt)
            QTest.keyClick(field, Qt.Key.Key_Return)
        if job.preset:
            self.press(f"preset.{job.preset}")
        if job.style:
            self.window.generate.styles.images_dropped.emit([MEDIA / job.style])
        if job.mode != "mask":
            self.press(f"region.{job.region}")
        self.until(lambda: generation.has_style)
        self.until(lambda: self.studio.feed.picture.shows == "preview", 120)
        self.shoot(f"{job.name}_live_preview")

    def export(self, job: Job) -> None:
        film = self.out / f"{job.name}.mp4"
        film.unlink(missing_ok=True)
        self.act("file.export")
        dialog = self.window.findChild(ExportDialog)
        assert dialog is not None
        dialog.path.setText(str(film))
        dialog.show()
        wait(300)
        dialog.grab().save(str(self.out / f"{self.step + 1:02d}_{job.name}_export_dialog.png"))
        done: list[object] = []
        dialog.exported.connect(done.append)
        QTest.mouseClick(dialog.start, LEFT)
        self.until(lambda: done and not dialog.running, 120)
        dialog.reject()
        decoder = open_decoder(film)
        picture = decoder.rgb(self.frames // 2)
        decoder.close()
        print(f"          {film.name}: {picture.shape[1]}×{picture.shape[0]}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path("out/walk"))
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    walk = Walk(options.out, options.frames)
    for job in JOBS:
        if options.only in ("", job.name):
            walk.run(job)
    walk.window.shutdown()
    walk.window.hide()


if __name__ == "__main__":
    main()
