"""A key map on paper: as text, or as a page for a browser to print."""

from __future__ import annotations

from html import escape

from gen2studio.app.key_maps import KeyMaps, native

WHERE = {
    "window": "everywhere",
    "timeline": "timeline",
    "canvas": "programme viewer",
    "source": "source viewer",
    "curves": "curve editor",
    "takes": "takes panel",
    "drawing": "drawing window",
}
"""Scope → where its keys are live."""

_STYLE = """
body { font: 10pt sans-serif; margin: 1.5cm; color: #111; }
h1 { font-size: 16pt; margin: 0 0 2mm; } h2 { font-size: 11pt; margin: 5mm 0 1mm; break-after: avoid; }
.columns { columns: 2; column-gap: 1cm; } table { width: 100%; border-collapse: collapse; }
tr { break-inside: avoid; } td { padding: 0.6mm 0; border-bottom: 0.2mm solid #ccc; vertical-align: top; }
td.keys { text-align: right; white-space: nowrap; } td.where { color: #777; padding-left: 2mm; width: 24mm; }
kbd { font: 9pt monospace; border: 0.2mm solid #999; border-radius: 1mm; padding: 0 1mm; }
"""


def _groups(maps: KeyMaps, *, every: bool) -> dict[str, list[tuple[str, list[str], str]]]:
    """Menu → (command, keys as this system writes them, where), commands without keys only where ``every``."""
    groups: dict[str, list[tuple[str, list[str], str]]] = {}
    for row in maps.rows:
        keys = [native(k) for k in maps.keys[row.id]]
        if keys or every:
            menu = row.menu.replace("/", " ▸ ") or "Other"
            groups.setdefault(menu, []).append((row.text.rstrip("…"), keys, WHERE.get(row.scope, row.scope)))
    return groups


def as_text(maps: KeyMaps, *, every: bool = False) -> str:
    """One line a command, in columns that a fixed-width font keeps straight."""
    groups = _groups(maps, every=every)
    wide = max((len(text) for rows in groups.values() for text, _, _ in rows), default=0) + 2
    broad = max((len("  ".join(keys)) for rows in groups.values() for _, keys, _ in rows), default=0) + 2
    lines = [f"Keys of Gen2 Studio: {maps.current.name}", ""]
    for menu, rows in groups.items():
        lines += [menu, "-" * len(menu)]
        lines += [f"{text:<{wide}}{'  '.join(keys):<{broad}}{where}".rstrip() for text, keys, where in rows]
        lines.append("")
    return "\n".join(lines)


def as_html(maps: KeyMaps, *, every: bool = False) -> str:
    """A page of its own, two columns on paper; nothing in it is fetched from anywhere."""
    parts: list[str] = []
    for menu, rows in _groups(maps, every=every).items():
        cells = "".join(
            f"<tr><td>{escape(text)}</td><td class=where>{escape(where)}</td>"
            f"<td class=keys>{' '.join(f'<kbd>{escape(k)}</kbd>' for k in keys)}</td></tr>"
            for text, keys, where in rows
        )
        parts.append(f"<h2>{escape(menu)}</h2><table>{cells}</table>")
    title = f"Keys of Gen2 Studio: {escape(maps.current.name)}"
    head = f'<meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    return (
        f'<!doctype html><html lang="en"><head>{head}</head>'
        f'<body><h1>{title}</h1><div class="columns">{"".join(parts)}</div></body></html>'
    )
