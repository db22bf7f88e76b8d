"""``gen2studio export``: render a project's timeline to a file."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from collections.abc import Generator
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from gen2studio.cli.progress_bar import ProgressBar
from gen2studio.core.cancel import Cancelled, CancelToken
from gen2studio.core.errors import ProjectError, StudioError, UsageError, sentence_of
from gen2studio.core.time import parse_timecode

if TYPE_CHECKING:
    from gen2studio.app.export_values import ExportProgress, ExportResult, ExportSettings

DONE, FAILED, USAGE, CANCELLED = 0, 1, 2, 130


def add_parser(subparsers: Any) -> None:
    """Add the verb to ``argparse``'s sub-parsers."""
    parser = subparsers.add_parser(
        "export",
        help="render a project's timeline to a video file or a picture sequence",
        description="Render a project's timeline. Ctrl-C stops and leaves no half file.",
    )
    parser.add_argument("project", nargs="?", type=Path, help="project folder or .g2s file")
    parser.add_argument("output", nargs="?", type=Path, help="the same as --out")
    parser.add_argument(
        "--out", dest="out", type=Path, metavar="FILE", help="file to write; a folder for picture sequences"
    )
    parser.add_argument(
        "--preset",
        default="",
        help="export preset, or several with commas, see --list-presets (default: by the file's suffix, else h264)",
    )
    parser.add_argument("--list-presets", action="store_true", help="print the presets and stop")
    parser.add_argument(
        "--from", dest="start", default="", metavar="TIME", help="first frame: timecode or frame number"
    )
    parser.add_argument("--to", dest="stop", default="", metavar="TIME", help="end, this frame is not exported")
    parser.add_argument("--whole", action="store_true", help="ignore the timeline's in and out points")
    parser.add_argument("--no-audio", action="store_true", help="leave out the sound")
    parser.add_argument(
        "--loudness", type=float, metavar="LUFS", help="bring the programme to this loudness (EBU R 128), such as -23"
    )
    parser.add_argument(
        "--true-peak", type=float, default=-1.0, metavar="DBTP", help="ceiling of --loudness (default: %(default)g)"
    )
    parser.add_argument(
        "--captions",
        choices=["shown", "burned", "left-out"],
        default="shown",
        help="captions in the picture: as the timeline shows them, always, or never (default: %(default)s)",
    )
    parser.add_argument("--srt", action="store_true", help="write the captions beside the file as .srt")
    parser.add_argument("--caption-track", action="store_true", help="put the captions into the file as a track")
    parser.add_argument("--burn-timecode", action="store_true", help="burn the timecode into the picture")
    parser.add_argument("--burn-name", default="", metavar="TEXT", help="burn a line of text into the picture")
    parser.add_argument("--track-mattes", action="store_true", help="write each video track's alpha as grey pictures")
    parser.add_argument("--mask-mattes", action="store_true", help="write the masks on screen as grey pictures")
    parser.add_argument("--width", type=int, default=0, metavar="PIXELS", help="make the pictures this wide")
    parser.add_argument("--rate", type=int, default=0, metavar="FPS", help="frames a second of GIF and WebP")
    parser.add_argument("--no-sidecar", action="store_true", help="write no .json with the recipes beside the file")
    parser.add_argument(
        "--certificate", default="", metavar="PEM", help="sign Content Credentials (C2PA) with this certificate"
    )
    parser.add_argument("--private-key", default="", metavar="PEM", help="private key of --certificate")
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    parser.add_argument("--quiet", "-q", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Export and return the exit status: 0 done, 1 failed (one line on stderr), 2 usage, 130 cancelled."""
    try:
        if args.list_presets:
            return _list_presets()
        if args.out is not None and args.output is not None:
            raise UsageError("Export writes one file, and two were named.", "Leave out one of them.")
        out = args.out or args.output
        if args.project is None or out is None:
            raise UsageError("Export needs a project and an output.", "See gen2studio export --help.")
        return _export(args, out)
    except (Cancelled, KeyboardInterrupt):
        print("Cancelled; nothing was kept.", file=sys.stderr)
        return CANCELLED
    except UsageError as error:
        print(error, file=sys.stderr)
        return USAGE
    except BrokenPipeError:
        raise
    except (StudioError, OSError, MemoryError) as error:
        print(sentence_of(error), file=sys.stderr)
        return FAILED


def _list_presets() -> int:
    from gen2studio.media.encoder_presets import load_presets

    for preset in load_presets():
        print(f"{preset.id:15} {preset.title}\n{'':15} {preset.description}")
    return DONE


def _export(args: argparse.Namespace, out: Path) -> int:
    from gen2studio.app.burn_in import ensure_fonts
    from gen2studio.app.compositor import sequence_of
    from gen2studio.app.export import export_sequence, target_path
    from gen2studio.app.project_files import Project
    from gen2studio.engine.take_store import TakeStore

    bar: ProgressBar | None = None
    folder: Path | None = None
    try:
        project, document = Project.open(args.project)
        folder = project.folder
    except ProjectError:
        # Open in a window: exporting changes nothing, so what was saved last is exported from a copy.
        project, document = Project.open_copy(args.project)
        folder = args.project if args.project.is_dir() else None
        print("The project is in use; what was saved last is exported.", file=sys.stderr)
    try:
        sequence = sequence_of(document)
        wanted = _settings(args, out, sequence.rate)
        if args.burn_timecode or args.burn_name or any(each.subtitles for each in document.sequences.values()):
            ensure_fonts()
        for settings in wanted:
            target = target_path(document, settings, folder)
            if target.exists() and not args.force:
                raise StudioError(f"“{target}” is already there.", "Use --force to replace it.")
        bar = None if args.quiet else ProgressBar()
        results: list[ExportResult] = []
        with cancelled_by_signals() as cancel:
            for settings in wanted:
                result = export_sequence(
                    document,
                    settings,
                    take_folder=TakeStore(project.takes_dir).path,
                    project_folder=folder,
                    cancel=cancel,
                    on_progress=None if bar is None else partial(draw, bar),
                    tiles=project.tiles,
                )
                results.append(result)
    finally:
        if bar is not None:
            bar.clear()
        project.close()
    for result in results:
        for note in result.notes:
            print(note, file=sys.stderr)
        for path in (result.path, *result.extras):
            print(path)
    return DONE


def _settings(args: argparse.Namespace, out: Path, rate: Fraction) -> list[ExportSettings]:
    """One for each preset. Captions and mattes go with the first. Raises UsageError."""
    from gen2studio.app.export_values import Captions, ExportSettings
    from gen2studio.media.encoder_presets import preset_of

    presets = [name.strip() for name in args.preset.split(",") if name.strip()] or [_preset_for(out)]
    if args.loudness is not None and not -70 < args.loudness <= 0:
        raise UsageError("A loudness lies between −70 and 0 LUFS.", "Streaming takes −14, broadcast −23.")
    if not -20 <= args.true_peak <= 0:
        raise UsageError("A true peak lies between −20 and 0 dBTP.", "−1 is usual.")
    if args.width and not 16 <= args.width <= 16384:
        raise UsageError("Pictures are 16 to 16,384 pixels wide.", "Choose a width in that range.")
    if args.rate and not 1 <= args.rate <= 480:
        raise UsageError("A frame rate lies between 1 and 480.", "Choose one in that range.")
    if bool(args.certificate) != bool(args.private_key):
        raise UsageError("Signing needs a certificate and its private key.", "Give --certificate and --private-key.")
    base = out.with_suffix("") if len(presets) > 1 and out.suffix else out
    found: list[ExportSettings] = []
    taken: set[str] = set()
    for number, preset in enumerate(presets):
        # Presets with one suffix would write one file.
        suffix = preset_of(preset).suffix
        path = base.with_name(f"{base.name} {preset}") if suffix in taken else base
        taken.add(suffix)
        found.append(
            ExportSettings(
                path=path,
                preset=preset,
                start=_frame(args.start, rate),
                stop=_frame(args.stop, rate),
                whole=args.whole,
                audio=not args.no_audio,
                sidecar=not args.no_sidecar,
                width=args.width,
                rate=args.rate,
                burn_timecode=args.burn_timecode,
                burn_name=args.burn_name,
                captions=Captions(args.captions.replace("-", "_")),
                srt=args.srt and not number,
                caption_track=args.caption_track,
                loudness=args.loudness,
                true_peak=args.true_peak,
                track_mattes=args.track_mattes and not number,
                mask_mattes=args.mask_mattes and not number,
                certificate=args.certificate,
                private_key=args.private_key,
            )
        )
    return found


def _preset_for(out: Path) -> str:
    """The first preset that writes files of this suffix."""
    from gen2studio.media.encoder_presets import load_presets

    suffix = out.suffix.lower()
    if suffix in (".png", ".exr"):
        return next(preset.id for preset in load_presets() if f".{preset.container}" == suffix)
    return next((preset.id for preset in load_presets() if suffix and preset.suffix == suffix), "h264")


def draw(bar: ProgressBar, progress: ExportProgress) -> None:
    bar.show(progress.done, progress.total, "Exporting", progress.seconds_left)


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
