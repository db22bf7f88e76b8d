"""The timeline with 1,000 and 10,000 clips on 20 tracks: ``python -m tests.bench.bench_timeline``
(``--quick``: 1,000 only).

Times are CPU milliseconds of the UI thread for one action with its repaint (offscreen platform, 1600×600), p50 and p95
of many. Every measured state is also looked at: a uniform picture means that nothing was painted.

The limits are for the timeline as it opens: everything is shown but the lines of opacity and volume, which are a
switch; with them on, the same actions follow without a limit. While a crowded timeline is zoomed its picture is rough;
what finishing it takes once the zoom has come to rest is told as its longest slice (an event may have to wait so long)
and as the whole.
"""

from __future__ import annotations

import itertools
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtCore import QCoreApplication, QEvent, QEventLoop, QRectF, QTimer
from PySide6.QtGui import QBrush, QImage, QPen, QTransform
from PySide6.QtWidgets import QApplication, QGraphicsScene, QGraphicsSimpleTextItem, QGraphicsView

from gen2studio.app.session import Session
from gen2studio.app.store import DocumentStore
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.core.curve import Curve, CurveKey, Ease
from gen2studio.core.frozen import frozen_map
from gen2studio.core.ids import new_id
from gen2studio.core.media_info import AudioInfo, MediaInfo, MediaKind
from gen2studio.document import edits, sequences
from gen2studio.document.composition import Subtitle, Transition, TransitionKind
from gen2studio.document.model import Clip, Document, Marker, MediaItem
from gen2studio.ui import theme
from gen2studio.ui.timeline.panel import TimelinePanel
from gen2studio.ui.timeline.thumbs import HEIGHTS
from gen2studio.ui.timeline.waveforms import WavePyramid

WIDTH, HEIGHT = 1600, 600
RATE = Fraction(25)


