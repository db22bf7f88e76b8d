"""The options that describe a look on the command line, and the frozen request they make."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from pathlib import Path

from gen2studio.app.choosing import Choice, choose
from gen2studio.cli.board_options import add_board_options, board_requests, panels_of
from gen2studio.cli.footage import Footage, anchored, frame_range, image_ref, matte_track, open_footage
from gen2studio.cli.key_options import add_key_options, key_carrier_of, key_spacing_of
from gen2studio.cli.part_options import add_part_options, with_parts
from gen2studio.cli.progress_bar import ProgressBar
from gen2studio.cli.reach_options import add_reach_options, check_extend, extension, outpaint_of, reframed
from gen2studio.cli.running import run_job
from gen2studio.cli.shot_options import (
    FROM_NOTHING,
    adapters_of,
    add_shot_options,
    camera_of,
    check_honoured,
    depth_of,
    key_refs,
    shot_footage,
    wished_shot,
)
from gen2studio.compose import generator_registry, look_catalog
from gen2studio.core.cancel import Cancelled
from gen2studio.core.errors import GenerationError, UsageError
from gen2studio.core.geometry import Extent
from gen2studio.core.ids import new_id
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.document.look import AdapterUse, DepthPass, Look, Mode, Outpaint, PaintedKey, Pattern, StyleImage
from gen2studio.engine.events import Event, JobState, MaskReady
from gen2studio.engine.generators import Abilities
from gen2studio.engine.requests import (
    AnchorTrack,
    ControlValues,
    GenerateRequest,
    Job,
    Lane,
    MaskTrackRef,
    PatternRef,
    PropagateRequest,
)
from gen2studio.engine.workspace import Workspace
from gen2studio.raster.tiles import TileStore

_SLIDERS = {
    # option: (field, lowest, highest, help)
    "structure": ("structure", 0.0, 7.0, "0 follows every edge of the footage … 7 only its rough layout"),
    "weight": ("style_weight", 0.0, 2.0, "how strongly the style is applied; 1 = as designed"),
    "consistency": ("consistency", 0.0, 2.0, "how much frames are held together; 1 = neutral"),
    "stroke": ("stroke_size", 0.25, 4.0, "size of brush marks"),
    "strength": ("strength", 0.0, 1.0, "mix with the source; 1 = all new"),
    "protect-skin": ("protect_skin", 0.0, 1.0, "keep the source's own colours on skin"),
    "preserve-luminance": ("preserve_luminance", 0.0, 1.0, "region edits keep the subject's shading"),
    "feather": ("feather", 0.0, 200.0, "soft edge of the mask in pixels, inwards only"),
}
MODES = ("text", "text_image", "image", "stylize", "storyboard", "mask", "render")
_PATTERNS = ("none", "spots", "stripes", "plaid", "swatch")
_PICTURES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp"}


def add_look_options(parser: argparse.ArgumentParser) -> None:
    """Everything but the output: source, style, region, sliders, range and size."""
    look = parser.add_argument_group("look")
    look.add_argument("--mode", choices=MODES, default="stylize", help="default: %(default)s")
    look.add_argument("--preset", default="", metavar="NAME", help="a bundled look; “list” prints them")
    look.add_argument("--style", action="append", default=[], metavar="IMAGE", help="a style image; may be repeated")
    look.add_argument("--prompt", default="", metavar="TEXT", help="words; those not understood are named")
    look.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="PNG@FRAME",
        help="a painted or given frame at its place: PNG@12 or PNG@1.5s; may be repeated",
    )
    look.add_argument("--pattern", choices=_PATTERNS, help="give the region a colour and a pattern")
    look.add_argument("--base", metavar="HEX", default="#f5f3ee", help="the pattern's ground (default: %(default)s)")
    look.add_argument("--ink", metavar="HEX", default="#161414", help="the pattern's marks (default: %(default)s)")
    look.add_argument("--pattern-scale", type=float, default=1.0, metavar="X", help="0.25 … 4 (default: 1)")
    look.add_argument("--swatch", metavar="IMAGE", help="the picture of --pattern swatch")
    look.add_argument("--seed", type=int, default=1, metavar="N", help="the same seed gives the same film (default: 1)")
    look.add_argument("--generator", default="", metavar="ID", help="default: chosen by mode and input")
    defaults = ControlValues()
    sliders = parser.add_argument_group("sliders")
    for option, (field, low, high, text) in _SLIDERS.items():
        usual = "the generator's" if field == "strength" else f"{getattr(defaults, field):g}"
        help_text = f"{text} ({low:g} … {high:g}, default {usual})"
        sliders.add_argument(f"--{option}", dest=field, type=float, metavar="X", help=help_text)
    sliders.add_argument("--grow", type=int, default=0, metavar="PIXELS", help="grow (+) or shrink (−) the mask")
    what = parser.add_argument_group("footage")
    what.add_argument(
        "--source", type=Path, metavar="CLIP", help="video, still or image sequence (modes stylize, mask, render)"
    )
    what.add_argument(
        "--mask",
        action="append",
        default=[],
        metavar="PNG|SEQ|VIDEO",
        help="the subject in white: a matte video or PNG sequence as long as the clip or the range, or one picture "
        "(of the first frame, or PNG@FRAME; may be repeated) that is carried through the range",
    )
    what.add_argument("--hold-mask", action="store_true", help="use one --mask picture unmoved on every frame")
    what.add_argument(
        "--region", choices=("foreground", "background", "all"), help="what changes (default: foreground with a mask)"
    )
    what.add_argument("--range", dest="span", default=":", metavar="A:B", help="frames A to B, B not included")
    what.add_argument(
        "--size", nargs="+", default=[], metavar="WxH | max N", help="output size (default: the clip's own)"
    )
    add_part_options(what)
    add_key_options(parser)
    add_reach_options(parser)
    add_shot_options(parser)
    add_board_options(parser)


def list_presets() -> None:
    """Print the bundled looks."""
    for info in look_catalog().presets():
        print(f"{info.id:<16} {info.title}{f' - {info.description}' if info.description else ''}")


def chosen_generator(args: argparse.Namespace) -> Choice:
    """The generator that the options name, or the best for what they ask. Raises UsageError, GenerationError."""
    registry = generator_registry()
    look = Look(
        mode=Mode(args.mode),
        generator=args.generator,
        preset=args.preset,
        prompt=args.prompt,
        styles=tuple(StyleImage(digest="") for _ in args.style),
        keys=tuple(PaintedKey(frame=0, digest="") for _ in args.key),
        pattern=Pattern(kind=args.pattern) if args.pattern else None,
        depth_pass=DepthPass(path=args.depth) if args.depth else None,
        adapters=tuple(AdapterUse(adapter=name) for name in args.adapter),
        key_spacing=key_spacing_of(args),
        key_carrier=key_carrier_of(args),
        outpaint=Outpaint(left=float(bool(args.outpaint))),
    )
    found = choose(look, registry, look_catalog().words, adapters_of(args)[1])
    if found is None:
        raise GenerationError(registry.why_not(args.mode))
    if args.generator and not found.pinned:
        known = ", ".join(a.id for a in registry.serving(args.mode))
        raise UsageError(f"The generator “{args.generator}” does not serve {args.mode}. Those that do: {known}.")
    return found


def check_inputs(args: argparse.Namespace, abilities: Abilities) -> None:
    """Refuse what is missing for the mode, and what the generator would ignore. Raises UsageError."""
    ability = abilities.mode(args.mode)
    assert ability is not None
    check_extend(args, args.mode in FROM_NOTHING)
    if args.mode in FROM_NOTHING:
        given_for_footage = (("source", args.source), ("mask", args.mask), ("region", args.region), ("part", args.part))
        for option, given in given_for_footage:
            if given and not (args.extend and option == "source"):
                raise UsageError(f"--mode {args.mode} makes a shot of its own: leave out --{option}.")
        if args.span != ":" and not args.extend:
            raise UsageError(f"--mode {args.mode} makes a whole shot: say how long with --seconds, not with --range.")
        if args.mode in ("text", "text_image") and not args.prompt.strip() and not args.extend:
            raise UsageError(f"--mode {args.mode} needs a --prompt.")
        if args.mode in ("text_image", "image") and not (args.image or args.last or args.key or args.extend):
            raise UsageError(f"--mode {args.mode} needs an --image.")
        if args.mode == "text" and (args.image or args.last or args.key):
            raise UsageError("--mode text has no pictures; use --mode text_image.")
    else:
        if args.source is None:
            raise UsageError(f"--mode {args.mode} needs a --source clip.")
        shot = ("image", "last", "aspect", "seconds", "fps", "camera", "motion")
        for option in (*shot, "panel", "board"):
            if getattr(args, option) not in (None, "", []):
                raise UsageError(f"--{option} is for generated shots; --mode {args.mode} works on footage.")
    if args.mode != "storyboard" and (args.panel or args.board):
        raise UsageError("--panel and --board are for --mode storyboard.")
    check_honoured(args, abilities, ability)


def request_of(
    args: argparse.Namespace, footage: Footage, tiles: TileStore, bar: ProgressBar, abilities: Abilities
) -> GenerateRequest:
    """The request that the options describe; a single mask picture is carried through the range first.

    Raises UsageError, MediaError, GenerationError, and Cancelled when that was interrupted.
    """
    start, stop = (0, footage.source.frame_count) if args.extend else frame_range(args.span, footage)
    size = footage.extent if args.mode in FROM_NOTHING else output_size(args.size, footage.extent)
    region = args.region or ("foreground" if args.mask else "all")
    if region != "all" and not args.mask:
        raise UsageError(f"--region {region} needs a --mask.")
    if args.mode == "mask" and not args.mask and not args.outpaint:
        raise UsageError("--mode mask needs a --mask that shows the subject.")
    request = GenerateRequest(
        mode=args.mode,
        generator=abilities.id,
        revision=abilities.revision,
        source=footage.source,
        start=start,
        stop=stop,
        width=size.width,
        height=size.height,
        preset=preset_id(args.preset),
        prompt=args.prompt,
        styles=tuple(image_ref(path) for path in args.style),
        negative_prompt=args.negative,
        keys=key_refs(args, footage),
        key_spacing=key_spacing_of(args),
        key_carrier=key_carrier_of(args),
        pattern=_pattern(args),
        region=region,
        masks=_masks(args, footage, start, stop, tiles, bar) if region != "all" else (),
        controls=_controls(args, abilities),
        seed=args.seed,
        from_nothing=args.mode in FROM_NOTHING,
        structure_source=args.structure_source or "auto",
        depth_pass=depth_of(args),
        fill=args.fill or "shape",
        camera=camera_of(args.camera),
        adapters=adapters_of(args)[0],
    )
    if args.part:
        return with_parts(
            args, request, lambda own: request_of(own, footage, tiles, bar, chosen_generator(own).abilities)
        )
    return reframed(request, outpaint_of(args, size))


def preset_id(name: str) -> str:
    """The id of a preset given by id or title. Raises UsageError."""
    if not name:
        return ""
    presets = look_catalog().presets()
    for info in presets:
        if name.casefold() in (info.id.casefold(), info.title.casefold()):
            return info.id
    raise UsageError(f"There is no preset “{name}”. Choose one of: {', '.join(info.id for info in presets)}.")


def output_size(words: list[str], extent: Extent) -> Extent:
    """``WxH``, ``max N`` or ``N`` (longest side, never enlarged); empty = as it is. Raises UsageError."""
    text = " ".join(words).strip()
    if not text:
        return extent
    if both := re.fullmatch(r"(\d+)\s*[x×]\s*(\d+)", text):
        width, height = int(both[1]), int(both[2])
    elif longest := re.fullmatch(r"(?:max\s*)?(\d+)", text):
        side = int(longest[1])
        width, height = extent.width, extent.height
        if 0 < side < max(width, height):
            fitted = extent.scaled_to_fit(Extent(side, side))
            # Even sides suit every video codec.
            width, height = fitted.width & ~1, fitted.height & ~1
    else:
        raise UsageError(f"The size “{text}” is neither WIDTHxHEIGHT nor max N.")
    if not (16 <= width <= 16384 and 16 <= height <= 16384):
        raise UsageError(f"The size {width}×{height} is outside 16 to 16384 pixels a side.")
    return Extent(width, height)


def colour(text: str) -> tuple[int, int, int]:
    """``#rrggbb`` or ``#rgb``. Raises UsageError."""
    digits = text.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(d + d for d in digits)
    if not re.fullmatch(r"[0-9a-fA-F]{6}", digits):
        raise UsageError(f"“{text}” is not a colour; write it as #rrggbb.")
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)


