"""``gen2studio board``: storyboards of a project: list, import, export, render."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2studio.cli.progress_bar import ProgressBar
from gen2studio.core.errors import ProjectError, StudioError, UsageError

if TYPE_CHECKING:
    from gen2studio.app.project_files import Project
    from gen2studio.app.studio import Studio
    from gen2studio.document.model import Board, Document, MediaItem

_FORMS = ("pdf", "contact", "png", "mp4", "otio")
_LAYOUTS = ("1", "2x3", "3x3", "3x4")


def add_parser(subparsers: Any) -> None:
    """Add the verb with its parts."""
    parser = subparsers.add_parser(
        "board", help="list, import, export and render storyboards",
        description="Work on the storyboards of a project.",
    )  # fmt: skip
    parts = parser.add_subparsers(dest="part", required=True, parser_class=type(parser))
    listing = parts.add_parser("list", help="say which storyboards and panels a project has")
    listing.add_argument("project", type=Path, help="project folder or .g2s file")
    into = parts.add_parser(
        "import", help="make panels of files",
        description="Make panels of a folder of images, a PDF, a Storyboarder project or a Fountain script.",
    )  # fmt: skip
    into.add_argument("project", type=Path, help="project to change, and to make where there is none")
    into.add_argument("source", type=Path, help="folder, .pdf, .storyboarder or .fountain")
    into.add_argument("--board", default="", metavar="NAME", help="put them behind the panels of this board")
    into.add_argument("--seconds", default="2", help="length of panels that have none of their own (default: 2)")
    into.add_argument("--by-scene", action="store_true", help="one panel for each scene of a script")
    out = parts.add_parser("export", help="write a storyboard as PDF, pictures, film or OpenTimelineIO")
    out.add_argument("project", type=Path, help="project folder or .g2s file")
    out.add_argument("out", type=Path, help="file, or folder of pictures")
    out.add_argument("--board", default="", metavar="NAME", help="(default: the first one)")
    out.add_argument("--as", dest="form", choices=_FORMS, help="(default: by the file's suffix, else pictures)")
    out.add_argument("--layout", default="2x3", choices=_LAYOUTS, help="panels on a PDF page (default: 2x3)")
    out.add_argument("--letter", action="store_true", help="US Letter instead of A4")
    out.add_argument("--no-words", action="store_true", help="PDF without action, dialogue and notes")
    out.add_argument("--results", action="store_true", help="finished shots and stills instead of the drawings")
    out.add_argument("--force", action="store_true", help="replace an existing file")
    out.add_argument("--quiet", "-q", action="store_true", help="no progress bar")
    render = parts.add_parser(
        "render", help="make the shots of a storyboard",
        description="Make the shots of a board, lay them on the project's timeline and save it. Ctrl-C keeps what is "
        "finished.",
    )  # fmt: skip
    render.add_argument("project", type=Path, help="project folder or .g2s file; it is changed and saved")
    render.add_argument("--board", default="", metavar="NAME", help="(default: the first one)")
    render.add_argument("--panels", default="", metavar="1,3-5", help="only these panels, by number")
    render.add_argument("--changed", action="store_true", help="only new and changed panels")
    render.add_argument("--stills", action="store_true", help="four stills of each panel instead of the shots")
    render.add_argument("--quiet", "-q", action="store_true", help="no progress bar")


def run(args: argparse.Namespace) -> int:
    """Do it; 0 = done. Raises StudioError."""
    return {"list": _list, "import": _import, "export": _export, "render": _render}[args.part](args)


def _list(args: argparse.Namespace) -> int:
    from gen2studio.app.project_files import Project

    project, document = Project.open_copy(args.project)
    try:
        for board in document.boards.values():
            total = float(sum((p.seconds for p in board.panels), Fraction(0)))
            print(f"{board.name}: {len(board.panels)} panels, {total:.4g} s, {board.width}x{board.height}")
            for number, panel in enumerate(board.panels, 1):
                words = " ".join((panel.action or panel.prompt).split())
                print(f"{number:4} {float(panel.seconds):6.4g} s  {panel.shot_size.value:4} {panel.name}  {words[:70]}")
    finally:
        project.close()
    return 0


def _board_of(document: Document, name: str) -> Board:
    boards = list(document.boards.values())
    if not boards:
        raise UsageError("The project has no storyboard.", "Import one, or draw it in the window.")
    found = next((board for board in boards if board.name == name), None) if name else boards[0]
    if found is None:
        names = ", ".join(f"“{board.name}”" for board in boards)
        raise UsageError(f"The project has no storyboard “{name}”.", f"It has {names}.")
    return found


def _opened(path: Path) -> tuple[Project, Document]:
    """The project, or a fresh one saved there. Raises ProjectError."""
    from gen2studio.app.project_files import Project

    if path.exists():
        return Project.open(path)
    project, document = Project.new(path.stem)
    return project, project.save_as(document, path)


def _import(args: argparse.Namespace) -> int:
    from gen2studio.app.board_import import panels_of, read_board
    from gen2studio.document import board_edits, boards, media_edits
    from gen2studio.document.shots import shot_size

    try:
        seconds = Fraction(args.seconds)
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"“{args.seconds}” is no number of seconds.") from None
    _gui()
    found = read_board(args.source, seconds=seconds, by_scene=args.by_scene)
    project, document = _opened(args.project)
    try:
        panels, items, notes = panels_of(found, project.add_blob, sound=_sound)
        document = media_edits.add_media(document, *items)
        if args.board:
            board_id = _board_of(document, args.board).id
        else:
            size = shot_size(found.aspect or Fraction(16, 9))
            taken = {board.name for board in document.boards.values()}
            numbered = (found.name if i == 1 else f"{found.name} {i}" for i in range(1, len(taken) + 2))
            name = next(name for name in numbered if name not in taken)
            document, board_id = boards.new_board(
                document, name, width=size.width, height=size.height, rate=found.rate or Fraction(24)
            )
        document = board_edits.insert_panels(document, board_id, panels)
        project.save(document)
        board = document.boards[board_id]
        print(f"{board.name}: {len(panels)} panels of {found.kind}")
    finally:
        project.close()
    for note in (*found.notes, *notes):
        print(note, file=sys.stderr)
    return 0


def _sound(path: Path) -> MediaItem:
    from gen2studio.app.importing import media_item
    from gen2studio.media import codecs

    codecs.load()
    from gen2studio.media.probe import probe

    return media_item(path, probe(path))


def _export(args: argparse.Namespace) -> int:
    from gen2studio.app.board_delivery import Delivery, Form, deliver, target_of
    from gen2studio.app.board_export import PageOptions
    from gen2studio.app.project_files import Project
    from gen2studio.cli.export import cancelled_by_signals
    from gen2studio.document import boards
    from gen2studio.document.model import Panel
    from gen2studio.engine.take_store import TakeStore

    _gui()
    suffixes = {".pdf": "pdf", ".png": "contact", ".mp4": "mp4", ".otio": "otio"}
    form = Form(args.form or suffixes.get(args.out.suffix.casefold(), "png"))
    words = not args.no_words
    pages = PageOptions(layout=args.layout, letter=args.letter, action=words, dialogue=words, notes=words)
    delivery = Delivery(form=form, path=args.out.absolute(), pages=pages, results=args.results)
    target = target_of(delivery)
    if (target.is_file() or (target.is_dir() and any(target.iterdir()))) and not args.force:
        raise StudioError(f"“{target}” is already there.", "Use --force to replace it.")
    project, document = Project.open_copy(args.project)
    bar = None if args.quiet else ProgressBar()
    began = time.perf_counter()
    try:
        board = _board_of(document, args.board)
        store = TakeStore(project.takes_dir)

        def result_of(panel: Panel) -> Path | None:
            clip = boards.clip_of_panel(document, panel)
            take = document.takes.get(clip.active_take) if clip is not None else None
            if take is not None and take.done:
                first, stop = take.done[0]
                found = store.path(take.id) / f"frame_{(first + stop) // 2:06d}.png"
                if found.is_file():
                    return found
            still = panel.guide or (panel.stills[-1].picture if panel.stills else "")
            return project.find_blob(still) if still else None

        def step(done: int, total: int) -> None:
            if bar is not None:
                left = (time.perf_counter() - began) / done * (total - done)
                bar.show(done, total, "Writing", left)

        with cancelled_by_signals() as cancel:
            path, notes = deliver(
                document, board, delivery, find=project.find_blob, result_of=result_of, cancel=cancel, on_progress=step
            )
    finally:
        if bar is not None:
            bar.clear()
        project.close()
    for note in notes:
        print(note, file=sys.stderr)
    print(path)
    return 0


def _render(args: argparse.Namespace) -> int:
    from gen2studio import compose

    application = _gui()
    studio = compose.studio(sound=False)
    bar = None if args.quiet else ProgressBar()
    said: list[str] = []
    studio.session.message.connect(lambda severity, text: said.append(text) if severity != "info" else None)
    try:
        if not args.project.exists():
            raise ProjectError(f"“{args.project.name}” is not there.", "Choose a project.")
        if not studio.open_project(args.project):
            raise ProjectError(said[-1] if said else "The project can't be opened.")
        board = _board_of(studio.store.document, args.board)
        studio.storyboards.choose(board.id)
        chosen = [board.panels[i].id for i in _numbers(args.panels, len(board.panels))]
        studio.start()
        before = len(said)
        act: Callable[[], tuple[str, ...]] = (
            (lambda: studio.storyboards.stills(chosen)) if args.stills
            else studio.storyboards.render_stale if args.changed
            else lambda: studio.storyboards.generate(chosen)
        )  # fmt: skip
        jobs = act()
        if not jobs and len(said) > before:
            raise StudioError(said[-1])
        _follow(application, studio, jobs, bar)
        failed = [row.reason for row in studio.board.rows if row.job_id in jobs and row.state.value == "failed"]
        if not studio.save():
            raise ProjectError(said[-1] if said else "The project can't be saved.")
        if failed:
            raise StudioError(f"{len(failed)} of {len(jobs)} could not be made: {failed[0]}")
        what = "stills" if args.stills else "shots"
        print(f"{board.name}: {len(jobs)} {what} made")
    finally:
        if bar is not None:
            bar.clear()
        studio.shutdown(discard=True)
    return 0


def _follow(application: Any, studio: Studio, jobs: tuple[str, ...], bar: ProgressBar | None) -> None:
    """Wait until the jobs have ended and what came of them is in the document; Ctrl-C cancels them."""
    from PySide6.QtCore import QTimer

    from gen2studio.cli.export import cancelled_by_signals

    began, idle = time.perf_counter(), 0
    timer = QTimer()
    with cancelled_by_signals() as cancel:

        def look() -> None:
            nonlocal idle
            rows = [row for row in studio.board.rows if row.job_id in jobs]
            if cancel.cancelled:
                for row in rows:
                    if not row.state.ended:
                        studio.host.cancel(row.job_id)
            if bar is not None and rows:
                share = sum(1.0 if row.state.ended else row.progress for row in rows) / len(rows)
                spent = time.perf_counter() - began
                bar.show(round(share * 1000), 1000, "Rendering", spent / share * (1 - share) if share > 0.02 else None)
            # Takes are applied and stills stored a moment after their job has ended.
            idle = idle + 1 if all(row.state.ended for row in rows) else 0
            if idle > 10:
                application.quit()

        timer.timeout.connect(look)
        timer.start(50)
        application.exec()
    cancel.check()


def _numbers(text: str, count: int) -> list[int]:
    """``1,3-5`` → 0, 2, 3, 4. Raises UsageError."""
    found: list[int] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        first, mark, last = part.partition("-")
        try:
            low, high = int(first), int(last) if mark else int(first)
        except ValueError:
            raise UsageError(f"“{part}” is no panel number.", "Write them as 1,3-5.") from None
        if not 1 <= low <= high <= count:
            raise UsageError(f"There is no panel {part}.", f"The board has panels 1 to {count}.")
        found += range(low - 1, high)
    return found


def _gui() -> Any:
    """Qt without a screen: pages are painted, and jobs tell what they do, by it."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtGui import QGuiApplication

    return QGuiApplication.instance() or QGuiApplication([])
