"""The options that only models honour: shots from nothing, pictures at their times, camera, depth, adapters."""

from __future__ import annotations

import argparse
import re
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path

from gen2studio.app.choosing import denoises
from gen2studio.app.planning_parts import depth_ref
from gen2studio.app.shot_wish import default_wish, shot_for
from gen2studio.cli.footage import Footage, image_ref
from gen2studio.core.errors import EditRefused, ModelError, UsageError
from gen2studio.core.geometry import Extent
from gen2studio.core.paths import cache_dir
from gen2studio.document import shots
from gen2studio.document.look import DepthPass, Fill, StructureSource
from gen2studio.document.model import Shot
from gen2studio.engine.generators import Abilities, ModeAbility
from gen2studio.engine.requests import AdapterRef, CameraMove, DepthPassRef, KeyRef, SourceRef, WordRef
from gen2studio.media.clock import regular_clock
from gen2studio.media.slate import SUFFIX, slate_fingerprint, slate_info, write_slate

FROM_NOTHING = ("text", "text_image", "image", "storyboard")
"""Modes that make shots without footage."""
_AXES = tuple(f.name for f in fields(CameraMove) if f.name != "static")
_HONOURED = {
    # option → the control that a generator must honour
    "style": ("styles",), "preset": ("preset",), "negative": ("negative_prompt",),
    "camera": ("camera",), "motion": ("motion",), "guidance": ("guidance",), "steps": ("steps",), "reuse": ("reuse",),
    "control_scale": ("control_scale",), "depth": ("depth_pass",), "structure_source": ("structure_source",),
    "outpaint": ("outpaint",), "extend": ("lead",), "key_frames": ("key_spacing",),
    "fill": ("fill",), "adapter": ("adapters",), "last": ("last_frame", "keys"), "image": ("first_frame", "keys"),
}  # fmt: skip


def add_shot_options(parser: argparse.ArgumentParser) -> None:
    """Everything about shots from nothing and about models."""
    shot = parser.add_argument_group("generated shots (modes text, text_image, image, storyboard)")
    shot.add_argument("--image", metavar="PICTURE", help="the first frame")
    shot.add_argument("--last", metavar="PICTURE", help="the last frame")
    shot.add_argument("--aspect", default="", metavar="W:H", help=f"{', '.join(shots.ASPECTS)} (default: 16:9)")
    shot.add_argument("--seconds", metavar="N", help="length (default: what the model was made for)")
    shot.add_argument("--fps", metavar="N", help="frames per second (default: what the model was made for)")
    shot.add_argument(
        "--camera",
        default="",
        metavar="MOVES",
        help=f"like horizontal=3,zoom=-2 ({', '.join(_AXES)}; -10 … 10), or static",
    )
    shot.add_argument("--motion", type=float, metavar="X", help="general motion (0 … 10, default 5)")
    model = parser.add_argument_group("models")
    model.add_argument("--negative", default="", metavar="TEXT", help="what must not be seen")
    model.add_argument("--guidance", type=float, metavar="X", help="how literally the words are taken")
    model.add_argument("--steps", type=int, metavar="N", help="denoising steps")
    model.add_argument(
        "--reuse", type=float, metavar="PERCENT", help="skip steps that would change less than this (0 … 30, default 0)"
    )
    model.add_argument(
        "--adapter", action="append", default=[], metavar="NAME[:STRENGTH]", help="a trained adapter; may be repeated"
    )
    model.add_argument(
        "--structure-source", choices=[s.value for s in StructureSource], help="what the structure is read from"
    )
    model.add_argument(
        "--control-scale", type=float, metavar="X", help="how strictly it is followed (0 … 2, default 1)"
    )
    model.add_argument("--depth", metavar="PASS", help="a depth pass: a video, or the first file of a sequence")
    model.add_argument("--near-black", action="store_true", help="in the depth pass, near is black")
    model.add_argument("--fill", choices=[f.value for f in Fill], help="may a mask edit change the subject's outline")


def check_honoured(args: argparse.Namespace, abilities: Abilities, ability: ModeAbility) -> None:
    """Refuse options that the generator would ignore. Raises UsageError."""
    reasons = dict(ability.why_not)
    if args.pattern and denoises(abilities):
        raise UsageError(
            f"{abilities.title} does not honour --pattern: {reasons.get('pattern', 'it invents its own')}."
        )
    for option, controls in _HONOURED.items():
        if getattr(args, option) not in (None, "", []) and not any(c in ability.controls for c in controls):
            because = next((f": {reasons[c]}" for c in controls if c in reasons), "")
            name = option.replace("_", "-")
            raise UsageError(f"{abilities.title} does not honour --{name} here{because}.")


def shot_footage(args: argparse.Namespace, abilities: Abilities, name: str, shot: Shot | None = None) -> Footage:
    """The slate of a shot as footage. ``shot`` None = as the options say. Raises UsageError."""
    shot = shot or wished_shot(args, abilities)
    size = Extent(shot.width, shot.height)
    fingerprint = slate_fingerprint(size, shot.rate, shot.frames)
    path = cache_dir("slates") / f"{fingerprint}{SUFFIX}"
    if not path.is_file():
        write_slate(path, size, shot.rate, shot.frames)
    source = SourceRef(
        fingerprint=fingerprint, path=str(path), rate=shot.rate, frame_count=shot.frames, width=shot.width,
        height=shot.height,
    )  # fmt: skip
    info = slate_info(size, shot.rate, shot.frames)
    return Footage(path, info, regular_clock(shot.frames, shot.rate), source, name)


