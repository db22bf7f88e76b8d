"""Cuts a one-minute film in the real window and keeps a picture of every step, to be looked at.

    xvfb-run -s "-screen 0 3840x2160x24" python -m tests.flows.walk_film --out DIR [--panels 6] [--seconds 60]

Five clips, four with sound, cut by keys and mouse, with dissolves, a wipe, a fade and titles from an SRT file; a
storyboard of six panels rendered with the built-in generator and placed behind them; played, saved, exported and
opened again.
"""

from __future__ import annotations

import argparse
import shutil
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QPlainTextEdit

from gen2studio.app.project_files import Project
from gen2studio.document.lookup import problems
from gen2studio.document.model import Clip, Sequence
from gen2studio.media.audio_reader import AudioReader
from gen2studio.media.decoder import open_decoder
from gen2studio.media.probe import probe
from gen2studio.ui.dialogs.export_dialog import ExportDialog
from gen2studio.ui.main_window import MainWindow
from tests.flows.walk import LEFT, MEDIA, NONE, Walk, wait

CLIPS = (
    "clips/drone_coast_gopro_karma_12s.mp4",
    "clips/sam2_dog_fetch_1280x720_10s.mp4",
    "clips/bbb_640x360_10s_audio.mp4",
    "clips/handheld_walk_gopro_hero7_12s.mp4",
    "clips/people_street_bw_red_960x540_15.7s.mp4",
)
SHOTS = (
    ("the sea at dawn, wide", "style/hokusai_great_wave.jpg"),
    ("a red ball on a green field", ""),
    ("a city at night", "style/mockup_pairs/stylit_source_grey_render.png"),
    ("a yellow sun over a blue sea", ""),
    ("two boxes on a table", ""),
    ("stars in a dark sky", "style/van_gogh_starry_night.jpg"),
)
TITLES = (
    "The coast",
    "A dog at play",
    "<i>Meanwhile, a rabbit</i>",
    "The long way home",
    "What the machine drew",
    "The end",
)


