"""What keeps the window alive: no long work between two events, quick pictures while they move, tidy undo steps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import Qt, QTimer

from gen2studio.app.session import Compare
from gen2studio.app.viewer_feed import ViewerPicture
from gen2studio.core.geometry import Extent
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.document import masks as edits
from gen2studio.document.model import MaskFrame
from gen2studio.raster import morphology, shapes
from tests.ui.canvas_rig import FRAME, NONE, SHIFT, Rig, rig

__all__ = ["rig"]

UHD = Extent(3840, 2160)


def show_uhd(rig: Rig) -> np.ndarray:
    """A 3840 × 2160 frame on the canvas."""
    image = np.full((2160, 3840, 4), 255, np.uint8)
    image[..., :3] = np.linspace(90, 110, 3840).astype(np.uint8)[None, :, None]
    picture = ViewerPicture(
        media_id=rig.media_id, clip_id="clip-00000000000a", media_frame=FRAME, image=image, extent=UHD, shows="source"
    )
    rig.canvas.show_picture(picture)
    rig.pixels()
    return image


def works_beside_the_window(rig: Rig, begin: Callable[[], object]) -> None:
    """``begin`` comes back before its work is done, and the window's timers tick until it is."""
    steps = rig.steps()
    ticks: list[int] = []
    ticker = QTimer(rig.canvas)
    ticker.timeout.connect(lambda: ticks.append(rig.steps()))
    ticker.start(0)
    begin()
    assert rig.steps() == steps
    rig.qtbot.waitUntil(lambda: rig.steps() == steps + 1 and rig.masks.job is None, timeout=20000)
    ticker.stop()
    assert ticks.count(steps) >= 3


def test_a_lasso_around_a_whole_uhd_frame_never_holds_the_window(rig: Rig) -> None:
    show_uhd(rig)
    rig.session.set_tool("lasso")
    turn = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    points = [(1920 + 1850 * np.cos(a), 1080 + 1030 * np.sin(a)) for a in turn]

    rig.press(*points[0])
    for point in points[1:]:
        rig.move(*point)
    works_beside_the_window(rig, lambda: rig.release(*points[-1]))
    matte = rig.matte()
    assert matte[1080, 1920] == 255
    assert abs(int((matte > 127).sum()) / (np.pi * 1850 * 1030) - 1) < 0.01
    assert rig.undo_text() == "Lasso on Subject 1"


@pytest.mark.parametrize("modifiers", [NONE, SHIFT])
def test_a_fill_of_a_uhd_frame_never_holds_the_window(rig: Rig, modifiers: Qt.KeyboardModifier) -> None:
    image = show_uhd(rig)
    rig.session.set_tool("fill")
    works_beside_the_window(rig, lambda: rig.press(1900, 1000, modifiers))
    spot = rig.canvas.transform.to_media(rig.view(1900, 1000).toPointF())
    x, y = int(spot.x()), int(spot.y())
    expected = shapes.fill_colour(image, x, y, 24) if modifiers else np.full((2160, 3840), 255, np.uint8)
    assert np.array_equal(rig.matte(), expected)
    rig.release(1900, 1000)


def test_operations_on_all_uhd_frames_never_hold_the_window(rig: Rig) -> None:
    show_uhd(rig)
    matte = np.zeros((2160, 3840), np.uint8)
    matte[300:1900, 500:3300] = 255
    raster = rig.session.store.tiles.pack(morphology.feather(matte, 30))
    object_id = rig.masks.add_object("Dog")
    frames = {i: MaskFrame(raster=raster, anchor=i == FRAME) for i in (FRAME, FRAME + 1, FRAME + 2)}
    rig.session.store.apply("Draw", edits.set_frames(rig.session.document, object_id, frames))
    rig.pixels()
    works_beside_the_window(rig, lambda: rig.masks.grow(12, all_frames=True))
    grown = rig.session.document.masks[object_id].frames[FRAME + 2].raster
    expected = morphology.grow(morphology.feather(matte, 30), 12)
    assert np.array_equal(rig.session.store.tiles.unpack(grown), expected)


def test_a_gesture_right_after_a_large_region_works_on_its_result(rig: Rig) -> None:
    show_uhd(rig)
    rig.session.set_tool("rectangle")
    rig.drag((200, 200), (3600, 2000))
    rig.session.set_tool("eraser")
    rig.masks.set_brush(radius=100)
    rig.drag((1900, 1000), (2000, 1000))
    assert rig.matte()[1000, 1950] == 0
    assert rig.matte()[300, 300] == 255
    stack = rig.session.store.undo_stack
    assert [stack.text(i) for i in range(stack.count())] == ["Rectangle on Subject 1", "Erase on Subject 1"]


def test_a_large_region_is_finished_before_the_frame_changes(rig: Rig) -> None:
    show_uhd(rig)
    rig.session.set_tool("ellipse")
    rig.drag((200, 200), (3600, 2000))
    rig.show(frame=FRAME + 1)
    owner = rig.masks.current()
    assert owner is not None
    assert owner.anchors == (FRAME,)


