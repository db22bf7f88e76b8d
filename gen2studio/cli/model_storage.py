"""``models verify``, ``move``, ``remove``, ``settings``, ``doctor``: what was downloaded, and where from."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import json
import sys
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2studio.cli.progress_bar import ProgressBar
from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import ModelError, StudioError, UsageError
from gen2studio.engine.budget import size_text

if TYPE_CHECKING:
    from gen2studio.cli.doctor import Finding
    from gen2studio.models.download_values import StoredModel
    from gen2studio.models.storage import ModelStore

_GIB = 1 << 30
_HINT = "“gen2studio models add PATH” uses one where it lies; a download takes what it finds of these."


def add_parsers(verbs: Any) -> None:
    """Add the verbs to the sub-parsers of ``models``."""
    moving = verbs.add_parser("move", help="move a downloaded model to another folder or disk; again to go on")
    moving.add_argument("id", help="of a downloaded model")
    moving.add_argument("folder", type=Path, help="that will hold the model's folder")
    setting = verbs.add_parser("settings", help="show or change where models come from and where they lie")
    setting.add_argument("--mirror", metavar="URL", help="a mirror of the hub; “hub” for the hub itself")
    setting.add_argument("--proxy", metavar="URL", help="http://host:port, “none”, or “system”")
    setting.add_argument("--folder", metavar="PATH", help="where downloads lie; “default” for the data folder")
    setting.add_argument("--reserve", type=float, metavar="GB", help="space that stays free on that disk")
    setting.add_argument("--parallel", type=int, metavar="N", help="models that are fetched at the same time, 1 to 4")
    setting.add_argument(
        "--comfyui", action="append", metavar="PATH", help="a ComfyUI folder to reuse files of; “none”"
    )
    setting.add_argument("--hub-cache", choices=("use", "ignore"), help="reuse what other programs fetched")
    setting.add_argument("--token", action="store_true", help="ask for the access token and keep it in the keyring")
    setting.add_argument("--forget-token", action="store_true", help="delete the token from the keyring")
    setting.add_argument("--json", action="store_true", help="machine-readable output")
    looking = verbs.add_parser("doctor", help="say what is wrong with models, downloads and settings, with the fix")
    looking.add_argument("--online", action="store_true", help="ask the hub or mirror whether it answers")
    looking.add_argument("--json", action="store_true", help="machine-readable output")


def stored_as(store: ModelStore, name: str) -> StoredModel | None:
    """The downloaded model with this catalog id, or listed in a library by this id."""
    models = store.stored()
    return next((m for m in models if m.id == name), None) or next(
        (m for m in models if name in m.registered.partition(":")[2].split(",")), None
    )


def verify(store: ModelStore, model: StoredModel) -> int:
    """Hash every file of a downloaded model. Raises ModelError when one is not what was downloaded."""
    bar = ProgressBar()
    with _stoppable() as cancel:
        try:
            found = store.verify(model.id, _percent(bar, "Checking"), cancel)
        finally:
            bar.clear()
    if not found.whole:
        bad = (*found.missing, *found.wrong)
        what = "is missing" if found.missing else "is not the file that was downloaded"
        raise ModelError(
            f"“{bad[0]}” of {model.title} {what}" + (f" ({len(bad)} files in all)." if len(bad) > 1 else "."),
            f"Download it again: gen2studio models download {model.id}",
        )
    print(f"{model.title} is whole: {found.files} files read, all have the SHA-256 they were downloaded with.")
    return 0


def move(store: ModelStore, name: str, folder: Path) -> int:
    """Move a downloaded model; Ctrl-C stops and the same call goes on."""
    model = stored_as(store, name) or store.model(name)
    bar = ProgressBar()
    with _stoppable() as cancel:
        try:
            moved = store.move(model.id, folder, _percent(bar, "Moving"), cancel)
        finally:
            bar.clear()
    print(f"{moved.title} is in {moved.folder}.")
    return 0


def remove(store: ModelStore, model: StoredModel, delete: bool) -> int:
    """Delete a downloaded model's files, when that was said."""
    freed = store.would_free(model.id)
    shared = f"; {size_text(freed.shared)} stay, other programs use them" if freed.shared else ""
    if not delete:
        raise UsageError(
            f"{model.title} was downloaded: deleting it frees {size_text(freed.bytes)}{shared}.",
            f"gen2studio models remove {model.id} --delete",
        )
    freed = store.delete(model.id)
    print(f"{model.title} is deleted; {size_text(freed.bytes)} are free again{shared}.")
    return 0


