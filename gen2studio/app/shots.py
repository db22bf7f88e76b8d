"""Shots that a generator fills: new ones, their size and length, and going on from what a clip shows. No widgets.

A shot is on the timeline at once. Its file, a small grey slate, is written on a thread of its own a moment later, and
again whenever it is missing from the project.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from gen2studio.app import planning
from gen2studio.app.generation import Generation
from gen2studio.app.importing import place_on_timeline
from gen2studio.app.planning import FROM_NOTHING
from gen2studio.app.session import Session
from gen2studio.app.shot_wish import LEAD_FRAMES, ShotWish, default_wish, lead_frames, shot_for, shot_item
from gen2studio.app.takes import TakeKeeper
from gen2studio.core.errors import EditRefused, StudioError, sentence_of
from gen2studio.core.geometry import Extent
from gen2studio.document import edits, looks, media_edits, shots
from gen2studio.document.clip_changes import change_clips
from gen2studio.document.look import Look, Mode, Region
from gen2studio.document.lookup import each_clip
from gen2studio.document.model import Clip, Document, Lead, MediaItem, Shot
from gen2studio.engine.generators import Abilities
from gen2studio.media.slate import write_slate

__all__ = ["LEAD_FRAMES", "ShotWish", "Shots", "default_wish", "shot_for", "shot_item"]


class Shots(QObject):
    """Makes shots. Lives on the UI thread."""

    wish_changed = Signal(object)
    """ShotWish: what the next shot will be."""
    shot_made = Signal(str)
    """Clip id of a shot that was just put on the timeline."""
    slate_written = Signal(str)
    """Media id of a shot whose file is there now."""

    _written = Signal(str, str, str)

    def __init__(
        self,
        session: Session,
        generation: Generation,
        keeper: TakeKeeper,
        media_folder: Callable[[], Path],
        parent: QObject | None = None,
    ) -> None:
        """``media_folder`` is the open project's folder for media of its own."""
        super().__init__(parent)
        self._session = session
        self._generation = generation
        self._media_folder = media_folder
        self._wish: ShotWish | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="slates")
        self._pending: set[str] = set()
        self._written.connect(self._on_written)
        generation.make_shot = self.new_shot
        keeper.take_ended.connect(self._on_take_ended)
        session.store.replaced.connect(self._on_replaced)

    def shutdown(self) -> None:
        """End the thread; slates that are not written yet are written when the project is opened again."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    # -- what the next shot will be -----------------------------------------------------------------------------------

    def abilities(self, mode: Mode | None = None) -> Abilities | None:
        """What the generator of the next shot can do."""
        look = self._generation.look
        wanted = mode or (look.mode if look.mode in FROM_NOTHING else Mode.TEXT_TO_VIDEO)
        found = self._generation.choice_for(replace(look, mode=wanted))
        return found.abilities if found is not None else None

    @property
    def wish(self) -> ShotWish:
        return self._wish or default_wish(self.abilities())

    def set_wish(self, wish: ShotWish) -> None:
        """Say what the next shot will be. A target shot that holds no take yet becomes it, as one undo step."""
        if wish == self._wish:
            return
        self._wish = wish
        self.wish_changed.emit(wish)
        clip = self._generation.target
        if clip is None or not shots.is_shot(self._session.document, clip):
            return
        if clip.takes:
            self._session.tell("This shot has takes already: the next new shot will be like that.", "info")
            return
        try:
            document, item = self._resized(clip, self.shot_for(wish))
        except EditRefused as refused:
            self._session.tell(str(refused), "warning")
            return
        if item is not None:
            self.expect(item)
            self._session.store.apply("Change shot", document, merge_key=f"shot-{clip.id}")
            self.write(item)

    def shot_for(self, wish: ShotWish, mode: Mode | None = None) -> Shot:
        """The shot that a wish becomes with the chosen generator. Raises EditRefused."""
        return shot_for(wish, self.abilities(mode))

    def _resized(self, clip: Clip, shot: Shot) -> tuple[Document, MediaItem | None]:
        """The document with another, empty shot in the clip's place; (same, None) when it is of that size already."""
        document = self._session.document
        old = media_edits.media_of(document, clip.media_id)
        assert old.shot is not None and document.sequence is not None
        shot = replace(shot, lead=old.shot.lead)
        if shot == old.shot:
            return document, None
        item = shot_item(shot, old.name, self._media_folder())
        look = looks.look_of(document, clip)
        last = old.shot.frames - 1
        keys = (replace(key, frame=shot.frames - 1) if key.frame == last > 0 else key for key in look.keys)
        kept = {key.frame: key for key in keys if key.frame < shot.frames}
        look = replace(look, keys=tuple(kept[frame] for frame in sorted(kept)), motion_regions=())
        room = self._room(document, clip)
        picture, _ = edits.clips_of(item, document.sequence.rate, clip.start)
        assert picture is not None
        fresh = replace(clip, media_id=item.id, source_in=Fraction(0), speed=Fraction(1), look=look,
                        duration=min(picture.duration, room), takes=(), active_take="")  # fmt: skip
        document = media_edits.add_media(document, item)
        document = change_clips(document, lambda c: fresh if c.id == clip.id else c)
        if not media_edits.used_by(document, old.id):
            document = media_edits.remove_media(document, [old.id])
        return document, item

    @staticmethod
    def _room(document: Document, clip: Clip) -> int:
        """Frames from the clip's start to the next clip on its track."""
        sequence = document.sequence
        assert sequence is not None
        track = next(t for t, c in each_clip(sequence) if c.id == clip.id)
        return min((c.start for c in track.clips if c.start > clip.start), default=1 << 40) - clip.start

    # -- new shots ----------------------------------------------------------------------------------------------------

    def ensure_shot(self) -> bool:
        """Make a shot where the target clip is none; whether there is one now."""
        return not self._generation.needs_shot or bool(self.new_shot())

    def new_shot(self, mode: Mode | None = None, wish: ShotWish | None = None, look: Look | None = None) -> str:
        """Put an empty shot on the timeline at the playhead, or in the next free place: one undo step.

        ``look`` None = the present one, without what belongs to footage. Returns the clip id, or empty after saying
        why it could not be made.
        """
        if look is None:
            look = self._generation.look
            if not shots.is_shot(self._session.document, self._generation.target):
                look = replace(look, keys=(), motion_regions=(), depth_pass=None)
        wanted = mode or (look.mode if look.mode in FROM_NOTHING else Mode.TEXT_TO_VIDEO)
        look = replace(look, mode=wanted, region=Region.ALL, mask_objects=())
        try:
            shot = self.shot_for(wish or self.wish, wanted)
            return self.place("New shot", shot, look, self._session.playhead)
        except StudioError as error:
            self._session.tell(str(error), "warning")
            return ""

    def extend(self, clip_id: str = "") -> str:
        """A shot right behind a clip (the target) that goes on from the last frames it shows; returns its clip id."""
        session = self._session
        clip = session.find_clip(clip_id) if clip_id else self._generation.target
        sequence = session.sequence
        if clip is None or sequence is None:
            session.tell("Put the playhead on a clip first.", "warning")
            return ""
        try:
            item = media_edits.media_of(session.document, clip.media_id)
            look = looks.look_of(session.document, clip)
            if look.mode not in FROM_NOTHING:
                look = replace(look, mode=Mode.TEXT_TO_VIDEO, generator="", region=Region.ALL, mask_objects=())
            # What was painted or given at a time of the old shot does not belong to the new one.
            look = looks.without_footage(look)
            choice = self._generation.choice_for(look)
            rate = item.info.rate or self.wish.rate
            lead = self.lead(clip, lead_frames(rate, choice.abilities if choice is not None else None))
            wish = replace(self.wish, rate=rate)
            if item.shot is not None:
                shot = shots.shot_of(Extent(item.shot.width, item.shot.height), wish.rate, wish.seconds)
            else:
                shot = self.shot_for(replace(wish, aspect=Fraction(item.info.width, item.info.height)), look.mode)
            track = next(t for t, c in each_clip(sequence) if c.id == clip.id)
            return self.place(f"Extend {clip.name}", replace(shot, lead=lead), look, clip.end, track.id)
        except StudioError as error:
            session.tell(str(error), "warning")
            return ""

    def lead(self, clip: Clip, count: int) -> Lead:
        """The last ``count`` frames a clip shows: of its applied take where that has them, else of its footage."""
        document = self._session.document
        sequence = document.sequence
        assert sequence is not None
        if clip.reverse or clip.freeze:
            raise EditRefused(
                "A clip that runs backwards or stands still can't be gone on from.", "Use its last picture instead."
            )
        first, stop = planning.media_range(document, clip, sequence.rate)
        take = document.takes.get(clip.active_take)
        if take is not None and take.has(stop - 1):
            run = next(run for run in take.done if run[0] < stop <= run[1])
            start = max(first, run[0], stop - count)
            return Lead(media_id=clip.media_id, take_id=take.id, start=start, stop=stop)
        if shots.is_shot(document, clip):
            raise EditRefused("This shot has no finished end to go on from.", "Generate it and apply its take first.")
        return Lead(media_id=clip.media_id, start=max(first, stop - count), stop=stop)

    def place(self, label: str, shot: Shot, look: Look, frame: int, track_id: str = "", merge_key: str = "") -> str:
        """Put an empty shot at ``frame`` of a track, or in the next free place behind it: one undo step. Returns the
        clip id. Raises EditRefused."""
        document = self._session.document
        item = shot_item(shot, shots.shot_name(document), self._media_folder())
        added = media_edits.add_media(document, item)
        sequence = added.sequence
        if sequence is not None:
            track = shots.video_track_for(sequence, track_id or self._session.track)
            if track is None:
                raise EditRefused("There is no unlocked video track.", "Add a track or unlock one.")
            picture, _ = edits.clips_of(item, sequence.rate)
            assert picture is not None
            frame, track_id = shots.free_frame(track, frame, picture.duration), track.id
        else:
            frame, track_id = 0, ""
        placed = place_on_timeline(added, [item], frame, track=track_id, collision=edits.Collision.REFUSE)
        [clip_id] = placed.clip_ids
        self.expect(item)
        self._session.store.apply(label, looks.set_look(placed.document, {clip_id}, look), merge_key)
        self._session.set_selection(frozenset({clip_id}))
        clip = self._session.find_clip(clip_id)
        assert clip is not None
        self._session.set_playhead(clip.start)
        self.write(item)
        self.shot_made.emit(clip_id)
        return clip_id

    # -- slates -------------------------------------------------------------------------------------------------------

    @property
    def pending(self) -> frozenset[str]:
        """Media ids of shots whose file is being written: they are not offline."""
        return frozenset(self._pending)

    def restore(self) -> None:
        """Write the slates that are missing from the project."""
        for item in self._session.document.media.values():
            if item.shot is not None and item.id not in self._pending and not Path(item.path).is_file():
                self.write(item)

    def expect(self, item: MediaItem) -> None:
        """A shot's file is on its way: whoever hears of the new media must not call it missing."""
        self._pending.add(item.id)

    def write(self, item: MediaItem) -> None:
        """Write a shot's slate on the thread."""
        assert item.shot is not None
        self._pending.add(item.id)
        self._pool.submit(self._write, item.id, Path(item.path), item.shot)

    def _write(self, media_id: str, path: Path, shot: Shot) -> None:
        sentence = ""
        try:
            write_slate(path, Extent(shot.width, shot.height), shot.rate, shot.frames)
        except Exception as error:  # the thread must go on
            sentence = sentence_of(error)
        self._written.emit(media_id, path.as_posix(), sentence)

    def _on_written(self, media_id: str, path: str, sentence: str) -> None:
        self._pending.discard(media_id)
        item = self._session.document.media.get(media_id)
        if item is None or item.path != path:
            return
        if sentence:
            self._session.tell(sentence, "error")
        self.slate_written.emit(media_id)

    def _on_replaced(self, _document: Document) -> None:
        self._pending.clear()
        self._wish = None

    # -- takes --------------------------------------------------------------------------------------------------------

    def _on_take_ended(self, take_id: str, _state: object) -> None:
        """A shot shows its first take without being asked: its slate is nothing to look at."""
        document = self._session.document
        take = document.takes.get(take_id)
        item = document.media.get(take.media_id) if take is not None else None
        if take is None or not take.done or item is None or item.shot is None:
            return

        def shown(current: Document) -> Document:
            known = current.takes.get(take_id)
            if known is None or not known.done:
                return current
            return change_clips(
                current,
                lambda clip: (
                    replace(clip, active_take=take_id)
                    if take_id in clip.takes and clip.media_id == known.media_id and not clip.active_take
                    else clip
                ),
            )

        self._session.store.amend(shown, carried=True)
