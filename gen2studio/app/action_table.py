"""All rooms' action rows in one table."""

from __future__ import annotations

import functools

from gen2studio.app.actions import Action


@functools.cache
def all_actions() -> tuple[Action, ...]:
    """Every command of the program, in menu order. Raises ValueError when two rows share an id."""
    from gen2studio.app import (
        actions_app,
        actions_boards,
        actions_clips,
        actions_exports,
        actions_files,
        actions_generate,
        actions_inspector,
        actions_masks,
        actions_programme,
        actions_shapes,
        actions_timeline,
        actions_timeline_edits,
        actions_timeline_view,
        actions_viewers,
    )

    masks = (*actions_masks.ROWS, *actions_shapes.ROWS)
    rows = (
        *actions_app.ROWS,
        *actions_exports.ROWS,
        *actions_files.ROWS,
        *actions_timeline.ROWS,
        *actions_timeline_edits.ROWS,
        *actions_timeline_view.ROWS,
        *actions_viewers.ROWS,
        *actions_programme.ROWS,
        *masks,
        *actions_generate.ROWS,
        *actions_clips.ROWS,
        *actions_boards.BOARD_ROWS,
        *actions_boards.DRAWING_ROWS,
        *actions_inspector.ROWS,
    )
    seen: set[str] = set()
    for row in rows:
        if row.id in seen:
            raise ValueError(f"two commands are called {row.id}")
        seen.add(row.id)
    return rows


def share(first: Action, second: Action) -> bool:
    """Whether two commands may have one key: they live in different parts of the window, or in different windows.

    ``drawing`` is a window of its own, in which no other keys are live.
    """
    scopes = {first.scope, second.scope}
    return len(scopes) > 1 and ("window" not in scopes or "drawing" in scopes)


def clashes(rows: tuple[Action, ...]) -> list[tuple[str, str, str]]:
    """(key, id, id) for commands whose keys would be ambiguous: same key in one scope, or a window key with any."""
    found: list[tuple[str, str, str]] = []
    for index, first in enumerate(rows):
        for second in rows[index + 1 :]:
            if share(first, second):
                continue
            for key in set(first.shortcuts()) & set(second.shortcuts()):
                found.append((key, first.id, second.id))
    return found
