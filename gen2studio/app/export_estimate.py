"""How large an export will be: a second from its middle is made for real, and the rest is reckoned from it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gen2studio.app.compositor import sequence_of
from gen2studio.app.export import export_sequence
from gen2studio.app.export_picture import exported_frames
from gen2studio.app.export_values import ExportSettings, export_range
from gen2studio.core.cancel import CancelToken
from gen2studio.document.model import Document
from gen2studio.media.encoder_presets import preset_of

_FRAMES = 24
"""Frames that are encoded to learn from."""


def estimated_bytes(
    document: Document, settings: ExportSettings, take_folder: Callable[[str], Path], cancel: CancelToken | None = None
) -> int:
    """About how many bytes the export will have, without its extras; blocks.

    Raises ExportError, MediaError or Cancelled.
    """
    sequence = sequence_of(document)
    start, stop = export_range(sequence, settings)
    preset = preset_of(settings.preset)
    frames, rate = exported_frames(sequence.rate, start, stop, preset, settings)
    length = min(stop - start, max(1, round(_FRAMES * sequence.rate / rate)))
    first = start + (stop - start - length) // 2
    with tempfile.TemporaryDirectory(prefix="gen2studio-") as folder:
        sample = replace(
            settings, path=Path(folder) / "sample", start=first, stop=first + length, sidecar=False, loudness=None,
            srt=False, caption_track=False, track_mattes=False, mask_mattes=False, certificate="", private_key="",
        )  # fmt: skip
        result = export_sequence(document, sample, take_folder=take_folder, cancel=cancel)
        size = sum(f.stat().st_size for f in (result.path.iterdir() if result.path.is_dir() else [result.path]))
    return round(size * len(frames) / max(1, result.frames))


def size_text(size: int) -> str:
    """``820 kB``, ``3.4 MB``, ``1.2 GB``."""
    for limit, divisor, unit, digits in ((1e6, 1e3, "kB", 0), (1e9, 1e6, "MB", 1), (1e18, 1e9, "GB", 1)):
        if size < limit:
            return f"{size / divisor:.{digits}f} {unit}"
    return f"{size / 1e12:.1f} TB"
