"""Storyboards on paper and for other programs: PDF pages, contact sheets, picture folders, OpenTimelineIO. No widgets.

Blocks; any thread. Files are written beside their names and renamed: a half one never takes an older one's place.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QMarginsF, QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPageLayout, QPageSize, QPainter, QPdfWriter, QPen

from gen2studio.app.board_film import BoardPictures, film_size, sound_document
from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import ExportError
from gen2studio.core.records import dataclass
from gen2studio.document.board_edits import starts
from gen2studio.document.model import Board, Document, Panel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LAYOUTS: dict[str, tuple[int, int, bool]] = {
    "1": (1, 1, True), "2x3": (2, 3, False), "3x3": (3, 3, True), "3x4": (3, 4, False),
}  # fmt: skip
"""Name → (columns, rows, landscape)."""
Shown = Callable[[Panel], "NDArray[np.uint8] | None"]
"""The picture that stands for a panel, (H, W, 3) BGR; None = its drawing."""
Progress = Callable[[int, int], object]
_INK, _GREY, _FAINT, _LINE = QColor(24, 26, 30), QColor(96, 100, 108), QColor(150, 154, 160), QColor(190, 193, 198)
_DPI = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOptions:
    """How pages are laid out."""

    layout: str = "2x3"
    action: bool = True
    dialogue: bool = True
    notes: bool = True
    timing: bool = True
    letter: bool = False
    """US Letter instead of A4."""


def write_pdf(
    pictures: BoardPictures,
    path: Path,
    options: PageOptions = PageOptions(),
    *,
    shown: Shown | None = None,
    cancel: CancelToken | None = None,
    on_progress: Progress | None = None,
) -> int:
    """Write a board as PDF pages; returns how many. Raises ExportError, Cancelled."""
    board = pictures.board
    columns, rows, landscape = _layout(options.layout)
    cancel = cancel or CancelToken()
    pages = -(-len(board.panels) // (columns * rows))
    if not pages:
        raise ExportError("The storyboard has no panel.", "Add one first.")
    part = _part(path)
    writer = QPdfWriter(str(part))
    writer.setCreator("Gen2 Studio")
    writer.setTitle(board.name)
    writer.setResolution(_DPI)
    size = QPageSize(QPageSize.PageSizeId.Letter if options.letter else QPageSize.PageSizeId.A4)
    way = QPageLayout.Orientation.Landscape if landscape else QPageLayout.Orientation.Portrait
    writer.setPageLayout(QPageLayout(size, way, QMarginsF(12, 10, 12, 10), QPageLayout.Unit.Millimeter))
    painter = QPainter()
    if not painter.begin(writer):
        raise ExportError(f"“{path.name}” can't be written.", "Choose another folder or close the file elsewhere.")
    try:
        area = QRectF(QPointF(0, 0), QSizeF(writer.width(), writer.height()))
        unit = _DPI / 72
        for number, panel in enumerate(board.panels):
            cancel.check()
            place = number % (columns * rows)
            if place == 0:
                if number:
                    writer.newPage()
                _paint_head(painter, area, board, number // (columns * rows) + 1, pages, unit, options)
            cell = _cell(area, place, columns, rows, unit)
            _paint_panel(painter, cell, pictures, panel, number, unit, options, shown)
            if on_progress is not None:
                on_progress(number + 1, len(board.panels))
        painter.end()
        del writer
        os.replace(part, path)
    finally:
        if painter.isActive():
            painter.end()
        part.unlink(missing_ok=True)
    return pages


def contact_sheet(
    pictures: BoardPictures, path: Path, *, columns: int = 0, width: int = 2400, shown: Shown | None = None,
    cancel: CancelToken | None = None, on_progress: Progress | None = None,
) -> None:  # fmt: skip
    """Write all panels as one picture with their titles (PNG). Raises ExportError, Cancelled."""
    board = pictures.board
    if not board.panels:
        raise ExportError("The storyboard has no panel.", "Add one first.")
    cancel = cancel or CancelToken()
    columns = columns or min(len(board.panels), 3 if len(board.panels) <= 9 else 4 if len(board.panels) <= 24 else 6)
    rows = -(-len(board.panels) // columns)
    gap = width // 80
    wide = (width - gap * (columns + 1)) / columns
    high = wide * board.height / board.width
    words = width / 42
    height = round(gap * 2 + words * 1.6 + rows * (high + words * 1.7 + gap))
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.fill(QColor(255, 255, 255))
    painter = QPainter(image)
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
    try:
        total = _time(starts(board)[-1])
        _text(painter, QRectF(gap, gap, width - 2 * gap, words * 1.4), board.name, words, _INK, bold=True, lines=1)
        _text(painter, QRectF(gap, gap, width - 2 * gap, words * 1.4), total, words * 0.8, _GREY, lines=1,
              align=Qt.AlignmentFlag.AlignRight)  # fmt: skip
        for number, panel in enumerate(board.panels):
            cancel.check()
            x = gap + (number % columns) * (wide + gap)
            y = gap + words * 1.6 + (number // columns) * (high + words * 1.7 + gap)
            _paint_picture(painter, QRectF(x, y, wide, high), pictures, panel, shown)
            title = f"{number + 1}  {panel.name or ' '.join(panel.action.split())}"
            _text(
                painter, QRectF(x, y + high + words * 0.2, wide * 0.82, words * 1.3), title, words * 0.72, _INK, lines=1
            )
            _text(painter, QRectF(x, y + high + words * 0.2, wide, words * 1.3), _time(panel.seconds), words * 0.62,
                  _GREY, lines=1, align=Qt.AlignmentFlag.AlignRight)  # fmt: skip
            if on_progress is not None:
                on_progress(number + 1, len(board.panels))
    finally:
        painter.end()
    part = _part(path)
    if not image.save(str(part), "PNG"):  # pyright: ignore[reportCallIssue, reportArgumentType]
        part.unlink(missing_ok=True)
        raise ExportError(f"“{path.name}” can't be written.", "Choose another folder.")
    os.replace(part, path)


def write_pictures(
    pictures: BoardPictures, folder: Path, *, shown: Shown | None = None, cancel: CancelToken | None = None,
    on_progress: Progress | None = None,
) -> tuple[Path, ...]:  # fmt: skip
    """Write every panel as ``01_title.png`` into a folder that is made; returns the files. Raises ExportError."""
    from gen2studio.core.paths import write_atomic
    from gen2studio.raster import drawing

    cancel = cancel or CancelToken()
    board = pictures.board
    if not board.panels:
        raise ExportError("The storyboard has no panel.", "Add one first.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        made: list[Path] = []
        digits = max(2, len(str(len(board.panels))))
        for number, panel in enumerate(board.panels, 1):
            cancel.check()
            title = re.sub(r"[^\w\-]+", "-", panel.name).strip("-")[:48]
            path = folder / f"{number:0{digits}d}{f'_{title}' if title else ''}.png"
            picture = shown(panel) if shown is not None else None
            write_atomic(path, drawing.png(picture if picture is not None else pictures.whole(panel)))
            made.append(path)
            if on_progress is not None:
                on_progress(number, len(board.panels))
        return tuple(made)
    except OSError as error:
        raise ExportError(f"“{folder}” can't be written to.", "Choose another folder.") from error


def write_otio(
    document: Document, pictures: BoardPictures, path: Path, *, cancel: CancelToken | None = None,
    on_progress: Progress | None = None,
) -> None:  # fmt: skip
    """Write the animatic as OpenTimelineIO: pictures in ``<name>_panels`` beside it, sound by reference.

    Words, shot size and camera frames are in the metadata of each clip under ``gen2studio``; dialogue is a marker too.
    Raises ExportError, Cancelled.
    """
    import opentimelineio as otio

    board = pictures.board
    rate = float(board.rate)
    files = write_pictures(
        pictures, path.with_name(f"{path.stem}_panels"), cancel=cancel, on_progress=on_progress
    )  # fmt: skip

    def span(start: float, length: float) -> otio.opentime.TimeRange:
        return otio.opentime.TimeRange(
            otio.opentime.RationalTime(start, rate), otio.opentime.RationalTime(length, rate)
        )

    timeline = otio.schema.Timeline(board.name)
    picture = otio.schema.Track("Panels", kind=otio.schema.TrackKind.Video)
    timeline.tracks.append(picture)
    at = starts(board)
    for number, (panel, file) in enumerate(zip(board.panels, files, strict=True)):
        # Rounded where it lies, not by itself: a long board must not drift from its sound.
        length = round(at[number + 1] * board.rate) - round(at[number] * board.rate)
        found = panel.mock_up
        item = document.media.get(found.media_id) if found is not None else None
        if found is not None and item is not None:
            reference = otio.schema.ExternalReference(target_url=Path(item.path).as_uri())
            begin = float(found.start * board.rate)
        else:
            target = f"{path.stem}_panels/{file.name}"
            reference, begin = otio.schema.ExternalReference(target_url=target), 0.0
            reference.available_range = span(0, length)
        clip = otio.schema.Clip(
            name=panel.name or f"Panel {number + 1}", media_reference=reference, source_range=span(begin, length),
            metadata={"gen2studio": _facts(panel)},
        )  # fmt: skip
        if panel.dialogue:
            clip.markers.append(otio.schema.Marker(name=panel.dialogue, marked_range=span(begin, length)))
        picture.append(clip)
    heard = sound_document(document, board)
    for lane in heard.sequences[heard.active_sequence].audio_tracks:
        track = otio.schema.Track(lane.name, kind=otio.schema.TrackKind.Audio)
        end = 0
        for cue in lane.clips:
            if cue.start > end:
                track.append(otio.schema.Gap(source_range=span(0, cue.start - end)))
            source = otio.schema.ExternalReference(target_url=Path(document.media[cue.media_id].path).as_uri())
            track.append(
                otio.schema.Clip(
                    name=cue.name, media_reference=source,
                    source_range=span(float(cue.source_in * board.rate), cue.duration),
                )
            )  # fmt: skip
            end = cue.end
        timeline.tracks.append(track)
    part = _part(path)
    try:
        otio.adapters.write_to_file(timeline, str(part), adapter_name="otio_json")
        os.replace(part, path)
    except (OSError, otio.exceptions.OTIOError) as error:
        raise ExportError(f"“{path.name}” can't be written.", "Choose another folder.") from error
    finally:
        part.unlink(missing_ok=True)


def _facts(panel: Panel) -> dict[str, Any]:
    facts = {
        "action": panel.action, "dialogue": panel.dialogue, "notes": panel.notes, "prompt": panel.prompt,
        "shot_size": panel.shot_size.value,
        "camera_frames": [[f.x, f.y, f.width, f.angle] for f in panel.frames],
    }  # fmt: skip
    return {key: value for key, value in facts.items() if value}


# -- painting ----------------------------------------------------------------------------------------------------------


def _layout(name: str) -> tuple[int, int, bool]:
    if name not in LAYOUTS:
        raise ExportError(f"There is no page layout “{name}”.", f"Use one of {', '.join(LAYOUTS)}.")
    return LAYOUTS[name]


def _cell(area: QRectF, place: int, columns: int, rows: int, unit: float) -> QRectF:
    head, gap = 26 * unit, 12 * unit
    wide = (area.width() - gap * (columns - 1)) / columns
    high = (area.height() - head - gap * (rows - 1)) / rows
    return QRectF((place % columns) * (wide + gap), head + (place // columns) * (high + gap), wide, high)


def _paint_head(
    painter: QPainter, area: QRectF, board: Board, page: int, pages: int, unit: float, options: PageOptions
) -> None:
    box = QRectF(area.left(), area.top(), area.width(), 18 * unit)
    _text(painter, box, board.name, 12 * unit, _INK, bold=True, lines=1)
    words = f"Page {page} of {pages}"
    if options.timing:
        words = f"{len(board.panels)} panels  ·  {_time(starts(board)[-1])}  ·  {words}"
    _text(painter, box, words, 8 * unit, _GREY, lines=1, align=Qt.AlignmentFlag.AlignRight)
    painter.setPen(QPen(_LINE, 0.6 * unit))
    painter.drawLine(QPointF(area.left(), 19 * unit), QPointF(area.right(), 19 * unit))


def _paint_panel(
    painter: QPainter, cell: QRectF, pictures: BoardPictures, panel: Panel, number: int, unit: float,
    options: PageOptions, shown: Shown | None,
) -> None:  # fmt: skip
    board = pictures.board
    large = options.layout == "1"
    words = any((options.action and panel.action, options.dialogue and panel.dialogue, options.notes and panel.notes))
    size = (10 if large else 7.5) * unit
    # The picture leaves room for the line above it and a few lines of words.
    room = size * (1.5 + (7 if large else 5.5) * (words or not large))
    high = min(cell.width() * board.height / board.width, cell.height() - room)
    wide = high * board.width / board.height
    top = QRectF(cell.left(), cell.top(), cell.width(), size * 1.4)
    left = f"{number + 1}" + (f"   {panel.shot_size.value}" if panel.shot_size.value else "")
    _text(painter, top, f"{left}   {panel.name}", size, _INK, bold=True, lines=1, share=0.8)
    if options.timing:
        _text(painter, top, _time(panel.seconds), size, _GREY, lines=1, align=Qt.AlignmentFlag.AlignRight)
    box = QRectF(cell.left() + (cell.width() - wide) / 2, cell.top() + size * 1.5, wide, high)
    _paint_picture(painter, box, pictures, panel, shown)
    y = box.bottom() + size * 0.5
    for on, text, ink, italic in (
        (options.action, panel.action, _INK, False),
        (options.dialogue, panel.dialogue, _INK, True),
        (options.notes, panel.notes, _GREY, False),
    ):
        left_over = cell.bottom() - y
        if on and text.strip() and left_over > size:
            lines = max(1, int(left_over / (size * 1.25)))
            area = QRectF(cell.left(), y, cell.width(), left_over)
            y += _text(painter, area, text.strip(), size, ink, italic=italic, lines=lines) + size * 0.3


def _paint_picture(painter: QPainter, box: QRectF, pictures: BoardPictures, panel: Panel, shown: Shown | None) -> None:
    import numpy as np

    from gen2studio.app.board_overlay import paint_moves

    pixels = shown(panel) if shown is not None else None
    drawn = pixels is None
    if pixels is None:
        pixels = pictures.whole(panel)
    rgb = np.ascontiguousarray(pixels[..., ::-1])
    image = QImage(rgb.data, rgb.shape[1], rgb.shape[0], rgb.shape[1] * 3, QImage.Format.Format_RGB888)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawImage(box, image)
    if drawn:
        paint_moves(painter, box, panel)
    painter.setPen(QPen(_LINE, max(1.0, box.width() / 600)))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(box)


def _text(
    painter: QPainter, box: QRectF, text: str, pixels: float, ink: QColor, *, bold: bool = False, italic: bool = False,
    lines: int = 1, align: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft, share: float = 1.0,
) -> float:  # fmt: skip
    """Draw wrapped text in at most ``lines`` lines; returns the height it took."""
    font = QFont("sans-serif")
    font.setPixelSize(max(1, round(pixels)))
    font.setBold(bold)
    font.setItalic(italic)
    painter.setFont(font)
    painter.setPen(ink)
    # Measured for this device: a PDF has more pixels an inch than the screen.
    metrics = QFontMetricsF(font, painter.device())
    step, width = metrics.lineSpacing(), box.width() * share
    shown = _wrapped(text, metrics, width, lines)
    for place, line in enumerate(shown):
        painter.drawText(QRectF(box.left(), box.top() + place * step, width, step * 1.1), int(align), line)
    return len(shown) * step


def _wrapped(text: str, metrics: QFontMetricsF, width: float, lines: int) -> list[str]:
    """``text`` broken at blanks and line ends into at most ``lines`` lines, the last one cut off with an ellipsis."""
    made: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split():
            wider = f"{line} {word}".strip()
            if line and metrics.horizontalAdvance(wider) > width:
                made.append(line)
                line = word
            else:
                line = wider
        made.append(line)
    if len(made) > lines:
        made = [*made[: lines - 1], f"{made[lines - 1]} …"]
    return [metrics.elidedText(line, Qt.TextElideMode.ElideRight, width) for line in made]


def _time(seconds: Fraction) -> str:
    if seconds < 60:
        return f"{float(seconds):.2f}".rstrip("0").rstrip(".") + " s"
    minutes, rest = divmod(float(seconds), 60)
    return f"{int(minutes)}:{rest:04.1f} min"


def _part(path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(f"The folder “{path.parent}” can't be made.", "Choose another one.") from error
    return path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")


__all__ = ["LAYOUTS", "PageOptions", "contact_sheet", "film_size", "write_otio", "write_pdf", "write_pictures"]
