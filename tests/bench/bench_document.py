"""How long timeline edits, undo, saving and opening take: ``python -m tests.bench.bench_document``.

CPU milliseconds, the best of several rounds in which both sizes take turns. The clips are as a cut film has them:
linked pairs, a dissolve at every third cut, fades and keys on every fourth clip. Limits at 1,000 clips on 20 tracks: an
edit 10 ms, undo 5 ms, save 300 ms, open 1 s; at 10,000 clips no worse than linear, which is told against a copy of as
many plain lists (the last row), because ten times the memory no longer fits into a processor's cache.
"""

from __future__ import annotations

import copy
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from PySide6.QtCore import QCoreApplication

from gen2studio.app.project_files import Project
from gen2studio.app.store import DocumentStore
from gen2studio.core.curve import AT_ONE, AT_ZERO, Curve, CurveKey, Ease
from gen2studio.core.frozen import frozen_map
from gen2studio.core.garbage import collector_paused
from gen2studio.document import codec, edits, lookup, snapping
from gen2studio.document.composition import Transition
from gen2studio.document.deltas import difference
from gen2studio.document.model import Clip, Document, Sequence, Track
from gen2studio.document.sequences import add_sequence, with_sequence
from tests.document.builders import video

LIMITS = {
    "ripple at the head": 10.0,
    "insert at the head": 10.0,
    "undo": 5.0,
    "ripple trim at the head": 10.0,
    "slip the first clip": 10.0,
    "move the last clip": 10.0,
    "razor all tracks": 10.0,
    "save (text)": 300.0,
    "save (project)": 300.0,
    "open (text)": 1000.0,
    "open (project)": 1000.0,
}


KEYS = Curve(1.0, (CurveKey(0, 0.0), CurveKey(12, 1.0, Ease.SMOOTH), CurveKey(45, 0.5)))
ROUNDS = 7


def long_sequence(count: int, media_id: str) -> Sequence:
    """``count`` clips on 20 tracks, in linked pairs."""
    sequence = edits.new_sequence("Long", Fraction(25), 1920, 1080, video_tracks=10, audio_tracks=10)
    tracks: list[Track] = []
    for lane, track in enumerate(sequence.tracks):
        clips = tuple(
            Clip(
                id=f"clip-{lane:04x}{n:08x}",
                media_id=media_id,
                name="clip",
                start=n * 50,
                duration=50,
                source_in=Fraction(2),
                link=f"link-{lane % 10:04x}{n:08x}",
                fade_in=0 if n % 4 else 10,
                opacity=AT_ONE if n % 4 or lane > 9 else KEYS,
                volume=AT_ZERO if n % 4 or lane < 10 else KEYS,
            )
            for n in range(count // 20)
        )
        joins = tuple(
            Transition(id=f"cross-{lane:04x}{n:08x}", left=clips[n].id, right=clips[n + 1].id, before=8, after=8)
            for n in range(0, len(clips) - 1, 3)
        )
        tracks.append(replace(track, clips=clips, transitions=joins))
    return replace(sequence, tracks=tuple(tracks))


class Measured:
    """One size of project, and what is done with it."""

    def __init__(self, count: int, folder: Path) -> None:
        item = video()
        media = frozen_map({item.id: item})
        sequence = long_sequence(count, item.id)
        assert not lookup.problems(sequence, media)
        document = add_sequence(Document(id="doc-0123456789ab", media=media), sequence)
        first = [track.clips[0].id for track in sequence.tracks]
        head, last = sequence.tracks[0].clips[0].id, sequence.tracks[0].clips[-1].id
        edited = with_sequence(document, edits.ripple_delete(sequence, first, all_tracks=True))
        card = Clip(id="clip-ffff00000000", media_id=item.id, name="new", start=0, duration=25)
        store = DocumentStore(document)
        store.apply("Ripple", edited)
        project, _ = Project.new()
        place = folder / f"{count}.g2s"
        project.save_as(document, place)
        project.close()
        text = codec.dumps(document, None)
        plain = [[[clip.id, clip.start, clip.duration, clip.link] for clip in t.clips] for t in sequence.tracks]

        def undo() -> None:
            store.undo_stack.undo()
            store.undo_stack.redo()

        def open_project() -> None:
            opened, _ = Project.open(place)
            opened.close()

        def save_project() -> None:
            opened, found = Project.open(place)
            start = time.thread_time()
            opened.save(found)
            self.saved = time.thread_time() - start
            opened.close()

        self.saved = 0.0
        self.size = len(text)
        self.works: dict[str, Callable[[], object]] = {
            "ripple at the head": lambda: edits.ripple_delete(sequence, first, all_tracks=True),
            "insert at the head": lambda: edits.insert(sequence, [edits.Placement(sequence.tracks[0].id, card)]),
            "ripple trim at the head": lambda: edits.ripple_trim_tail(sequence, head, 5, media, all_tracks=True),
            "slip the first clip": lambda: edits.slip(sequence, head, 5, media),
            "move the last clip": lambda: edits.move(sequence, [last], 100),
            "razor all tracks": lambda: edits.razor(sequence, 25),
            "check all rules": lambda: lookup.problems(sequence, media),
            "snap points": lambda: snapping.snap_points(sequence),
            "undo": undo,
            "journal record": lambda: difference(document, edited),
            "save (text)": lambda: codec.dumps(document, Path("/films/long.g2s")),
            "save (project)": save_project,
            "open (text)": lambda: codec.loads(text, None),
            "open (project)": open_project,
            "plain lists": lambda: copy.deepcopy(plain),
        }

    def cpu(self, name: str) -> float:
        """Seconds on this thread, once."""
        start = time.thread_time()
        self.works[name]()
        spent = time.thread_time() - start
        return self.saved if name == "save (project)" else spent / 2 if name == "undo" else spent


def main() -> None:
    application = QCoreApplication([])
    # As in the window, which starts with the collector paused: documents are trees, it would find nothing in them.
    with tempfile.TemporaryDirectory() as folder, collector_paused():
        os.environ["GEN2STUDIO_HOME"] = folder
        small, big = Measured(1000, Path(folder)), Measured(10000, Path(folder))
        print(f"{'CPU ms':26}{'1,000 clips':>12}{'limit':>9}{'10,000 clips':>14}{'ratio':>8}")
        for name in small.works:
            best = [float("inf"), float("inf")]
            for _ in range(ROUNDS):
                for index, size in enumerate((small, big)):
                    best[index] = min(best[index], size.cpu(name) * 1000)
            limit = f"{LIMITS[name]:.0f}" if name in LIMITS else ""
            print(f"{name:26}{best[0]:12.2f}{limit:>9}{best[1]:14.2f}{best[1] / max(best[0], 1e-6):8.1f}", flush=True)
        print(f"{'project text, kB':26}{small.size / 1024:12.0f}{'':9}{big.size / 1024:14.0f}")
    del application


if __name__ == "__main__":
    main()
