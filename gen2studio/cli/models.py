"""``gen2studio models``: the models of this machine and of the catalog.

What an artist has is added by its folder and used where it lies; what the catalog has is downloaded, checked and kept
in the models folder.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2studio.core.errors import StudioError, UsageError
from gen2studio.core.time import rate_label

if TYPE_CHECKING:
    from collections.abc import Callable

    from gen2studio.models.download_values import StoredModel
    from gen2studio.models.library import InstalledModel, ModelLibrary
    from gen2studio.models.mask_models import MaskModel, MaskModelLibrary
    from gen2studio.models.storage import ModelStore


_CONTROLS = ("depth", "scribble", "canny", "tile")
"""Kinds of ControlNets, as :data:`gen2studio.models.families.animatediff.CONTROLS`."""


def add_parser(subparsers: Any) -> None:
    """Add the verb to ``argparse``'s sub-parsers."""
    from gen2studio.cli import model_catalog, model_storage

    parser = subparsers.add_parser("models", help="list, show, download, add, verify, move and remove models")
    verbs = parser.add_subparsers(dest="action", required=True, parser_class=type(parser))
    listing = verbs.add_parser("list", help="the models, and how each would be held on this machine")
    listing.add_argument("--catalog", action="store_true", help="what can be downloaded, and what of it runs here")
    listing.add_argument("--found", action="store_true", help="what lies in the hub's cache and in ComfyUI's folders")
    listing.add_argument("--json", action="store_true", help="machine-readable output")
    model_catalog.add_parsers(verbs)
    adding = verbs.add_parser("add", help="say what a folder or file is, check it and add it; models are not copied")
    adding.add_argument(
        "path", type=Path,
        help="a folder in diffusers' or in Wan's own layout, a transformer file (.safetensors or .gguf) or a LoRA; for "
        "masks a Segment Anything .pth, or the folder of a SAM 2, EdgeTAM or SAM 3 model",
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
    beside = adding.add_argument_group(
        "parts beside Stable Diffusion 1.5",
        "what fits and lies beside the model's folder is found by itself; a part's own folder can be added as well",
    )
    beside.add_argument("--with-motion", type=Path, metavar="PATH", help="the motion adapter that makes clips of it")
    beside.add_argument(
        "--with-control", action="append", default=[], metavar="KIND=FOLDER",
        help=f"a ControlNet, and what it reads: {', '.join(_CONTROLS)}; may be given several times",
    )  # fmt: skip
    beside.add_argument("--with-style", type=Path, metavar="FILE", help="the IP-Adapter's .safetensors")
    beside.add_argument("--image-encoder", type=Path, metavar="FOLDER", help="the image encoder of the IP-Adapter")
    beside.add_argument("--with-lora", type=Path, metavar="FILE", help="the LoRA that belongs to AnimateLCM")
    planning = verbs.add_parser("plan", help="every way to hold a model on this machine, and which is taken and why")
    planning.add_argument("id", help="of the model, as “models list” shows it")
    planning.add_argument("--size", metavar="WxH", help="picture size of the clip (default: the model's own)")
    planning.add_argument("--frames", type=int, metavar="N", help="frames of one window (default: the model's own)")
    holding = verbs.add_parser(
        "hold", help="choose how a model is held in memory from now on, or leave it to the program"
    )
    holding.add_argument("id", help="of the model, as “models list” shows it")
    holding.add_argument("rung", help="a name out of “models plan”, or “auto”")
    checking = verbs.add_parser(
        "verify", aliases=["check"], help="read every weights file whole and compare its SHA-256"
    )
    checking.add_argument("id", help="of the model, as “models list” shows it")
    removing = verbs.add_parser("remove", help="take a model off the list; its files stay, unless it was downloaded")
    removing.add_argument("id", help="of the model, as “models list” shows it")
    removing.add_argument("--delete", action="store_true", help="of a downloaded model: delete its files")
    model_storage.add_parsers(verbs)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do the action; raises StudioError with one sentence when it can't be done."""
    from gen2studio.cli import model_catalog, model_storage
    from gen2studio.models.library import ModelLibrary
    from gen2studio.models.mask_models import MaskModelLibrary

    library, masks = ModelLibrary(), MaskModelLibrary()
    actions: dict[str, Callable[[], int]] = {
        "list": lambda: _listed(library, masks, args),
        "show": lambda: _show(library, args),
        "download": lambda: model_catalog.download(args),
        "add": lambda: _add(library, masks, args),
        "plan": lambda: _print(_ladder(library.model(args.id), _clip(args))),
        "hold": lambda: _hold(library.model(args.id), args.rung),
        "verify": lambda: _verify(library, args.id),
        "check": lambda: _verify(library, args.id),
        "remove": lambda: _remove(library, masks, args.id, args.delete),
        "move": lambda: model_storage.move(_store(), args.id, args.folder),
        "settings": lambda: model_storage.settings(args),
        "doctor": lambda: model_storage.doctor(args),
    }
    return actions[args.action]()


def _store() -> ModelStore:
    from gen2studio.models.storage import ModelStore

    return ModelStore()


def _print(text: str) -> int:
    print(text)
    return 0


def _listed(library: ModelLibrary, masks: MaskModelLibrary, args: argparse.Namespace) -> int:
    from gen2studio.cli import model_catalog, model_storage

    if args.catalog:
        return model_catalog.list_catalog(args.json)
    return model_storage.found(args.json) if args.found else _list(library, masks, args.json)


def _list(library: ModelLibrary, masks: MaskModelLibrary, as_json: bool) -> int:
    models, selecting = library.models(), masks.models()
    parts = [model for model in _store().stored() if not model.registered]
    if as_json:
        facts = [*map(_facts, models), *map(_mask_facts, selecting), *map(_part_facts, parts)]
        return _print(json.dumps(facts, indent=1))
    cards = [_listing(models), *map(_mask_card, selecting), *map(_part_card, parts), *_unfinished()]
    return _print("\n\n".join(cards))


def _unfinished() -> list[str]:
    """Downloads that go on when they are asked for again."""
    from gen2studio.engine.budget import size_text
    from gen2studio.models.download_orders import OrderFiles
    from gen2studio.models.staging import bytes_there

    return [
        f"{order.id}: {order.title} (download)\n  {'fetched':10} {size_text(bytes_there(order))} of "
        f"{size_text(order.total)}" + (f"\n  {'problem':10} {order.problem}" if order.problem else "")
        for order in OrderFiles().load()
    ]


def _show(library: ModelLibrary, args: argparse.Namespace) -> int:
    """A model of this machine, else an entry of the catalog."""
    from gen2studio.cli import model_catalog
    from gen2studio.models.catalog import catalog

    if not any(entry.id == args.id for entry in catalog().entries):
        found = next((model for model in library.models() if model.id == args.id), None)
        if found is not None:
            return _print(json.dumps(_facts(found), indent=1) if args.json else _card(found))
    return model_catalog.show(args.id, args.licence, args.json)


def _add(library: ModelLibrary, masks: MaskModelLibrary, args: argparse.Namespace) -> int:
    """Say what a path holds and put it where that belongs. Raises ModelError when nothing here can use it."""
    from gen2studio.models.adapters import AdapterLibrary
    from gen2studio.models.adding import add_path

    named = {name: getattr(args, name) for name in ("vae", "text_encoder", "tokenizer")} | _beside(args)
    parts = {name: part for name, part in named.items() if part is not None}
    added = add_path(args.path, library, masks, AdapterLibrary(), args.rest, parts)
    if added.sentence:
        print(added.sentence)
    if added.where == "masks":
        return _print(_mask_card(masks.model(added.id)))
    if added.where == "adapters":
        return _print(f"It is copied to the adapters as “{added.title}” ({added.id}).")
    return _print(_card(library.model(added.id)))


def _beside(args: argparse.Namespace) -> dict[str, Path | None]:
    """The parts beside Stable Diffusion 1.5 that were named. Raises UsageError for an unknown kind of ControlNet."""
    found: dict[str, Path | None] = {
        "motion_adapter": args.with_motion, "ip_adapter": args.with_style, "image_encoder": args.image_encoder,
        "few_step_lora": args.with_lora,
    }  # fmt: skip
    for text in args.with_control:
        kind, equals, place = str(text).partition("=")
        if not equals or kind not in _CONTROLS:
            raise UsageError(f"“{text}” names no ControlNet.", f"Write KIND=FOLDER with one of {', '.join(_CONTROLS)}.")
        found[f"controlnet_{kind}"] = Path(place)
    return found


def _remove(library: ModelLibrary, masks: MaskModelLibrary, model_id: str, delete: bool) -> int:
    from gen2studio.cli import model_storage
    from gen2studio.engine.budget import size_text
    from gen2studio.models.download_orders import OrderFiles
    from gen2studio.models.downloads import Downloads

    store = _store()
    stored = model_storage.stored_as(store, model_id)
    if stored is not None:
        return model_storage.remove(store, stored, delete)
    if OrderFiles().find(model_id) is not None:
        freed = Downloads(store).discard(model_id)
        return _print(f"What was fetched of {model_id} is deleted; {size_text(freed)} are free again.")
    if delete:
        raise UsageError(f"“{model_id}” was not downloaded: its files are not deleted.", "Leave out --delete.")
    listed = masks if any(model.id == model_id for model in masks.models()) else library
    title = listed.model(model_id).title
    listed.remove(model_id)
    return _print(f"{title} is off the list; its files are where they were.")


def _verify(library: ModelLibrary, model_id: str) -> int:
    from gen2studio.cli import model_storage

    store = _store()
    stored = model_storage.stored_as(store, model_id)
    return model_storage.verify(store, stored) if stored is not None else _check(library, model_id)


def _listing(models: tuple[InstalledModel, ...]) -> str:
    if not models:
        return "No models. Add one with: gen2studio models add FOLDER"
    return "\n\n".join(_card(model) for model in models)


def _card(model: InstalledModel) -> str:
    from gen2studio.engine.budget import size_text

    lines = [f"{model.id}: {model.title}{' (built in)' if model.built_in else ''}"]
    width = max(12, *(len(name) for name, _ in model.parts)) if model.parts else 12

    def line(name: str, text: str) -> None:
        lines.append(f"  {name:{width}} {text}")

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


def _part_card(model: StoredModel) -> str:
    from gen2studio.engine.budget import size_text

    lines = [f"{model.id}: {model.title} ({model.kind.replace('_', ' ')})", f"  {'place':10} {model.folder}"]
    if model.problem:
        lines.append(f"  {'problem':10} {model.problem}")
    return "\n".join([*lines, f"  {'weights':10} {size_text(model.bytes)}"])


def _part_facts(model: StoredModel) -> dict[str, Any]:
    return {
        "id": model.id,
        "title": model.title,
        "kind": model.kind,
        "place": str(model.folder),
        "problem": model.problem,
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
