"""Panels from elsewhere: folders of images, PDF pages, Storyboarder projects, Fountain scripts. No widgets.

Reading only looks at the files; nothing comes into a project before :func:`panels_of`. What a file says is bounded
before it is believed, and names in it lead nowhere but into the folder beside it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from gen2studio.app import fountain
from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import ProjectError, StudioError
from gen2studio.core.ids import new_id
from gen2studio.core.records import dataclass
from gen2studio.document.board_values import PanelLayer, SoundCue
from gen2studio.document.boards import MOST_PANELS, SHORTEST
from gen2studio.document.model import MediaItem, Panel
from gen2studio.document.shots import LONGEST

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"})
SCRIPTS = frozenset({".fountain", ".spmd", ".txt"})
_BIGGEST_TEXT = 16 << 20
_BIGGEST_PICTURE = 256 << 20
_PDF_SIDE = 1600
"""Pixels of the longer side of a PDF page as a panel."""
_LAYERS = ("shot-generator", "reference", "fill", "tone", "pencil", "ink", "notes")
"""Storyboarder's layers from below; ``url`` itself is the drawing of files before version 1.10, above the fill."""
_NAME = re.compile(r"^[^/\\:\x00]{1,255}$")
Picture = Path | bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLayer:
    name: str
    picture: Picture
    opacity: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPanel:
    """A panel as a file has it."""

    name: str = ""
    action: str = ""
    dialogue: str = ""
    notes: str = ""
    seconds: Fraction = Fraction(2)
    picture: Picture | None = None
    layers: tuple[FoundLayer, ...] = ()
    """Instead of ``picture``, where the file keeps them."""
    sound: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundBoard:
    """What a file or folder holds."""

    name: str
    panels: tuple[FoundPanel, ...]
    kind: str
    """In words: “12 images”, “Storyboarder project”."""
    aspect: Fraction | None = None
    rate: Fraction | None = None
    notes: tuple[str, ...] = ()
    """Sentences about what could not be read."""


def read_board(
    path: Path, *, seconds: Fraction = Fraction(2), by_scene: bool = False, cancel: CancelToken | None = None
) -> FoundBoard:
    """Look at a folder of images, a ``.pdf``, a ``.storyboarder`` project (or its folder) or a Fountain script.

    ``seconds`` is the length of panels that have none of their own; ``by_scene`` makes one panel of each scene of a
    script instead of one of each paragraph. Raises ProjectError, Cancelled.
    """
    cancel = cancel or CancelToken()
    try:
        if path.is_dir():
            projects = sorted(path.glob("*.storyboarder"))
            if projects:
                return _storyboarder(projects[0], seconds)
            return _images(path, seconds)
        suffix = path.suffix.casefold()
        if not path.is_file():
            raise ProjectError(f"“{path.name}” is not there.", "Choose a folder or file that exists.")
        if suffix == ".storyboarder":
            return _storyboarder(path, seconds)
        if suffix == ".pdf":
            return _pdf(path, seconds, cancel)
        if suffix in SCRIPTS:
            return _script(path, by_scene)
        if suffix in IMAGES:
            return FoundBoard(name=path.stem, panels=(_image_panel(path, seconds),), kind="one image")
    except OSError as error:
        raise ProjectError(f"“{path.name}” can't be read.", "Check the file and its permissions.") from error
    raise ProjectError(
        f"“{path.name}” is nothing that panels are made of.",
        "Choose a folder of images, a PDF, a Storyboarder project or a Fountain script.",
    )


def _bounded(name: str, panels: list[FoundPanel]) -> tuple[tuple[FoundPanel, ...], tuple[str, ...]]:
    if not panels:
        raise ProjectError(f"“{name}” holds nothing that panels could be made of.", "Choose another one.")
    if len(panels) > MOST_PANELS:
        return tuple(panels[:MOST_PANELS]), (f"Only the first {MOST_PANELS} of {len(panels)} panels are taken.",)
    return tuple(panels), ()


