"""``gen2studio timeline``: timelines to and from other programs, and projects consolidated, without a window."""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2studio.cli.progress_bar import ProgressBar
from gen2studio.core.errors import ProjectError, UsageError

if TYPE_CHECKING:
    from gen2studio.core.cancel import CancelToken
    from gen2studio.document.model import Document


def add_parser(subparsers: Any) -> None:
    """Add the verb with its parts."""
    parser = subparsers.add_parser(
        "timeline",
        help="timelines to and from other programs",
        description="Exchange timelines as OpenTimelineIO, EDL or Final Cut Pro XML, or consolidate a project.",
    )
    parts = parser.add_subparsers(dest="part", required=True, parser_class=type(parser))
    out = parts.add_parser("export", help="write a timeline for another program")
    out.add_argument("project", type=Path, metavar="PROJECT", help=".g2s project")
    out.add_argument("--out", required=True, type=Path, metavar="FILE", help=".otio, .otioz, .edl or .xml")
    out.add_argument("--sequence", default="", metavar="NAME", help="the timeline, where the project has several")
    out.add_argument("--track", type=int, default=1, metavar="N", help="video track of an .edl, 1 = lowest (default)")
    out.add_argument("--force", action="store_true", help="replace an existing file")
    into = parts.add_parser("import", help="add a timeline of another program to a project")
    into.add_argument("project", type=Path, metavar="PROJECT", help=".g2s project; made when it is not there")
    into.add_argument("file", type=Path, metavar="FILE", help=".otio, .otioz, .edl, .xml or .fcpxml")
    into.add_argument("--rate", default="", metavar="FPS", help="frame rate of an .edl: 25, 23.976, 30000/1001 …")
    pack = parts.add_parser("consolidate", help="copy a project with only the media its timelines use")
    pack.add_argument("project", type=Path, metavar="PROJECT", help=".g2s project")
    pack.add_argument("--out", required=True, type=Path, metavar="PROJECT", help="new .g2s folder, or .zip.g2s file")
    pack.add_argument("--handles", type=float, default=1.0, metavar="SECONDS", help="kept around uses (default: 1)")
    pack.add_argument("--whole", action="store_true", help="copy media whole")
    pack.add_argument("--quiet", "-q", action="store_true", help="no progress bar")


def run(args: argparse.Namespace) -> int:
    """Do one part. Raises StudioError and Cancelled; returns 0."""
    from gen2studio.cli.export import cancelled_by_signals

    with cancelled_by_signals() as cancel:
        return {"export": _export, "import": _import, "consolidate": _consolidate}[args.part](args, cancel)


def _export(args: argparse.Namespace, _cancel: CancelToken) -> int:
    from gen2studio.app.interchange import write_timeline
    from gen2studio.app.project_files import Project

    if args.out.exists() and not args.force:
        raise UsageError(f"“{args.out}” is there already; --force replaces it.")
    if args.track < 1:
        raise UsageError("--track counts from 1.")
    project, document = Project.open_copy(args.project)
    try:
        report = write_timeline(
            document,
            args.out,
            sequence_id=_sequence(document, args.sequence),
            track=args.track - 1,
            take_folder=lambda take_id: project.takes_dir / take_id,
        )
        print(f"{report.path}: “{report.sequence}”, {report.clips} clips")
        for sentence in report.sentences:
            print(f"  not carried: {sentence}")
    finally:
        project.close()
    return 0


def _sequence(document: Document, name: str) -> str:
    if not name:
        return ""
    found = [s.id for s in document.sequences.values() if s.name == name]
    if not found:
        names = ", ".join(f"“{s.name}”" for s in document.sequences.values())
        raise UsageError(f"The project has no timeline “{name}”; it has {names}.")
    return found[0]


def _import(args: argparse.Namespace, cancel: CancelToken) -> int:
    from gen2studio.app.interchange import lay, read_timelines
    from gen2studio.app.project_files import Project

    rate = _rate(args.rate)
    fresh = not args.project.exists()
    project, document = Project.new(args.project.stem) if fresh else Project.open(args.project)
    try:
        read = read_timelines(args.file, document, rate=rate, media_folder=project.media_dir, cancel=cancel)
        reports = []
        for timeline in read:
            document, report = lay(document, timeline)
            reports.append(report)
        if fresh:
            project.save_as(document, args.project)
        else:
            project.save(document)
        for report in reports:
            print(f"{args.project}: “{report.sequence}”, {report.clips} clips")
            for sentence in report.sentences:
                print(f"  {sentence}")
    finally:
        project.close()
    return 0


def _rate(text: str) -> Fraction | None:
    from gen2studio.interchange.times import exact_rate

    if not text:
        return None
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(f"“{text}” is no frame rate.") from error
    return value if "/" in text else exact_rate(float(value))


def _consolidate(args: argparse.Namespace, cancel: CancelToken) -> int:
    from gen2studio.app.consolidating import consolidate
    from gen2studio.app.project_files import Project

    if not 0 <= args.handles <= 3600:
        raise UsageError("--handles takes 0 to 3600 seconds.")
    if args.out.suffix != ".g2s":
        raise ProjectError(f"“{args.out.name}” is no project name.", "Let it end in .g2s, or in .zip.g2s for one file.")
    bar = None if args.quiet else ProgressBar()
    project, document = Project.open_copy(args.project)
    try:
        done = consolidate(
            project,
            document,
            args.out.absolute(),
            handles=Fraction(str(args.handles)),
            cut=not args.whole,
            cancel=cancel,
            tell=None if bar is None else lambda part: bar.show(round(part * 100), 100, "Consolidating"),
        )
    finally:
        if bar is not None:
            bar.clear()
        project.close()
    print(f"{done.path}: {done.bytes_after / 1e6:,.1f} MB of media instead of {done.bytes_before / 1e6:,.1f} MB")
    for sentence in done.sentences:
        print(f"  {sentence}")
    return 0
