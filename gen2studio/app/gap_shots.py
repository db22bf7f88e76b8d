"""A stretch of the timeline becomes a shot: exactly as long, joined to what stands on its two sides. No widgets.

Three ways: going on from the frames that the clip before ends with, from its last picture to the first one of the clip
behind, or by words alone. The shot has the timeline's own rate, so that it covers the stretch to the frame; a model's
own clock is the generator's business.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from gen2studio.app import planning
from gen2studio.app.generation import Generation
from gen2studio.app.planning_parts import take_source
from gen2studio.app.session import Session
from gen2studio.app.shot_wish import ShotWish, lead_frames
from gen2studio.app.shots import Shots
from gen2studio.core.errors import EditRefused, StudioError, sentence_of
from gen2studio.core.geometry import Extent
from gen2studio.core.ids import new_id
from gen2studio.core.records import dataclass
from gen2studio.document import edits, looks, lookup, sequences, shots
from gen2studio.document.look import Look, Mode, PaintedKey, Region
from gen2studio.document.model import Clip, Sequence, Shot, Track
from gen2studio.engine.requests import SourceRef


class Way(enum.Enum):
    """How a stretch is filled."""

    EXTEND = "extend"
    BETWEEN = "between"
    WORDS = "words"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Frames [start, stop) of the active sequence, and the clips that touch them on a track."""

    track_id: str
    start: int
    stop: int
    left: Clip | None = None
    right: Clip | None = None
    occupied: bool = False
    """Clips lie in it: the shot goes on a track above them."""

    @property
    def frames(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class _Picture:
    """A frame of media or of a take, to be read on the thread."""

    source: SourceRef
    frame: int
    name: str


@dataclass(frozen=True, slots=True)
class _Wish:
    stretch: Stretch
    way: Way
    prompt: str
    run: bool
    round: int


class GapShots(QObject):
    """Fills stretches. Lives on the UI thread; pictures are read on another."""

    filled = Signal(str, str)
    """(clip id, job id) of a shot that was laid into a stretch; the job id is empty when it only waits there."""
    _arrived = Signal(object, object, str)

    def __init__(
        self,
        session: Session,
        generation: Generation,
        shot_maker: Shots,
        add_blob: Callable[[Path | bytes], str],
        take_folder: Callable[[str], Path],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._generation = generation
        self._shots = shot_maker
        self._add_blob = add_blob
        self._take_folder = take_folder
        self._round = 0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="gap-pictures")
        self._arrived.connect(self._on_arrived)
        session.store.replaced.connect(self._on_replaced)

    def shutdown(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    # -- stretches ----------------------------------------------------------------------------------------------------

    def stretch_at(self, track_id: str, frame: int) -> Stretch | None:
        """The gap of a video track around a frame; None where there is none, or nothing behind it."""
        sequence = self._session.sequence
        track = next((t for t in sequence.video_tracks if t.id == track_id), None) if sequence else None
        gap = lookup.gap_at(track, frame) if track is not None else None
        if track is None or gap is None:
            return None
        return self._stretch(track, *gap)

    def stretch_here(self) -> Stretch:
        """What the command means: the in/out range, else the gap under the playhead on the target track or on the first
        track that has one there. Raises EditRefused."""
        sequence = self._session.sequence
        if sequence is None or not sequence.video_tracks:
            raise EditRefused("There is no timeline yet.", "Drag a clip from the media pool onto it.")
        target = shots.video_track_for(sequence, self._session.track)
        if target is None:
            raise EditRefused("There is no unlocked video track.", "Add a track or unlock one.")
        if sequence.in_point is not None and sequence.out_point is not None:
            return self._stretch(target, sequence.in_point, sequence.out_point)
        for track in (target, *(t for t in sequence.video_tracks if t is not target and not t.locked)):
            found = self.stretch_at(track.id, self._session.playhead)
            if found is not None:
                return found
        raise EditRefused(
            "The playhead stands in no gap.", "Put it between two clips, or mark a range with In and Out."
        )

    @staticmethod
    def _stretch(track: Track, start: int, stop: int) -> Stretch:
        left = lookup.clip_at(track, start - 1) if start > 0 else None
        right = lookup.clip_at(track, stop)
        return Stretch(track.id, start, stop, left, right, not lookup.free(track.clips, start, stop))

    def ways(self, stretch: Stretch) -> tuple[tuple[Way, str], ...]:
        """Every way with the sentence why it can't be gone, which is empty where it can. The first free one is the
        best."""
        return tuple((way, self._why_not(stretch, way)) for way in (Way.BETWEEN, Way.EXTEND, Way.WORDS))

    def _why_not(self, stretch: Stretch, way: Way) -> str:
        try:
            look = self._look(stretch, way, "words")
            choice = self._generation.choice_for(look)
            if choice is None:
                return self._generation.registry.why_not(look.mode.value)
            if way is Way.BETWEEN:
                if stretch.left is None or stretch.right is None:
                    raise EditRefused("A picture is missing on one side.", "")
                self._picture(stretch.left, stretch.start - 1)
                self._picture(stretch.right, stretch.stop)
            elif way is Way.EXTEND:
                if stretch.left is None:
                    raise EditRefused("No clip ends where it begins.", "")
                self._shots.lead(_before(stretch), 1)
        except StudioError as error:
            return error.sentence
        return ""

    def best(self, stretch: Stretch) -> Way:
        """The way that is offered first."""
        return next(way for way, why in self.ways(stretch) if not why or way is Way.WORDS)

    def words_for(self, stretch: Stretch) -> str:
        """The words that are offered: those of the clip before, where it is a shot."""
        return self._look(stretch, Way.WORDS, "").prompt

    # -- filling ------------------------------------------------------------------------------------------------------

    def fill(self, stretch: Stretch, way: Way, prompt: str = "", run: bool = True) -> None:
        """Lay a shot over a stretch and queue it; :attr:`filled` tells which. Refusals are told."""
        wish = _Wish(stretch, way, prompt.strip(), run, self._round)
        try:
            if stretch.frames < 1:
                raise EditRefused("The stretch holds no frames.", "Mark a longer one.")
            pictures: list[_Picture] = []
            if way is Way.BETWEEN:
                if stretch.left is None or stretch.right is None:
                    raise EditRefused("There is no clip on one side.", "Extend the other one, or use words.")
                pictures = [
                    self._picture(stretch.left, stretch.start - 1),
                    self._picture(stretch.right, stretch.stop),
                ]
        except StudioError as error:
            self._session.tell(str(error), "warning")
            return
        if pictures:
            self._pool.submit(self._read, wish, pictures)
        else:
            self._lay(wish, ())

    def _picture(self, clip: Clip, frame: int) -> _Picture:
        """What a clip shows at a sequence frame: its applied take where that has the frame, else its footage."""
        document = self._session.document
        item = document.media[clip.media_id]
        media_frame = planning.media_frame(document, clip, frame)
        take = document.takes.get(clip.active_take)
        if take is not None and take.has(media_frame):
            return _Picture(take_source(document, take, self._take_folder), media_frame, f"{item.name}, {take.name}")
        if item.shot is not None:
            raise EditRefused(f"“{item.name}” has no picture there yet.", "Generate it first.")
        return _Picture(planning.source_of(item), media_frame, item.name)

    def _read(self, wish: _Wish, pictures: list[_Picture]) -> None:
        from gen2studio.engine.frames import DecodingReader
        from gen2studio.engine.take_store import encode_png

        made: list[tuple[bytes, str]] = []
        sentence = ""
        reader = DecodingReader()
        try:
            for picture in pictures:
                source = picture.source
                size = Extent(max(1, source.width), max(1, source.height))
                made.append((encode_png(reader(source, picture.frame, size)), picture.name))
        except Exception as error:  # the thread must go on
            sentence = sentence_of(error)
        finally:
            reader.close()
        self._arrived.emit(wish, tuple(made), sentence)

    def _on_arrived(self, wish: _Wish, pictures: tuple[tuple[bytes, str], ...], sentence: str) -> None:
        if wish.round != self._round:
            return
        if sentence:
            self._session.tell(sentence, "error")
        else:
            self._lay(wish, pictures)

    def _lay(self, wish: _Wish, pictures: tuple[tuple[bytes, str], ...]) -> None:
        stretch, session = wish.stretch, self._session
        try:
            look = self._look(stretch, wish.way, wish.prompt)
            shot = self._shot(stretch, wish.way, look)
            names = (0, shot.frames - 1)
            keys = [
                PaintedKey(frame=frame, digest=self._add_blob(data), name=name)
                for frame, (data, name) in zip(names, pictures, strict=False)
            ]
            # A shot of one frame has room for one picture.
            look = replace(look, keys=tuple(keys[: shot.frames]))
            # A track that has to be made and the shot on it are one undo step.
            step = new_id("gap")
            track_id = self._track_for(stretch, step)
            clip_id = self._shots.place("Fill gap", shot, look, stretch.start, track_id, merge_key=step)
        except (StudioError, OSError) as error:
            session.tell(sentence_of(error), "warning")
            return
        clip = session.find_clip(clip_id)
        assert clip is not None
        job_id = ""
        if wish.run and (wish.prompt or look.prompt.strip() or wish.way is not Way.WORDS):
            request = self._generation.planned(clip, lambda c: self._generation.plan(c, look))
            if request is not None:
                job_id = self._generation.submit_run(clip, request)
        elif wish.run:
            session.tell("Say in words what the shot should show, then generate it.", "info")
        self.filled.emit(clip_id, job_id)

    def _look(self, stretch: Stretch, way: Way, prompt: str) -> Look:
        """The look of the clip before (or behind), or the present one, as a look for a shot."""
        document = self._session.document
        beside = stretch.left or stretch.right
        own = beside.look if beside is not None and beside.look is not None else None
        if own is None or own.mode not in planning.FROM_NOTHING:
            present = self._generation.look
            own = present if present.mode in planning.FROM_NOTHING else document.default_look
        look = looks.without_footage(own)
        if own.mode not in planning.FROM_NOTHING:
            # Words for a restyled clip say what it should look like, which is as good a beginning as any.
            look = replace(look, generator="", styles=(), preset="", pattern=None)
        words = prompt or look.prompt.strip()
        pictured = Mode.TEXT_IMAGE_TO_VIDEO if words else Mode.IMAGE_TO_VIDEO
        mode = pictured if way is Way.BETWEEN else Mode.TEXT_TO_VIDEO
        return replace(look, mode=mode, prompt=words, region=Region.ALL, mask_objects=())

    def _shot(self, stretch: Stretch, way: Way, look: Look) -> Shot:
        """A shot of exactly the stretch's frames at the timeline's rate. Raises EditRefused."""
        document, sequence = self._session.document, self._session.sequence
        assert sequence is not None
        rate, seconds = sequence.rate, Fraction(stretch.frames) / sequence.rate
        beside = stretch.left or stretch.right
        item = document.media[beside.media_id] if beside is not None and way is not Way.WORDS else None
        if item is not None and item.shot is not None:
            shot = shots.shot_of(Extent(item.shot.width, item.shot.height), rate, seconds)
        else:
            aspect = Fraction(sequence.width, sequence.height)
            if item is not None and item.info.width and item.info.height:
                aspect = Fraction(item.info.width, item.info.height)
            shot = self._shots.shot_for(ShotWish(aspect, seconds, rate), look.mode)
        if way is Way.EXTEND and stretch.left is not None:
            left = document.media[stretch.left.media_id]
            choice = self._generation.choice_for(look)
            count = lead_frames(left.info.rate or rate, choice.abilities if choice is not None else None)
            shot = replace(shot, lead=self._shots.lead(_before(stretch), count))
        return shot

    def _track_for(self, stretch: Stretch, step: str) -> str:
        """The track of the stretch; over clips the next one above that is free there, which is made where none is."""
        sequence = self._session.sequence
        assert sequence is not None
        if not stretch.occupied:
            return stretch.track_id
        tracks = sequence.video_tracks
        at = next(i for i, t in enumerate(tracks) if t.id == stretch.track_id)
        for track in tracks[at + 1 :]:
            if not track.locked and lookup.free(track.clips, stretch.start, stretch.stop):
                return track.id
        made: Sequence = edits.add_track(sequence, tracks[at].kind, index=at + 1)
        fresh = next(t.id for t in made.tracks if t.id not in {t.id for t in sequence.tracks})
        self._session.store.apply("Fill gap", sequences.with_sequence(self._session.document, made), step)
        return fresh

    def _on_replaced(self, _document: object) -> None:
        self._round += 1


def _before(stretch: Stretch) -> Clip:
    """The clip before a stretch, as far as the stretch. Raises EditRefused."""
    left = stretch.left
    if left is None:
        raise EditRefused("No clip ends where it begins.", "Use words, or put a clip before it.")
    return replace(left, duration=min(left.duration, stretch.start - left.start))