def _pattern(args: argparse.Namespace) -> PatternRef | None:
    if args.pattern is None:
        return None
    if args.pattern == "swatch" and not args.swatch:
        raise UsageError("--pattern swatch needs --swatch IMAGE.")
    if not 0.25 <= args.pattern_scale <= 4:
        raise UsageError("--pattern-scale lies between 0.25 and 4.")
    swatch = image_ref(args.swatch) if args.swatch else None
    return PatternRef(
        kind=args.pattern, base=colour(args.base), ink=colour(args.ink), scale=args.pattern_scale, swatch=swatch
    )


def _controls(args: argparse.Namespace, abilities: Abilities) -> ControlValues:
    ability = abilities.mode(args.mode)
    values = ControlValues(grow=args.grow, strength=ability.strength if ability is not None else 1.0)
    sliders = {option: (field, low, high) for option, (field, low, high, _text) in _SLIDERS.items()}
    sliders |= {"motion": ("motion", 0.0, 10.0), "control-scale": ("control_scale", 0.0, 2.0)}
    sliders |= {"reuse": ("reuse", 0.0, 30.0)}
    sliders |= {"guidance": ("guidance", *abilities.guidance[1:]), "steps": ("steps", *abilities.steps[1:])}
    for option, (field, low, high) in sliders.items():
        value = getattr(args, field)
        if value is None:
            continue
        if not low <= value <= high:
            raise UsageError(f"--{option} lies between {low:g} and {high:g}, not at {value:g}.")
        values = replace(values, **{field: value})
    return values