class FilmWalk(Walk):
    """One film from an empty project to a file that was opened again."""

    clips = CLIPS

    @classmethod
    def over(cls, window: MainWindow, out: Path, clips: tuple[str, ...]) -> FilmWalk:
        """A walk through a window that is open already, with fewer clips: what the tests do."""
        walk = cls.__new__(cls)
        walk.out, walk.frames, walk.step, walk.begun, walk.clips = out, 0, 0, time.perf_counter(), clips
        walk.studio, walk.window = window.studio, window
        return walk

    @property
    def sequence(self) -> Sequence:
        found = self.studio.session.sequence
        assert found is not None
        return found

    def pictures(self) -> tuple[Clip, ...]:
        return self.sequence.video_tracks[0].clips

    def key(self, key: Qt.Key, keys: Qt.KeyboardModifier = NONE) -> None:
        view = self.window.timeline.view
        if not self.window.isActiveWindow():
            # Without a window manager nobody else does that, and keys go nowhere.
            self.window.activateWindow()
            self.until(self.window.isActiveWindow, 5)
        view.setFocus()
        QTest.keyClick(view, key, keys)
        wait(60)

    def go(self, frame: int) -> None:
        self.studio.session.set_playhead(frame)
        wait(120)

    def point(self, frame: float, track_id: str, dy: int = 30) -> QPoint:
        timeline = self.window.timeline
        row = timeline.view.layout_now.row_of_track(track_id)
        assert row is not None
        return QPoint(round(frame * timeline.viewport.ppf) - timeline.viewport.scroll_x, row.top + dy)

    def pull(self, start: QPoint, stop: QPoint) -> None:
        """A drag with the mouse on the timeline."""
        view = self.window.timeline.view
        QTest.mousePress(view, LEFT, NONE, start)
        for part in (0.2, 0.5, 0.8, 1.0):
            place = start + (stop - start) * part
            where = QPointF(place)
            moved = QMouseEvent(
                QEvent.Type.MouseMove, where, QPointF(view.mapToGlobal(place)), Qt.MouseButton.NoButton, LEFT, NONE
            )
            QApplication.sendEvent(view, moved)
            wait(40)
        QTest.mouseRelease(view, LEFT, NONE, stop)
        wait(100)

    # -- the cut ---------------------------------------------------------------------------------------------------

    def cut(self, seconds: int) -> None:
        """Four clips in a row, trimmed by keys, one by the mouse, with joins, fades and levels."""
        studio, session = self.studio, self.studio.session
        studio.new_project()
        self.shoot("empty")
        studio.import_files([MEDIA / name for name in self.clips])
        self.until(lambda: session.sequence is not None and len(self.pictures()) == len(self.clips))
        self.act("timeline.zoom_fit")
        self.until(lambda: studio.feed.picture.shows == "source")
        self.shoot("imported")
        length = round(self.sequence.rate * (seconds - 14) / len(self.clips))
        for number in range(len(self.clips)):
            # Into the clip by ten frames and out after its share: Q and W at the playhead.
            clip = self.pictures()[number]
            self.go(clip.start + 10)
            self.key(Qt.Key.Key_Q)
            clip = self.pictures()[number]
            self.go(min(clip.start + length, clip.end - 12))
            self.key(Qt.Key.Key_W)
        self.act("timeline.zoom_fit")
        self.shoot("trimmed_by_keys")
        clip = self.pictures()[-1]
        track = self.sequence.video_tracks[0].id
        before = clip.duration
        edge = self.point(clip.end, track, 40) - QPoint(2, 0)
        self.pull(edge, edge - QPoint(max(24, round(9 * self.window.timeline.viewport.ppf)), 0))
        print(f"          dragged the last edge: {before} → {self.pictures()[-1].duration} frames", flush=True)
        joins = ((1, "timeline.add_dissolve"), (2, "timeline.add_wipe"), (3, "timeline.add_dissolve"))
        for number, action in joins[: len(self.clips) - 1]:
            clip = self.pictures()[number]
            self.key(Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
            self.go(clip.start)
            self.act(action)
        print(f"          transitions: {[t.kind.value for t in self.sequence.video_tracks[0].transitions]}", flush=True)
        session.set_selection(frozenset({self.pictures()[0].id}))
        self.go(self.pictures()[0].start + 15)
        self.act("timeline.fade_in")
        self.act("timeline.zoom_fit")
        self.go(self.pictures()[1].start)
        self.shoot("joined")

    def titles(self) -> None:
        """Captions from an SRT file through the menu."""
        file = self.out / "titles.srt"
        lines: list[str] = []
        for number, text in enumerate(TITLES):
            start = number * 9 + 1
            stamp = f"00:00:{start:02d},000 --> 00:00:{start + 3:02d},500"
            lines += [str(number + 1), stamp, text, ""]
        file.write_text("\n".join(lines), "utf-8")
        self.act("subtitle.import")
        dialog = self.window.findChild(QFileDialog, "subtitleImport.fileDialog")
        assert dialog is not None
        dialog.fileSelected.emit(str(file))
        dialog.close()
        self.until(lambda: len(self.sequence.subtitles) == len(TITLES))
        self.go(round(self.sequence.rate * 2))
        wait(600)
        self.shoot("titles")

    # -- the storyboard ----------------------------------------------------------------------------------------------

    def storyboard(self, panels: int) -> None:
        """Panels with words and pictures, rendered and placed behind the cut."""
        studio = self.studio
        boards = studio.storyboards
        self.window.raise_dock("storyboard")
        for words, picture in SHOTS[:panels]:
            self.act("board.new_panel")
            wait(200)
            board = boards.current
            assert board is not None
            panel = board.panels[-1]
            field = self.window.findChild(QPlainTextEdit, "board.panel.prompt")
            assert field is not None
            field.setFocus()
            QTest.keyClicks(field, words)
            QTest.keyClick(field, Qt.Key.Key_Return)
            wait(150)
            if picture:
                boards.set_picture(panel.id, MEDIA / picture, keep_picture=False)
            boards.change_panel(panel.id, seconds=Fraction(2))
        board = boards.current
        assert board is not None
        assert len(board.panels) == panels
        print(f"          prompts: {[p.prompt for p in board.panels]}", flush=True)
        self.shoot("storyboard")
        self.act("board.generate")
        self.until(lambda: len(self.made()) == panels or wait(500), 900)
        self.shoot("board_rendered")

    def made(self) -> list[Clip]:
        """The clips of panels whose take is complete."""
        board = self.studio.storyboards.current
        assert board is not None
        document = self.studio.store.document
        clips = [self.studio.storyboards.clip_of(panel.id) for panel in board.panels]
        return [c for c in clips if c is not None and c.active_take and document.takes[c.active_take].complete]

    # -- look, save, export --------------------------------------------------------------------------------------------

    def play(self) -> None:
        """Two seconds of playing, by the space bar."""
        self.window.raise_dock("timeline")
        self.act("timeline.zoom_fit")
        self.go(self.pictures()[1].start - 20)
        self.key(Qt.Key.Key_Space)
        wait(1500)
        self.shoot("playing")
        self.key(Qt.Key.Key_Space)
        print(f"          dropped while playing: {self.studio.player.dropped}", flush=True)

    def sizes(self) -> None:
        for width, height in ((1366, 768), (3840, 2160), (1920, 1080)):
            self.window.setGeometry(0, 0, width, height)
            wait(500)
            self.act("timeline.zoom_fit")
            self.shoot(f"{width}x{height}")

    def finish(self) -> None:
        """Save, export with burned captions, open both again and compare."""
        studio = self.studio
        folder = self.out / "film.g2s"
        shutil.rmtree(folder, ignore_errors=True)
        assert studio.save_as(folder)
        film = self.out / "film.mp4"
        film.unlink(missing_ok=True)
        self.act("file.export")
        dialog = self.window.findChild(ExportDialog)
        assert dialog is not None
        dialog.path.setText(str(film))
        wait(300)
        dialog.grab().save(str(self.out / f"{self.step + 1:02d}_export_dialog.png"))
        QTest.mouseClick(dialog.start, LEFT)
        self.until(lambda: film.exists() and not dialog.running, 900)
        dialog.reject()
        wanted = self.sequence.duration / self.sequence.rate
        info = probe(film)
        print(
            f"          {film.name}: {float(info.duration):.2f} s of {float(wanted):.2f}, {info.width}×{info.height}",
            flush=True,
        )
        assert abs(info.duration - wanted) < 2 / self.sequence.rate
        assert info.audio is not None
        sound = AudioReader(film)
        level = float(np.abs(sound.read(Fraction(1), 3 * 48000)).max())
        sound.close()
        assert level > 0.01, level
        decoder = open_decoder(film)
        count = decoder.clock.frame_count  # type: ignore[attr-defined]
        tiles = [decoder.rgb(round(i * (count - 1) / 23)) for i in range(24)]
        decoder.close()
        rows = [np.concatenate([t[::3, ::3] for t in tiles[i : i + 6]], 1) for i in range(0, 24, 6)]
        sheet = np.ascontiguousarray(np.concatenate(rows, 0))
        image = QImage(sheet.data, sheet.shape[1], sheet.shape[0], sheet.strides[0], QImage.Format.Format_RGB888)
        image.save(str(self.out / "film_sheet.png"))
        with av.open(str(film)) as container:
            assert container.streams.video[0].codec_context.name == "h264"
        before = studio.store.document
        project, again = Project.open_copy(folder)
        project.close()
        assert again.sequences == before.sequences
        assert again.boards == before.boards
        assert problems(self.sequence, before.media) == []


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path("out/film"))
    parser.add_argument("--panels", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    walk = FilmWalk(options.out, 0)
    walk.cut(options.seconds)
    walk.titles()
    if options.panels:
        walk.storyboard(options.panels)
    walk.play()
    walk.sizes()
    walk.finish()
    walk.window.shutdown()
    walk.window.hide()


if __name__ == "__main__":
    main()