def _length(seconds: float | Fraction) -> Fraction:
    """A panel's length within what one may last, in milliseconds."""
    if not math.isfinite(seconds):
        return Fraction(2)
    return min(max(Fraction(seconds).limit_denominator(1000), SHORTEST), LONGEST)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sorts ``panel 2`` before ``panel 10``."""
    parts = re.split(r"(\d+)", path.stem.casefold())
    return [(int(part), "") if part.isdecimal() and len(part) < 18 else (-1, part) for part in parts]


def _image_panel(path: Path, seconds: Fraction) -> FoundPanel:
    return FoundPanel(name=re.sub(r"[_\-]+", " ", path.stem).strip(), picture=path, seconds=_length(seconds))


def _images(folder: Path, seconds: Fraction) -> FoundBoard:
    files = [f for f in folder.iterdir() if f.suffix.casefold() in IMAGES and f.is_file() and f.name[:1] != "."]
    panels, notes = _bounded(folder.name, [_image_panel(file, seconds) for file in sorted(files, key=_natural)])
    return FoundBoard(name=folder.name, panels=panels, kind=f"{len(files)} images", notes=notes)


# -- PDF ---------------------------------------------------------------------------------------------------------------


def _pdf(path: Path, seconds: Fraction, cancel: CancelToken) -> FoundBoard:
    from PySide6.QtCore import QBuffer, QIODevice, QSize
    from PySide6.QtGui import QColor, QImage, QPainter
    from PySide6.QtPdf import QPdfDocument

    document = QPdfDocument(None)  # pyright: ignore[reportArgumentType]
    try:
        if document.load(str(path)) is not QPdfDocument.Error.None_:
            raise ProjectError(
                f"“{path.name}” is damaged, or protected by a password.", "Export it again, unprotected."
            )
        panels: list[FoundPanel] = []
        aspect: Fraction | None = None
        for page in range(min(document.pageCount(), MOST_PANELS)):
            cancel.check()
            size = document.pagePointSize(page)
            if size.isEmpty():
                continue
            aspect = aspect or Fraction(size.width() / size.height()).limit_denominator(100)
            scale = _PDF_SIDE / max(size.width(), size.height())
            pixels = QSize(max(1, round(size.width() * scale)), max(1, round(size.height() * scale)))
            shown = document.render(page, pixels)
            # Pages are transparent where nothing is printed.
            image = QImage(pixels, QImage.Format.Format_RGB32)
            image.fill(QColor(255, 255, 255))
            painter = QPainter(image)
            painter.drawImage(0, 0, shown)
            painter.end()
            buffer = QBuffer()
            buffer.open(QIODevice.OpenModeFlag.WriteOnly)
            image.save(buffer, "PNG")  # pyright: ignore[reportCallIssue, reportArgumentType]
            text = " ".join(document.getAllText(page).text().split())[:2000]
            panels.append(
                FoundPanel(
                    name=f"Page {page + 1}", picture=bytes(buffer.data().data()), notes=text, seconds=_length(seconds)
                )
            )
        count = document.pageCount()
    finally:
        document.close()
    kept, _ = _bounded(path.name, panels)
    notes = (f"Only the first {MOST_PANELS} of {count} pages are taken.",) if count > MOST_PANELS else ()
    return FoundBoard(name=path.stem, panels=kept, kind=f"{count} PDF pages", aspect=aspect, notes=notes)


# -- Storyboarder ------------------------------------------------------------------------------------------------------


def _storyboarder(path: Path, seconds: Fraction) -> FoundBoard:
    """A project of Storyboarder (wonderunit): JSON beside an ``images`` folder."""
    if path.stat().st_size > _BIGGEST_TEXT:
        raise ProjectError(f"“{path.name}” is too big to be a Storyboarder project.", "Choose another file.")
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ProjectError(f"“{path.name}” is no Storyboarder project.", "Choose another file.") from error
    listed: Any = cast("dict[str, Any]", data).get("boards") if isinstance(data, dict) else None
    if not isinstance(listed, list):
        raise ProjectError(f"“{path.name}” has no list of boards.", "Choose another file.")
    head = cast("dict[str, Any]", data)
    folder = path.parent / "images"
    usual = _number(head.get("defaultBoardTiming"), float(seconds) * 1000)
    panels: list[FoundPanel] = []
    missing: list[str] = []
    for index, entry in enumerate(cast("list[Any]", listed)[: MOST_PANELS + 1], 1):
        if isinstance(entry, dict):
            panels.append(_storyboarder_panel(cast("dict[str, Any]", entry), index, folder, usual, missing))
    kept, notes = _bounded(path.name, panels)
    if missing:
        notes = (*notes, f"{len(missing)} pictures or sounds are missing: {', '.join(missing[:3])}"
                 f"{'…' if len(missing) > 3 else ''}.")  # fmt: skip
    aspect = _number(head.get("aspectRatio"), 0.0)
    rate = _number(head.get("fps"), 0.0)
    return FoundBoard(
        name=path.stem, panels=kept, kind="Storyboarder project", notes=notes,
        aspect=Fraction(aspect).limit_denominator(100) if 0.2 <= aspect <= 5 else None,
        rate=Fraction(rate).limit_denominator(1001) if 1 <= rate <= 120 else None,
    )  # fmt: skip


def _storyboarder_panel(
    entry: dict[str, Any], index: int, folder: Path, usual: float, missing: list[str]
) -> FoundPanel:
    def file(name: object) -> Path | None:
        if not isinstance(name, str) or not name:
            return None
        found = _inside(folder, name)
        if found is None:
            missing.append(name[:60])
        return found

    drawn: Any = entry.get("layers")
    table: dict[str, Any] = cast("dict[str, Any]", drawn) if isinstance(drawn, dict) else {}
    layers: list[FoundLayer] = []
    main = entry.get("url")
    for key in _LAYERS:
        layer: Any = table.get(key)
        if isinstance(layer, dict) and (picture := file(cast("dict[str, Any]", layer).get("url"))) is not None:
            opacity = _number(cast("dict[str, Any]", layer).get("opacity"), 1.0)
            layers.append(FoundLayer(name=key.capitalize(), picture=picture, opacity=min(1.0, max(0.0, opacity))))
        if key == "tone" and isinstance(main, str) and (picture := _inside(folder, main)) is not None:
            layers.append(FoundLayer(name="Drawing", picture=picture))
    picture: Path | None = None
    if not layers and isinstance(main, str) and main:
        # Sketches that another program drew have no layers, only the picture that stands for them.
        picture = _inside(folder, f"{Path(main).stem}-posterframe.jpg") or file(main)
    sound: Any = entry.get("audio")
    return FoundPanel(
        name=_words(entry.get("shot")) or f"{index}",
        action=_words(entry.get("action")),
        dialogue=_words(entry.get("dialogue")),
        notes=_words(entry.get("notes")),
        seconds=_length(_number(entry.get("duration"), usual) / 1000),
        picture=picture,
        layers=tuple(layers),
        sound=file(cast("dict[str, Any]", sound).get("filename")) if isinstance(sound, dict) else None,
    )


def _inside(folder: Path, name: str) -> Path | None:
    """The file of that name in a folder; None for anything else, wherever it leads."""
    if not _NAME.match(name) or name in (".", ".."):
        return None
    path = folder / name
    if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        return None
    return path if path.stat().st_size <= _BIGGEST_PICTURE else None


def _number(value: object, default: float) -> float:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return default
    return float(value)


def _words(value: object) -> str:
    return value.strip()[:20000] if isinstance(value, str) else ""


# -- scripts -----------------------------------------------------------------------------------------------------------


def _script(path: Path, by_scene: bool) -> FoundBoard:
    if path.stat().st_size > _BIGGEST_TEXT:
        raise ProjectError(f"“{path.name}” is too long for a script.", "Choose another file.")
    play = fountain.parse(path.read_text(encoding="utf-8", errors="replace"))
    panels: list[FoundPanel] = []
    for scene in play.scenes:
        made = _scene_panels(scene)
        panels += [_joined(made)] if by_scene and made else made
    kept, notes = _bounded(path.name, panels)
    scenes = "1 scene" if len(play.scenes) == 1 else f"{len(play.scenes)} scenes"
    return FoundBoard(name=play.title or path.stem, panels=kept, kind=f"Fountain script, {scenes}", notes=notes)


def _scene_panels(scene: fountain.Scene) -> list[FoundPanel]:
    """One panel of each paragraph; what is said right after one belongs to it."""
    name = f"{scene.number} {scene.heading}".strip()
    panels: list[FoundPanel] = []
    for passage in scene.passages:
        said = f"{passage.character}: {_one_line(passage.dialogue)}" if passage.dialogue else ""
        last = panels[-1] if panels else None
        if said and last is not None and not last.dialogue:
            both = "\n".join(part for part in (last.notes, passage.notes) if part)
            panels[-1] = replace(last, dialogue=said, notes=both)
        else:
            panels.append(FoundPanel(name=name, action=passage.action, dialogue=said, notes=passage.notes))
    if not panels:
        panels = [FoundPanel(name=name)]
    if scene.notes:
        panels[0] = replace(panels[0], notes="\n".join(part for part in (scene.notes, panels[0].notes) if part))
    return [replace(panel, seconds=_reading_time(panel)) for panel in panels]


def _joined(panels: list[FoundPanel]) -> FoundPanel:
    def together(field: str) -> str:
        return "\n".join(text for panel in panels if (text := getattr(panel, field)))

    return replace(
        panels[0], action=together("action"), dialogue=together("dialogue"), notes=together("notes"),
        seconds=_length(sum((panel.seconds for panel in panels), Fraction(0))),
    )  # fmt: skip


def _reading_time(panel: FoundPanel) -> Fraction:
    """About a minute a page: four words of action a second, two and a half of speech, two seconds at least."""
    words = len(panel.action.split()) / 4 + len(panel.dialogue.split()) / 2.5
    return _length(max(2.0, round(words * 2) / 2))


def _one_line(text: str) -> str:
    return " ".join(text.split())


# -- into a project ----------------------------------------------------------------------------------------------------


def panels_of(
    found: FoundBoard,
    add_picture: Callable[[Picture], str],
    *,
    sound: Callable[[Path], MediaItem] | None = None,
    cancel: CancelToken | None = None,
    on_progress: Callable[[int, int], object] | None = None,
) -> tuple[tuple[Panel, ...], tuple[MediaItem, ...], tuple[str, ...]]:
    """(panels, media that their sound needs, sentences about what was left out). Blocks; for a thread.

    ``add_picture`` stores an image in the project, ``sound`` makes a media item of a sound file. A picture that can't
    be read leaves its panel without one.
    """
    cancel = cancel or CancelToken()
    made: list[Panel] = []
    items: dict[Path, MediaItem] = {}
    notes: list[str] = []
    for number, panel in enumerate(found.panels, 1):
        cancel.check()
        picture, layers, cue = "", (), None
        try:
            if panel.layers:
                picture, layers = _layered(panel.layers, add_picture)
            elif panel.picture is not None:
                picture = add_picture(panel.picture)
        except StudioError as error:
            notes.append(f"Panel {number} has no picture: {error.sentence}")
        if panel.sound is not None and sound is not None:
            try:
                item = items.get(panel.sound) or sound(panel.sound)
                items[panel.sound] = item
                cue = SoundCue(media_id=item.id)
            except (StudioError, OSError):
                notes.append(f"The sound of panel {number} can't be read.")
        made.append(
            Panel(
                id=new_id("panel"), name=panel.name, picture=picture, action=panel.action, dialogue=panel.dialogue,
                notes=panel.notes, seconds=panel.seconds, layers=layers, sound=cue,
            )
        )  # fmt: skip
        if on_progress is not None:
            on_progress(number, len(found.panels))
    return tuple(made), tuple(items.values()), tuple(notes)


def _layered(
    layers: tuple[FoundLayer, ...], add_picture: Callable[[Picture], str]
) -> tuple[str, tuple[PanelLayer, ...]]:
    """(what layers make together, the layers), all stored; layers take the size of the largest."""
    from gen2studio.app.panel_pictures import read_pixels
    from gen2studio.raster import drawing

    read = [(layer, read_pixels(layer.picture)) for layer in layers if isinstance(layer.picture, Path)]
    height, width = max((pixels.shape[:2] for _, pixels in read), key=lambda size: size[0] * size[1])
    if width * height > 1 << 25:
        raise ProjectError("Its layers are too large.", "Export them smaller.")
    fitted = [(layer, drawing.fitted(pixels, width, height)) for layer, pixels in read]
    flat = drawing.laid(
        drawing.paper(width, height, (255, 255, 255)),
        [drawing.Sheet(pixels, layer.opacity) for layer, pixels in fitted],
    )
    kept = tuple(
        PanelLayer(
            id=new_id("layer"), name=layer.name, opacity=layer.opacity,
            picture=add_picture(drawing.png(pixels)) if pixels[..., 3].any() else "",
        )
        for layer, pixels in fitted
    )  # fmt: skip
    return add_picture(drawing.png(flat)), kept
