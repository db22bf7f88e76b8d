"""Storyboards on the command line: panels from options, a JSON file or a project, each made into a request."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from gen2studio.cli.footage import Footage, image_ref
from gen2studio.cli.shot_options import camera_of, number, shot_footage, wished_shot
from gen2studio.core.errors import MediaError, UsageError
from gen2studio.engine.generators import Abilities
from gen2studio.engine.requests import BlobRef, CameraMove, GenerateRequest, KeyRef

_FORM = "PICTURE|words|seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class CliPanel:
    """One panel as the command line knows it."""

    picture: str = ""
    prompt: str = ""
    seconds: Fraction = Fraction(2)
    keep_picture: bool = False
    camera: CameraMove = field(default_factory=CameraMove)


def add_board_options(parser: argparse.ArgumentParser) -> None:
    board = parser.add_argument_group("storyboard")
    board.add_argument(
        "--panel", action="append", default=[], metavar=_FORM,
        help="a panel; each part may be left out; may be repeated",
    )  # fmt: skip
    board.add_argument(
        "--board", metavar="FILE.json|PROJECT", help="the panels of a file, or of a project's storyboard"
    )
    board.add_argument(
        "--keep-pictures",
        action="store_true",
        help="pictures are first frames as they are (default: layouts)",
    )


def panels_of(args: argparse.Namespace) -> tuple[CliPanel, ...]:
    """The panels that the options name. Raises UsageError, MediaError, ProjectError."""
    if bool(args.panel) == bool(args.board):
        raise UsageError(f"--mode storyboard needs panels: --panel “{_FORM}”, or --board.")
    if args.board:
        path = Path(args.board)
        panels = _from_json(path) if path.suffix == ".json" and path.name != "project.json" else _from_project(path)
    else:
        panels = tuple(_panel(text) for text in args.panel)
    if not panels:
        raise UsageError(f"“{args.board}” has no panel.")
    if args.keep_pictures:
        panels = tuple(replace(panel, keep_picture=True) for panel in panels)
    words = args.prompt.strip() or args.style or args.preset
    for index, panel in enumerate(panels, 1):
        if not (panel.picture or panel.prompt or words):
            raise UsageError(f"Panel {index} has neither a picture nor words.")
        if not Fraction(1, 10) <= panel.seconds <= 120:
            raise UsageError(f"Panel {index} lasts a tenth of a second to 120 seconds.")
    return panels


def board_requests(
    args: argparse.Namespace, abilities: Abilities, panels: tuple[CliPanel, ...], base: GenerateRequest
) -> list[tuple[Footage, GenerateRequest]]:
    """The request of every panel: ``base`` with the panel's words before its own, its picture, length and camera."""
    made: list[tuple[Footage, GenerateRequest]] = []
    for index, panel in enumerate(panels, 1):
        shot = wished_shot(args, abilities, panel.seconds)
        footage = shot_footage(args, abilities, f"panel {index}", shot)
        picture: BlobRef | None = image_ref(panel.picture) if panel.picture else None
        words = ", ".join(text for text in (panel.prompt.strip(), base.prompt.strip()) if text)
        request = replace(
            base, source=footage.source, start=0, stop=shot.frames, width=shot.width, height=shot.height, prompt=words,
            keys=(KeyRef(frame=0, blob=picture),) if picture is not None and panel.keep_picture else (),
            layout=picture if picture is not None and not panel.keep_picture else None,
            camera=base.camera if panel.camera == CameraMove() else panel.camera,
        )  # fmt: skip
        made.append((footage, request))
    return made


def _panel(text: str) -> CliPanel:
    """``sky.png|a city at dusk|2.5`` in any order, any part left out. Raises UsageError."""
    panel = CliPanel()
    for part in filter(None, (part.strip() for part in text.split("|"))):
        if Path(part).is_file():
            panel = replace(panel, picture=part)
        elif part.removesuffix("s").replace(".", "", 1).isdigit():
            panel = replace(panel, seconds=number(part.removesuffix("s"), "--panel"))
        elif Path(part).suffix.lower() in (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"):
            raise MediaError(f"There is no image “{part}”.", "Check the path.")
        else:
            panel = replace(panel, prompt=part)
    return panel


def _from_json(path: Path) -> tuple[CliPanel, ...]:
    """``{"panels": [{"picture", "prompt", "seconds", "keep_picture", "camera"}, …]}``, or just the list."""
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"There is no file “{path}”.") from None
    except (OSError, ValueError):
        raise UsageError(f"“{path}” is no readable JSON.") from None
    listed: Any = cast("dict[str, Any]", data).get("panels") if isinstance(data, dict) else data
    if not isinstance(listed, list):
        raise UsageError(f"“{path}” has no list of panels.")
    found: list[CliPanel] = []
    for index, entry in enumerate(cast("list[Any]", listed), 1):
        if not isinstance(entry, dict):
            raise UsageError(f"Panel {index} of “{path}” is no object.")
        row = cast("dict[str, Any]", entry)
        unknown = sorted(set(row) - {"picture", "prompt", "seconds", "keep_picture", "camera", "name"})
        if unknown:
            raise UsageError(f"Panel {index} of “{path}” has an unknown part “{unknown[0]}”.")
        picture = str(row.get("picture") or "")
        if picture and not Path(picture).is_absolute():
            picture = str(path.parent / picture)
        found.append(
            CliPanel(
                picture=picture,
                prompt=str(row.get("prompt") or ""),
                seconds=number(str(row.get("seconds", 2)), "seconds"),
                keep_picture=bool(row.get("keep_picture", False)),
                camera=camera_of(str(row.get("camera") or "")),
            )
        )
    return tuple(found)


def _from_project(path: Path) -> tuple[CliPanel, ...]:
    """The panels of a project's first storyboard; the project is only read."""
    from gen2studio.app.project_files import Project

    project, document = Project.open_copy(path)
    try:
        board = next(iter(document.boards.values()), None)
        if board is None:
            raise UsageError(f"The project “{path.name}” has no storyboard.")
        kept: list[CliPanel] = []
        for panel in board.panels:
            look = panel.look or board.look
            own = panel.prompt.strip() or " ".join(panel.action.split())
            words = ", ".join(text for text in (own, look.prompt.strip()) if text)
            camera = CameraMove(**{name: getattr(panel.camera, name) for name in CameraMove.__dataclass_fields__})
            picture = _carried(project.blob_path(panel.picture)) if panel.picture else ""
            kept.append(
                CliPanel(
                    picture=picture,
                    prompt=words,
                    seconds=panel.seconds,
                    keep_picture=panel.keep_picture,
                    camera=camera,
                )
            )
        return tuple(kept)
    finally:
        project.close()


def _carried(picture: Path) -> str:
    """A copy of a project's picture that outlives its working folder."""
    from gen2studio.core.paths import cache_dir, write_atomic

    target = cache_dir("panels") / picture.name
    if not target.is_file():
        write_atomic(target, picture.read_bytes())
    return str(target)
