"""``gen2studio adapters``: the library of trained adapters."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2studio.core.errors import ModelError, UsageError

if TYPE_CHECKING:
    from gen2studio.models.adapters import Adapter, AdapterLibrary


def add_parser(subparsers: Any) -> None:
    """Add the verb."""
    parser = subparsers.add_parser("adapters", help="list, import, rename and delete trained adapters")
    verbs = parser.add_subparsers(dest="action", required=True, parser_class=type(parser))
    listing = verbs.add_parser("list", help="the adapters, and whether they fit a model")
    listing.add_argument("--model", default="", metavar="ID", help="say of each whether it fits this model")
    listing.add_argument("--json", action="store_true", help="machine-readable output")
    importing = verbs.add_parser("import", help="copy a LoRA or a learned word (.safetensors) into the library")
    importing.add_argument("path", type=Path)
    importing.add_argument("--name", default="", help="what it is called (default: what the file says)")
    importing.add_argument("--trigger", default="", metavar="WORD", help="the word that calls it in a prompt")
    importing.add_argument(
        "--model", default="", metavar="ID", help="the model it is for: one that doesn't fit is refused"
    )
    renaming = verbs.add_parser("rename", help="give an adapter another name")
    renaming.add_argument("adapter", help="its id or its name")
    renaming.add_argument("name")
    renaming.add_argument("--trigger", metavar="WORD", help="another word that calls it")
    deleting = verbs.add_parser("delete", help="delete an adapter's file")
    deleting.add_argument("adapter", help="its id or its name")


def run(args: argparse.Namespace) -> int:
    """Do the action. Raises StudioError."""
    from gen2studio.models.adapters import AdapterLibrary
    from gen2studio.models.library import ModelLibrary

    library = AdapterLibrary()
    model = ModelLibrary().model(args.model) if getattr(args, "model", "") else None
    if args.action == "list":
        rows = [(a, library.refusal(a, model) if model is not None else a.problem) for a in library.adapters()]
        if args.json:
            print(json.dumps([_facts(adapter, why_not) for adapter, why_not in rows], indent=1))
        elif not rows:
            print("No adapters. Train one with: gen2studio train --images FOLDER --name NAME --trigger WORD")
        for adapter, why_not in rows if not args.json else ():
            print(_line(adapter, why_not))
        return 0
    if args.action == "import":
        found = library.import_file(args.path, name=args.name, trigger=args.trigger, base=model)
        print(_line(found, ""))
        return 0
    if args.action == "rename":
        print(_line(library.rename(find(library, args.adapter).id, args.name, args.trigger), ""))
        return 0
    if args.action == "delete":
        found = find(library, args.adapter)
        library.delete(found.id)
        print(f"“{found.name}” is deleted.")
        return 0
    raise UsageError(f"There is no action “{args.action}”.")


def find(library: AdapterLibrary, wanted: str) -> Adapter:
    """An adapter by its id, else by its name. Raises ModelError when none or several have that name."""
    adapters = library.adapters()
    by_id = next((a for a in adapters if a.id == wanted), None)
    if by_id is not None:
        return by_id
    named = [a for a in adapters if a.name.casefold() == wanted.casefold()]
    if len(named) == 1:
        return named[0]
    if named:
        ids = ", ".join(a.id for a in named)
        raise ModelError(f"{len(named)} adapters are called “{wanted}”.", f"Say which by its id: {ids}.")
    raise ModelError(f"There is no adapter “{wanted}”.", "“gen2studio adapters list” shows what there is.")


def _line(adapter: Adapter, why_not: str) -> str:
    facts = [
        f"“{adapter.name}”",
        f"called by “{adapter.trigger}”" if adapter.trigger else "always on",
        adapter.base_title or adapter.base_model or "model not known",
        f"word of {adapter.vectors} vector{'s'[: adapter.vectors > 1]}" if adapter.vectors else f"rank {adapter.rank}",
        f"{adapter.steps} steps" if adapter.steps else "",
    ]
    line = f"{adapter.id}: {', '.join(fact for fact in facts if fact)}"
    return f"{line}\n  {why_not}" if why_not else line


def _facts(adapter: Adapter, why_not: str) -> dict[str, Any]:
    return {
        "id": adapter.id,
        "name": adapter.name,
        "trigger": adapter.trigger,
        "kind": adapter.kind,
        "model": adapter.base_model,
        "rank": adapter.rank,
        "vectors": adapter.vectors,
        "steps": adapter.steps,
        "created": adapter.created,
        "sha256": adapter.sha256,
        "path": str(adapter.path),
        "why_not": why_not,
    }
