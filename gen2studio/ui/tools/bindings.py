"""Handlers of the mask and canvas rows of the action table."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from gen2studio.app.mask_editing import MaskEditing
from gen2studio.app.session import MaskView, Session
from gen2studio.ui.canvas.canvas import Canvas
from gen2studio.ui.tools import shape_bindings
from gen2studio.ui.tools.registry import TOOLS


def handlers(session: Session, masks: MaskEditing, canvas: Canvas) -> dict[str, Callable[..., object]]:
    """Action id → what it does, for the rows of :mod:`gen2studio.app.actions_masks`; matte files bring their own."""
    tries = masks.attempt

    def chosen() -> tuple[str, ...]:
        return (session.mask_object,) if session.mask_object else ()

    bound: dict[str, Callable[..., object]] = {
        f"tool.{name}": partial(session.set_tool, name) for name in TOOLS if name not in shape_bindings.TOOL_NAMES
    }
    bound |= {f"maskview.{view.value}": partial(session.set_mask_view, view) for view in MaskView}
    bound |= {
        "tool.swap": lambda: session.set_tool("brush" if session.tool == "eraser" else "eraser"),
        "brush.smaller": partial(masks.step_size, -1),
        "brush.larger": partial(masks.step_size, 1),
        "brush.softer": partial(masks.step_hardness, -1),
        "brush.harder": partial(masks.step_hardness, 1),
        "mask.add_object": lambda: tries(masks.add_object),
        "mask.duplicate_object": lambda: tries(lambda: masks.listing.duplicate(chosen())),
        "mask.solo": lambda: masks.listing.toggle_solo(chosen()),
        "mask.copy_refinement": lambda: tries(masks.refining.copy),
        "mask.paste_refinement": lambda: tries(masks.refining.paste),
        "mask.remove_object": lambda: tries(lambda: masks.remove_object(session.mask_object)),
        "mask.clear": lambda: tries(masks.clear),
        "mask.invert": lambda: tries(masks.invert),
        "mask.fill_holes": lambda: tries(masks.fill_holes),
        "mask.despeckle": lambda: tries(masks.despeckle),
        "mask.grow": lambda: tries(lambda: masks.grow(1)),
        "mask.shrink": lambda: tries(lambda: masks.grow(-1)),
        "mask.feather": lambda: tries(lambda: masks.feather(2)),
        "mask.remove_frame": lambda: tries(masks.remove_frame),
        "mask.forget_propagated": lambda: tries(masks.forget_propagated),
        "mask.propagate_forward": lambda: tries(lambda: masks.propagate("forward")),
        "mask.propagate_backward": lambda: tries(lambda: masks.propagate("backward")),
        "mask.propagate_both": lambda: tries(lambda: masks.propagate("both")),
        "mask.propagate_next": lambda: tries(lambda: masks.propagate("next")),
        "mask.cancel": masks.cancel_job,
        "mask.next_suspect": masks.go_to_next_suspect,
        "mask.previous_suspect": masks.go_to_previous_suspect,
        "canvas.fit": canvas.fit,
        "canvas.one_to_one": canvas.one_to_one,
        "canvas.zoom_in": canvas.zoom_in,
        "canvas.zoom_out": canvas.zoom_out,
    }
    return bound