def found(as_json: bool) -> int:
    """What other programs left on this machine, with the call that adds it."""
    from gen2studio.models.catalog import catalog
    from gen2studio.models.hub_settings import HubSettingsFile
    from gen2studio.models.offers import offers

    rows = offers(HubSettingsFile().load(), [(entry.repo, entry.title) for entry in catalog().entries])
    if as_json:
        names = ("title", "kind", "place", "bytes", "repo", "usable", "why_not")
        print(json.dumps([{"path": str(row.path), **{n: getattr(row, n) for n in names}} for row in rows], indent=1))
        return 0
    for row in rows:
        print(f"{size_text(row.bytes):>8}  {row.place:<9}  {row.title}\n{'':>8}  {row.path}")
        said = row.why_not or ("Nothing by itself; a download takes it from here." if row.part else "")
        if said:
            print(f"{'':>8}  {said}")
    print(
        "Nothing that this program runs was found in the hub's cache and in ComfyUI's folders." if not rows else _HINT
    )
    return 0


def settings(args: argparse.Namespace) -> int:
    """Change what was given, then show everything."""
    from gen2studio.models import hub_settings

    file = hub_settings.HubSettingsFile()
    found = file.load()
    changes: dict[str, Any] = {}
    if args.mirror is not None:
        changes["endpoint"] = hub_settings.HUB if args.mirror == "hub" else args.mirror
    if args.proxy is not None:
        changes["proxy"] = "" if args.proxy == "system" else args.proxy
    if args.folder is not None:
        changes["models_folder"] = "" if args.folder == "default" else str(Path(args.folder).expanduser().absolute())
    if args.reserve is not None:
        changes["reserve"] = round(args.reserve * _GIB)
    if args.parallel is not None:
        changes["parallel"] = args.parallel
    if args.comfyui is not None:
        changes["comfyui_folders"] = tuple(
            str(Path(folder).expanduser().absolute()) for folder in args.comfyui if folder != "none"
        )
    if args.hub_cache is not None:
        changes["reuse_hub_cache"] = args.hub_cache == "use"
    if changes:
        found = file.save(replace(found, **changes))
    if args.token:
        hub_settings.set_token(getpass.getpass("Access token: ") if sys.stdin.isatty() else sys.stdin.readline())
    if args.forget_token:
        hub_settings.set_token("")
    rows = {
        "mirror": found.endpoint,
        "proxy": found.proxy or "system",
        "folder": str(found.folder),
        "reserve": f"{found.reserve / _GIB:g} GB",
        "parallel": str(found.parallel),
        "hub cache": str(found.hub_cache_folder) if found.reuse_hub_cache else "ignored",
        "comfyui": ", ".join(found.comfyui_folders) or "none",
        "token": _token_words(hub_settings.token_place()),
    }
    if args.json:
        print(json.dumps(rows, indent=1))
    else:
        print("\n".join(f"{name:<10} {value}" for name, value in rows.items()))
    return 0


def doctor(args: argparse.Namespace) -> int:
    """Print the findings; exit code 1 when something is broken."""
    from gen2studio.cli.doctor import show_findings

    return show_findings(findings(args.online), args.json)


def findings(online: bool) -> list[Finding]:
    """What can be said of models on this machine; the network is asked only with ``online``."""
    return [*_library_findings(), *_store_findings(), *_download_findings(), *_settings_findings(online)]


def _library_findings() -> list[Finding]:
    from gen2studio.cli.doctor import Finding, check_models
    from gen2studio.models.catalog import catalog
    from gen2studio.models.mask_models import MaskModelLibrary

    found = check_models()
    for mask in MaskModelLibrary().models():
        level, fact = ("note", mask.problem) if mask.problem else ("ok", mask.title)
        found.append(
            Finding(level, f"Masks {mask.id}", fact, f"gen2studio models remove {mask.id}" if mask.problem else "")
        )
    try:
        known = catalog()
        found.append(Finding("ok", "Catalog", f"{len(known.entries)} entries"))
        found += [Finding("note", "Catalog", problem, "Correct or delete the file.") for problem in known.problems]
    except StudioError as error:
        found.append(Finding("missing", "Catalog", str(error), "Reinstall Gen2 Studio."))
    return found