def _masks(
    args: argparse.Namespace, footage: Footage, start: int, stop: int, tiles: TileStore, bar: ProgressBar
) -> tuple[MaskTrackRef, ...]:
    name = new_id("mask")
    single = [text for text in args.mask if _is_picture(text)]
    if not single:
        if len(args.mask) > 1:
            raise UsageError("Give one matte video or sequence.")
        track = matte_track(Path(args.mask[0]), footage, start, stop, tiles)
        return (MaskTrackRef(object_id=name, frames=tuple(track)),)
    if len(single) != len(args.mask):
        raise UsageError("Give either single mask pictures or one matte video or sequence.")
    anchors = dict(anchored(text, footage, tiles, start) for text in single)
    if args.hold_mask:
        if len(anchors) > 1:
            raise UsageError("--hold-mask takes one mask picture.")
        raster = next(iter(anchors.values()))
        return (MaskTrackRef(object_id=name, frames=tuple((frame, raster) for frame in range(start, stop))),)
    if set(range(start, stop)) <= set(anchors):
        return (MaskTrackRef(object_id=name, frames=tuple(sorted(anchors.items()))),)
    carried = carry(footage, name, anchors, min(start, *anchors), max(stop, *(a + 1 for a in anchors)), tiles, bar)
    if carried is None:
        raise Cancelled
    kept = tuple((frame, raster) for frame, raster in sorted(carried.items()) if start <= frame < stop)
    return (MaskTrackRef(object_id=name, frames=kept),)


