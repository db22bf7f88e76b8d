"""Looks from clip to clip, and other footage under a look. No widgets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import TypeAlias

from PySide6.QtCore import QObject, Signal

from gen2studio.app import planning
from gen2studio.app.mask_carrying import Carried, carried, frames_alike, masks_used, placement, scaled
from gen2studio.app.session import Session
from gen2studio.core.curve import Curve, CurveKey
from gen2studio.core.errors import EditRefused
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.core.records import dataclass
from gen2studio.document import edits, looks, sequences
from gen2studio.document.clip_changes import change_clip, change_clips, document_clip
from gen2studio.document.look import Look, Outpaint, Region
from gen2studio.document.model import Clip, Document
from gen2studio.document.shots import is_shot

Sized: TypeAlias = dict[MaskRaster, MaskRaster]
"""Mattes at another size, by those that they were made of."""


@dataclass(frozen=True, slots=True)
class CopiedLook:
    """A look as it was when it was copied."""

    look: Look
    media_id: str
    of_shot: bool
    name: str


class ClipLooks(QObject):
    """Copies and pastes looks and prompts between clips, and puts other footage under a look."""

    copied_changed = Signal(bool)
    """Whether there is a look to paste."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._copied: CopiedLook | None = None
        self.work: Callable[[str, Callable[[], Sized]], Sized] = lambda _what, work: work()
        """Runs what takes long (what it is, the work) beside the window and returns its result."""
        session.store.replaced.connect(lambda _document: self._keep(None))

    @property
    def copied(self) -> CopiedLook | None:
        return self._copied

    def _keep(self, copied: CopiedLook | None) -> None:
        self._copied = copied
        self.copied_changed.emit(copied is not None)

    def copy(self, clip_id: str = "") -> bool:
        """Remember the look of a clip (the target)."""
        clip = self._session.find_clip(clip_id) if clip_id else self._session.target_clip()
        if clip is None:
            self._session.tell("Put the playhead on a clip first, then copy its look.", "warning")
            return False
        document = self._session.document
        self._keep(CopiedLook(looks.look_of(document, clip), clip.media_id, is_shot(document, clip), clip.name))
        self._session.tell(f"Copied the look of {clip.name}.")
        return True

    def paste(self) -> bool:
        """Give the selected clips (else the target) the copied look: one undo step.

        What belongs to footage stays behind where the footage differs, and a shot stays a shot.
        """
        return self._on_selected("Paste look", self._with_look)

    def paste_prompt(self) -> bool:
        """Give the selected clips (else the target) the words of the copied look alone."""

        def worded(look: Look, clip: Clip, copied: CopiedLook) -> Look:
            return replace(look, prompt=copied.look.prompt, negative_prompt=copied.look.negative_prompt)

        return self._on_selected("Paste prompt", worded)

    def _with_look(self, own: Look, clip: Clip, copied: CopiedLook) -> Look:
        look = copied.look
        if clip.media_id != copied.media_id:
            look = looks.shared_look(look, own)
        if is_shot(self._session.document, clip) is not copied.of_shot:
            look = replace(look, mode=own.mode, generator=own.generator, region=own.region)
        return look

    def _on_selected(self, label: str, change: Callable[[Look, Clip, CopiedLook], Look]) -> bool:
        copied, sequence = self._copied, self._session.sequence
        if copied is None or sequence is None:
            self._session.tell("No look was copied. Copy one from a clip first.", "warning")
            return False
        chosen = {c.id for t in sequence.video_tracks for c in t.clips if c.id in self._session.selection}
        target = self._session.target_clip()
        if not chosen and target is not None:
            chosen = {target.id}
        if not chosen:
            self._session.tell("No clip is selected to paste to.", "warning")
            return False
        document = self._session.document
        changed = change_clips(
            document,
            lambda clip: (
                replace(clip, look=change(looks.look_of(document, clip), clip, copied)) if clip.id in chosen else clip
            ),
        )
        if changed is document:
            self._session.tell("These clips have that look already.")
            return False
        count = "" if len(chosen) == 1 else f" to {len(chosen)} clips"
        self._session.store.apply(f"{label}{count}", changed)
        return True

    # -- footage -----------------------------------------------------------------------------------------------------

    def replace_source(self, media_id: str, clip_id: str = "") -> bool:
        """Put other media under a clip (the target): its place, length, attributes and look stay, one undo step.

        Keys of sliders keep their distance from the clip's head in seconds, and so do the masks of the look, which are
        copied to the new footage, scaled where its size is another. Takes, painted keys and motion belong to the old
        footage and stay with it; what was left behind is told.
        """
        session = self._session
        clip = session.find_clip(clip_id) if clip_id else session.target_clip()
        item = session.document.media.get(media_id)
        try:
            if clip is None or item is None:
                raise EditRefused("There is no clip or no media for that.", "Choose media, and a clip to put it under.")
            if item.shot is not None or is_shot(session.document, clip):
                raise EditRefused("A generated shot has no footage to replace.", "Generate it again instead.")
            if session.sequence is not None:
                # What is refused is refused before mattes are scaled for it.
                edits.replace_media(session.sequence, clip.id, item, session.document.media)
            document, masks = self._replaced(session.document, clip, media_id, self._sized(clip, media_id))
        except EditRefused as refused:
            session.tell(str(refused), "warning")
            return False
        session.store.apply(f"Replace source with {item.name}", document)
        left = _left_behind(clip)
        told = [masks.sentence] if masks.sentence else []
        told += [f"Left with the old footage: {', '.join(left)}."] if left else []
        if told:
            session.tell(" ".join((f"{item.name} is under the look now.", *told)))
        return True

    def _sized(self, clip: Clip, media_id: str) -> Sized:
        """The mattes of a clip's masks at the size of other media."""
        session = self._session
        placed = placement(session.document, clip, media_id)
        rasters = [frame.raster for mask in masks_used(session.document, clip) for frame in mask.frames.values()]
        if placed.same or not rasters:
            return {}
        item, tiles = session.document.media[media_id], session.store.tiles
        return self.work("Scaling mattes…", lambda: scaled(tiles, rasters, placed, item.info.extent))

    def _replaced(self, document: Document, clip: Clip, media_id: str, sized: Sized) -> tuple[Document, Carried]:
        sequence = document.sequence
        assert sequence is not None
        item, old = document.media[media_id], document.media[clip.media_id]
        changed = sequences.with_sequence(document, edits.replace_media(sequence, clip.id, item, document.media))
        now = document_clip(changed, clip.id)
        look = now.look
        if look is None or clip.look is None:
            return changed, Carried()
        before, after = planning.frame_clock(old), planning.frame_clock(item)

        def moved(key: CurveKey) -> CurveKey:
            seconds = before.time_of(key.frame) - clip.source_in + now.source_in
            frame = after.index_at(max(Fraction(0), seconds))
            return replace(key, frame=frame)

        for name, curve in clip.look.curves:
            keys = {(new := moved(key)).frame: new for key in curve.keys}
            look = look.with_curve(name, Curve(curve.value, tuple(keys[frame] for frame in sorted(keys))))
        frames = frames_alike(before, after, clip.source_in - now.source_in)
        placed = placement(changed, clip, media_id)
        tiles = self._session.store.tiles

        def raster(matte: MaskRaster) -> MaskRaster:
            if placed.same:
                return matte
            # A job may have brought one more meanwhile.
            return sized.get(matte) or scaled(tiles, (matte,), placed, item.info.extent)[matte]

        changed, look, told = carried(changed, clip, media_id, look, frames, raster)
        if look.region is not Region.ALL and not changed.masks_of(media_id):
            # There is no subject on the new footage yet.
            look = replace(look, region=Region.ALL)
        return change_clip(changed, clip.id, lambda each: replace(each, look=look)), told


def _left_behind(clip: Clip) -> list[str]:
    """What a clip and its look hold of their footage, in words."""
    look = clip.look or Look()
    found = {
        "takes": bool(clip.takes),
        "painted key frames": bool(look.keys),
        "motion": bool(look.motion_regions),
        "the depth pass": look.depth_pass is not None,
        "the room around it": look.outpaint != Outpaint(),
    }
    return [name for name, there in found.items() if there]
