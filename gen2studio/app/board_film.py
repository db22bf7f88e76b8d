"""A storyboard as a film: what is seen and heard at each moment, and the animatic as a video file. No widgets."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from gen2studio.app.panel_pictures import PanelPictures, canvas_size
from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import ExportError, StudioError
from gen2studio.core.frozen import frozen_map
from gen2studio.core.geometry import Extent
from gen2studio.core.media_info import MediaKind
from gen2studio.core.records import dataclass
from gen2studio.document.board_camera import frame_at, frames_of_camera
from gen2studio.document.board_edits import panel_at, starts
from gen2studio.document.board_values import CameraFrame, SoundCue
from gen2studio.document.model import Board, Clip, Document, MediaItem, Panel, Sequence, Track, TrackKind

if TYPE_CHECKING:
    from gen2studio.media.frame_server import FrameServer
    from gen2studio.raster.drawing import Pixels

SAMPLE_RATE = 48000


@dataclass(frozen=True, slots=True)
class Moment:
    """What an animatic shows at a time."""

    panel: Panel
    seconds: Fraction
    """Into the panel."""
    frame: CameraFrame
    """What the camera sees of the picture."""


def moment(board: Board, second: Fraction) -> Moment:
    """What is shown at ``second`` of the board. Raises EditRefused where it has no panel."""
    place, into = panel_at(board, second)
    panel = board.panels[place]
    frames = panel.frames or frames_of_camera(panel.camera, board.width / board.height)
    return Moment(panel, into, frame_at(frames, float(into / panel.seconds)))


def mock_up_frame(document: Document, panel: Panel, seconds: Fraction) -> tuple[MediaItem, int] | None:
    """(media, frame) of the panel's mock-up footage ``seconds`` into it; its last frame when it is over."""
    found = panel.mock_up
    item = document.media.get(found.media_id) if found is not None else None
    if found is None or item is None or not item.info.width:
        return None
    if item.info.kind is MediaKind.STILL or not item.info.rate:
        return item, 0
    at = min(found.start + seconds, found.stop - Fraction(1, 1000))
    return item, min(math.floor(at * item.info.rate), max(0, item.info.frame_count - 1))


def sound_document(document: Document, board: Board) -> Document:
    """A document whose active timeline holds the sound of a board: its guide track, and every panel's dialogue."""
    cues: list[tuple[Fraction, SoundCue]] = [] if board.sound is None else [(Fraction(0), board.sound)]
    cues += [(at, p.sound) for at, p in zip(starts(board), board.panels, strict=False) if p.sound is not None]
    lanes: list[list[Clip]] = []
    end = round(sum((p.seconds for p in board.panels), Fraction(0)) * board.rate)
    for number, (at, cue) in enumerate(cues):
        item = document.media.get(cue.media_id)
        if item is None or item.info.audio is None:
            continue
        start = round(at * board.rate)
        length = math.floor((item.info.audio.duration - cue.start) * board.rate)
        length = min(length, end - start)
        if length <= 0:
            continue
        clip = Clip(
            id=f"cue-{number}", media_id=item.id, name=item.name, start=start, duration=length, source_in=cue.start,
            gain_db=cue.gain_db,
        )  # fmt: skip
        # Dialogue may run on under the next panel: each goes to the first lane that is free by then.
        lane = next((lane for lane in lanes if lane[-1].end <= start), None)
        if lane is None:
            lanes.append(lane := [])
        lane.append(clip)
    tracks = tuple(
        Track(id=f"lane-{i}", kind=TrackKind.AUDIO, name=f"A{i + 1}", clips=tuple(lane)) for i, lane in enumerate(lanes)
    )
    sequence = Sequence(
        id="animatic", name=board.name, rate=board.rate, width=board.width, height=board.height,
        sample_rate=SAMPLE_RATE, tracks=tracks,
    )  # fmt: skip
    return replace(document, sequences=frozen_map({sequence.id: sequence}), active_sequence=sequence.id)


