"""Which mask object gets which look: the table behind "looks by object"."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from gen2studio.app.generation import Generation
from gen2studio.app.session import Session
from gen2studio.core.errors import EditRefused
from gen2studio.core.records import dataclass
from gen2studio.document.look import Look, LookPart, Mode, Outpaint, Region
from gen2studio.document.model import Clip

BACKGROUND = ""
"""The row of what lies in no object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRow:
    """One row of the table."""

    object_id: str
    """Empty: the background."""
    name: str
    colour: tuple[int, int, int] | None
    part: LookPart | None
    """None: it stays as it was filmed."""
    words: str
    """What it gets, in a few words."""


class LookParts(QObject):
    """Works on the generation's target clip. Every change is one undo step. Raises EditRefused."""

    changed = Signal()
    """:meth:`rows` would answer differently now."""

    def __init__(self, session: Session, generation: Generation, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._generation = generation
        generation.look_changed.connect(lambda _look: self.changed.emit())
        generation.target_changed.connect(lambda _clip: self.changed.emit())
        session.store.changed.connect(self._on_document_changed)
        session.store.replaced.connect(lambda _new: self.changed.emit())

    @property
    def look(self) -> Look:
        return self._generation.look

    @property
    def active(self) -> bool:
        """Whether a run makes the looks of the table."""
        return self.look.by_object and self._clip() is not None

    def rows(self) -> tuple[PartRow, ...]:
        """The objects of the target clip in list order, then the background; empty without a clip of footage."""
        clip = self._clip()
        if clip is None:
            return ()
        parts = {part.object_id: part for part in self.look.parts}
        found = [(m.id, m.name, m.colour) for m in self._session.document.masks_of(clip.media_id)]
        if not found:
            return ()
        return tuple(
            PartRow(object_id=key, name=name, colour=colour, part=parts.get(key), words=self._words(parts.get(key)))
            for key, name, colour in (*found, (BACKGROUND, "Background", None))
        )

    def assign(self, object_id: str, look: Look | None = None) -> None:
        """Give a row a look; None = the one in the generate panel."""
        self._known(object_id)
        look = look if look is not None else self.look
        if look.mode in (Mode.TEXT_TO_VIDEO, Mode.TEXT_IMAGE_TO_VIDEO, Mode.IMAGE_TO_VIDEO, Mode.STORYBOARD):
            raise EditRefused("This look makes a shot of its own.", "Choose Stylization, Mask or Render first.")
        plain = replace(look, parts=(), region=Region.ALL, mask_objects=(), outpaint=Outpaint())
        self._put(f"Look of {self._name(object_id)}", LookPart(object_id=object_id, look=plain))

    def set_preset(self, object_id: str, preset: str) -> None:
        """Give a row one of the bundled looks; its prompt and the like go."""
        self._known(object_id)
        self._put(f"Look of {self._name(object_id)}", LookPart(object_id=object_id, look=Look(preset=preset)))

    def set_prompt(self, object_id: str, prompt: str) -> None:
        """Describe what a row should become."""
        self._known(object_id)
        old = next((p.look for p in self.look.parts if p.object_id == object_id), Look(mode=Mode.MASK))
        look = replace(old, prompt=prompt.strip())
        self._put(f"Prompt of {self._name(object_id)}", LookPart(object_id=object_id, look=look))

    def clear(self, object_id: str) -> None:
        """Leave a row as it was filmed."""
        left = tuple(p for p in self.look.parts if p.object_id != object_id)
        self._generation.change(f"{self._name(object_id)} as filmed", parts=left)

    def set_enabled(self, object_id: str, enabled: bool) -> None:
        """Use a row's look in the next run, or keep it for later."""
        parts = tuple(replace(p, enabled=enabled) if p.object_id == object_id else p for p in self.look.parts)
        self._generation.change(f"{'Use' if enabled else 'Skip'} look of {self._name(object_id)}", parts=parts)

    def open(self, object_id: str) -> None:
        """Show a row's look in the generate panel, where all of it can be changed and given back."""
        part = next((p for p in self.look.parts if p.object_id == object_id), None)
        if part is None:
            raise EditRefused(f"{self._name(object_id)} has no look of its own.", "Give it one first.")
        kept = replace(part.look, parts=self.look.parts, region=self.look.region, mask_objects=self.look.mask_objects)
        self._generation.set_look(f"Open look of {self._name(object_id)}", kept)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _clip(self) -> Clip | None:
        clip = self._generation.target
        item = self._session.document.media.get(clip.media_id) if clip is not None else None
        return clip if item is not None and item.shot is None else None

    def _known(self, object_id: str) -> None:
        if self._clip() is None:
            raise EditRefused("There is no clip to give looks to.", "Put the playhead on a clip with footage.")
        if object_id and object_id not in self._session.document.masks:
            raise EditRefused("That mask is no longer there.", "Choose a mask in the list or add one.")

    def _name(self, object_id: str) -> str:
        owner = self._session.document.masks.get(object_id)
        return owner.name if owner is not None else "the background"

    def _put(self, label: str, part: LookPart) -> None:
        others = tuple(p for p in self.look.parts if p.object_id != part.object_id)
        self._generation.change(label, parts=(*others, part))

    def _words(self, part: LookPart | None) -> str:
        if part is None:
            return "As filmed"
        titles = {p.id: p.title for p in self._generation.catalog.presets()}
        look = part.look
        named = titles.get(look.preset, look.preset) or (look.styles[0].name or "Style image" if look.styles else "")
        said = f"“{look.prompt}”" if look.prompt else ""
        pattern = f"{look.pattern.kind} pattern".capitalize() if look.pattern is not None and not named else ""
        return " · ".join(words for words in (named, pattern, said) if words) or "Empty look"

    def _on_document_changed(self, old: object, new: object) -> None:
        if getattr(old, "masks", None) is not getattr(new, "masks", None):
            self.changed.emit()
