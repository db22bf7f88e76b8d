"""Generative clips in the window: takes, stale spans, gaps, looks between clips; what the timeline shows of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint
from PySide6.QtGui import QAction, QCursor
from PySide6.QtWidgets import QMenu

from gen2studio.app.clip_takes import Renewal
from gen2studio.app.gap_shots import Stretch
from gen2studio.core.errors import EditRefused
from gen2studio.ui import theme, window_viewers
from gen2studio.ui.timeline.layout import Hit

if TYPE_CHECKING:
    from gen2studio.app.jobs import JobRow
    from gen2studio.document.model import Clip
    from gen2studio.ui.main_window import MainWindow


def handlers(window: MainWindow) -> dict[str, Callable[..., object]]:
    """Action id → what it does."""
    studio = window.studio
    takes, looks = studio.clip_takes, studio.clip_looks
    bound: dict[str, Callable[..., object]] = {
        f"take.rate_{stars}": lambda stars=stars: _rate(window, stars) for stars in range(1, 6)
    }
    return bound | {
        "take.unrate": lambda: _rate(window, 0),
        "take.reject": lambda: _rate(window, -1),
        "take.renew": lambda: takes.renew() and window.raise_dock("takes"),
        "take.renew_all": takes.renew_all,
        "take.pin": lambda: takes.pin(window.takes.chosen),
        "take.rename": lambda: _rename(window),
        "take.compare": lambda: _compare(window),
        "take.promote": lambda: takes.promote(window.takes.chosen),
        "gap.fill": lambda: fill_gap(window),
        "look.copy": looks.copy,
        "look.paste": looks.paste,
        "look.paste_prompt": looks.paste_prompt,
        "look.replace_source": lambda: _replace_source(window),
    }


def wire(window: MainWindow) -> None:
    """Give the timeline what it shows of takes and jobs, and the menu of its gaps the way to fill them."""
    studio = window.studio
    window.timeline.set_stale_runs(studio.stale_runs)
    window.timeline.set_job_states(lambda clip_id: _job_spans(window, clip_id))
    window.timeline.add_to_menu = lambda menu, hit: _add_to_menu(window, menu, hit)
    window.timeline.view.replace_source = studio.clip_looks.replace_source
    studio.clip_takes.renewed.connect(lambda _take, renewal: _tell_renewed(window, renewal))
    studio.gaps.filled.connect(lambda _clip, job: window.raise_dock("takes" if job else "generate"))
    for name in ("look.paste", "look.paste_prompt"):
        action = window.binder.action(name)
        action.setEnabled(studio.clip_looks.copied is not None)
        studio.clip_looks.copied_changed.connect(action.setEnabled)


def _tell_renewed(window: MainWindow, renewal: Renewal) -> None:
    total = renewal.made + renewal.kept
    window.studio.session.tell(f"Made {renewal.made} of {total} frames anew and kept {renewal.kept}.")


def _job_spans(window: MainWindow, clip_id: str) -> list[tuple[str, int, int]]:
    """What waits, runs and is done over a clip, in sequence frames."""
    studio = window.studio
    rows = [row for row in studio.board.rows if row.owner == clip_id and row.take_id and not row.state.ended]
    clip = studio.session.find_clip(clip_id) if rows else None
    return [span for row in rows for span in _spans_of(window, clip, row)] if clip is not None else []


def _spans_of(window: MainWindow, clip: Clip, row: JobRow) -> list[tuple[str, int, int]]:
    """A job makes the whole clip, or the spans it renews; it goes through them from left to right."""
    parts = window.studio.clip_takes.spans(clip, row.take_id) or ((clip.start, clip.end),)
    if row.state.value == "queued":
        return [("queued", *part) for part in parts]
    left = round(sum(stop - start for start, stop in parts) * row.progress)
    spans: list[tuple[str, int, int]] = []
    for start, stop in parts:
        done = min(stop, start + left)
        left -= done - start
        spans += [("rendering", done, stop)] if done < stop else []
        spans += [("rendered", start, done)] if done > start else []
    return spans


def fill_gap(window: MainWindow, stretch: Stretch | None = None, place: QPoint | None = None) -> None:
    """Ask how a stretch (the one at the playhead) is to be filled."""
    from gen2studio.ui.dialogs.gap_popover import GapPopover

    studio = window.studio
    sequence = studio.session.sequence
    try:
        stretch = stretch or studio.gaps.stretch_here()
    except EditRefused as refused:
        studio.session.tell(str(refused), "warning")
        return
    if sequence is None:
        return
    if place is None:
        view = window.timeline.view
        place = view.mapToGlobal(QPoint(max(0, window.timeline.viewport.x(stretch.start)), 0))
    GapPopover(studio.gaps, stretch, sequence, studio.gaps.words_for(stretch), window).open_at(place)


def _show_in_source(window: MainWindow, menu: QMenu, clip_id: str) -> QAction:
    """Shows the clip that was clicked, while the key shows that at the playhead."""
    key = window.binder.key_text("source.show_clip")
    entry = QAction(theme.icon("monitor"), f"Show in Source\t{key}" if key else "Show in Source", menu)
    entry.setObjectName("show_in_source")
    entry.triggered.connect(lambda _checked=False: window_viewers.show_in_source(window, clip_id))
    return entry


def _add_to_menu(window: MainWindow, menu: QMenu, hit: Hit) -> None:
    studio = window.studio
    rows = window.timeline.view.layout_now.rows
    if hit.clip is None and hit.gap is not None and 0 <= hit.row < len(rows):
        stretch = studio.gaps.stretch_at(rows[hit.row].track.id, hit.gap[0])
        if stretch is None:
            return
        first = menu.actions()[0] if menu.actions() else None
        entry = menu.addAction(
            theme.icon("sparkles"), "Generate in Gap…", lambda: fill_gap(window, stretch, QCursor.pos())
        )
        entry.setObjectName("generate_in_gap")
        if first is not None:
            menu.removeAction(entry)
            menu.insertAction(first, entry)
            menu.insertSeparator(first)
        return
    if hit.clip is None:
        return
    menu.addSeparator()
    menu.addAction(_show_in_source(window, menu, hit.clip.id))
    if hit.clip.active_take:
        menu.addAction(window.binder.action("take.renew"))
        menu.addAction(window.binder.action("take.promote"))
    copied = menu.addMenu("Look")
    for name in ("look.copy", "look.paste", "look.paste_prompt", "look.replace_source"):
        copied.addAction(window.binder.action(name))


def _rate(window: MainWindow, rating: int) -> None:
    if window.takes.chosen:
        window.studio.generation.rate_take(window.takes.chosen, rating)


def _rename(window: MainWindow) -> None:
    from PySide6.QtWidgets import QInputDialog

    take = window.studio.store.document.takes.get(window.takes.chosen)
    if take is None:
        window.studio.session.tell("Choose a take in the takes panel first.", "warning")
        return
    dialog = QInputDialog(window)
    dialog.setObjectName("take.rename_dialog")
    dialog.setWindowTitle("Rename take")
    dialog.setLabelText("Name")
    dialog.setTextValue(take.name)
    dialog.textValueSelected.connect(lambda name: window.studio.clip_takes.rename(take.id, name))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def _compare(window: MainWindow) -> None:
    chosen = window.takes.chosen
    ring = ["", *(take.id for take in window.takes.model.takes)]
    if chosen in ring and ring.index(chosen) > 0:
        window.studio.clip_takes.compare_pair(ring[ring.index(chosen) - 1], chosen)
    else:
        window.studio.clip_takes.compare_pair()


def _replace_source(window: MainWindow) -> None:
    chosen = window.pool.selected()
    if len(chosen) != 1:
        window.studio.session.tell("Choose one file in the media pool, and a clip to put it under.", "warning")
        return
    window.studio.clip_looks.replace_source(chosen[0])
