"""Time to re-generate the stale spans of a clip against generating all of it again, in one run.

    python -m tests.bench.bench_stale_spans [--seconds 1]

A key of the strength is moved on a tenth of a clip; the same change is made as a new take and as a renewal of the old
one. Printed are wall seconds of both and the ratio, for a look painted frame by frame and for one whose strokes
are carried from key frames.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from fractions import Fraction
from pathlib import Path

os.environ.setdefault("GEN2STUDIO_HOME", tempfile.mkdtemp(prefix="bench-"))
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEventLoop
from PySide6.QtWidgets import QApplication

from gen2studio.app.studio import Studio
from gen2studio.compose import studio as make_studio
from gen2studio.core.curve import Curve, CurveKey
from gen2studio.document import edits
from gen2studio.document.model import Clip

MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media" / "clips"
CLIP = MEDIA / "cc0_toy_rabbit_table_720x480_8s.mp4"


def wait_for(signal: object, start: object = None) -> float:
    """Wall seconds from ``start()`` to the signal."""
    loop = QEventLoop()
    signal.connect(lambda *_: loop.quit())  # type: ignore[attr-defined]
    begun = time.perf_counter()
    if callable(start):
        start()
    loop.exec()
    return time.perf_counter() - begun


def target(studio: Studio) -> Clip:
    clip = studio.session.target_clip()
    assert clip is not None
    return clip


def ramp(frames: int, low: float) -> Curve:
    """The strength falls to ``low`` within the last tenth."""
    return Curve(1.0, (CurveKey(0, 1.0), CurveKey(frames * 9 // 10, 1.0), CurveKey(frames - 1, low)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=1.0)
    seconds = Fraction(parser.parse_args().seconds).limit_denominator(100)
    application = QApplication([])
    studio = make_studio(sound=False)
    studio.preferences.set("live_preview", False)
    wait_for(studio.importer.finished, lambda: studio.import_files([CLIP]))
    sequence = studio.session.sequence
    assert sequence is not None
    clip = target(studio)
    frames = round(seconds * sequence.rate)
    shorter = frames - clip.duration
    studio.editing.perform("Trim", lambda s: edits.trim_tail(s, clip.id, shorter, studio.store.document.media))
    print(f"{CLIP.name}, {frames} frames of 720 × 480; keys changed on the last tenth")
    print(f"{'look':<14}{'whole clip':>12}{'stale spans':>13}{'made':>7}{'kept':>7}{'ratio':>8}")
    for preset in ("noir", "oil"):
        studio.generation.change("Look", preset=preset)
        studio.generation.set_look("Keys", studio.generation.look.with_curve("strength", ramp(frames, 0.5)))
        wait_for(studio.takes.take_ended, studio.generation.run)  # also brings the kernels in
        studio.generation.apply_take(target(studio).takes[-1])
        studio.generation.set_look("Keys", studio.generation.look.with_curve("strength", ramp(frames, 0.2)))
        whole = wait_for(studio.takes.take_ended, studio.generation.run)
        told: list[object] = []
        studio.clip_takes.renewed.connect(lambda _take, renewal, told=told: told.append(renewal))
        part = wait_for(studio.clip_takes.renewed, studio.clip_takes.renew)
        made, kept = told[0].made, told[0].kept  # type: ignore[attr-defined]
        print(f"{preset:<14}{whole:>10.2f} s{part:>11.2f} s{made:>7}{kept:>7}{whole / part:>7.1f}×")
    studio.shutdown(discard=True)
    del application


if __name__ == "__main__":
    main()
