"""Keys of the look's sliders on the frame under the playhead: what the panels show and change. No widgets."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from gen2studio.app.choosing import follows_keys
from gen2studio.app.generation import Generation
from gen2studio.app.session import Session
from gen2studio.core.curve import CurveKey
from gen2studio.document.look import KEYED


class LookKeys(QObject):
    """Works on the look of the target clip. Names are those of :data:`gen2studio.document.look.KEYED`."""

    values_changed = Signal()
    """The playhead stands on another frame of a clip whose look has keys: sliders show other values."""

    def __init__(self, session: Session, generation: Generation, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._generation = generation
        session.playhead_changed.connect(self._on_playhead_changed)

    def can_have(self, name: str) -> bool:
        """Whether a slider may have keys on the target clip: there is one, and its generator follows them."""
        generation = self._generation
        found = generation.abilities()
        if name not in KEYED or generation.target is None or found is None:
            return False
        return follows_keys(found, generation.look.mode.value, name)

    def has(self, name: str) -> bool:
        """Whether a slider has keys."""
        return name in KEYED and self._generation.look.curve(name).moving

    def here(self, name: str) -> bool:
        """Whether there is a key on the frame under the playhead."""
        return self.has(name) and self._generation.look.curve(name).key_at(self._generation.frame_here()) is not None

    def value(self, name: str) -> float:
        """What a slider is under the playhead; −1 for a strength that is left to the generator."""
        look = self._generation.look
        return look.curve(name).at(self._generation.frame_here()) if self.has(name) else getattr(look.controls, name)

    def toggle(self, name: str) -> None:
        """Set a key on the frame under the playhead, or take it off: one undo step."""
        generation = self._generation
        if generation.target is None:
            self._session.tell("Put the playhead on a clip first; keys belong to its frames.", "warning")
            return
        frame, look = generation.frame_here(), generation.look
        curve = look.curve(name)
        title = name.replace("_", " ")
        if curve.key_at(frame) is not None:
            generation.set_look(f"Remove key of {title}", look.with_curve(name, curve.without_key(frame)))
            return
        value = curve.at(frame)
        if name == "strength" and value < 0:
            ability = generation.ability()
            value = ability.strength if ability is not None else 1.0
        generation.set_look(f"Add key of {title}", look.with_curve(name, curve.with_key(CurveKey(frame, value))))

    def clear(self, name: str) -> None:
        """Take all keys of a slider off; it keeps the value under the playhead."""
        look = self._generation.look
        value = self.value(name)
        curve = look.curve(name)
        self._generation.set_look(f"Remove keys of {name.replace('_', ' ')}", look.with_curve(name, type(curve)(value)))

    def _on_playhead_changed(self, _frame: int) -> None:
        if self._generation.look.curves:
            self.values_changed.emit()
