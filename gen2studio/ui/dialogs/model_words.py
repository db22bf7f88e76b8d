"""What the window of models says of a row, in an artist's words. No widgets."""

from __future__ import annotations

from html import escape

from gen2studio.app.model_rows import ModelRow, PlanSet, Work, size_words
from gen2studio.engine.abilities import MODE_TITLES
from gen2studio.models.catalog import Catalog
from gen2studio.models.catalog_entries import CatalogEntry
from gen2studio.models.download_values import Download, DownloadState
from gen2studio.models.file_names import WEIGHTS
from gen2studio.models.fitting import NO, SLOW, WELL, duration

KIND_TITLES = {
    "model": "Model",
    "adapter": "Few-step adapter",
    "control": "ControlNet",
    "image_adapter": "Style-image adapter",
    "motion": "Motion module",
    "masks": "Masks",
    "depth": "Depth",
    "preview": "Previews",
    "shared": "Shared part",
}
COMMERCIAL = {
    "yes": "Commercial use allowed",
    "no": "No commercial use",
    "limited": "Commercial use with limits",
}
LIGHT_INKS = {WELL: "success", SLOW: "warning", NO: "danger"}
_OFFER_KINDS = {"transformer": "model", "vae": "shared", "text_encoder": "shared", "image_encoder": "shared"}
"""Kinds that files are told as → kinds of the catalog; the others have the same name in both."""
_STATES = {
    DownloadState.WAITING: "Waiting",
    DownloadState.PREPARING: "Preparing",
    DownloadState.RUNNING: "Downloading",
    DownloadState.CHECKING: "Checking",
    DownloadState.PAUSED: "Paused",
    DownloadState.FAILED: "Failed",
    DownloadState.DONE: "Done",
}


def kind_of(row: ModelRow) -> str:
    """The kind that the list filters by; empty = none of the catalog's."""
    if row.offer is not None:
        return _OFFER_KINDS.get(row.offer.kind, row.offer.kind)
    return row.entry.kind if row.entry is not None else ""


def offer_place(row: ModelRow) -> str:
    """Where something that was found lies, short enough for a row: a repository, or a file in it or in its folder."""
    offer = row.offer
    assert offer is not None
    if offer.repo:
        return f"{offer.repo}/{offer.path.name}" if offer.path.suffix.lower() in WEIGHTS else offer.repo
    return f"{offer.path.parent.name}/{offer.path.name}"


def place_and_size(row: ModelRow) -> str:
    """Of something that was found: ``Hub cache · 16.2 GB``."""
    assert row.offer is not None
    return f"{row.offer.place[:1].upper()}{row.offer.place[1:]} · {size_words(row.offer.bytes)}"


def offer_words(row: ModelRow) -> str:
    """What can be done with something that was found."""
    assert row.offer is not None
    if row.offer.why_not:
        return row.offer.why_not
    if row.offer.part and row.offer.repo:
        return "By itself it is nothing to use. A download that needs the very same files takes them from here."
    if row.offer.part:
        return (
            "It is a part of models and nothing by itself. A download that needs the very same file takes it from here "
            "where its folder is named in the settings."
        )
    if row.offer.kind == "adapter":
        return "Use copies it to the adapters; the file here stays as it is."
    return "Use checks it and lists it where it lies; nothing is copied, nothing is downloaded."


def kind_and_size(row: ModelRow) -> str:
    """The second line of a row: ``Model · 16.2 GB · Apache-2.0``, ``ComfyUI · 16.2 GB · vae/wan.safetensors``."""
    if row.offer is not None:
        place = offer_place(row)
        return place_and_size(row) if place == row.title else f"{place_and_size(row)} · {place}"
    if row.listed is not None:
        return f"{'Built in' if row.listed.built_in else 'Added by hand'} · {row.listed.place}"
    assert row.entry is not None
    size = size_words(row.stored.bytes) if row.stored is not None else about((row.entry,))
    return f"{KIND_TITLES[row.entry.kind]} · {size} · {row.entry.licence.id}"


def bytes_of(row: ModelRow) -> int:
    """Of its files, as far as that is known; 0 = not known."""
    if row.offer is not None:
        return row.offer.bytes
    if row.stored is not None:
        return row.stored.bytes
    return (row.entry.download_bytes or 2 * row.entry.parameters) if row.entry is not None else 0


