"""What the viewer says about the picture it shows: names of both sides of a comparison, frame and time, colours."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor

from gen2studio.app.session import Compare, Session
from gen2studio.core.geometry import Extent, Rect
from gen2studio.core.time import timecode

if TYPE_CHECKING:
    from gen2studio.app.viewer_feed import ViewerPicture

_SHOWS = {
    "source": ("Source", "text_faint"),
    "take": ("Take", "success"),
    "preview": ("Preview", "band_running"),
    "offline": ("Offline", "danger"),
    "programme": ("Programme", "accent"),
}


def compare_names(session: Session, picture: ViewerPicture | None) -> tuple[str, str]:
    """What is on the left and on the right of a comparison, as the labels say it."""
    takes = session.document.takes
    left = session.compare_left
    right = _SHOWS.get(picture.shows, ("", ""))[0] if picture is not None else ""
    if picture is not None and picture.shows == "take" and picture.take_id in takes:
        right = takes[picture.take_id].name
    return (takes[left].name if left in takes else "Source"), right


def status(session: Session, picture: ViewerPicture | None, mode: Compare) -> tuple[str, str, str, str]:
    """What is shown, the ink of its dot, frame and timecode, and size: the line under the picture."""
    if picture is None or picture.shows == "empty":
        return "", "text_faint", "", ""
    words, ink = _SHOWS.get(picture.shows, ("", "text_faint"))
    if picture.shows == "programme":
        sequence = session.sequence
        rate = sequence.rate if sequence is not None else Fraction(25)
        return words, ink, f"{picture.media_frame:5d}  {timecode(picture.media_frame, rate)}", str(picture.extent)
    takes = session.document.takes
    if picture.shows == "take" and picture.take_id in takes:
        words = takes[picture.take_id].name
    if mode is Compare.TOGGLE:
        words, ink = compare_names(session, picture)[0], "text_faint"
    item = session.document.media.get(picture.media_id)
    if item is not None and item.shot is not None and picture.shows in ("source", "offline"):
        # The grey of its slate is nothing to name, nor is its being written a moment later.
        words, ink = "Empty shot", "text_faint"
    rate = item.info.rate if item is not None and item.info.rate > 0 else Fraction(25)
    place = f"{picture.media_frame:5d}  {timecode(picture.media_frame, rate)}"
    reached = Extent(picture.place.width, picture.place.height) if picture.place is not None else picture.extent
    return words, ink, place, str(reached) if picture.image is not None else ""


def colour_at(picture: ViewerPicture | None, point: QPointF) -> QColor | None:
    """The colour under ``point`` (media pixels); None outside the picture."""
    if picture is None or picture.image is None:
        return None
    rows, columns = picture.image.shape[:2]
    place = picture.place or Rect.of(picture.extent)
    x = int((point.x() // 1 - place.x) * columns // place.width)
    y = int((point.y() // 1 - place.y) * rows // place.height)
    if not (0 <= x < columns and 0 <= y < rows):
        return None
    blue, green, red = (int(v) for v in picture.image[y, x, :3])
    return QColor(red, green, blue)