def _is_picture(text: str) -> bool:
    path = Path(text.rpartition("@")[0] or text) if re.search(r"@\d+$", text) else Path(text)
    return path.suffix.lower() in _PICTURES and "%" not in path.name and not path.is_dir()


def carry(
    footage: Footage,
    object_id: str,
    anchors: dict[int, MaskRaster],
    start: int,
    stop: int,
    tiles: TileStore,
    bar: ProgressBar,
) -> dict[int, MaskRaster] | None:
    """Mattes of [start, stop) propagated from ``anchors``, which stay as drawn; None when it was interrupted."""
    found = {frame: raster for frame, raster in anchors.items() if start <= frame < stop}

    def hear(event: Event) -> None:
        if isinstance(event, MaskReady):
            found[event.frame] = tiles.pack(event.mask)

    request = PropagateRequest(
        source=footage.source,
        objects=(AnchorTrack(object_id=object_id, anchors=tuple(sorted(anchors.items()))),),
        start=start,
        stop=stop,
        from_frame=min(anchors),
    )
    job = Job(id=new_id("job"), lane=Lane.MASK, request=request, label="Tracking the mask")
    state = run_job(job, Workspace(matte=tiles.unpack), bar, hear)
    return found if state is JobState.FINISHED else None


def planned(
    args: argparse.Namespace, tiles: TileStore, bar: ProgressBar
) -> tuple[Choice, list[tuple[Footage, GenerateRequest]]]:
    """The generator and the requests that the options describe: one, or one for each panel of a storyboard.

    Raises StudioError, and Cancelled when carrying a mask was interrupted.
    """
    choice = chosen_generator(args)
    abilities = choice.abilities
    check_inputs(args, abilities)
    if args.mode == "storyboard":
        panels = panels_of(args)
        slate = shot_footage(args, abilities, "storyboard", wished_shot(args, abilities, panels[0].seconds))
        base = request_of(args, slate, tiles, bar, abilities)
        return choice, board_requests(args, abilities, panels, base)
    if args.extend:
        shot, lead = extension(args, open_footage(args.source), abilities)
        footage = shot_footage(args, abilities, f"{args.source.stem}, extended", shot)
        return choice, [(footage, replace(request_of(args, footage, tiles, bar, abilities), lead=lead))]
    if args.mode in FROM_NOTHING:
        footage = shot_footage(args, abilities, "shot")
    else:
        footage = open_footage(args.source)
    return choice, [(footage, request_of(args, footage, tiles, bar, abilities))]