def crowded(clips: int, height: int) -> Document:
    """``clips`` clips on 10 video and 10 audio tracks, with cuts and gaps, from eight media; with everything that a
    film has at its end: a transition on every third cut, fades and keys on every fourth clip, groups, reverse and
    slowed clips, a subtitle for every five clips and a marker for every twenty."""
    luck = random.Random(7)
    media = {}
    for k in range(8):
        info = MediaInfo(
            kind=MediaKind.VIDEO,
            width=640,
            height=360,
            rate=RATE,
            frame_count=15000,
            duration=Fraction(600),
            audio=AudioInfo(48000, 2, "aac", Fraction(600)),
        )
        item = MediaItem(
            id=f"media-{k:012x}", name=f"shot_{k:02d}.mp4", path=f"/none/{k}.mp4", fingerprint="", info=info
        )
        media[item.id] = item
    sequence = edits.new_sequence("Bench", RATE, 1920, 1080, video_tracks=10, audio_tracks=10)
    tracks = []
    for track in sequence.tracks:
        at, lane = 0, []
        for k in range(clips // 20):
            at += luck.choice((0, 0, 0, 12))
            duration = luck.randint(40, 200)
            media_id = f"media-{luck.randrange(8):012x}"
            lane.append(
                Clip(
                    id=new_id("clip"),
                    media_id=media_id,
                    name=f"shot_{k:02d}.mp4",
                    start=at,
                    duration=duration,
                    source_in=Fraction(luck.randint(20, 400)),
                    speed=Fraction(1, 2) if k % 9 == 4 else Fraction(1),
                    reverse=k % 11 == 5,
                    group=f"group-{k // 8}" if k % 8 < 2 else "",
                    fade_in=12 if k % 4 == 0 else 0,
                    fade_out=18 if k % 4 == 1 else 0,
                    opacity=_keyed(1.0, duration) if k % 4 == 2 else Curve(1.0),
                    volume=_keyed(0.0, duration) if k % 4 == 2 else Curve(),
                )
            )
            at += duration
        mixes = [
            Transition(
                id=new_id("cross"), left=a.id, right=b.id, kind=luck.choice(list(TransitionKind)), before=8, after=8
            )
            for k, (a, b) in enumerate(itertools.pairwise(lane))
            if a.end == b.start and k % 3 == 0
        ]
        tracks.append(replace(track, clips=tuple(lane), transitions=tuple(mixes), height=height))
    length = max(t.clips[-1].end for t in tracks)
    spoken = clips // 5
    subtitles = tuple(
        Subtitle(
            id=f"sub-{k}",
            start=k * length // spoken,
            duration=max(2, length // spoken - 4),
            text=f"Line {k} of the film",
        )
        for k in range(spoken)
    )
    inks = ("amber", "red", "green", "blue", "violet")
    markers = tuple(
        Marker(
            id=f"marker-{k}", frame=k * 20 * length // clips, duration=25 * (k % 2), name=f"M{k}", colour=inks[k % 5]
        )
        for k in range(clips // 20)
    )
    document = Document(id=new_id("doc"), media=frozen_map(media))
    full = replace(sequence, tracks=tuple(tracks), subtitles=subtitles, markers=markers)
    return sequences.add_sequence(document, full)


def _keyed(value: float, duration: int) -> Curve:
    keys = (CurveKey(4, value, Ease.SMOOTH), CurveKey(duration // 2, value - 0.5), CurveKey(duration - 4, value))
    return Curve(value, keys)


def settle(milliseconds: int) -> None:
    """Let Qt show windows and lay them out."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


class Bench:
    """One panel with everything a busy project shows: pictures and sound are there already."""

    def __init__(self, document: Document, levels: bool = False) -> None:
        self.session = Session(DocumentStore(document))
        self.panel = TimelinePanel(self.session, TimelineEditing(self.session))
        self.view = self.panel.view
        luck = np.random.default_rng(3)
        for item in document.media.values():
            noise = luck.integers(8, 120, (60000, 1), dtype=np.int8)
            self.view.waveforms.put(item.path, WavePyramid(np.concatenate([-noise, noise], 1), 100.0))
        picture = luck.integers(0, 255, (48, 85, 4), dtype=np.uint8)
        picture[..., 3] = 255
        thumbnails = self.view.thumbnails
        for height in HEIGHTS[:2]:
            thumbnails.put("any", 0, height, picture[:height])
        known = thumbnails.get
        thumbnails.get = lambda path, moment, height: known("any", 0, height)  # type: ignore[method-assign]
        self.panel.resize(WIDTH + 160, HEIGHT + 90)
        self.panel.show()
        self.view.setFixedSize(WIDTH, HEIGHT)
        settle(200)
        assert (self.view.width(), self.view.height()) == (WIDTH, HEIGHT)
        self.panel.show_levels(levels)
        self.panel.viewport.fit()
        self.image = QImage(WIDTH, HEIGHT, QImage.Format.Format_ARGB32_Premultiplied)

    def measure(self, act: Callable[[int], None], count: int) -> list[float]:
        """CPU ms of ``act(i)`` and the repaint it asks for."""
        times: list[float] = []
        for i in range(count):
            painted = self.view.paintings
            begun = time.thread_time()
            act(i)
            # What the platform sends when the window shall be drawn: everything that is out of date, nothing else.
            QCoreApplication.sendEvent(self.panel, QEvent(QEvent.Type.UpdateRequest))
            times.append((time.thread_time() - begun) * 1000)
            assert self.view.paintings > painted, "nothing was painted"
        if count > 1:
            self.assert_painted()
        return times

    def paint_ahead(self) -> float:
        """Do what the view does while idle; CPU ms of its longest slice, which is what an event may have to wait."""
        longest = 0.0
        while True:
            begun = time.thread_time()
            more = self.view.paint_ahead()
            longest = max(longest, (time.thread_time() - begun) * 1000)
            if not more:
                return longest

    def finish(self, act: Callable[[int], None], count: int) -> tuple[list[float], list[float]]:
        """CPU ms of the longest slice and of all that follows when ``act(i)``, a zoom, has come to rest."""
        longest: list[float] = []
        whole: list[float] = []
        for i in range(count):
            self.measure(lambda _, i=i: act(i), 1)
            slices: list[float] = []
            begun = time.thread_time()
            self.view.rest()
            while self.view.unfinished:
                self.view.paint_ahead()
                slices.append((time.thread_time() - begun) * 1000)
                begun = time.thread_time()
            QCoreApplication.sendEvent(self.panel, QEvent(QEvent.Type.UpdateRequest))
            slices.append((time.thread_time() - begun) * 1000)
            longest.append(max(slices))
            whole.append(sum(slices))
        return longest, whole

    def scroll(self, step: int, count: int, idle: bool) -> tuple[list[float], list[float]]:
        """CPU ms of ``count`` scrolls by ``step`` pixels, and of the idle work after each (none without ``idle``)."""
        waits: list[float] = []
        times: list[float] = []
        for _ in range(count):
            if idle:
                waits.append(self.paint_ahead())
            times += self.measure(lambda _i: self.panel.viewport.scroll_to(self.panel.viewport.scroll_x + step, 0), 1)
        return times, waits

    def stand(self, ppf: float) -> None:
        """Show ``ppf`` pixels a frame from the start on, finished."""
        self.panel.viewport.zoom_to(ppf, 0)
        self.panel.viewport.scroll_to(0, 0)
        self.view.repaint()
        self.view.rest()
        self.paint_ahead()
        self.view.repaint()

    def assert_painted(self) -> None:
        self.view.render(self.image)
        pixels = np.frombuffer(self.image.constBits(), np.uint32)
        values, counts = np.unique(pixels, return_counts=True)
        assert len(values) >= 5 and counts.max() < 0.9 * pixels.size, "the picture is uniform: nothing was painted"

    def close(self) -> None:
        self.panel.close()
        self.panel.shutdown()
        self.panel.deleteLater()


def peer(document: Document, count: int) -> list[float]:
    """CPU ms of zooming the same clips in a QGraphicsView of plain rectangles with a name: no pictures, no sound."""
    sequence = document.sequence
    assert sequence is not None
    scene = QGraphicsScene()
    fill, line = QBrush(theme.colour("clip_video")), QPen(theme.colour("clip_video_edge"))
    for index, track in enumerate(sequence.tracks):
        for clip in track.clips:
            box = scene.addRect(QRectF(clip.start, index * 30, clip.duration, 28), line, fill)
            name = QGraphicsSimpleTextItem(clip.name, box)
            name.setPos(clip.start, index * 30)
            name.setFlag(name.GraphicsItemFlag.ItemIgnoresTransformations)
    view = QGraphicsView(scene)
    view.setFixedSize(WIDTH, HEIGHT)
    view.show()
    settle(100)
    fit = WIDTH / max(sequence.duration, 1)
    times: list[float] = []
    for i in range(count):
        begun = time.thread_time()
        view.setTransform(QTransform.fromScale(fit * (1 + 0.01 * (i % 5 + 1)), 1.0))
        QCoreApplication.sendEvent(view, QEvent(QEvent.Type.UpdateRequest))
        times.append((time.thread_time() - begun) * 1000)
    view.close()
    view.deleteLater()
    return times


def run(clips: int, height: int, levels: bool) -> dict[str, list[float]]:
    bench = Bench(crowded(clips, height), levels)
    view, viewport, session = bench.view, bench.panel.viewport, bench.session
    results: dict[str, list[float]] = {}
    fit = viewport.ppf
    zooms = [fit * 1.06**k for k in range(50)]
    viewport.zoom_to(zooms[-1], 800)
    view.repaint()
    results["zoom, from all visible to 18x"] = bench.measure(lambda i: viewport.zoom_to(zooms[i % 50], 800), 100)
    viewport.fit()
    results["zoom, all visible"] = bench.measure(lambda i: viewport.zoom_to(fit * (1 + 0.01 * (i % 5 + 1)), 800), 60)
    for name, steps in (("18x", 50), ("all visible", 1)):
        results[f"rest, {name}: longest slice"], results[f"rest, {name}: in all"] = bench.finish(
            lambda i, steps=steps: viewport.zoom_to(fit * 1.06**steps * (1 + 0.01 * (i % 5 + 1)), 800), 10
        )
    for name, scale in (("~130 visible", 1000 / 130), ("~30 visible", 1000 / 30)):
        bench.stand(fit * scale * clips / 1000)
        results[f"scroll, {name}"], results[f"idle slice, {name}"] = bench.scroll(13, 150, idle=True)
        bench.assert_painted()
        viewport.fit()
        bench.stand(fit * scale * clips / 1000)
        results[f"scroll without idle time, {name}"], _ = bench.scroll(13, 100, idle=False)
    viewport.scroll_to(0, 0)
    view.repaint()
    results["playhead"] = bench.measure(lambda i: session.set_playhead(10 + i * 3), 100)
    sequence = session.sequence
    assert sequence is not None
    clip = sequence.video_tracks[3].clips[2]
    results["drag one clip (with preview)"] = bench.measure(
        lambda i: view.show_preview(edits.move(sequence, [clip.id], 3 + i % 40, collision=edits.Collision.OVERWRITE)),
        80,
    )
    view.show_preview(None)
    bench.close()
    return results


def main() -> None:
    application = QApplication.instance() or QApplication([])
    assert isinstance(application, QApplication)
    theme.apply(application)
    print(f"{'action':39} {'tracks':>23} {'clips':>6} {'p50 ms':>8} {'p95 ms':>8} {'ratio':>6}  limit")
    plain = float(np.percentile(peer(crowded(1000, 28), 20), 50))
    print(f"{'zoom, QGraphicsView of plain boxes':39} {'20 in view':>23} {1000:6d} {plain:8.2f}")
    counts = (1000, 10000) if "--quick" not in sys.argv else (1000,)
    limits = {"zoom": 10.0, "scroll": 3.0}
    worst: dict[tuple[str, str], list[float]] = {}
    for levels in (False, True):
        for height, tracks in ((28, "20 in view"), (64, "9 in view, full")):
            label = f"{tracks}{', levels' if levels else ''}"
            for clips in counts:
                for action, times in run(clips, height, levels).items():
                    p50, p95 = np.percentile(times, [50, 95])
                    limit = limits.get(action.split(",")[0]) if clips == 1000 and not levels else None
                    verdict = "" if limit is None else f"{limit:.0f} {'ok' if p95 <= limit else 'MISSED'}"
                    print(f"{action:39} {label:>23} {clips:6d} {p50:8.2f} {p95:8.2f} {p50 / plain:6.2f}  {verdict}")
                    worst.setdefault((label, action), []).append(float(p50))
    print("\ngrowth from 1,000 to 10,000 clips (10 would be linear)")
    for (label, action), (small, *larger) in worst.items():
        print(f"{action:39} {label:>23} {larger[-1] / small if larger else 1:6.1f}x")


if __name__ == "__main__":
    main()
