"""The refine stack of the chosen object in the artist's hand: values, keys at the playhead, bypass, copy and paste."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from gen2studio.core.errors import EditRefused
from gen2studio.core.keyed import Keyed
from gen2studio.core.mask_refinement import Refinement
from gen2studio.core.records import dataclass
from gen2studio.document import masks as edits
from gen2studio.document.model import MaskObject

if TYPE_CHECKING:
    from gen2studio.app.mask_editing import MaskEditing


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One value of the stack as the panel shows it."""

    name: str
    """Field of :class:`~gen2studio.core.mask_refinement.Refinement`."""
    title: str
    low: float
    high: float
    unit: str = ""
    factor: float = 1.0
    """Shown value = value × factor."""
    decimals: int = 0
    keyed: bool = False
    tip: str


STEPS: tuple[Step, ...] = (
    Step(name="despeckle", title="Despeckle", low=0, high=2000, unit="px²",
         tip="Islands of fewer pixels than this go."),
    Step(name="fill_holes", title="Fill holes", low=0, high=2000, unit="px²",
         tip="Holes of fewer pixels than this are filled."),
    Step(name="border_fix", title="Border fix", low=0, high=64, unit="px",
         tip="Along the picture's border the matte is continued from this far inside."),
    Step(name="chatter", title="Chatter", low=0, high=8, unit="fr",
         tip="The edge is steadied over so many frames on each side, along with the picture's motion."),
    Step(name="edge", title="Edge", low=0, high=64, unit="px", decimals=1,
         tip="Within this distance of the edge the picture decides: hair and motion blur. 0 = off."),
    Step(name="edge_detail", title="Edge detail", low=0, high=100, unit="%", factor=100,
         tip="0 keeps the edge smooth, 100 finds every hair."),
    Step(name="grow", title="Grow", low=-64, high=64, unit="px", decimals=1, keyed=True,
         tip="Grows the matte; below zero it shrinks."),
    Step(name="feather", title="Feather", low=0, high=64, unit="px", decimals=1, keyed=True,
         tip="Softens the edge to both sides: the sigma of a Gaussian."),
    Step(name="decontaminate", title="Edge colour", low=0, high=100, unit="%", factor=100, keyed=True,
         tip="Pulls the colour of soft edge pixels to the subject's own, in exports with colour."),
)  # fmt: skip
"""In the order in which they are applied."""
_BY_NAME = {step.name: step for step in STEPS}
IDLE = Refinement()


class MaskRefining(QObject):
    """Owned by :class:`~gen2studio.app.mask_editing.MaskEditing`. Works on the chosen object; every change is one undo
    step, and the moves of one gesture join one. Raises EditRefused."""

    def __init__(self, masks: MaskEditing) -> None:
        super().__init__(masks)
        self._masks = masks
        self._copied: Refinement | None = None
        self._gesture = 0

    @property
    def stack(self) -> Refinement:
        """Of the chosen object; the idle one while there is none."""
        current = self._masks.current()
        return current.refinement if current is not None else IDLE

    @property
    def copied(self) -> Refinement | None:
        """What paste would lay down."""
        return self._copied

    def value(self, name: str) -> float:
        """A field on the frame on screen."""
        found = getattr(self.stack, name)
        return found.at(self._masks.frame) if isinstance(found, Keyed) else float(found)

    def has_keys(self, name: str) -> bool:
        found = getattr(self.stack, name)
        return isinstance(found, Keyed) and bool(found.keys)

    def is_key(self, name: str) -> bool:
        """Whether the field has a key on the frame on screen."""
        found = getattr(self.stack, name)
        return isinstance(found, Keyed) and any(frame == self._masks.frame for frame, _ in found.keys)

    def set_value(self, name: str, value: float) -> None:
        """Change a field: everywhere, or by a key on the frame on screen where it has keys. The changes until
        :meth:`end_gesture` are one undo step."""
        owner, step = self._owner(), _BY_NAME[name]
        value = min(step.high / step.factor, max(step.low / step.factor, float(value)))
        if name in ("chatter", "border_fix", "despeckle", "fill_holes"):
            value = float(round(value))
        old = getattr(owner.refinement, name)
        new = old.with_value(self._masks.frame, value) if isinstance(old, Keyed) else value
        self._change(f"{step.title} of {owner.name}", owner, name, new, f"refine-{owner.id}-{name}-{self._gesture}")

    def end_gesture(self) -> None:
        """What comes next is another undo step."""
        self._gesture += 1

    def toggle_key(self, name: str) -> None:
        """Set a key with the present value on the frame on screen, or take the one there away."""
        owner, step = self._owner(), _BY_NAME[name]
        old = getattr(owner.refinement, name)
        if not isinstance(old, Keyed):
            raise EditRefused(f"{step.title} is the same on every frame.", "Grow, feather and edge colour have keys.")
        frame = self._masks.frame
        there = self.is_key(name)
        new = old.without_key(frame) if there else old.with_key(frame, old.at(frame))
        self._change(f"{'Remove' if there else 'Add'} key: {step.title} of {owner.name}", owner, name, new)

    def reset(self, name: str) -> None:
        """A field back to doing nothing, keys and all."""
        owner, step = self._owner(), _BY_NAME[name]
        self._change(f"Reset {step.title} of {owner.name}", owner, name, getattr(IDLE, name))

    def reset_all(self) -> None:
        owner = self._owner()
        self._apply(f"Reset refinement of {owner.name}", owner, IDLE)

    def set_enabled(self, enabled: bool) -> None:
        """Bypass the stack without forgetting it, or use it again."""
        owner = self._owner()
        label = f"{'Use' if enabled else 'Bypass'} refinement of {owner.name}"
        self._apply(label, owner, replace(owner.refinement, enabled=enabled))

    def copy(self) -> None:
        """Remember the chosen object's stack for :meth:`paste`."""
        owner = self._owner()
        self._copied = owner.refinement
        self._masks.objects_changed.emit()
        self._masks.session.tell(f"The refinement of {owner.name} is copied.")

    def paste(self, object_ids: tuple[str, ...] = ()) -> None:
        """Give the copied stack to objects (none named: the chosen one), as one undo step."""
        if self._copied is None:
            raise EditRefused("There is no refinement to paste.", "Copy that of another object first.")
        document = self._masks.document
        owners = [edits.mask_of(document, i) for i in object_ids] if object_ids else [self._owner()]
        for owner in owners:
            document = edits.set_refinement(document, owner.id, self._copied)
        names = owners[0].name if len(owners) == 1 else f"{len(owners)} objects"
        self._masks.session.store.apply(f"Paste refinement on {names}", document)
        self.end_gesture()

    # -- inside --------------------------------------------------------------------------------------------------------

    def _owner(self) -> MaskObject:
        owner = self._masks.current()
        if owner is None:
            raise EditRefused("There is no mask object yet.", "Paint on the picture or add an object first.")
        return owner

    def _change(self, label: str, owner: MaskObject, name: str, value: float | Keyed, merge_key: str = "") -> None:
        self._apply(label, owner, replace(owner.refinement, **{name: value}), merge_key)

    def _apply(self, label: str, owner: MaskObject, stack: Refinement, merge_key: str = "") -> None:
        if stack == owner.refinement:
            return
        changed = edits.set_refinement(self._masks.document, owner.id, stack)
        self._masks.session.store.apply(label, changed, merge_key)
        if not merge_key:
            self.end_gesture()
