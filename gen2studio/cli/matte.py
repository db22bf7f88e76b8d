"""``gen2studio matte``: mattes of a project, or of a clip and matte files, to a file; matte files into a project."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2studio.cli.progress_bar import ProgressBar
from gen2studio.core.errors import ProjectError, StudioError, UsageError
from gen2studio.media.matte_formats import CONTENTS, FORMATS, STRAIGHT

if TYPE_CHECKING:
    from gen2studio.app.export import ExportProgress
    from gen2studio.app.matte_files import MatteImport
    from gen2studio.core.cancel import CancelToken
    from gen2studio.document.model import Document, MediaItem
    from gen2studio.raster.tiles import TileStore

_FITS = ("same", "fit", "crop", "stretch")
_CARRIERS = ("alpha", "luma", "ids", "layers")


def add_parser(subparsers: Any) -> None:
    """Add the verb with its two halves."""
    parser = subparsers.add_parser(
        "matte",
        help="export and import mattes",
        description="Write mattes as images or video, or bring them into a project.",
    )
    halves = parser.add_subparsers(dest="half", required=True, parser_class=type(parser))
    out = halves.add_parser(
        "export",
        help="write mattes to a file",
        description="Write mattes of a project, or of a clip and matte files. Ctrl-C stops and leaves no half file.",
    )
    out.add_argument("source", type=Path, metavar="PROJECT|CLIP", help=".g2s project, or a video or image sequence")
    out.add_argument(
        "--masks", action="append", default=[], metavar="FILE[=NAME]",
        help="with a CLIP: a matte file, or one image of a sequence; may be repeated",
    )  # fmt: skip
    out.add_argument(
        "--object", action="append", default=[], metavar="NAME", help="mask object; may be repeated (default: all)"
    )
    out.add_argument("--media", default="", metavar="NAME", help="the clip, where a project masks several")
    out.add_argument("--format", default="png8", choices=[f.id for f in FORMATS], help="(default: png8)")
    out.add_argument("--range", default="", metavar="A:B", help="media frames A to B - 1 (default: where mattes are)")
    out.add_argument("--content", default=STRAIGHT, choices=list(CONTENTS), help="colour and alpha, or the matte alone")
    out.add_argument("--apart", action="store_true", help="one file (EXR: one layer) per object")
    out.add_argument("--key", default="#00b140", metavar="#RRGGBB", help="colour behind the subject (green screens)")
    out.add_argument("--as-displayed", action="store_true", help="EXR colour as it is displayed, not scene-linear")
    out.add_argument("--float", action="store_true", help="EXR with 32-bit floats")
    out.add_argument("--no-audio", action="store_true", help="leave out the sound")
    out.add_argument("--force", action="store_true", help="replace an existing file")
    out.add_argument("--out", required=True, type=Path, metavar="FILE", help="file, or folder of an image sequence")
    out.add_argument("--quiet", "-q", action="store_true", help="no progress bar")
    into = halves.add_parser(
        "import",
        help="bring matte files into a project",
        description="Read matte files into a project as mask objects and save it.",
    )
    into.add_argument("project", type=Path, metavar="PROJECT", help=".g2s project")
    into.add_argument("files", nargs="+", type=Path, metavar="FILE", help="matte file, one of a sequence, or a folder")
    into.add_argument("--media", default="", metavar="NAME", help="the clip, where the project has several")
    into.add_argument("--into", default="", metavar="NAME", help="an object there is, instead of a new one")
    into.add_argument("--name", default="", help="name of the new object")
    _reading_options(into)
    into.add_argument("--propagated", action="store_true", help="count the frames as propagated, not as drawn by hand")
    into.add_argument("--quiet", "-q", action="store_true", help="no progress bar")
    _reading_options(out)


def _reading_options(parser: Any) -> None:
    parser.add_argument("--from", dest="carrier", default="", choices=_CARRIERS, help="what in the file is the matte")
    parser.add_argument("--hold", action="store_true", help="a still goes to every frame")
    parser.add_argument("--invert", action="store_true", help="black is the subject")
    parser.add_argument("--at", type=int, metavar="FRAME", help="media frame of the first image (default: its number)")
    parser.add_argument("--fit", default="same", choices=_FITS, help="mattes of another shape (default: same = refuse)")


def run(args: argparse.Namespace) -> int:
    """Export or import. Raises StudioError and Cancelled; returns 0."""
    from gen2studio.cli.export import cancelled_by_signals

    bar = None if args.quiet else ProgressBar()
    try:
        with cancelled_by_signals() as cancel:
            return (_export if args.half == "export" else _import)(args, bar, cancel)
    finally:
        if bar is not None:
            bar.clear()


# -- export --------------------------------------------------------------------------------------------------------


def _export(args: argparse.Namespace, bar: ProgressBar | None, cancel: CancelToken) -> int:
    from gen2studio.app.matte_export import MatteExport, export_mattes, targets
    from gen2studio.app.project_files import Project
    from gen2studio.raster.tiles import TileStore

    if not args.source.exists() and "%" not in args.source.name:
        raise UsageError(f"There is no project or clip “{args.source}”.")
    project: Project | None = None
    if _is_project(args.source):
        if args.masks:
            raise UsageError("--masks goes with a clip; a project has its own mattes.")
        try:
            project, document = Project.open(args.source)
            folder = project.folder
        except ProjectError:
            # Open in a window: exporting changes nothing, so what was saved last is exported from a copy.
            project, document = Project.open_copy(args.source)
            folder = args.source if args.source.is_dir() else None
            print("The project is in use; the mattes that were saved last are exported.", file=sys.stderr)
        tiles = project.tiles
    else:
        tiles, folder = TileStore(), None
        document = _document_of(args, tiles, bar, cancel)
    try:
        item = _media(document, args.media, masked=True)
        start, stop = _range(args.range, item)
        settings = MatteExport(
            path=args.out,
            format=args.format,
            objects=_objects(document, item, args.object),
            combined=not args.apart,
            start=start,
            stop=stop,
            content=args.content,
            key=_colour(args.key),
            linear=not args.as_displayed,
            float32=args.float,
            audio=not args.no_audio,
        )
        there = [p for p in targets(document, settings, folder) if p.is_file() or (p.is_dir() and any(p.iterdir()))]
        if there and not args.force:
            raise StudioError(f"“{there[0]}” is already there.", "Use --force to replace it.")

        def on_progress(progress: ExportProgress) -> None:
            if bar is not None:
                bar.show(progress.done, progress.total, "Exporting mattes", progress.seconds_left)

        result = export_mattes(document, settings, tiles, project_folder=folder, cancel=cancel, on_progress=on_progress)
    finally:
        if project is not None:
            project.close()
    if bar is not None:
        bar.clear()
    for note in result.notes:
        print(note, file=sys.stderr)
    for path in result.paths:
        print(path)
    return 0


def _is_project(path: Path) -> bool:
    return path.suffix.casefold() == ".g2s" or path.name == "project.json" or (path / "project.json").is_file()


def _document_of(args: argparse.Namespace, tiles: TileStore, bar: ProgressBar | None, cancel: CancelToken) -> Document:
    """A document of one clip with the named matte files as its objects."""
    from gen2studio.app.importing import media_item
    from gen2studio.core.frozen import frozen_map
    from gen2studio.core.ids import new_id
    from gen2studio.document.model import Document
    from gen2studio.media import codecs

    if not args.masks:
        raise UsageError("A clip has no mattes of its own: name matte files with --masks, or export a project.")
    codecs.load()
    from gen2studio.media.decoder import open_decoder
    from gen2studio.media.stills import find_run

    decoder = open_decoder(args.source)
    info = decoder.info
    decoder.close()
    path: Path = args.source
    if path.is_dir():
        run = find_run(path)
        assert run is not None
        path = run.folder / next(iter(run.files.values()))
    item = media_item(path, info)
    document = Document(id=new_id("doc"), name=item.name, media=frozen_map({item.id: item}))
    for text in args.masks:
        name = text.rpartition("=")[2] if "=" in text and not Path(text).exists() else ""
        file = Path(text[: -len(name) - 1] if name else text)
        document = _read_into(document, item, file, _settings(args, name=name), tiles, bar, cancel)
    return document


# -- import --------------------------------------------------------------------------------------------------------


def _import(args: argparse.Namespace, bar: ProgressBar | None, cancel: CancelToken) -> int:
    from gen2studio.app.project_files import Project

    if not args.project.exists():
        raise UsageError(f"There is no project “{args.project}”.")
    if args.into and len(args.files) > 1:
        raise UsageError("--into takes one file.")
    project, document = Project.open(args.project)
    try:
        item = _media(document, args.media)
        object_id = _objects(document, item, [args.into])[0] if args.into else ""
        before = set(document.masks)
        for file in args.files:
            settings = _settings(args, name=args.name, object_id=object_id)
            document = _read_into(document, item, file, settings, project.tiles, bar, cancel)
        cancel.check()
        project.save(document)
    finally:
        project.close()
    if bar is not None:
        bar.clear()
    for owner in document.masks.values():
        if owner.id not in before or owner.id == object_id:
            print(f"{owner.name}: {len(owner.frames)} frames")
    return 0


def _settings(args: argparse.Namespace, *, name: str = "", object_id: str = "") -> MatteImport:
    from gen2studio.app.matte_files import MatteImport
    from gen2studio.media.matte_kinds import MatteFit

    return MatteImport(
        carrier=args.carrier,
        invert=args.invert,
        first_frame=args.at,
        fit=MatteFit(args.fit),
        anchors=not getattr(args, "propagated", False),
        hold=args.hold,
        object_id=object_id,
        name=name,
    )


def _read_into(
    document: Document,
    item: MediaItem,
    path: Path,
    settings: MatteImport,
    tiles: TileStore,
    bar: ProgressBar | None,
    cancel: CancelToken,
) -> Document:
    from gen2studio.app.matte_files import arrange, read_mattes, with_mattes
    from gen2studio.media import codecs

    codecs.load()
    from gen2studio.media.matte_reader import find_matte

    file = find_matte(path)
    arrangement = arrange(file, settings, item.info)
    for note in arrangement.notes:
        print(note, file=sys.stderr)
    began = time.monotonic()

    def on_progress(done: int, total: int) -> None:
        if bar is not None:
            bar.show(done, total, f"Reading {path.name}", (time.monotonic() - began) / done * (total - done))

    layers = read_mattes(file, settings, arrangement, item.info.extent, tiles, cancel=cancel, on_progress=on_progress)
    return with_mattes(document, item.id, settings, layers)[0]


# -- what was named ------------------------------------------------------------------------------------------------


def _media(document: Document, name: str, masked: bool = False) -> MediaItem:
    """The clip with this name, or the only one. Raises UsageError."""
    items = [m for m in document.media.values() if m.info.has_video and (not masked or document.masks_of(m.id))]
    if name:
        items = [m for m in items if name.casefold() in (m.name.casefold(), Path(m.path).name.casefold())]
    if len(items) == 1:
        return items[0]
    names = ", ".join(f"“{m.name}”" for m in document.media.values() if m.info.has_video)
    if not items:
        what = "no mask objects" if masked and not name else f"no clip “{name}”" if name else "no clip"
        raise UsageError(f"The project has {what}.", f"It has {names}." if names else "Import one in the window first.")
    raise UsageError(f"Several clips could be meant: {names}.", "Name one with --media.")


def _objects(document: Document, item: MediaItem, names: list[str]) -> tuple[str, ...]:
    """Ids of the named objects, or of all. Raises UsageError."""
    owners = document.masks_of(item.id)
    if not names:
        return tuple(owner.id for owner in owners)
    found: list[str] = []
    for name in names:
        match = [o for o in owners if o.name == name] or [o for o in owners if o.name.casefold() == name.casefold()]
        if not match:
            there = ", ".join(f"“{o.name}”" for o in owners) or "none"
            raise UsageError(f"“{item.name}” has no mask object “{name}”.", f"It has {there}.")
        found += [o.id for o in match]
    return tuple(dict.fromkeys(found))


def _range(text: str, item: MediaItem) -> tuple[int | None, int | None]:
    """``A:B`` → (A, B); an empty side stands for the clip's end. Raises UsageError."""
    if not text:
        return None, None
    count = max(1, item.info.frame_count)
    first, colon, last = text.partition(":")
    try:
        start, stop = int(first) if first else 0, int(last) if last else count
    except ValueError:
        raise UsageError(f"The range “{text}” is not two frame numbers A:B.") from None
    if not colon or not 0 <= start < stop <= count:
        raise UsageError(f"The range “{text}” does not lie inside the clip, which has frames 0 to {count - 1}.")
    return start, stop


def _colour(text: str) -> tuple[int, int, int]:
    """``#RRGGBB``. Raises UsageError."""
    digits = text.removeprefix("#")
    try:
        value = int(digits, 16)
    except ValueError:
        value = -1
    if len(digits) != 6 or value < 0:
        raise UsageError(f"“{text}” is not a colour.", "Write it as #RRGGBB.")
    return value >> 16, value >> 8 & 255, value & 255