def test_painting_during_a_propagation_leaves_one_step_each(rig: Rig) -> None:
    rig.session.set_tool("rectangle")
    rig.drag((100, 100), (300, 300))
    owner = rig.masks.current()
    assert owner is not None
    frames = lambda: rig.session.document.masks[owner.id].frames  # noqa: E731
    rig.masks.propagate("forward")
    rig.host.fake.begin()
    rig.host.fake.advance(4)
    rig.qtbot.waitUntil(lambda: len(frames()) == 4)
    rig.show(frame=20)
    rig.session.set_tool("brush")
    rig.drag((400, 400), (450, 400))
    correction = frames()[20]
    rig.host.fake.advance(3)
    rig.qtbot.waitUntil(lambda: len(frames()) == 8)
    rig.show(frame=25)
    rig.drag((400, 100), (450, 100))
    with rig.qtbot.waitSignal(rig.masks.job_changed, check_params_cb=lambda job: job is None):
        rig.host.fake.finish()
    stack = rig.session.store.undo_stack
    stroke = "Brush stroke on Subject 1"
    assert [stack.text(i) for i in range(stack.count())] == [
        "Rectangle on Subject 1", "Propagate Subject 1", stroke, stroke,
    ]  # fmt: skip
    assert sorted(frames()) == list(range(12, 32))
    assert frames()[20] is correction  # arrived mattes never replace what was drawn
    complete = rig.session.document
    stack.undo()
    stack.undo()
    assert [i for i, f in frames().items() if f.anchor] == [12]
    assert set(range(12, 32)) - {20, 25} <= set(frames())
    stack.undo()
    assert list(frames()) == [12]
    for _ in range(3):
        stack.redo()
    assert rig.session.document == complete


def test_undoing_a_propagation_drops_what_still_comes_back(rig: Rig) -> None:
    rig.session.set_tool("rectangle")
    rig.drag((100, 100), (300, 300))
    owner = rig.masks.current()
    assert owner is not None
    rig.masks.propagate("forward")
    rig.host.fake.begin()
    rig.host.fake.advance(4)
    rig.qtbot.waitUntil(lambda: len(rig.session.document.masks[owner.id].frames) == 4)
    rig.host.fake.advance(4)
    with rig.qtbot.waitSignal(rig.masks.job_changed, check_params_cb=lambda job: job is None):
        rig.session.store.undo_stack.undo()
    rig.qtbot.wait(200)
    assert list(rig.session.document.masks[owner.id].frames) == [FRAME]
    assert rig.session.store.undo_stack.canRedo()


def test_moving_pictures_are_drawn_quickly_and_the_last_one_smoothly(rig: Rig) -> None:
    rng = np.random.default_rng(3)
    rig.image = rng.integers(0, 256, (512, 512, 4), dtype=np.uint8)
    rig.image[..., 3] = 255
    rig.canvas.resize(500, 420)
    rig.qtbot.wait(200)
    rig.show(frame=1)
    single = rig.pixels()  # a step of the playhead: smooth at once
    for frame in range(2, 8):
        rig.show(frame=frame)
    moving = rig.pixels()
    nearest = {tuple(p) for p in rig.image[::1, ::1, :3].reshape(-1, 3).tolist()}
    middle = moving[150:180, 200:230, :3].reshape(-1, 3)
    assert all(tuple(p) in nearest for p in middle.tolist())
    assert not np.array_equal(moving, single)
    view = rig.canvas.view_area.height() - 4
    rig.qtbot.waitUntil(lambda: np.array_equal(rig.pixels()[:view], single[:view]))


def test_the_reference_of_a_wipe_stays_clear_of_mattes(rig: Rig) -> None:
    rig.session.set_tool("rectangle")
    rig.drag((50, 50), (450, 450))
    rig.session.set_tool("hand")
    rig.show(reference=rig.image)
    rig.session.set_compare(Compare.WIPE)
    rig.session.set_compare_split(0.5)
    clear, tinted = rig.pixel(120, 120), rig.pixel(400, 120)
    rig.masks.set_visible(rig.masks.objects()[0].id, False)
    assert rig.pixel(120, 120) == clear
    assert rig.pixel(400, 120) != tinted


def test_freshly_painted_tiles_reach_the_project_off_the_ui_thread(rig: Rig) -> None:
    saved: dict[str, bytes] = {}

    class Backing:
        def load_tile(self, digest: str) -> bytes | None:
            return saved.get(digest)

        def save_tile(self, digest: str, packed: bytes) -> None:
            saved[digest] = packed

    rig.session.store.tiles._backing = Backing()
    rig.session.set_tool("brush")
    rig.drag((100, 100), (350, 300))
    owner = rig.masks.current()
    assert owner is not None
    raster = owner.frames[FRAME].raster
    assert isinstance(raster, MaskRaster)
    assert np.array_equal(rig.session.store.tiles.unpack(raster), rig.matte())
    rig.qtbot.waitUntil(lambda: {d for _, _, d in raster.tiles} <= saved.keys())
    assert all(rig.session.store.tiles.packed(d) == saved[d] for _, _, d in raster.tiles)
