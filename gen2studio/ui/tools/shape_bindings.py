"""Handlers of the rows of the action table for drawn shapes and the tools beside them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from gen2studio.app.mask_editing import MaskEditing
from gen2studio.app.session import Session

TOOL_NAMES = ("shape", "bspline", "edit_shape", "wand", "gradient")
"""Tools whose rows are in :mod:`gen2studio.app.actions_shapes`."""


def handlers(session: Session, masks: MaskEditing) -> dict[str, Callable[..., object]]:
    """Action id → what it does, for every row of :mod:`gen2studio.app.actions_shapes`."""
    shapes, tries = masks.shapes, masks.attempt
    commands: dict[str, Callable[[], object]] = {
        "set_key": shapes.set_key,
        "remove_key": shapes.remove_key,
        "next_key": partial(shapes.go_to_key, 1),
        "previous_key": partial(shapes.go_to_key, -1),
        "smooth": shapes.make_smooth,
        "corner": shapes.make_corners,
        "to_bezier": partial(shapes.convert, "bezier"),
        "to_bspline": partial(shapes.convert, "bspline"),
        "to_polygon": partial(shapes.convert, "polygon"),
        "raise": partial(shapes.move_in_order, 1),
        "lower": partial(shapes.move_in_order, -1),
        "duplicate": shapes.duplicate,
        "toggle": shapes.toggle_visible,
        "starts_here": shapes.start_here,
        "ends_here": shapes.end_here,
        "lives_always": shapes.live_always,
        "delete": shapes.remove_shape,
        "bake": shapes.bake,
    }
    bound: dict[str, Callable[..., object]] = {f"shape.{name}": partial(tries, run) for name, run in commands.items()}
    return bound | {f"tool.{name}": partial(session.set_tool, name) for name in TOOL_NAMES}
