"""``models list --catalog``, ``show``, ``download``: the catalog on the command line, and fetching what is in it."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from typing import TYPE_CHECKING, Any

from gen2studio.cli.progress_bar import ProgressBar
from gen2studio.core.errors import StudioError, UsageError
from gen2studio.engine.budget import size_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gen2studio.models.catalog_entries import CatalogEntry
    from gen2studio.models.download_values import Download, DownloadPlan
    from gen2studio.models.downloads import Downloads
    from gen2studio.models.fitting import Fit, MachineFacts

_MB = 1_000_000
_COMMERCIAL = {
    "yes": "commercial use allowed",
    "no": "no commercial use",
    "limited": "commercial use with limits",
}


def add_parsers(verbs: Any) -> None:
    """Add ``show`` and ``download`` to the sub-parsers of ``models``."""
    showing = verbs.add_parser("show", help="one model: what it does, its licence, what it needs, whether it runs here")
    showing.add_argument("id", help="of a model of the catalog or of this machine")
    showing.add_argument("--licence", action="store_true", help="print the text of its licence")
    showing.add_argument("--json", action="store_true", help="machine-readable output")
    fetching = verbs.add_parser("download", help="fetch models of the catalog; the same call again goes on")
    fetching.add_argument("ids", nargs="+", metavar="ID", help="of models of the catalog, or of paused downloads")
    fetching.add_argument(
        "--accept-licence", action="store_true", help="say that you read the licences and accept them"
    )
    fetching.add_argument("--alone", action="store_true", help="without the other parts that it needs")
    fetching.add_argument("--dry-run", action="store_true", help="say what would be fetched, and fetch nothing")
    fetching.add_argument("--json", action="store_true", help="machine-readable output at the end")


def machine_facts() -> MachineFacts:
    """This machine as the catalog judges it, without loading torch."""
    from gen2studio.diffusion.runtime.device import quick_machine
    from gen2studio.models.fitting import MachineFacts

    found = quick_machine()
    return MachineFacts(
        device=found.device, name=found.name, gpu_bytes=found.device_total, memory_bytes=found.memory_free
    )


def list_catalog(as_json: bool) -> int:
    """Every entry with its light on this machine."""
    from gen2studio.models.catalog import catalog
    from gen2studio.models.fitting import fit
    from gen2studio.models.storage import ModelStore

    known, machine = catalog(), machine_facts()
    there = {model.id for model in ModelStore().stored() if not model.problem}
    rows = [(entry, fit(known, entry, machine)) for entry in known.entries]
    if as_json:
        print(json.dumps([_facts(entry, found, entry.id in there) for entry, found in rows], indent=1))
        return 0
    print(f"On this machine: {machine.describe()}.\n")
    width = max((len(entry.id) for entry in known.entries), default=0)
    for opt_in, title in ((False, ""), (True, "With terms of their own (read them first):")):
        listed = [row for row in rows if row[0].opt_in is opt_in]
        if title and listed:
            print(f"\n{title}")
        for entry, found in listed:
            size = f"{size_text(entry.download_bytes):>8}" if entry.download_bytes else " " * 8
            mark = "●" if entry.id in there else " "
            print(f"{mark} {entry.id:<{width}}  {size}  {found.words.lower():<12}  {entry.title}")
    print("\n● is on this machine. “gen2studio models show ID” says more.")
    for problem in known.problems:
        print(problem, file=sys.stderr)
    return 0


def show(entry_id: str, licence: bool, as_json: bool) -> int:
    """One entry of the catalog. Raises ModelError for an unknown one."""
    from gen2studio.models.catalog import catalog
    from gen2studio.models.fitting import fit
    from gen2studio.models.storage import ModelStore

    known = catalog()
    entry = known.entry(entry_id)
    stored = ModelStore().find(entry_id)
    if licence:
        print(_licence_of(entry))
        return 0
    found = fit(known, entry, machine_facts())
    if as_json:
        print(json.dumps(_facts(entry, found, stored is not None and not stored.problem), indent=1))
        return 0
    lines = [f"{entry.id}: {entry.title}"]

    def line(name: str, text: str) -> None:
        first, *rest = textwrap.wrap(text, 100) or [""]
        lines.extend([f"  {name:12} {first}", *(f"  {'':12} {more}" for more in rest)])

    if entry.summary:
        line("", entry.summary)
    line("here", found.reason)
    if found.estimate:
        line("takes", found.estimate)
    line("licence", f"{entry.licence.title}: {_COMMERCIAL.get(entry.licence.commercial, entry.licence.commercial)}")
    for condition in entry.licence.conditions:
        line("", condition)
    if entry.download_bytes:
        line("download", f"about {size_text(entry.download_bytes)} from {entry.repo}")
    else:
        line("download", f"from {entry.repo}; the hub tells the size")
    if entry.gated:
        line("", "The hub gives it only to who accepted its terms there: it needs an access token.")
    if entry.needs:
        line("needs", ", ".join(entry.needs))
    if entry.fits_with:
        line("for", ", ".join(entry.fits_with))
    if entry.few_step:
        line("few steps", ", ".join(entry.few_step))
    for tier in entry.memory:
        place = f"{tier.gpu_gb:g} GB GPU" if tier.gpu_gb else "no GPU"
        line("memory", f"{place}: {tier.how} ({tier.source})")
    if stored is not None:
        line("on disk", f"{size_text(stored.bytes)} in {stored.folder}; terms accepted on {stored.accepted}")
        if stored.problem:
            line("problem", stored.problem)
    print("\n".join(lines))
    return 0


def download(args: argparse.Namespace) -> int:
    """Fetch entries and what they need. Ctrl-C pauses (exit code 130); the same call again goes on."""
    from gen2studio.cli.running import interrupts
    from gen2studio.models.downloads import Downloads

    downloads = Downloads()
    bar = ProgressBar()
    try:
        plans = _plans(downloads, args, bar)
        if args.dry_run:
            return 0
        if not plans:
            print("Everything is on this machine already.")
            return 0
        plans = [_accepted(downloads, plan, args.accept_licence) for plan in plans]
        total = sum(plan.bytes for plan in plans)
        for plan in plans:
            downloads.start(plan)
        stopped = False

        def stop() -> None:
            nonlocal stopped
            stopped = True

        told = ""
        with interrupts(stop):
            while not downloads.wait(0.2) and not stopped:
                told = _draw(bar, downloads.downloads(), total, told)
        if stopped:
            for plan in plans:
                downloads.pause(plan.entry.id)
            downloads.wait()
        found = downloads.downloads()
    finally:
        bar.clear()
        downloads.close()
    if args.json:
        print(json.dumps([_result(value) for value in found], indent=1))
    return _report(found, stopped, args.json)


def _plans(downloads: Downloads, args: argparse.Namespace, bar: ProgressBar) -> list[DownloadPlan]:
    """Plans for what is not here yet, what is needed first; printed. Raises StudioError."""
    from gen2studio.models.catalog import catalog
    from gen2studio.models.storage import ModelStore

    known, store = catalog(), ModelStore()
    entries: dict[str, CatalogEntry] = {}
    for name in args.ids:
        wanted = [known.entry(name)] if args.alone else known.with_needs(name)
        entries |= {entry.id: entry for entry in wanted if entry.id == name or store.folder_of(entry.id) is None}
    plans: list[DownloadPlan] = []
    for entry in entries.values():
        plan = downloads.plan(entry)
        if plan.installed:
            bar.say(f"{entry.title} is on this machine already.")
            continue
        count = len(plan.files)
        kept = f", {size_text(plan.reused)} of it on this machine already" if plan.reused else ""
        kept += f", {size_text(plan.resumed)} of it fetched before" if plan.resumed else ""
        bar.say(
            f"{entry.title}: {count} file{'s' if count != 1 else ''}, {size_text(plan.bytes)}{kept}; "
            f"{plan.licence.title}; to {plan.folder}"
        )
        if plan.problem and not args.dry_run:
            raise StudioError(plan.problem)
        if plan.problem:
            bar.say(plan.problem)
        plans.append(plan)
    return plans


def _accepted(downloads: Downloads, plan: DownloadPlan, said: bool) -> DownloadPlan:
    """The plan with its terms accepted: earlier, by the option, or by asking who sits at the terminal."""
    if plan.licence.accepted:
        return plan
    if not said:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise UsageError(
                f"{plan.entry.title} comes under {plan.licence.title}, which was not accepted yet.",
                f"Read it (gen2studio models show {plan.entry.id} --licence), then add --accept-licence.",
            )
        print(plan.licence.text)
        for condition in plan.entry.licence.conditions:
            print(f"• {condition}")
        if input(f"Do you accept {plan.licence.title}? Type yes: ").strip().lower() not in ("yes", "y"):
            raise StudioError("Nothing was fetched: the licence was not accepted.")
    return downloads.accept_licence(plan)


def _draw(bar: ProgressBar, values: Sequence[Download], total: int, told: str) -> str:
    """Draw how far all of them are; what is waited for is said once. Returns what was said last."""
    done = sum(value.done for value in values)
    rate = sum(value.rate for value in values)
    note = next((value.note for value in values if value.note), "")
    if note and note != told:
        bar.say(note)
    left = (total - done) / rate if rate > 0 else None
    bar.show(done // _MB, max(1, total // _MB), "Fetching, MB", left)
    return note or told


def _report(found: Sequence[Download], stopped: bool, quiet: bool) -> int:
    from gen2studio.cli.main import DONE, STOPPED
    from gen2studio.models.download_values import DownloadState

    failed = [value for value in found if value.state is DownloadState.FAILED]
    for value in found:
        if value.state is DownloadState.DONE and not quiet:
            print(f"{value.title} is in {value.folder}. {value.outcome}")
    if failed:
        first = failed[0]
        raise StudioError(f"{first.title}: {first.problem}", first.remedy)
    if stopped:
        print("Paused; the same call goes on where it stopped.", file=sys.stderr)
        return STOPPED
    return DONE


def _result(value: Download) -> dict[str, Any]:
    return {
        "id": value.id,
        "state": value.state.value,
        "bytes": value.done,
        "total": value.total,
        "folder": str(value.folder) if value.folder else None,
        "outcome": value.outcome,
        "problem": value.problem,
    }


def _licence_of(entry: CatalogEntry) -> str:
    """The text of a licence: bundled, or asked of the hub."""
    from gen2studio.models.downloads import Downloads
    from gen2studio.models.licences import licence_text

    if entry.licence.text:
        return licence_text(entry, lambda _path: "").text
    queue = Downloads()
    try:
        return queue.plan(entry).licence.text
    finally:
        queue.close()


def _facts(entry: CatalogEntry, found: Fit, installed: bool) -> dict[str, Any]:
    return {
        "id": entry.id,
        "title": entry.title,
        "kind": entry.kind,
        "family": entry.family,
        "repo": entry.repo,
        "revision": entry.revision,
        "gated": entry.gated,
        "opt_in": entry.opt_in,
        "licence": {
            "id": entry.licence.id,
            "title": entry.licence.title,
            "commercial": entry.licence.commercial,
            "conditions": list(entry.licence.conditions),
        },
        "download_bytes": entry.download_bytes or None,
        "needs": list(entry.needs),
        "fits_with": list(entry.fits_with),
        "few_step": list(entry.few_step),
        "modes": list(entry.modes),
        "memory": [{"gpu_gb": tier.gpu_gb, "how": tier.how, "source": tier.source} for tier in entry.memory],
        "here": {"light": found.light, "reason": found.reason, "estimate": found.estimate},
        "installed": installed,
    }
