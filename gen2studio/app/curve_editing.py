"""What the curve editor works on: the curves of the clip in hand, which of them are shown, the chosen keys.

No widgets in here. A gesture is one undo step: it begins with :meth:`CurveEditing.begin`, and every change until the
next one is made on the curves as they were then, so that a drag can go over other keys and back without losing them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from gen2studio.app import curve_keys
from gen2studio.app.clip_curves import NamedCurve
from gen2studio.app.clip_inspecting import ClipInspecting
from gen2studio.core.curve import Curve, CurveKey, Ease
from gen2studio.document.model import Clip, Document

KeyName = tuple[str, int]
"""(curve name, frame of the key in the curve)."""


class CurveEditing(QObject):
    """The curve editor's state and commands; follows a :class:`ClipInspecting`."""

    changed = Signal()
    """Curves, chosen keys or what is shown may be others."""

    def __init__(self, inspecting: ClipInspecting, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.inspecting = inspecting
        self.session = inspecting.session
        self.snapping = True
        self._current = ""
        self._shown: set[str] = set()
        self._hidden: set[str] = set()
        self._chosen: frozenset[KeyName] = frozenset()
        self._base: dict[str, NamedCurve] = {}
        self._base_chosen: frozenset[KeyName] = frozenset()
        self._gesture = 0
        self._outer = 0
        self._clip_ids: tuple[str, ...] = ()
        self._board: list[tuple[str, float, CurveKey]] = []
        inspecting.changed.connect(self._on_changed)
        self._on_changed()

    # -- what there is ------------------------------------------------------------------------------------------------

    def clip(self) -> Clip | None:
        """The clip whose curves are shown first."""
        clips = self.inspecting.clips()
        return clips[0] if clips else None

    def curves(self) -> dict[str, NamedCurve]:
        """The curves by name: of the first picture and of the first sound among the clips."""
        return {name: found[0] for name, found in self.inspecting.curves().items()}

    @property
    def current(self) -> str:
        """Name of the curve that new keys go to; empty without a clip."""
        return self._current

    def set_current(self, name: str) -> None:
        """Work on this curve; it is shown."""
        if name in self.curves() and (name != self._current or name not in self.shown()):
            self._current = name
            self.show(name, True)

    def shown(self) -> list[str]:
        """Names of the curves in the graph: the current one, those with keys unless hidden, those asked for."""
        return [
            name
            for name, each in self.curves().items()
            if name == self._current or name in self._shown or (each.curve.moving and name not in self._hidden)
        ]

    def show(self, name: str, shown: bool) -> None:
        (self._shown.add if shown else self._shown.discard)(name)
        (self._hidden.discard if shown else self._hidden.add)(name)
        if not shown:
            self._chosen = frozenset(key for key in self._chosen if key[0] != name)
        self.changed.emit()

    @property
    def chosen(self) -> frozenset[KeyName]:
        """The keys that commands work on."""
        return self._chosen

    def choose(self, keys: frozenset[KeyName]) -> None:
        if keys != self._chosen:
            self._chosen = keys
            names = {name for name, _ in keys}
            if len(names) == 1:
                self._current = next(iter(names))
            self.changed.emit()

    def choose_all(self) -> None:
        """Every key of the curves in the graph."""
        curves = self.curves()
        self.choose(frozenset((name, key.frame) for name in self.shown() for key in curves[name].curve.keys))

    def chosen_keys(self) -> list[tuple[NamedCurve, CurveKey]]:
        curves = self.curves()
        found = [
            (curves[name], curves[name].curve.key_at(frame)) for name, frame in sorted(self._chosen) if name in curves
        ]
        return [(each, key) for each, key in found if key is not None]

    def _on_changed(self) -> None:
        curves = self.curves()
        ids = tuple(sorted({each.clip_id for each in curves.values()}))
        if ids != self._clip_ids:
            self._clip_ids = ids
            self._chosen = frozenset()
            self._shown.clear()
            self._hidden.clear()
        if self._current not in curves:
            moving = (name for name, each in curves.items() if each.curve.moving)
            self._current = next(moving, next(iter(curves), ""))
        self._chosen = frozenset(
            (name, frame) for name, frame in self._chosen if name in curves and curves[name].curve.key_at(frame)
        )
        self.changed.emit()

    # -- changing -----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """A gesture starts: what follows is made on the curves as they are now, and is one undo step."""
        self._gesture += 1
        self._outer = 0
        self._base = self.curves()
        self._base_chosen = self._chosen

    @property
    def base_chosen(self) -> list[tuple[NamedCurve, CurveKey]]:
        """The chosen keys as they were when the gesture began."""
        found = [
            (self._base[n], self._base[n].curve.key_at(f)) for n, f in sorted(self._base_chosen) if n in self._base
        ]
        return [(each, key) for each, key in found if key is not None]

    def _apply(
        self, label: str, edit: Callable[[NamedCurve, set[int]], tuple[Curve, list[int]]], *, merge: bool = True
    ) -> bool:
        """``edit(curve, chosen frames)`` on every curve with chosen keys of the gesture's beginning."""
        chosen: dict[str, set[int]] = {}
        for name, frame in self._base_chosen:
            chosen.setdefault(name, set()).add(frame)
        made: dict[str, Curve] = {}
        keys: set[KeyName] = set()
        for name, frames in chosen.items():
            if name in self._base:
                made[name], now = edit(self._base[name], frames)
                keys.update((name, frame) for frame in now)
        return self._put(label, made, frozenset(keys), merge=merge)

    def _put(self, label: str, made: dict[str, Curve], chosen: frozenset[KeyName], *, merge: bool = True) -> bool:
        base = self._base

        def change(document: Document) -> Document:
            for name, curve in made.items():
                document = base[name].set(document, curve)
            return document

        # Set before the edit: what it changes is told at once, and keys that are gone would be dropped.
        before, self._chosen = self._chosen, chosen
        key = f"curves {self._gesture}" if merge else ""
        done = bool(made) and self.inspecting.editing.perform_on_document(label, change, key)
        if not done:
            self._chosen = before
        self.inspecting.forget()
        self._on_changed()
        return done

    def move(self, frames: float, values: Callable[[NamedCurve], float]) -> bool:
        """Move the chosen keys by sequence ``frames`` and by ``values(curve)`` from where the gesture began."""

        def edit(each: NamedCurve, chosen: set[int]) -> tuple[Curve, list[int]]:
            rise, kind = values(each), each.kind

            def frame_of(frame: int) -> int:
                return round(each.from_sequence_frame(each.to_sequence_frame(frame) + frames)) if frames else frame

            return curve_keys.moved(
                each.curve, chosen, frame_of, lambda value: min(max(value + rise, kind.low), kind.high)
            )

        return self._apply("Move Keys", edit)

    def set_value(self, value: float, gesture: int = 0) -> bool:
        """Give the chosen keys of the current curve this value; calls with one ``gesture`` are one step."""
        current = self._current

        def edit(each: NamedCurve, chosen: set[int]) -> tuple[Curve, list[int]]:
            if each.name != current:
                return each.curve, sorted(chosen)
            return curve_keys.moved(each.curve, chosen, lambda frame: frame, lambda _old: value)

        if not gesture or gesture != self._outer:
            self.begin()
            self._outer = gesture
        return self._apply("Set Keys", edit, merge=bool(gesture))

    def set_frame(self, frame: int) -> bool:
        """Move the chosen keys so that the first one stands at this sequence frame."""
        keys = self.chosen_keys()
        if not keys:
            return False
        first = min(each.to_sequence_frame(key.frame) for each, key in keys)
        self.begin()
        return self.move(frame - first, lambda _each: 0.0)

    def set_ease(self, ease: Ease) -> bool:
        """The easing of the stretches after the chosen keys."""
        self.begin()
        return self._apply(
            f"Ease {ease.value.title()}",
            lambda each, chosen: (curve_keys.eased(each.curve, chosen, ease), sorted(chosen)),
            merge=False,
        )

    def set_handle(self, name: str, frame: int, handle: curve_keys.Handle, *, out: bool, aligned: bool) -> bool:
        """Put a handle of a Bézier key elsewhere, in frames and value away from the key; part of the gesture."""
        base = self._base.get(name)
        if base is None:
            return False
        curve = curve_keys.with_handle(base.curve, frame, out=out, handle=handle, aligned=aligned)
        return self._put("Bend Curve", {name: curve}, self._chosen)

    def add(self, name: str, sequence_frame: int, value: float | None = None) -> bool:
        """A key on a curve at a sequence frame: with ``value``, else with what the curve has there. It is chosen."""
        self.begin()
        each = self._base.get(name)
        if each is None:
            return False
        if self._refuses(name):
            return False
        frame = each.key_frame(sequence_frame)
        at = each.curve.at(frame) if value is None else min(max(value, each.low), each.high)
        before = [key for key in each.curve.keys if key.frame <= frame]
        ease = before[-1].ease if before and before[-1].ease is not Ease.BEZIER else Ease.LINEAR
        old = each.curve.key_at(frame)
        key = replace(old, value=at) if old is not None else CurveKey(frame, at, ease)
        done = self._put(f"Add Key of {each.label}", {name: each.curve.with_key(key)}, frozenset({(name, frame)}))
        self._current = name
        return done

    def _refuses(self, name: str) -> bool:
        """Whether a curve can't have keys; then that is said."""
        why_not = self.inspecting.why_no_keys(name)
        if why_not:
            self.session.tell(why_not, "warning")
        return bool(why_not)

    def remove(self) -> bool:
        """Take the chosen keys away."""
        self.begin()
        made = {
            name: curve_keys.without(self._base[name].curve, {f for n, f in self._base_chosen if n == name})
            for name in {name for name, _ in self._base_chosen}
            if name in self._base
        }
        return self._put("Remove Keys", made, frozenset(), merge=False)

    # -- clipboard ----------------------------------------------------------------------------------------------------

    def copy(self) -> bool:
        """Remember the chosen keys and how far apart they stand."""
        keys = self.chosen_keys()
        if not keys:
            return False
        first = min(each.to_sequence_frame(key.frame) for each, key in keys)
        self._board = [(each.name, each.to_sequence_frame(key.frame) - first, key) for each, key in keys]
        return True

    def cut(self) -> bool:
        return self.copy() and self.remove()

    def paste(self) -> bool:
        """Put the copied keys at the playhead: each on its curve, or those of one curve on the current one."""
        names = {name for name, _, _ in self._board}
        self.begin()
        made: dict[str, list[CurveKey]] = {}
        for name, offset, key in self._board:
            target = self._current if len(names) == 1 else name
            each = self._base.get(target)
            if each is None or (target not in made and self._refuses(target)):
                continue
            frame = each.key_frame(round(self.session.playhead + offset))
            value = min(max(key.value, each.low), each.high)
            made.setdefault(target, []).append(CurveKey(frame, value, key.ease, key.in_handle, key.out_handle))
        chosen = frozenset((name, key.frame) for name, keys in made.items() for key in keys)
        curves = {name: curve_keys.joined(self._base[name].curve, keys) for name, keys in made.items()}
        return self._put("Paste Keys", curves, chosen, merge=False)

    @property
    def can_paste(self) -> bool:
        return bool(self._board)
