"""One way to write a storyboard, whatever it becomes: for the export dialog and the command line. No widgets."""

from __future__ import annotations

import enum
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from gen2studio.app.board_export import PageOptions, contact_sheet, write_otio, write_pdf, write_pictures
from gen2studio.app.board_film import BoardPictures, write_film
from gen2studio.app.panel_pictures import PanelPictures, canvas_size, read_pixels
from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import ExportError, StudioError
from gen2studio.core.records import dataclass
from gen2studio.document.model import Board, Document, Panel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Form(enum.Enum):
    """What a storyboard is written as."""

    PDF = "pdf"
    CONTACT = "contact"
    PICTURES = "png"
    FILM = "mp4"
    OTIO = "otio"

    @property
    def title(self) -> str:
        return _TITLES[self][0]

    @property
    def suffix(self) -> str:
        """Of its file; empty for a folder."""
        return _TITLES[self][1]


_TITLES = {
    Form.PDF: ("PDF pages", ".pdf"),
    Form.CONTACT: ("Contact sheet (PNG)", ".png"),
    Form.PICTURES: ("Pictures in a folder (PNG)", ""),
    Form.FILM: ("Film with sound (MP4)", ".mp4"),
    Form.OTIO: ("OpenTimelineIO", ".otio"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What to write and where to."""

    form: Form
    path: Path
    pages: PageOptions = PageOptions()
    results: bool = False
    """Show what was made of the panels (shots, stills) instead of the drawings. Not in films and timelines."""
    rate: Fraction = Fraction(24)
    """Frames a second of a film."""
    size: tuple[int, int] | None = None
    """(width, height) of a film, even; None = as large as the drawings."""


def target_of(delivery: Delivery) -> Path:
    """The file (or folder) that is written, with its suffix."""
    path, suffix = delivery.path.expanduser(), delivery.form.suffix
    return path if not suffix or path.suffix.casefold() == suffix else path.with_name(path.name + suffix)


def deliver(
    document: Document,
    board: Board,
    delivery: Delivery,
    *,
    find: Callable[[str], Path | None],
    result_of: Callable[[Panel], Path | None] = lambda _panel: None,
    cancel: CancelToken | None = None,
    on_progress: Callable[[int, int], object] | None = None,
) -> tuple[Path, tuple[str, ...]]:
    """Write a board; (what was written, sentences the artist should read). Blocks; any thread.

    ``find`` is the file of a project image, ``result_of`` a picture of what was made of a panel. Raises ExportError,
    MediaError, Cancelled.
    """
    path = target_of(delivery)
    if path.is_dir() and delivery.form.suffix:
        raise ExportError(f"“{path}” is a folder.", "Choose another name.")
    pictures = PanelPictures(find)
    if delivery.form is Form.FILM:
        notes = write_film(
            document, board, path, pictures, rate=delivery.rate, size=delivery.size, cancel=cancel,
            on_progress=on_progress,
        )  # fmt: skip
        return path, tuple(notes)
    source = BoardPictures(document, board, pictures)
    without: list[str] = []

    def shown(panel: Panel) -> NDArray[np.uint8] | None:
        from gen2studio.raster import drawing

        found = result_of(panel)
        try:
            if found is not None:
                pixels = drawing.fitted(read_pixels(found), *canvas_size(board))
                return drawing.laid(drawing.paper(*canvas_size(board)), [drawing.Sheet(pixels)])
        except StudioError:
            pass
        without.append(panel.name or str(board.panels.index(panel) + 1))
        return None

    picked = shown if delivery.results else None
    try:
        if delivery.form is Form.PDF:
            write_pdf(source, path, delivery.pages, shown=picked, cancel=cancel, on_progress=on_progress)
        elif delivery.form is Form.CONTACT:
            contact_sheet(source, path, shown=picked, cancel=cancel, on_progress=on_progress)
        elif delivery.form is Form.PICTURES:
            write_pictures(source, path, shown=picked, cancel=cancel, on_progress=on_progress)
        else:
            write_otio(document, source, path, cancel=cancel, on_progress=on_progress)
    finally:
        source.close()
    if without:
        count = "1 panel has" if len(without) == 1 else f"{len(without)} panels have"
        source.warnings.append(f"{count} no result yet and show their drawing: {', '.join(without[:4])}.")
    return path, tuple(source.warnings)