class BoardPictures:
    """Makes the pictures of an animatic. One thread."""

    def __init__(
        self,
        document: Document,
        board: Board,
        pictures: PanelPictures,
        frames: FrameServer | None = None,
        size: tuple[int, int] | None = None,
    ) -> None:
        """``size`` None = as large as the board's shots; ``frames`` decodes mock-up footage (None = one of its own)."""
        self.document = document
        self.board = board
        self.size = size or (board.width, board.height)
        self.warnings: list[str] = []
        self._pictures = pictures
        self._frames = frames
        self._own: FrameServer | None = None

    def at(self, second: Fraction) -> Pixels:
        """The picture at ``second`` of the board, (H, W, 3) BGR."""
        shown = moment(self.board, second)
        return self.seen(shown)

    def seen(self, shown: Moment) -> Pixels:
        from gen2studio.raster import drawing

        frame = shown.frame
        whole = self.whole(shown.panel, shown.seconds)
        return drawing.seen_by(whole, frame.x, frame.y, frame.width, frame.angle, self.size)

    def whole(self, panel: Panel, seconds: Fraction = Fraction(0)) -> Pixels:
        """A panel's picture (or its mock-up's frame) without its camera, at the size panels are drawn at."""
        from gen2studio.raster import drawing

        canvas = canvas_size(self.board)
        try:
            footage = mock_up_frame(self.document, panel, seconds)
            if footage is not None:
                item, index = footage
                return drawing.fitted(self._server().get(item.path, index)[..., :3].copy(), *canvas)
            return self._pictures.shown(panel, canvas)
        except StudioError as error:
            sentence = f"Panel “{panel.name or self.board.panels.index(panel) + 1}” is shown empty: {error}"
            if sentence not in self.warnings:
                self.warnings.append(sentence)
            return drawing.paper(*canvas)

    def _server(self) -> FrameServer:
        if self._frames is not None:
            return self._frames
        if self._own is None:
            from gen2studio.media import codecs
            from gen2studio.media.frame_server import FrameServer

            codecs.load()
            self._own = FrameServer(64 << 20, workers=1)
            for item in self.document.media.values():
                self._own.describe(item.path, item.info)
        return self._own

    def close(self) -> None:
        if self._own is not None:
            self._own.shutdown()
            self._own = None


def write_film(
    document: Document,
    board: Board,
    path: Path,
    pictures: PanelPictures,
    *,
    preset_id: str = "h264",
    rate: Fraction | None = None,
    size: tuple[int, int] | None = None,
    cancel: CancelToken | None = None,
    on_progress: Callable[[int, int], object] | None = None,
) -> list[str]:
    """Write the animatic with its sound as a video file; returns sentences the artist should read. Blocks.

    ``rate`` None = 24 frames a second, so that camera moves run smoothly however few frames a shot will have. Raises
    ExportError, MediaError, Cancelled; then nothing is left.
    """
    from gen2studio.app.audio_mix import AudioMixer
    from gen2studio.media import codecs
    from gen2studio.media.encoder_presets import preset_of

    if not board.panels:
        raise ExportError("The storyboard has no panel.", "Add one first.")
    codecs.load()
    from gen2studio.media.encoder import Encoder

    rate = rate or Fraction(24)
    cancel = cancel or CancelToken()
    width, height = size or film_size(board)
    total = max(1, round(starts(board)[-1] * rate))
    mixer = AudioMixer(sound_document(document, board))
    source = BoardPictures(document, board, pictures, size=(width, height))
    heard = 0
    try:
        with Encoder(
            path, preset_of(preset_id), Extent(width, height), rate, sample_rate=SAMPLE_RATE if mixer.audible else 0
        ) as writer:
            for number in range(total):
                cancel.check()
                writer.write(source.at(Fraction(number) / rate)[..., ::-1])
                if writer.audio_wanted:
                    until = round(Fraction(number + 1) / rate * SAMPLE_RATE)
                    writer.write_audio(mixer.read(Fraction(heard, SAMPLE_RATE), until - heard))
                    heard = until
                if on_progress is not None:
                    on_progress(number + 1, total)
        return [*writer.notes, *source.warnings, *mixer.warnings]
    finally:
        source.close()
        mixer.close()


def film_size(board: Board) -> tuple[int, int]:
    """(width, height) of an animatic: that of the drawings, even on both sides."""
    width, height = canvas_size(board)
    return width // 2 * 2, height // 2 * 2
