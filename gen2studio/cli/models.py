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


def add_parser(subparsers: Any) -> None:
    """Add the verb to ``argparse``'s sub-parsers."""
    parser = subparsers.add_parser("models", help="list, add, check and remove model folders")
    verbs = parser.add_subparsers(dest="action", required=True, parser_class=type(parser))
    listing = verbs.add_parser("list", help="the models, and how each would be held on this machine")
    listing.add_argument("--json", action="store_true", help="machine-readable output")
    adding = verbs.add_parser("add", help="check a model folder and add it; nothing is copied")
    adding.add_argument("path", type=Path, help="a diffusers folder, or a .safetensors transformer file")
    adding.add_argument(
        "--with", dest="rest", type=Path, metavar="FOLDER",
        help="for a single file: the model folder with the text encoder, the VAE and the configs",
    )  # fmt: skip
    checking = verbs.add_parser("check", help="read every weights file whole and compare its SHA-256")
    checking.add_argument("id", help="of the model, as “models list” shows it")
    removing = verbs.add_parser("remove", help="take a model off the list; its files stay")
    removing.add_argument("id", help="of the model, as “models list” shows it")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do the action; raises StudioError with one sentence when it can't be done."""
    from gen2studio.models.library import ModelLibrary

    library = ModelLibrary()
    if args.action == "list":
        models = library.models()
        print(json.dumps([_facts(model) for model in models], indent=1) if args.json else _listing(models))
        return 0
    if args.action == "add":
        model = library.add(args.path, args.rest)
        print(_card(model))
        return 0
    if args.action == "check":
        return _check(library, args.id)
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
        lines.append(f"  {name:10} {text}")

    line("folder", str(model.folder))
    if model.transformer_file is not None:
        line("file", str(model.transformer_file))
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


def _count(parameters: int) -> str:
    return f"{parameters / 1e9:.2f} B" if parameters >= 1e9 else f"{parameters / 1e6:.1f} M"


def _plan(model: InstalledModel) -> str:
    """How the model would be held here, told without importing torch."""
    from gen2studio.diffusion.runtime.device import quick_machine
    from gen2studio.diffusion.runtime.ladder import choose_plan

    try:
        return choose_plan(model, quick_machine()).describe()
    except StudioError as error:
        return str(error)


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