def _store_findings() -> list[Finding]:
    from gen2studio.cli.doctor import Finding
    from gen2studio.models.storage import ModelStore

    store = ModelStore()
    found: list[Finding] = []
    for model in store.stored():
        title = f"Download {model.id}"
        if model.problem:
            found.append(Finding("missing", title, model.problem, f"gen2studio models download {model.id}"))
            continue
        refusal = store.refusal(model)
        size = f"{size_text(model.bytes)} in {model.folder}"
        found.append(
            Finding("note", title, f"{size}, not usable yet: {refusal}") if refusal else Finding("ok", title, size)
        )
    for name, folder in store.unfinished_moves():
        fact = f"half moved to {folder}; it works where it was"
        found.append(Finding("note", f"Download {name}", fact, f"gen2studio models move {name} {folder}"))
    return found


def _download_findings() -> list[Finding]:
    from gen2studio.cli.doctor import Finding
    from gen2studio.models.download_orders import OrderFiles

    found: list[Finding] = []
    for order in OrderFiles().load():
        fact = order.problem or "not finished"
        found.append(Finding("note", f"Download {order.id}", fact, f"gen2studio models download {order.id}"))
    return found


def _settings_findings(online: bool) -> list[Finding]:
    from gen2studio.cli.doctor import Finding
    from gen2studio.models import hub_settings
    from gen2studio.models.download_plans import free_bytes

    settings = hub_settings.HubSettingsFile().load()
    found: list[Finding] = []
    try:
        free = free_bytes(settings.folder) - settings.reserve
        level = "ok" if free > 0 else "note"
        kept = f", {size_text(settings.reserve)} stay free" if settings.reserve else ""
        fact = f"{settings.folder}, {size_text(max(0, free))} can be used{kept}"
        fix = "" if free > 0 else "Free some space, or: gen2studio models settings --folder PATH"
        found.append(Finding(level, "Models folder", fact, fix))
    except StudioError as error:
        found.append(Finding("missing", "Models folder", str(error), "gen2studio models settings --folder PATH"))
    place = hub_settings.token_place()
    found.append(Finding("ok" if place != "unavailable" else "note", "Token", _token_words(place)))
    found.append(
        _hub_finding(settings) if online else Finding("ok", "Hub", f"{settings.endpoint}, not asked (--online)")
    )
    return found


def _hub_finding(settings: Any) -> Finding:
    from gen2studio.cli.doctor import Finding
    from gen2studio.models import hub_settings
    from gen2studio.models.catalog import catalog
    from gen2studio.models.hub import list_repository
    from gen2studio.models.hub_connection import HubConnection, Patience

    entry = next(entry for entry in catalog().entries if not entry.gated)
    try:
        with HubConnection(settings, hub_settings.token(), Patience(tries=1, read=10.0, connect=10.0)) as connection:
            listing = list_repository(connection, entry.repo, entry.revision, CancelToken())
    except StudioError as error:
        return Finding("missing", "Hub", str(error), "gen2studio models settings --mirror URL --proxy URL")
    return Finding("ok", "Hub", f"{settings.endpoint} answers: {entry.repo} has {len(listing.files)} files")


def _token_words(place: str) -> str:
    return {
        "environment": "from HF_TOKEN",
        "keyring": "in the keyring",
        "none": "none (only gated models need one)",
        "unavailable": "no keyring on this system; HF_TOKEN can be set",
    }[place]


def _percent(bar: ProgressBar, stage: str) -> Callable[[int, int], None]:
    return lambda done, total: bar.show(done * 100 // max(1, total), 100, stage)


@contextlib.contextmanager
def _stoppable() -> Generator[CancelToken]:
    """Ctrl-C as a cancel between blocks."""
    from gen2studio.cli.running import interrupts

    cancel = CancelToken()
    with interrupts(cancel.cancel):
        yield cancel
