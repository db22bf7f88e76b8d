"""``gen2studio export``: render a project's timeline to a file."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import time
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from types import FrameType
from typing import Any

from gen2studio.core.cancel import Cancelled, CancelToken
from gen2studio.core.errors import StudioError, UsageError, sentence_of
from gen2studio.core.time import parse_timecode

DONE, FAILED, USAGE, CANCELLED = 0, 1, 2, 130


def add_parser(subparsers: Any) -> None:
    """Add the verb to ``argparse``'s sub-parsers."""
    parser = subparsers.add_parser(
        "export",
        help="render a project's timeline to a video file or a picture sequence",
        description="Render a project's timeline. Ctrl-C stops and leaves no half file.",
    )
    parser.add_argument("project", nargs="?", type=Path, help="project folder or .g2s file")
    parser.add_argument("output", nargs="?", type=Path, help="file to write; a folder for picture sequences")
    parser.add_argument("--preset", default="h264", help="export preset (default: %(default)s); see --list-presets")
    parser.add_argument("--list-presets", action="store_true", help="print the presets and stop")
    parser.add_argument(
        "--from", dest="start", default="", metavar="TIME", help="first frame: timecode or frame number"
    )
    parser.add_argument("--to", dest="stop", default="", metavar="TIME", help="end, this frame is not exported")
    parser.add_argument("--whole", action="store_true", help="ignore the timeline's in and out points")
    parser.add_argument("--no-audio", action="store_true", help="leave out the sound")
    parser.add_argument("--no-sidecar", action="store_true", help="write no .json with the recipes beside the file")
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    parser.add_argument("--quiet", "-q", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Export and return the exit status: 0 done, 1 failed (one line on stderr), 2 usage, 130 cancelled."""
    try:
        if args.list_presets:
            return _list_presets()
        if args.project is None or args.output is None:
            raise UsageError("Export needs a project and an output.", "See gen2studio export --help.")
        return _export(args)
    except (Cancelled, KeyboardInterrupt):
        print("Cancelled; nothing was kept.", file=sys.stderr)
        return CANCELLED
    except UsageError as error:
        print(error, file=sys.stderr)
        return USAGE
    except (StudioError, OSError, MemoryError) as error:
        print(sentence_of(error), file=sys.stderr)
        return FAILED


def _list_presets() -> int:
    from gen2studio.media.encoder_presets import load_presets

    for preset in load_presets():
        print(f"{preset.id:15} {preset.title}\n{'':15} {preset.description}")
    return DONE


def _export(args: argparse.Namespace) -> int:
    from gen2studio.app.compositor import sequence_of
    from gen2studio.app.export import ExportSettings, export_sequence, target_path
    from gen2studio.app.project_files import Project
    from gen2studio.engine.take_store import TakeStore

    project, document = Project.open(args.project)
    try:
        rate = sequence_of(document).rate
        settings = ExportSettings(
            path=args.output,
            preset=args.preset,
            start=_frame(args.start, rate),
            stop=_frame(args.stop, rate),
            whole=args.whole,
            audio=not args.no_audio,
            sidecar=not args.no_sidecar,
        )
        target = target_path(document, settings, project.folder)
        if target.exists() and not args.force:
            raise StudioError(f"“{target}” is already there.", "Use --force to replace it.")
        bar = ProgressBar(show=not args.quiet)
        with cancelled_by_signals() as cancel:
            result = export_sequence(
                document,
                settings,
                take_folder=TakeStore(project.takes_dir).path,
                project_folder=project.folder,
                cancel=cancel,
                on_progress=bar.show,
            )
        bar.end()
    finally:
        project.close()
    for note in result.notes:
        print(note, file=sys.stderr)
    print(result.path)
    return DONE


def _frame(text: str, rate: Fraction) -> int | None:
    try:
        return parse_timecode(text, rate) if text else None
    except ValueError as error:
        raise UsageError(f"{error}.", "Write it as HH:MM:SS:FF or as a frame number.") from error


@contextlib.contextmanager
def cancelled_by_signals() -> Generator[CancelToken]:
    """A token that Ctrl-C and SIGTERM cancel, so that the export itself tidies up. A second Ctrl-C interrupts."""
    token = CancelToken()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if token.cancelled and number == signal.SIGINT:
            raise KeyboardInterrupt
        token.cancel()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield token
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class ProgressBar:
    """A bar on stderr while that is a terminal; elsewhere a line every five seconds."""

    WIDTH = 30

    def __init__(self, *, show: bool = True) -> None:
        self._on = show
        self._terminal = sys.stderr.isatty()
        self._last = time.monotonic()
        self._drawn = False

    def show(self, progress: Any) -> None:
        """Draw an :class:`~gen2studio.app.export.ExportProgress`."""
        if not self._on:
            return
        share = progress.done / max(1, progress.total)
        left = "" if progress.seconds_left is None else f", {duration_text(progress.seconds_left)} left"
        text = f"{progress.done}/{progress.total} frames, {progress.frames_per_second:.1f} fps{left}"
        if self._terminal:
            filled = round(share * self.WIDTH)
            print(f"\r\x1b[K[{'█' * filled}{'·' * (self.WIDTH - filled)}] {text}", end="", file=sys.stderr, flush=True)
            self._drawn = True
        elif time.monotonic() - self._last >= 5:
            self._last = time.monotonic()
            print(text, file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._drawn:
            print(file=sys.stderr)


def duration_text(seconds: float) -> str:
    """``0:42`` or ``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