def room_words(row: ModelRow, free: int | None) -> str:
    """A warning when the disk has no room for what is not here yet, as far as both are known; empty when it has."""
    if row.entry is None or row.stored is not None or row.entry.listed_only or free is None or bytes_of(row) <= free:
        return ""
    return f"It is {about((row.entry,))} to download, and {size_words(free)} are free on that disk."


def about(entries: tuple[CatalogEntry, ...]) -> str:
    """What entries come to before the hub was asked: ``16.2 GB``, ``over 58 GB`` where only parameters are known."""
    known = sum(entry.download_bytes or 2 * entry.parameters for entry in entries)
    sure = all(entry.download_bytes for entry in entries)
    if sure or not known:
        return size_words(known)
    # What is not known is more than a decimal.
    return f"over {known // 10**9} GB" if known >= 10**9 else f"over {size_words(known)}"


def badge(row: ModelRow, works: tuple[Work, ...] = ()) -> tuple[str, str]:
    """(words, ink) at the right of a row; empty words = nothing to say."""
    work = next((work for work in works if work.id == row.id), None)
    if work is not None:
        return f"{work.what} {percent(work.done, work.total)}".strip(), "info"
    if row.download is not None:
        state = row.download.state
        if state in (DownloadState.RUNNING, DownloadState.CHECKING):
            return percent(row.download.done, row.download.total) or _STATES[state], "info"
        return _STATES[state], {DownloadState.FAILED: "danger", DownloadState.PAUSED: "warning"}.get(state, "info")
    if row.stored is not None:
        return ("Problem", "danger") if row.problem else ("Installed", "success")
    if row.listed is not None:
        return ("Problem", "danger") if row.problem else ("Installed", "success")
    if row.problem:
        return "Refused", "danger"
    if row.offer is not None:
        return ("Not usable here", "text_muted") if row.offer.why_not else ("", "")
    if row.entry is not None and row.entry.opt_in:
        return "Own terms", "text_muted"
    return "", ""


def percent(done: int, total: int) -> str:
    """``62 %``; empty while the total is not known."""
    return f"{min(100, done * 100 // total)} %" if total > 0 else ""


def progress_line(download: Download) -> str:
    """``3.1 GB of 16.2 GB · 12.4 MB/s · about 17 minutes left``, or why it stands still."""
    if download.state is DownloadState.FAILED:
        return f"{download.problem} {download.remedy}".strip()
    if download.state in (DownloadState.WAITING, DownloadState.PREPARING):
        return download.note or f"{_STATES[download.state]}…"
    parts = [f"{size_words(max(1, download.done))} of {size_words(download.total)}"] if download.total else []
    if download.state is DownloadState.PAUSED:
        return " · ".join(["Paused", *parts])
    if download.state is DownloadState.CHECKING:
        return " · ".join(["Checking what arrived", *parts])
    if download.note:
        return " · ".join([*parts, download.note])
    if download.rate > 0:
        parts.append(f"{download.rate / 1e6:.1f} MB/s")
    if download.seconds_left is not None:
        parts.append(f"{duration(download.seconds_left)} left")
    return " · ".join(parts)


def plan_line(plans: PlanSet, free: int) -> str:
    """What a download brings: ``16.2 GB to download, 11.4 GB are here already; 120 GB free on that disk.``"""
    line = f"{size_words(plans.to_fetch)} to download" if plans.to_fetch else "Nothing to download"
    if plans.reused:
        line += f", {size_words(plans.reused)} of it on this machine already"
    return f"{line}; {size_words(free)} free on that disk."


def facts_page(row: ModelRow, catalog: Catalog, here: frozenset[str], inks: dict[str, str]) -> str:
    """Everything that does not change while it is shown, as HTML. ``inks`` names colours."""
    entry = row.entry
    if row.offer is not None:
        return _offer_page(row, catalog, here, inks)
    if entry is None:
        assert row.listed is not None
        return _section("Where it lies", _p(str(row.listed.place)), inks)
    parts = [_terms(entry, inks)]
    if entry.memory:
        parts.append(_memory(entry, inks))
    if entry.pace:
        lines = "".join(
            _p(f"{figure.clip}: {duration(figure.seconds)} on {figure.device} ({figure.source}).")
            for figure in entry.pace
        )
        parts.append(_section("How long it takes", lines, inks))
    if entry.modes:
        parts.append(_section("Serves", _p(", ".join(MODE_TITLES[mode] for mode in entry.modes)), inks))
    linked = (
        ("Needs", tuple(catalog.entry(name) for name in entry.needs)),
        ("Belongs to it", catalog.belonging_to(entry.id)),
        ("Belongs to", tuple(catalog.entry(name) for name in entry.fits_with)),
    )
    for title, entries in linked:
        if entries:
            lines = "".join(_link(other, here, inks) for other in entries)
            parts.append(_section(title, lines, inks))
    parts.append(_origin(row, entry, inks))
    return "".join(parts)


