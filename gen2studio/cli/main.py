"""``gen2studio``: headless verbs, and the window when no verb is given.

Exit codes: 0 done, 1 it could not be done (one line on stderr says why), 2 wrong usage, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from gen2studio import __version__
from gen2studio.core import log
from gen2studio.core.cancel import Cancelled
from gen2studio.core.errors import UsageError, sentence_of

PROGRAM = "gen2studio"
VERBS = {
    "generate": "make a shot, restyle a clip, or change a subject in it, with any generator",
    "stills": "a few still previews of a look or a storyboard as PNGs, in seconds",
    "segment": "select a subject on one frame from clicks, a box or words",
    "propagate": "carry painted mattes through a clip",
    "matte": "export mattes to files, or import them into a project",
    "board": "list, import, export and render storyboards",
    "probe": "say what a media file holds",
    "export": "render a project's timeline to a file",
    "timeline": "timelines to and from other programs; consolidate a project",
    "submit": "write clips or storyboard panels as a job for a render farm",
    "task": "render one task of a farm job, as farms call it",
    "collect": "bring what a farm has rendered into the project, as takes",
    "models": "find, download, add, verify, move and remove models",
    "train": "teach a model a subject or style from a few images",
    "adapters": "list, import, rename and delete trained adapters",
    "sample": "render the bundled sample project to a film",
    "doctor": "say what is installed, what is missing and how to fix it",
}
DONE, FAILED, WRONG_USAGE, STOPPED = 0, 1, 2, 130


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(WRONG_USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    verbose = False
    while arguments and arguments[0] in ("-v", "--verbose"):
        verbose = True
        arguments.pop(0)
    try:
        if arguments and arguments[0] in VERBS:
            verbose = verbose or "-v" in arguments or "--verbose" in arguments
            # An error is one line; -v shows where it comes from.
            log.configure("INFO" if verbose else "CRITICAL")
            status = _run_verb(arguments)
            sys.stdout.flush()
            return status
        return _open_window(arguments, verbose)
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else FAILED
    except (KeyboardInterrupt, Cancelled):
        print(f"{PROGRAM}: stopped.", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:
        # The reader of our output (head, less) left: nothing more to say to it, also not when Python ends.
        with contextlib.suppress(OSError), open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        if verbose:
            traceback.print_exc()
        print(f"{PROGRAM}: {' '.join(sentence_of(error).split())}", file=sys.stderr)
        return WRONG_USAGE if isinstance(error, UsageError) else FAILED


def _run_verb(arguments: list[str]) -> int:
    parser = OneLineParser(prog=PROGRAM)
    shared = parser.add_subparsers(dest="verb", required=True, parser_class=OneLineParser)
    verb = importlib.import_module(f"gen2studio.cli.{arguments[0]}")
    verb.add_parser(shared)
    own = shared.choices[arguments[0]]
    if not any("--verbose" in action.option_strings for action in own._actions):
        own.add_argument(
            "-v", "--verbose", action="store_true", help="log what happens, and show where errors come from"
        )
    return int(verb.run(parser.parse_args(arguments)))


def _open_window(arguments: list[str], verbose: bool) -> int:
    verbs = "\n".join(f"  {name:<10} {what}" for name, what in VERBS.items())
    parser = OneLineParser(
        prog=PROGRAM,
        usage=f"{PROGRAM} [PROJECT | CLIP]\n       {PROGRAM} VERB …",
        description="Offline editor that paints, masks and stylizes video. Without a verb it opens the window.",
        epilog=f"verbs (each has its own --help):\n{verbs}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "path", nargs="?", metavar="PROJECT|CLIP", help="a .g2s project to open, or a clip to start with"
    )
    parser.add_argument("--sample", action="store_true", help="open the bundled sample project")
    parser.add_argument("-v", "--verbose", action="store_true", help="log what happens to stderr")
    parser.add_argument("--version", action="version", version=f"Gen2 Studio {__version__}")
    wanted = parser.parse_args(arguments)
    log.configure("INFO" if verbose or wanted.verbose else None)
    if wanted.path and not Path(wanted.path).exists():
        raise UsageError(f"“{wanted.path}” is neither a file nor one of the verbs {', '.join(VERBS)}.")
    # Imported here: the verbs must run on machines without Qt's system libraries.
    launch = importlib.import_module("gen2studio.launch")
    return int(launch.main([*(["--sample"] if wanted.sample else []), *([wanted.path] if wanted.path else [])]) or 0)


if __name__ == "__main__":
    sys.exit(main())