def wished_shot(args: argparse.Namespace, abilities: Abilities, seconds: Fraction | None = None) -> Shot:
    """The shot that the options describe. Raises UsageError."""
    wish = default_wish(abilities)
    try:
        rate = number(args.fps, "--fps") if args.fps else wish.rate
        length = seconds or (number(args.seconds, "--seconds") if args.seconds else wish.seconds)
        wish = replace(wish, aspect=shots.aspect_of(args.aspect or "16:9"), rate=rate, seconds=length)
        if not (text := " ".join(args.size).strip()):
            return shot_for(wish, abilities)
        both = re.fullmatch(r"(\d+)\s*[x×]\s*(\d+)", text)
        if both is None or args.aspect:
            raise UsageError("A generated shot is sized by --aspect, or by --size WIDTHxHEIGHT.")
        return shots.shot_of(Extent(max(1, int(both[1])), max(1, int(both[2]))), rate, length)
    except EditRefused as refused:
        raise UsageError(str(refused)) from None


def number(text: str, option: str) -> Fraction:
    """``24``, ``23.976`` or ``24000/1001``. Raises UsageError."""
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"{option} “{text}” is not a number.") from None


def camera_of(text: str) -> CameraMove:
    """``horizontal=3,zoom=-2`` or ``static``. Raises UsageError."""
    move = CameraMove()
    for part in filter(None, (part.strip() for part in text.split(","))):
        axis, mark, value = (word.strip() for word in part.partition("="))
        if axis == "static" and not mark:
            move = replace(move, static=True)
            continue
        try:
            amount = float(value)
        except ValueError:
            amount = 99.0
        if axis not in _AXES or not mark or not -10 <= amount <= 10:
            raise UsageError(f"“{part}” is no camera move; write static, or {', '.join(_AXES)} = -10 … 10.")
        move = replace(move, **{axis: amount})
    return move


def key_refs(args: argparse.Namespace, footage: Footage) -> tuple[KeyRef, ...]:
    """``--image``, ``--last`` and every ``--key FILE@FRAME`` or ``FILE@1.5s``, in order. Raises UsageError."""
    last = footage.source.frame_count - 1
    found: dict[int, KeyRef] = {}
    for text in args.key:
        key = key_at(text, footage)
        found[key.frame] = key
    if args.image:
        found[0] = KeyRef(frame=0, blob=image_ref(args.image))
    if args.last:
        if not last:
            raise UsageError("A shot of one frame has no other last frame.")
        found[last] = KeyRef(frame=last, blob=image_ref(args.last))
    return tuple(found[frame] for frame in sorted(found))


def key_at(text: str, footage: Footage) -> KeyRef:
    """``FILE@12`` (a frame) or ``FILE@1.5s`` (seconds). Raises UsageError."""
    name, mark, when = text.rpartition("@")
    seconds = re.fullmatch(r"(\d+(?:\.\d+)?)s|(\d+\.\d+)", when) if mark and name else None
    if seconds is not None:
        frame = footage.clock.index_at(Fraction(seconds[1] or seconds[2]))
        length = footage.clock.time_of(footage.source.frame_count - 1) + 1 / (footage.source.rate or 1)
        if Fraction(seconds[1] or seconds[2]) >= length:
            raise UsageError(f"{when} is outside the clip, which lasts {float(length):.2f} s.")
    elif mark and name and when.isdigit():
        frame = int(when)
        if frame >= footage.source.frame_count:
            raise UsageError(f"Frame {frame} is outside the clip, which has {footage.source.frame_count} frames.")
    else:
        raise UsageError(f"“{text}” needs the time it belongs to: FILE@FRAME or FILE@1.5s.")
    return KeyRef(frame=frame, blob=image_ref(name))


def depth_of(args: argparse.Namespace) -> DepthPassRef | None:
    """The depth pass. Raises UsageError and GenerationError."""
    if not args.depth:
        if args.near_black:
            raise UsageError("--near-black needs a --depth pass.")
        return None
    path = Path(args.depth).absolute()
    return depth_ref(DepthPass(path=path.as_posix(), name=path.name, near_is_white=not args.near_black))


def adapters_of(args: argparse.Namespace) -> tuple[tuple[AdapterRef, ...], str]:
    """The adapters by name or id, and the id of the model they were trained on. Raises UsageError, ModelError."""
    if not args.adapter:
        return (), ""
    from gen2studio.models.adapters import AdapterLibrary

    known = AdapterLibrary().adapters()
    found: list[AdapterRef] = []
    base = ""
    for text in args.adapter:
        name, mark, strength = text.rpartition(":")
        if not mark or not re.fullmatch(r"\d+(\.\d+)?", strength):
            name, strength = text, "1"
        adapter = next((a for a in known if name in (a.id, a.name)), None)
        if adapter is None:
            names = ", ".join(a.name for a in known) or "none"
            raise UsageError(f"There is no adapter “{name}” in the library. There are: {names}.")
        if adapter.problem:
            raise ModelError(adapter.problem, "Import it again, or leave it out.")
        if not 0 <= float(strength) <= 2:
            raise UsageError(f"The strength of an adapter lies between 0 and 2, not at {strength}.")
        base = base or adapter.base_model
        if float(strength) and adapter.vectors:
            path = str(adapter.path)
            found.append(WordRef(digest=adapter.sha256, adapter_id=adapter.id, path=path, word=adapter.trigger))
        elif float(strength):
            found.append(
                AdapterRef(
                    digest=adapter.sha256, adapter_id=adapter.id, path=str(adapter.path), strength=float(strength)
                )
            )
    return tuple(found), base