def _offer_page(row: ModelRow, catalog: Catalog, here: frozenset[str], inks: dict[str, str]) -> str:
    offer = row.offer
    assert offer is not None
    words = {"hub cache": "The hub's cache, where other programs keep what they fetched", "ComfyUI": "ComfyUI's models"}
    place = _p(f"{words.get(offer.place, offer.place)}. Its files are only read.", inks["text_muted"])
    parts = [_section("Where it lies", _p(str(offer.path)) + place, inks)]
    entries = [entry for entry in catalog.entries if offer.repo and entry.repo == offer.repo]
    if entries:
        parts.append(_section("In the catalog", "".join(_link(entry, here, inks) for entry in entries), inks))
    return "".join(parts)


def _section(title: str, body: str, inks: dict[str, str]) -> str:
    heading = f'<p style="margin: 12px 0 3px 0; color: {inks["text_muted"]}"><b>{escape(title)}</b></p>'
    return heading + body


def _p(text: str, ink: str = "") -> str:
    style = f"; color: {ink}" if ink else ""
    return f'<p style="margin: 0 0 3px 0{style}">{escape(text)}</p>'


def _terms(entry: CatalogEntry, inks: dict[str, str]) -> str:
    licence = entry.licence
    ink = inks["success" if licence.commercial == "yes" else "warning"]
    head = (
        f'<p style="margin: 0 0 3px 0">{escape(licence.title)} '
        f'<span style="color: {ink}">· {COMMERCIAL[licence.commercial]}</span></p>'
    )
    gate = _p("The hub gives the files only to who accepted its terms there; a token is needed.") if entry.gated else ""
    conditions = "".join(_p(f"• {condition}", inks["text_muted"]) for condition in licence.conditions)
    return _section("Terms", head + conditions + gate, inks)


def _memory(entry: CatalogEntry, inks: dict[str, str]) -> str:
    rows = "".join(
        f"<tr><td>{'no GPU' if tier.gpu_gb == 0 else f'{tier.gpu_gb:g} GB'}</td>"
        f"<td>{escape(tier.how)}{' (slow)' if tier.slow else ''}</td>"
        f"<td>{f'{tier.ram_gb:g} GB' if tier.ram_gb else '—'}</td>"
        f'<td><span style="color: {inks["text_muted"]}">{escape(tier.source)}</span></td></tr>'
        for tier in entry.memory
    )
    head = "".join(
        f'<td><span style="color: {inks["text_muted"]}">{title}</span></td>'
        for title in ("GPU from", "How", "Main memory", "Source")
    )
    table = f'<table cellspacing="0" cellpadding="3"><tr>{head}</tr>{rows}</table>'
    return _section("Memory", table, inks)


def _link(entry: CatalogEntry, here: frozenset[str], inks: dict[str, str]) -> str:
    state = f' <span style="color: {inks["success"]}">· installed</span>' if entry.id in here else ""
    kind = f'<span style="color: {inks["text_muted"]}"> · {KIND_TITLES[entry.kind]}</span>'
    return f'<p style="margin: 0 0 3px 0"><a href="entry:{entry.id}">{escape(entry.title)}</a>{kind}{state}</p>'


def _origin(row: ModelRow, entry: CatalogEntry, inks: dict[str, str]) -> str:
    address = f"https://huggingface.co/{entry.repo}"
    lines = [f'<p style="margin: 0 0 3px 0"><a href="{address}">{escape(entry.repo)}</a></p>']
    if entry.parameters:
        lines.append(_p(f"{entry.parameters / 1e9:.2f} billion parameters", inks["text_muted"]))
    if row.stored is not None:
        stored = row.stored
        lines.append(_p(str(stored.folder), inks["text_muted"]))
        lines.append(
            _p(f"Downloaded {stored.downloaded}, commit {stored.commit[:12]}; terms accepted {stored.accepted}.",
               inks["text_muted"])
        )  # fmt: skip
    if entry.own:
        lines.append(_p("From a catalog file of yours.", inks["text_muted"]))
    return _section("Source", "".join(lines), inks)
