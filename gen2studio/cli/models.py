"""``gen2studio models``: the models of this machine, added by their folder and used where they lie."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2studio.core.errors import StudioError, UsageError
from gen2studio.core.time import rate_label

if TYPE_CHECKING:
    from gen2studio.models.library import InstalledModel, ModelLibrary
    from gen2studio.models.mask_models import MaskModel


def add_parser(subparsers: Any) -> None:
    """Add the verb to ``argparse``'s sub-parsers."""
    parser = subparsers.add_parser("models", help="list, add, check and remove model folders")
    verbs = parser.add_subparsers(dest="action", required=True, parser_class=type(parser))
    listing = verbs.add_parser("list", help="the models, and how each would be held on this machine")
    listing.add_argument("--json", action="store_true", help="machine-readable output")
    adding = verbs.add_parser("add", help="check a model folder or file and add it; nothing is copied")
    adding.add_argument(
        "path", type=Path,
        help="a folder in diffusers' or in Wan's own layout, or a transformer file (.safetensors or .gguf); for masks "
        "a Segment Anything .pth, or the folder of a SAM 2, EdgeTAM or SAM 3 model",
    )  # fmt: skip
    adding.add_argument(
        "--with", dest="rest", metavar="FOLDER|MODEL",
        help="for a single file: the folder or the id of the model with the text encoder, the VAE and the configs",
    )  # fmt: skip
    for name, what in (("vae", "the VAE"), ("text-encoder", "the UMT5 text encoder")):
        adding.add_argument(
            f"--{name}", dest=name.replace("-", "_"), type=Path, metavar="FILE",
            help=f"{what} as one file (.safetensors, .pth) instead of the folder's own",
        )  # fmt: skip
    adding.add_argument("--tokenizer", type=Path, metavar="FOLDER", help="the folder with tokenizer.json of UMT5")
    planning = verbs.add_parser("plan", help="every way to hold a model on this machine, and which is taken and why")
    planning.add_argument("id", help="of the model, as “models list” shows it")
    planning.add_argument("--size", metavar="WxH", help="picture size of the clip (default: the model's own)")
    planning.add_argument("--frames", type=int, metavar="N", help="frames of one window (default: the model's own)")
    holding = verbs.add_parser(
        "hold", help="choose how a model is held in memory from now on, or leave it to the program"
    )
    holding.add_argument("id", help="of the model, as “models list” shows it")
    holding.add_argument("rung", help="a name out of “models plan”, or “auto”")
    checking = verbs.add_parser("check", help="read every weights file whole and compare its SHA-256")
    checking.add_argument("id", help="of the model, as “models list” shows it")
    removing = verbs.add_parser("remove", help="take a model off the list; its files stay")
    removing.add_argument("id", help="of the model, as “models list” shows it")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do the action; raises StudioError with one sentence when it can't be done."""
    from gen2studio.models.library import ModelLibrary
    from gen2studio.models.mask_models import MaskModelLibrary, is_mask_model

    library, masks = ModelLibrary(), MaskModelLibrary()
    if args.action == "list":
        models, selecting = library.models(), masks.models()
        if args.json:
            print(json.dumps([*map(_facts, models), *map(_mask_facts, selecting)], indent=1))
        else:
            print("\n\n".join([_listing(models), *map(_mask_card, selecting)]))
        return 0
    if args.action == "add" and is_mask_model(args.path):
        print(_mask_card(masks.add(args.path)))
        return 0
    if args.action == "add":
        named = {name: getattr(args, name) for name in ("vae", "text_encoder", "tokenizer")}
        model = library.add(args.path, args.rest, {name: path for name, path in named.items() if path is not None})
        print(_card(model))
        return 0
    if args.action == "plan":
        print(_ladder(library.model(args.id), _clip(args)))
        return 0
    if args.action == "hold":
        return _hold(library.model(args.id), args.rung)
    if args.action == "check":
        return _check(library, args.id)
    if args.action == "remove" and any(model.id == args.id for model in masks.models()):
        title = masks.model(args.id).title
        masks.remove(args.id)
        print(f"{title} is off the list; its files are where they were.")
        return 0
    if args.action == "remove":
        title = library.model(args.id).title
        library.remove(args.id)
        print(f"{title} is off the list; its files are where they were.")
        return 0
    raise UsageError(f"There is no action “{args.action}”.")


def _listing(models: tuple[InstalledModel, ...]) -> str:
    if not models:
        return "No models. Add one with: gen2studio models add FOLDER"
    return "\n\n".join(_card(model) for model in models)


def _card(model: InstalledModel) -> str:
    from gen2studio.engine.budget import size_text

    lines = [f"{model.id}: {model.title}{' (built in)' if model.built_in else ''}"]

    def line(name: str, text: str) -> None:
        lines.append(f"  {name:12} {text}")

    line("folder", str(model.folder))
    if model.transformer_file is not None:
        line("file", str(model.transformer_file))
    for name, path in model.parts:
        line(name.replace("_", " "), str(path))
    if model.problem:
        line("problem", model.problem)
        return "\n".join(lines)
    made = model.manifest
    sizes = ", ".join(f"{width}×{height}" for width, height in made.sizes)
    line("made for", f"{sizes}; {made.frames.native} frames at {rate_label(made.rate)} fps")
    parts = ", ".join(f"{part.name.replace('_', ' ')} {_count(part.parameters)}" for part in made.components)
    line("weights", f"{size_text(made.weight_bytes)} ({parts})")
    if made.licence:
        line("licence", made.licence)
    line("held", _plan(model))
    for note in model.notes:
        line("note", note)
    return "\n".join(lines)


