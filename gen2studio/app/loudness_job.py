"""How loud a timeline is: its programme measured by EBU R 128 beside the window."""

from __future__ import annotations

import time
from fractions import Fraction
from math import isinf

from PySide6.QtCore import QObject

from gen2studio.app.export_values import ExportProgress
from gen2studio.app.file_job import FileJob, Tell
from gen2studio.core.cancel import CancelToken
from gen2studio.document.model import Document


def loudness_job(document: Document, parent: QObject | None = None) -> FileJob:
    """Measures the active sequence from in to out, or all of it; ``finished`` brings a sentence."""

    def work(token: CancelToken, tell: Tell) -> object:
        from gen2studio.app.audio_mix import AudioMixer
        from gen2studio.media.loudness import measure

        mixer = AudioMixer(document)
        sequence, rate = mixer.sequence, mixer.sample_rate
        start = sequence.in_point or 0
        stop = sequence.duration if sequence.out_point is None else sequence.out_point
        first = round(start / sequence.rate * rate)
        count = max(0, round(stop / sequence.rate * rate) - first)
        told = 0.0

        def on_part(part: float) -> None:
            nonlocal told
            token.check()
            if time.perf_counter() - told > 0.2:
                told = time.perf_counter()
                tell(ExportProgress(done=round(part * 100), total=100, frames_per_second=0.0, seconds_left=None))

        try:
            found = measure(lambda at, n: mixer.read(Fraction(first + at, rate), n), count, rate, on_part)
        finally:
            mixer.close()
        if isinf(found.integrated):
            return "The timeline is silent, or too quiet to have a loudness."
        return (
            f"Loudness {found.integrated:.1f} LUFS, range {found.span:.1f} LU, loudest three seconds "
            f"{found.short_term:.1f} LUFS, true peak {found.true_peak:.1f} dBTP."
        ).replace("-", "−")

    return FileJob("loudness", work, parent)
