"""One take from two generators: one draws key frames, the other carries them to the frames between.

Any generator that can draw single frames of footage (an image model, a video model as clips of one frame) is paired
with those that carry painted key frames: the example-based one, after the way of working of Jamriška et al., "Stylizing
Video by Example" (SIGGRAPH 2019) with a model in the painter's place, and video models that take given frames at their
times. What the pair offers is the drawing generator's own, and a ``key_spacing``.

Keys lie as PNGs in the scratch folder as they are drawn: a killed run draws only those that are missing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import GenerationError
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.core.paths import write_atomic
from gen2studio.engine.abilities import GeneratorEntry
from gen2studio.engine.events import Estimate, Picture
from gen2studio.engine.generators import Abilities, Generator, ModeAbility, RunContext
from gen2studio.engine.key_choice import AUTOMATIC, choose_keys, expected_keys
from gen2studio.engine.requests import BlobRef, ControlValues, GenerateRequest, KeyRef, SourceRef

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CARRIED = frozenset({"stylize", "mask", "render"})
"""Modes on footage: its motion carries the keys. Shots from nothing have none."""
CONTROL = "key_spacing"
"""Name of the control in :class:`~gen2studio.engine.generators.ModeAbility`."""


def keyframed_entry(stills: GeneratorEntry, *carriers: GeneratorEntry) -> GeneratorEntry:
    """``stills``' entry with ``key_spacing`` among its controls wherever one of ``carriers``, preferred first, can
    follow painted keys."""
    follow = tuple(carrier.abilities for carrier in carriers)

    def load() -> Generator:
        return KeyframedGenerator(stills.load(), carriers)

    def hold(rung: str) -> Abilities:
        assert stills.hold is not None
        return with_key_frames(stills.hold(rung), *follow)

    able = hold if stills.hold is not None else None
    return replace(stills, abilities=with_key_frames(stills.abilities, *follow), load=load, hold=able)


def with_key_frames(stills: Abilities, *carriers: Abilities) -> Abilities:
    """What a generator can do whose key frames ``carriers`` carry."""
    return replace(stills, modes=tuple(_with_spacing(mode, carriers) for mode in stills.modes))


def _with_spacing(mode: ModeAbility, carriers: tuple[Abilities, ...]) -> ModeAbility:
    able = [
        (carrier.id, found)
        for carrier in carriers
        if (found := carrier.mode(mode.mode)) is not None and "keys" in found.controls and not found.stills_only
    ]
    if not able or not mode.controls or mode.mode not in _CARRIED:
        return mode
    controls = mode.controls | {CONTROL}
    if mode.stills_only:
        # Every clip is carried, and the carrier's say is heard: painted frames and how much frames are held together.
        controls |= {"keys", "consistency"} & able[0][1].controls
    why_not = tuple((name, reason) for name, reason in mode.why_not if name not in controls)
    return replace(mode, controls=controls, why_not=why_not, carriers=tuple(name for name, _ in able))


def spacing_of(request: GenerateRequest, ability: ModeAbility | None) -> int:
    """The ``key_spacing`` that a run of ``request`` has: that of a generator which only draws single frames is never
    0. Room around the footage is not carried."""
    if request.frames is not None or request.from_nothing or any(request.outpaint):
        return 0
    if request.key_spacing == 0 and ability is not None and ability.stills_only:
        return AUTOMATIC
    return request.key_spacing


class KeyframedGenerator:
    """Implements :class:`gen2studio.engine.generators.Generator` with two of them."""

    def __init__(self, stills: Generator, carriers: Sequence[GeneratorEntry]) -> None:
        """``carriers``, preferred first, are loaded when one is needed."""
        self._stills = stills
        self._entries = {carrier.abilities.id: carrier for carrier in carriers}
        self._loaded: dict[str, Generator] = {}

    @property
    def abilities(self) -> Abilities:
        return with_key_frames(self._stills.abilities, *(entry.abilities for entry in self._entries.values()))

    def _carrier(self, request: GenerateRequest) -> Generator:
        """What carries the keys of a request. Raises GenerationError when it is not there."""
        ability = self.abilities.mode(request.mode)
        able = ability.carriers if ability is not None else ()
        chosen = request.key_carrier or next(iter(able), "")
        if chosen not in able:
            raise GenerationError(
                f"“{chosen}” can't carry key frames here." if chosen else "Nothing here carries key frames.",
                f"Those that can: {', '.join(able) or 'none'}.",
            )
        if chosen not in self._loaded:
            self._loaded[chosen] = self._entries[chosen].load()
        return self._loaded[chosen]

    def estimate(self, request: GenerateRequest) -> Estimate:
        """The keys' cost and that of carrying them. The number of automatic keys is a guess until the clip is seen."""
        spacing = self._spacing(request)
        if not spacing:
            return self._stills.estimate(_plain(request))
        count = expected_keys(len(request.wanted), spacing)
        frames = tuple(request.start + i * (request.stop - request.start) // count for i in range(count))
        drawn = self._stills.estimate(_key_request(request, frames, spacing))
        nothing = KeyRef(frame=request.start, blob=BlobRef(digest=""))
        carrier = self._carrier(request)
        carried = carrier.estimate(_carry_request(carrier, request, (nothing,)))
        seconds = None if drawn.seconds is None or carried.seconds is None else drawn.seconds + carried.seconds
        return Estimate(
            # The drawing model stays loaded while its keys are carried.
            memory_bytes=drawn.memory_bytes + carried.memory_bytes,
            disk_bytes=drawn.disk_bytes + carried.disk_bytes,
            seconds=seconds,
        )

    def run(self, request: GenerateRequest, context: RunContext) -> None:
        """Emit every wanted frame. Raises what either generator raises."""
        spacing = self._spacing(request)
        if not spacing:
            self._stills.run(_plain(request), context)
            return
        if len(context.finished) == len(request.wanted):
            return
        carrier = self._carrier(request)
        given = {key.frame: key for key in request.keys}
        folder = KeyFolder(context.scratch / "key-frames", (request.width, request.height))
        chosen = folder.plan(
            lambda: choose_keys(
                request.start, request.stop, spacing, context.source, given,
                lambda done, total: context.progress(done, total, "Choosing key frames"),
            )
        )  # fmt: skip
        drawn = [frame for frame in chosen if frame not in given]
        self._draw(request, context, folder, chosen, drawn, spacing)
        refs = tuple(given.get(frame) or KeyRef(frame=frame, blob=folder.ref(frame)) for frame in chosen)
        # Artists may give keys beyond the range: their carrier uses them as well.
        beyond = tuple(key for frame, key in given.items() if frame not in chosen)
        carried = _carry_request(carrier, request, tuple(sorted((*refs, *beyond), key=lambda key: key.frame)))
        carrying = _Carrying(context, folder)
        carrier.run(carried, carrying)
        if carrying.asked:
            context.note(
                "Some frames show what is on no key frame. Set key frames closer together if it is seen there.",
                min(carrying.asked),
            )

    def _spacing(self, request: GenerateRequest) -> int:
        return spacing_of(request, self._stills.abilities.mode(request.mode))

    def _draw(
        self,
        request: GenerateRequest,
        context: RunContext,
        folder: KeyFolder,
        chosen: tuple[int, ...],
        drawn: list[int],
        spacing: int,
    ) -> None:
        """Have the missing keys drawn: all at once, or one after the other where each is shown the one before."""
        ability = self._stills.abilities.mode(request.mode)
        if not (ability is not None and ability.key_reference):
            if folder.missing(drawn):
                keys = _key_request(request, tuple(drawn), spacing)
                self._stills.run(keys, _Drawing(context, folder, drawn, 0, len(drawn)))
        else:
            given = {key.frame: key.blob for key in request.keys}
            for number, frame in enumerate(drawn):
                if not folder.missing([frame]):
                    continue
                context.checkpoint()
                before = [key for key in chosen if key < frame] or [key for key in chosen if key in given]
                keys = _key_request(request, (frame,), spacing)
                if before:
                    shown = given.get(before[-1]) or folder.ref(before[-1])
                    keys = replace(keys, styles=(*keys.styles, shown))
                self._stills.run(keys, _Drawing(context, folder, [frame], number, len(drawn)))
        if missing := folder.missing(drawn):
            raise GenerationError(
                f"{self._stills.abilities.title} ended without {len(missing)} of {len(drawn)} key frames.",
                "Run the take again; finished key frames are kept.",
            )


def _carry_request(carrier: Generator, request: GenerateRequest, keys: tuple[KeyRef, ...]) -> GenerateRequest:
    """What the carrier is asked for: the keys as they are, whatever the drawing model was told. A video model hears the
    words and sees the structure as well; its sampling is its own."""
    own = carrier.abilities
    ability = own.mode(request.mode)
    honoured: frozenset[str] = ability.controls if ability is not None else frozenset()
    asked = request.controls
    speaks = own.steps[2] > 0
    return replace(
        request,
        generator=own.id,
        revision=own.revision,
        keys=keys,
        key_spacing=0,
        key_carrier="",
        prompt=request.prompt if speaks else "",
        depth_pass=request.depth_pass if "depth_pass" in honoured else None,
        preset="", negative_prompt="", styles=(), pattern=None, adapters=(), levels=(),
        # The drawing's own sliders have acted on the keys already.
        controls=ControlValues(
            consistency=asked.consistency, grow=asked.grow, feather=asked.feather,
            structure=asked.structure if speaks else ControlValues().structure,
            control_scale=asked.control_scale if speaks else ControlValues().control_scale,
            strength=ability.strength if ability is not None else 1.0,
        ),
    )  # fmt: skip


def _plain(request: GenerateRequest) -> GenerateRequest:
    return replace(request, key_spacing=0) if request.key_spacing else request


def _key_request(request: GenerateRequest, frames: tuple[int, ...], spacing: int) -> GenerateRequest:
    """The key frames as finished pictures: see :attr:`GenerateRequest.key_spacing`."""
    return replace(request, frames=frames, keys=(), key_spacing=spacing)


class KeyFolder:
    """Key frames that were drawn, and which frames were chosen, in a folder that survives a kill."""

    def __init__(self, folder: Path, size: tuple[int, int]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._size = size
        self._refs: dict[int, BlobRef] = {}

    def plan(self, choose: Callable[[], tuple[int, ...]]) -> tuple[int, ...]:
        """The chosen frames: those of an earlier run, else ``choose()``, kept."""
        path = self._folder / "chosen.json"
        try:
            return tuple(int(frame) for frame in json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            chosen = choose()
            write_atomic(path, json.dumps(chosen).encode())
            return chosen

    def _path(self, frame: int) -> Path:
        return self._folder / f"key_{frame:06d}.png"

    def missing(self, frames: list[int]) -> list[int]:
        """Those of ``frames`` that are not there, whole and of the run's size."""
        from gen2studio.engine.take_store import png_size

        return [frame for frame in frames if png_size(self._path(frame)) != self._size]

    def put(self, frame: int, picture: Picture) -> None:
        from gen2studio.engine.take_store import encode_png

        write_atomic(self._path(frame), encode_png(picture))
        self._refs.pop(frame, None)

    def ref(self, frame: int) -> BlobRef:
        """The key of ``frame`` by its content, as requests refer to pictures."""
        found = self._refs.get(frame)
        if found is None:
            digest = hashlib.sha256(self._path(frame).read_bytes()).hexdigest()
            found = self._refs[frame] = BlobRef(digest=digest, path=self._path(frame).as_posix())
        return found

    def picture(self, ref: BlobRef) -> Picture | None:
        """The key that ``ref`` names; None when it is none of these."""
        from gen2studio.engine.take_store import read_png

        frame = next((frame for frame, known in self._refs.items() if known.digest == ref.digest), None)
        return None if frame is None else read_png(self._path(frame))


class _Within:
    """RunContext of a generator that runs inside another's run: everything goes on to the outer context."""

    def __init__(self, outer: RunContext, folder: KeyFolder) -> None:
        self._outer = outer
        self._folder = folder

    @property
    def cancel(self) -> CancelToken:
        return self._outer.cancel

    @property
    def finished(self) -> frozenset[int]:
        return self._outer.finished

    @property
    def kept(self) -> frozenset[int]:
        return self._outer.kept

    @property
    def scratch(self) -> Path:
        return self._outer.scratch

    @property
    def threads(self) -> int:
        return self._outer.threads

    def source(self, frame: int) -> Picture:
        return self._outer.source(frame)

    def mask(self, frame: int) -> NDArray[np.uint8] | None:
        return self._outer.mask(frame)

    def blob(self, ref: BlobRef) -> Picture:
        found = self._folder.picture(ref)
        return found if found is not None else self._outer.blob(ref)

    def checkpoint(self) -> None:
        self._outer.checkpoint()

    def footage(self, source: SourceRef, frame: int) -> Picture:
        return self._outer.footage(source, frame)

    def matte(self, raster: MaskRaster) -> NDArray[np.uint8]:
        return self._outer.matte(raster)

    def progress(self, done: int, total: int, stage: str = "", *, give_way: bool = True) -> None:
        self._outer.progress(done, total, stage, give_way=give_way)

    def note(self, text: str, frame: int | None = None) -> None:
        self._outer.note(text, frame)

    def step_preview(self, frame: int, picture: Picture, step: int, steps: int) -> None:
        self._outer.step_preview(frame, picture, step, steps)

    def emit(self, frame: int, picture: Picture) -> None:
        self._outer.emit(frame, picture)


class _Drawing(_Within):
    """What is emitted are key frames; a finished one is shown at its place until it has been carried."""

    def __init__(self, outer: RunContext, folder: KeyFolder, keys: list[int], first: int, total: int) -> None:
        """``first`` keys of ``total`` were drawn before these."""
        super().__init__(outer, folder)
        self._keys = keys
        self._first = first
        self._total = total

    @property
    def finished(self) -> frozenset[int]:
        return frozenset(self._keys) - frozenset(self._folder.missing(self._keys))

    @property
    def kept(self) -> frozenset[int]:
        return frozenset()

    @property
    def scratch(self) -> Path:
        inside = self._outer.scratch / "key-work"
        inside.mkdir(parents=True, exist_ok=True)
        return inside

    def progress(self, done: int, total: int, stage: str = "", *, give_way: bool = True) -> None:
        count = len(self._keys)
        done, total = self._first * total + done * count, self._total * total
        words = f"Key frames: {stage[:1].lower()}{stage[1:]}" if stage else "Key frames"
        self._outer.progress(done, total, words, give_way=give_way)

    def emit(self, frame: int, picture: Picture) -> None:
        if frame not in self._keys:
            raise GenerationError(f"The generator sent frame {frame}, which is no key frame.")
        self._folder.put(frame, picture)
        self._outer.step_preview(frame, picture, 1, 1)


class _Carrying(_Within):
    """Other keys than those that were drawn can't be asked for: where one is missed is gathered."""

    def __init__(self, outer: RunContext, folder: KeyFolder) -> None:
        super().__init__(outer, folder)
        self.asked: set[int] = set()

    def progress(self, done: int, total: int, stage: str = "", *, give_way: bool = True) -> None:
        doing = "" if stage.startswith("Carrying") or not stage else f": {stage[:1].lower()}{stage[1:]}"
        self._outer.progress(done, total, f"Carrying key frames{doing}", give_way=give_way)

    def note(self, text: str, frame: int | None = None) -> None:
        if frame is None:
            super().note(text)
        else:
            self.asked.add(frame)
