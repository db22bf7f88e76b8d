"""Small documents over real clips, for tests of what comes out."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gen2studio.core.frozen import frozen_map
from gen2studio.core.hashing import file_fingerprint
from gen2studio.document.look import Look
from gen2studio.document.model import Clip, Document, MediaItem, Sequence, Take, Track, TrackKind
from gen2studio.engine.take_store import TakeStore
from gen2studio.media.probe import probe

DOG = "clips/golden_retriever_512_3.2s.mp4"
BUNNY = "clips/bbb_640x360_10s_audio.mp4"
SEQ = "seq-000000000001"


def item_of(path: Path, media_id: str = "media-000000000001") -> MediaItem:
    return MediaItem(
        id=media_id, name=path.name, path=path.as_posix(), fingerprint=file_fingerprint(path), info=probe(path)
    )


def clip_of(item: MediaItem, clip_id: str = "clip-000000000001", *, start: int = 0, duration: int = 10) -> Clip:
    return Clip(id=clip_id, media_id=item.id, name=item.name, start=start, duration=duration)


def sequence_with(
    *video: tuple[Clip, ...],
    audio: tuple[tuple[Clip, ...], ...] = (),
    rate: Fraction = Fraction(10),
    size: tuple[int, int] = (512, 512),
) -> Sequence:
    tracks: list[Track] = []
    for kind, letter, rows in ((TrackKind.VIDEO, "V", video), (TrackKind.AUDIO, "A", audio)):
        for number, clips in enumerate(rows):
            track_id = f"track-{len(tracks):012x}"
            tracks.append(Track(id=track_id, kind=kind, name=f"{letter}{number}", clips=clips))
    return Sequence(id=SEQ, name="Timeline", rate=rate, width=size[0], height=size[1], tracks=tuple(tracks))


def document_with(sequence: Sequence, *items: MediaItem, takes: tuple[Take, ...] = ()) -> Document:
    return Document(
        id="doc-000000000001",
        name="Test",
        media=frozen_map({item.id: item for item in items}),
        sequences=frozen_map({sequence.id: sequence}),
        active_sequence=sequence.id,
        takes=frozen_map({take.id: take for take in takes}),
    )


def simple(path: Path, frames: int = 10, **clip_changes: object) -> Document:
    """One clip of ``path`` at its own size and rate, with its sound when it has any."""
    item = item_of(path)
    clip = replace(clip_of(item, duration=frames), **clip_changes)  # type: ignore[arg-type]
    sound = ((replace(clip, id="clip-000000000002"),),) if item.info.audio else ()
    sequence = sequence_with((clip,), audio=sound, rate=item.info.rate, size=(item.info.width, item.info.height))
    return document_with(sequence, item)


def stored_take(
    store: TakeStore, item: MediaItem, frames: range, colour: tuple[int, int, int], size: tuple[int, int]
) -> Take:
    """A take of plain pictures on disk."""
    take_id = "take-0000000000aa"
    recipe = (
        '{"t":"GenerateRequest","generator":"example","revision":"7","seed":42,"prompt":"ink on paper",'
        '"masks":[{"t":"MaskTrackRef","frames":[]}]}'
    )
    store.begin(take_id, "digest", recipe)
    for frame in frames:
        store.write(take_id, frame, plain(colour, size))
    return Take(
        id=take_id,
        media_id=item.id,
        name="Take 1",
        request_digest="digest",
        recipe=recipe,
        look=Look(prompt="ink on paper", seed=42),
        start=frames.start,
        stop=frames.stop,
        done=((frames.start, frames.stop),),
        width=size[0],
        height=size[1],
    )


def plain(colour: tuple[int, int, int], size: tuple[int, int]) -> NDArray[np.uint8]:
    picture = np.empty((size[1], size[0], 3), np.uint8)
    picture[...] = colour
    return picture


def accurate_pictures(path: Path) -> list[NDArray[np.uint8]]:
    """Every frame as RGB by swscale's most accurate conversion: the yardstick for what a file holds."""
    import av
    from av.video.reformatter import ColorRange, Interpolation

    exact = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
    with av.open(str(path)) as container:
        return [
            frame.reformat(format="rgb24", interpolation=exact, dst_color_range=ColorRange.JPEG).to_ndarray()
            for frame in container.decode(video=0)
        ]


def mean_delta_e(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> float:
    """Mean CIE 1976 colour difference of two sRGB pictures."""
    import cv2

    first, second = (cv2.cvtColor(p.astype(np.float32) / 255, cv2.COLOR_RGB2Lab) for p in (left, right))
    return float(np.linalg.norm(first - second, axis=2).mean())
