"""Zoom, pan, fit, letterbox, comparison, status and empty states, with real events and painted pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QMimeData, QPoint, QPointF, QRectF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from gen2studio.app.session import Compare, MaskView
from gen2studio.app.viewer_feed import ViewerPicture
from gen2studio.core.frozen import frozen_map, with_item
from gen2studio.core.geometry import Extent
from gen2studio.document.model import Document
from gen2studio.ui.canvas import placard
from gen2studio.ui.canvas.stage import Stage
from gen2studio.ui.canvas.view_transform import ViewTransform, fitted, letterbox
from tests.ui.canvas_rig import CTRL, MIDDLE, NONE, Rig, rig

__all__ = ["rig"]


def negative(image: np.ndarray) -> np.ndarray:
    other = 255 - image
    other[..., 3] = 255
    return np.ascontiguousarray(other)


def wheel(rig: Rig, at: QPoint, ticks: int) -> None:
    spot = QPointF(at)
    event = QWheelEvent(
        spot, QPointF(rig.canvas.mapToGlobal(at)), QPoint(), QPoint(0, ticks), Qt.MouseButton.NoButton, NONE,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(rig.canvas, event)


@given(
    zoom=st.floats(0.05, 40), x=st.floats(-3000, 3000), y=st.floats(-3000, 3000),
    px=st.floats(-500, 4000), py=st.floats(-500, 4000), target=st.floats(0.05, 60),
)  # fmt: skip
def test_mapping_there_and_back_and_zooming_keeps_the_point(
    zoom: float, x: float, y: float, px: float, py: float, target: float
) -> None:
    view = ViewTransform(zoom, x, y)
    point = QPointF(px, py)
    back = view.to_view(view.to_media(point).x(), view.to_media(point).y())
    assert (back - point).manhattanLength() < 1e-6
    zoomed = view.zoomed(target, point)
    kept = zoomed.to_media(point) - view.to_media(point)
    assert kept.manhattanLength() < 1e-5
    assert zoomed.zoom == target


def test_letterbox_is_the_sequence_frame_around_the_media() -> None:
    assert letterbox(QRectF(0, 0, 512, 512), None) == QRectF(0, 0, 512, 512)
    wide = letterbox(QRectF(0, 0, 512, 512), Extent(1920, 1080))
    assert (wide.height(), wide.y()) == (512, 0)
    assert wide.width() == pytest.approx(512 * 16 / 9)
    assert wide.center().x() == pytest.approx(256)
    view = fitted(wide, QRectF(0, 0, 960, 540))
    assert view.zoom == pytest.approx(540 / 512)


def test_the_wheel_zooms_at_the_pointer_and_fit_comes_back(rig: Rig) -> None:
    canvas = rig.canvas
    fit = canvas.transform
    at = rig.view(100, 400)
    under = canvas.transform.to_media(QPointF(at))
    wheel(rig, at, 240)
    assert canvas.transform.zoom == pytest.approx(fit.zoom * 2 ** (240 / 360))
    assert (canvas.transform.to_media(QPointF(at)) - under).manhattanLength() < 1e-6
    canvas.one_to_one()
    assert canvas.transform.zoom == 1.0
    canvas.zoom_in()
    assert canvas.transform.zoom == 1.5
    canvas.resize(900, 700)
    assert canvas.transform.zoom == 1.5  # a chosen magnification is kept
    canvas.fit()
    canvas.resize(760, 620)
    assert canvas.transform == fit


def test_middle_button_and_space_move_the_picture_in_every_tool(rig: Rig) -> None:
    rig.session.set_tool("brush")
    start = rig.canvas.transform
    QTest.mousePress(rig.canvas, MIDDLE, NONE, QPoint(200, 200))
    QTest.mouseMove(rig.canvas, QPoint(240, 210))
    QTest.mouseRelease(rig.canvas, MIDDLE, NONE, QPoint(240, 210))
    assert (rig.canvas.transform.x - start.x, rig.canvas.transform.y - start.y) == (40, 10)
    QTest.keyPress(rig.canvas, Qt.Key.Key_Space)
    QTest.mousePress(rig.canvas, Qt.MouseButton.LeftButton, NONE, QPoint(200, 200))
    QTest.mouseMove(rig.canvas, QPoint(190, 190))
    QTest.mouseRelease(rig.canvas, Qt.MouseButton.LeftButton, NONE, QPoint(190, 190))
    QTest.keyRelease(rig.canvas, Qt.Key.Key_Space)
    assert (rig.canvas.transform.x - start.x, rig.canvas.transform.y - start.y) == (30, 0)
    assert rig.steps() == 0
    taps: list[bool] = []
    rig.canvas.play_wanted.connect(lambda: taps.append(True))
    QTest.keyClick(rig.canvas, Qt.Key.Key_Space)
    assert taps == [True]  # a tap plays


def test_the_zoom_tool_shows_what_was_framed(rig: Rig) -> None:
    rig.session.set_tool("zoom")
    rig.drag((100, 100), (200, 200))
    shown = rig.canvas.transform.rect_to_media(QRectF(rig.canvas.view_area))
    assert shown.contains(QRectF(101, 101, 98, 98))
    assert shown.height() < 105
    before = rig.canvas.transform.zoom
    rig.click(150, 150, Qt.KeyboardModifier.AltModifier)
    assert rig.canvas.transform.zoom < before


def test_the_picture_is_shown_pixel_for_pixel_at_100_percent(rig: Rig) -> None:
    rig.session.set_tool("hand")
    rig.session.set_mask_view(MaskView.NONE)
    rig.canvas.set_transform(ViewTransform(1.0, 20.0, 30.0))
    shown = rig.pixels()[30 : 30 + 512, 20 : 20 + 512, :3]
    assert np.array_equal(shown, rig.image[..., :3])


def test_a_smaller_picture_fills_the_media_extent(rig: Rig) -> None:
    small = np.ascontiguousarray(rig.image[::2, ::2])
    rig.canvas.show_picture(
        ViewerPicture(media_id=rig.media_id, media_frame=12, image=small, extent=rig.extent, shows="take")
    )
    rig.session.set_tool("brush")
    rig.drag((400, 400), (420, 420))
    assert rig.matte().shape == (512, 512)
    full = Stage(rig.canvas, rig.masks).picture
    assert full is not None
    assert full.shape == (512, 512, 4)
    assert rig.pixel(20, 500) != (0, 0, 0)


def test_wipe_shows_both_sides_and_its_line_can_be_dragged(rig: Rig) -> None:
    rig.session.set_tool("brush")
    rig.show(reference=negative(rig.image))
    rig.session.set_compare(Compare.WIPE)
    rig.canvas.set_transform(ViewTransform(1.0, 20.0, 30.0))
    shown = rig.pixels()[..., :3]
    assert np.array_equal(shown[230, 100], 255 - rig.image[200, 80, :3])
    assert np.array_equal(shown[230, 420], rig.image[200, 400, :3])
    rig.drag((256, 100), (128, 100))
    assert rig.session.compare_split == pytest.approx(0.25, abs=0.01)
    assert rig.steps() == 0  # the line was dragged, nothing was painted
    shown = rig.pixels()[..., :3]
    assert np.array_equal(shown[230, 220], rig.image[200, 200, :3])


def test_side_by_side_difference_and_toggle(rig: Rig) -> None:
    rig.session.set_tool("hand")
    rig.show(reference=negative(rig.image), shows="preview")
    assert rig.canvas.compare_names() == ("Source", "Preview")
    rig.session.set_compare(Compare.SIDE_BY_SIDE)
    shift = rig.canvas.width() // 2
    shown = rig.pixels()[..., :3].astype(int)
    spot = rig.view(256, 256)
    assert spot.x() > shift
    assert np.abs(shown[spot.y(), spot.x() - shift] + shown[spot.y(), spot.x()] - 255).max() <= 6
    rig.session.set_compare(Compare.DIFFERENCE)
    rig.canvas.set_transform(ViewTransform(1.0, 20.0, 30.0))
    gap = np.abs(2 * rig.image[300, 300, :3].astype(int) - 255)
    assert np.array_equal(rig.pixels()[330, 320, :3], np.minimum(gap * 4, 255))
    rig.session.set_compare(Compare.TOGGLE)
    assert np.array_equal(rig.pixels()[330, 320, :3], 255 - rig.image[300, 300, :3])
    assert "Source" in rig.canvas.status.text()
    rig.session.set_compare(Compare.OFF)
    QTest.keyPress(rig.canvas, Qt.Key.Key_QuoteLeft)
    assert rig.session.compare is Compare.TOGGLE
    QTest.keyRelease(rig.canvas, Qt.Key.Key_QuoteLeft)
    assert rig.session.compare is Compare.OFF
    assert np.array_equal(rig.pixels()[330, 320, :3], rig.image[300, 300, :3])


def test_painting_works_in_both_panes_of_side_by_side(rig: Rig) -> None:
    rig.show(reference=negative(rig.image))
    rig.session.set_compare(Compare.SIDE_BY_SIDE)
    rig.session.set_tool("rectangle")
    left = rig.canvas.width() // 2
    first, last = rig.view(100, 100) - QPoint(left, 0), rig.view(200, 200) - QPoint(left, 0)
    QTest.mousePress(rig.canvas, Qt.MouseButton.LeftButton, NONE, first)
    QTest.mouseMove(rig.canvas, last)
    QTest.mouseRelease(rig.canvas, Qt.MouseButton.LeftButton, NONE, last)
    assert rig.matte()[150, 150] == 255


def test_the_status_says_frame_timecode_zoom_and_colour(rig: Rig) -> None:
    rig.canvas.one_to_one()
    rig.move(40, 60)
    text = rig.canvas.status.text()
    spot = rig.canvas.transform.to_media(rig.view(40, 60).toPointF())
    blue, green, red = (int(v) for v in rig.image[int(spot.y()), int(spot.x()), :3])
    assert "Source" in text
    assert "12  00:00:01:02" in text  # 10 frames a second
    assert "100%" in text
    assert f"{red:3d} {green:3d} {blue:3d}" in text


def test_nothing_offline_and_empty_say_what_to_do(rig: Rig) -> None:
    offline = ViewerPicture(media_id=rig.media_id, shows="offline", sentence="dog.mp4 was moved. Relink it.")
    rig.canvas.show_picture(offline)
    assert rig.masks.media_id == ""
    assert len(np.unique(rig.pixels().reshape(-1, 4), axis=0)) > 20
    rig.session.set_tool("brush")
    QTest.mouseClick(rig.canvas, Qt.MouseButton.LeftButton, NONE, QPoint(200, 200))
    assert rig.steps() == 0
    rig.session.store.replace(Document(id="doc-00000000000b"), rig.session.store.tiles)
    assert rig.canvas.picture is None
    words = placard.words(offline=False, sentence="", empty_project=True)
    assert "Drop a clip here" in words
    assert "Ctrl+I" in words[2]
    assert placard.words(offline=True, sentence="Gone.", empty_project=False)[2] == "Gone."


def test_the_view_follows_the_sequence_frame(rig: Rig) -> None:
    document = rig.session.document
    sequence = document.sequence
    assert sequence is not None
    wide = replace(sequence, width=1920, height=1080)
    rig.session.store.apply("Wide", replace(document, sequences=with_item(document.sequences, wide.id, wide)))
    area = QRectF(rig.canvas.view_area)
    assert rig.canvas.transform.zoom == pytest.approx((area.width() - 24) / (512 * 16 / 9), rel=0.01)
    edge = rig.view(-100, 256)
    assert rig.pixels()[edge.y(), edge.x(), :3].tolist() == [0, 0, 0]  # the stage beside the media


def test_files_can_be_dropped(rig: Rig, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    action = Qt.DropAction.CopyAction
    enter = QDragEnterEvent(QPoint(50, 50), action, data, Qt.MouseButton.LeftButton, NONE)
    rig.canvas.dragEnterEvent(enter)
    assert enter.isAccepted()
    with rig.qtbot.waitSignal(rig.canvas.files_dropped) as dropped:
        rig.canvas.dropEvent(QDropEvent(QPointF(50, 50), action, data, Qt.MouseButton.LeftButton, NONE))
    assert dropped.args == [[path]]


def test_transparent_media_stand_on_checks(rig: Rig) -> None:
    document = rig.session.document
    item = document.media[rig.media_id]
    clear = replace(item, info=replace(item.info, has_alpha=True))
    rig.session.store.amend(lambda d: replace(d, media=frozen_map({clear.id: clear})))
    image = np.zeros_like(rig.image)
    rig.canvas.show_picture(
        ViewerPicture(media_id=rig.media_id, media_frame=12, image=image, extent=rig.extent, shows="source")
    )
    rig.session.set_tool("hand")
    colours = {rig.pixel(x, 250) for x in range(100, 200, 4)}
    assert len(colours) == 2


def test_ctrl_is_not_mistaken_for_painting_keys(rig: Rig) -> None:
    rig.session.set_tool("brush")
    rig.key(Qt.Key.Key_Space, CTRL)
    assert rig.session.shuttle == 0.0
