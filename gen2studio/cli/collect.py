"""``gen2studio collect``: what a farm has rendered, into the project it was submitted from."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from gen2studio.cli.progress_bar import ProgressBar


def add_parser(subparsers: Any) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "collect",
        help="bring what a farm has rendered into the project, as takes",
        description="Check every frame that came back against the farm's list and the job's own sizes, then add the "
        "takes to the project and save it. Anything that is not what was asked for is refused, and nothing is changed.",
    )
    parser.add_argument("bundle", type=Path, help="the job's folder, with its results in it")
    parser.add_argument("project", type=Path, help="project folder or .g2s file; it is changed and saved")
    parser.add_argument("--keep", action="store_true", help="leave the clips as they are; the takes are only listed")
    parser.add_argument("--quiet", "-q", action="store_true", help="no progress bar")


def run(args: argparse.Namespace) -> int:
    """Collect. Raises StudioError."""
    from gen2studio.app.farm import collect
    from gen2studio.app.farm_takes import applied, with_takes
    from gen2studio.app.project_files import Project
    from gen2studio.cli.export import cancelled_by_signals

    bar = None if args.quiet else ProgressBar()
    project, document = Project.open(args.project)
    try:
        with cancelled_by_signals() as cancel:
            found = collect(
                args.bundle, document, project.takes_dir, cancel,
                (lambda done, total: bar.show(done, total, "Checking" if 2 * done <= total else "Copying"))
                if bar is not None else None,
            )  # fmt: skip
        document = with_takes(document, found.homes)
        if not args.keep:
            document = applied(document, found.homes)
        project.save(document)
    finally:
        if bar is not None:
            bar.clear()
        project.close()
    takes = "1 take" if len(found.homes) == 1 else f"{len(found.homes)} takes"
    print(f"{takes}, {found.frames} frames")
    return 0
