"""What a file is, before anything is decoded."""

from __future__ import annotations

from pathlib import Path

from gen2studio.core.media_info import MediaInfo


def probe(path: Path | str, *, as_sequence: bool = False) -> MediaInfo:
    """The facts of a file, exact frame count included (one demux pass, remembered in a sidecar).

    A folder, a ``name_%06d.png`` pattern, or (with ``as_sequence``) the first file of a numbered run is a SEQUENCE;
    a single image is a STILL of one frame. Raises MediaError: one sentence and what to do.
    """
    ...
