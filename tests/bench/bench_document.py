"""How long timeline edits, undo, saving and opening take: ``python -m tests.bench.bench_document``.

CPU milliseconds (best of five). Limits at 1,000 clips on 20 tracks: an edit 10 ms, undo 5 ms, save 300 ms, open 1 s; at
10,000 clips no worse than linear.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from PySide6.QtCore import QCoreApplication

from gen2studio.app.store import DocumentStore
from gen2studio.core.frozen import frozen_map
from gen2studio.document import codec, edits, snapping
from gen2studio.document.deltas import difference
from gen2studio.document.model import Clip, Document, Sequence
from gen2studio.document.sequences import add_sequence, with_sequence
from tests.document.builders import video

LIMITS = {
    "ripple at the head": 10.0,
    "insert at the head": 10.0,
    "undo": 5.0,
    "save (text)": 300.0,
    "open (text)": 1000.0,
}


def long_sequence(count: int, media_id: str) -> Sequence:
    """``count`` clips on 20 tracks, in linked pairs."""
    sequence = edits.new_sequence("Long", Fraction(25), 1920, 1080, video_tracks=10, audio_tracks=10)
    tracks = [
        replace(
            track,
            clips=tuple(
                Clip(
                    id=f"clip-{lane:04x}{n:08x}",
                    media_id=media_id,
                    name="clip",
                    start=n * 50,
                    duration=50,
                    link=f"link-{lane % 10:04x}{n:08x}",
                )
                for n in range(count // 20)
            ),
        )
        for lane, track in enumerate(sequence.tracks)
    ]
    return replace(sequence, tracks=tuple(tracks))


def cpu_ms(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(5):
        start = time.thread_time()
        work()
        best = min(best, time.thread_time() - start)
    return best * 1000


def measure(count: int) -> dict[str, float]:
    item = video()
    sequence = long_sequence(count, item.id)
    document = add_sequence(Document(id="doc-0123456789ab", media=frozen_map({item.id: item})), sequence)
    first = [track.clips[0].id for track in sequence.tracks]
    rippled = edits.ripple_delete(sequence, first, all_tracks=True)
    edited = with_sequence(document, rippled)
    card = Clip(id="clip-ffff00000000", media_id=item.id, name="new", start=0, duration=25)
    store = DocumentStore(document)
    store.apply("Ripple", edited)

    def undo() -> None:
        store.undo_stack.undo()
        store.undo_stack.redo()

    text = codec.dumps(document, None)
    last = sequence.tracks[0].clips[-1].id
    return {
        "ripple at the head": cpu_ms(lambda: edits.ripple_delete(sequence, first, all_tracks=True)),
        "insert at the head": cpu_ms(lambda: edits.insert(sequence, [edits.Placement(sequence.tracks[0].id, card)])),
        "move the last clip": cpu_ms(lambda: edits.move(sequence, [last], 100)),
        "razor all tracks": cpu_ms(lambda: edits.razor(sequence, 25)),
        "snap points": cpu_ms(lambda: snapping.snap_points(sequence)),
        "undo": cpu_ms(undo) / 2,
        "journal record": cpu_ms(lambda: difference(document, edited)),
        "save (text)": cpu_ms(lambda: codec.dumps(document, Path("/films/long.g2s"))),
        "open (text)": cpu_ms(lambda: codec.loads(text, None)),
    }


def main() -> None:
    application = QCoreApplication([])
    small, big = measure(1000), measure(10000)
    print(f"{'CPU ms':22}{'1,000 clips':>12}{'limit':>9}{'10,000 clips':>14}{'ratio':>8}")
    for name, value in small.items():
        limit = f"{LIMITS[name]:.0f}" if name in LIMITS else ""
        print(f"{name:22}{value:12.2f}{limit:>9}{big[name]:14.2f}{big[name] / max(value, 1e-6):8.1f}")
    del application


if __name__ == "__main__":
    main()