def _mask_card(model: MaskModel) -> str:
    from gen2studio.engine.budget import size_text

    lines = [f"{model.id}: {model.title} (masks)", f"  {'place':10} {model.path}"]
    if model.problem:
        return "\n".join([*lines, f"  {'problem':10} {model.problem}"])
    able = model.able
    does = [
        *(["clicks and boxes"] if able.clicks else []), *(["words"] if able.text else []),
        *(["carries masks"] if model.tracks else []),
    ]  # fmt: skip
    return "\n".join([*lines, f"  {'weights':10} {size_text(model.bytes)}", f"  {'for':10} {', '.join(does)}"])


def _mask_facts(model: MaskModel) -> dict[str, Any]:
    return {
        "id": model.id,
        "title": model.title,
        "kind": "masks",
        "place": str(model.path),
        "problem": model.problem,
        "family": model.family,
        "tracks": model.tracks,
        "weight_bytes": model.bytes,
    }


def _count(parameters: int) -> str:
    return f"{parameters / 1e9:.2f} B" if parameters >= 1e9 else f"{parameters / 1e6:.1f} M"


def _plan(model: InstalledModel) -> str:
    """How the model would be held here, told without importing torch."""
    from gen2studio.diffusion.runtime.device import quick_machine
    from gen2studio.diffusion.runtime.ladder import choose_plan
    from gen2studio.models.holding import HoldingChoices

    try:
        return choose_plan(model, quick_machine(), rung=HoldingChoices().rung(model.id)).explain()
    except StudioError as error:
        return str(error)


def _clip(args: argparse.Namespace) -> tuple[tuple[int, int] | None, int | None]:
    """(size, frames) that were asked for. Raises UsageError."""
    size: tuple[int, int] | None = None
    if args.size:
        sides = [int(side) for side in args.size.lower().replace("×", "x").split("x") if side.isdigit()]
        if len(sides) != 2 or not all(16 <= side <= 8192 for side in sides):
            raise UsageError(f"“{args.size}” is no picture size.", "Write it as 832x480.")
        size = sides[0], sides[1]
    if args.frames is not None and not 1 <= args.frames <= 10_000:
        raise UsageError("A window has at least one frame.", "Write --frames 81.")
    return size, args.frames


def _ladder(model: InstalledModel, clip: tuple[tuple[int, int] | None, int | None]) -> str:
    """Every rung with its estimate, the one that is taken marked, and the reason."""
    from gen2studio.diffusion.runtime.device import quick_machine
    from gen2studio.diffusion.runtime.footprint import ClipShape, native_shape
    from gen2studio.diffusion.runtime.ladder import choose_plan, plans_for
    from gen2studio.models.holding import HoldingChoices

    native, machine = native_shape(model), quick_machine()
    width, height = clip[0] or (native.width, native.height)
    shape = ClipShape(width=width, height=height, frames=clip[1] or native.frames)
    plans = plans_for(model, machine, shape)
    try:
        chosen = choose_plan(model, machine, shape, HoldingChoices().rung(model.id))
        reason = f"Taken: {chosen.rung}, {chosen.reason}."
    except StudioError as error:
        chosen, reason = None, str(error)
    lines = [f"{model.title} on {machine.describe()}, for {shape}:"]
    for plan in plans:
        mark = "→" if chosen is not None and plan.rung == chosen.rung else " "
        lines.append(f"{mark} {plan.rung:12} {plan.describe()}")
    return "\n".join([*lines, reason])


def _hold(model: InstalledModel, rung: str) -> int:
    from gen2studio.diffusion.runtime.device import quick_machine
    from gen2studio.diffusion.runtime.ladder import plans_for
    from gen2studio.models.holding import AUTOMATIC, HoldingChoices

    known = [plan.rung for plan in plans_for(model, quick_machine())]
    if rung != AUTOMATIC and rung not in known:
        raise UsageError(
            f"{model.title} can't be held “{rung}” on this machine.", f"Choose {', '.join(known)} or {AUTOMATIC}."
        )
    HoldingChoices().choose(model.id, rung)
    print(f"{model.title}: {_plan(model)}.")
    return 0


def _facts(model: InstalledModel) -> dict[str, Any]:
    made = model.manifest
    return {
        "id": model.id,
        "title": model.title,
        "built_in": model.built_in,
        "folder": str(model.folder),
        "file": str(model.transformer_file) if model.transformer_file is not None else None,
        "problem": model.problem,
        "family": made.family,
        "licence": made.licence,
        "sizes": [list(size) for size in made.sizes],
        "frames": made.frames.native,
        "parameters": {part.name: part.parameters for part in made.components},
        "weight_bytes": made.weight_bytes,
        "plan": _plan(model) if model.usable else "",
    }


def _check(library: ModelLibrary, model_id: str) -> int:
    from gen2studio.cli.progress_bar import ProgressBar

    bar = ProgressBar()
    try:
        found = library.verify(model_id, lambda done, total: bar.show(done * 100 // max(1, total), 100, "Checking"))
    finally:
        bar.clear()
    files = len(found.files)
    known = (
        f"all {files} match what is known of them"
        if found.compared == files
        else f"{found.compared} of {files} were known before, all are remembered now"
    )
    print(f"{found.model.title} is whole: {files} weights files read, {known}.")
    return 0
