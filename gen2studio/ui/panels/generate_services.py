"""What the generate panel asks of the program around it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QWidget

from gen2studio.app.generation import Generation
from gen2studio.app.look_keys import LookKeys
from gen2studio.app.motion_brush import MotionBrush
from gen2studio.app.preferences import Preferences
from gen2studio.app.session import Session
from gen2studio.app.shots import ShotWish
from gen2studio.core.records import dataclass
from gen2studio.document.look import Mode
from gen2studio.document.model import Shot
from gen2studio.ui.panels.adapters_section import Library
from gen2studio.ui.widgets.image_slot import FindMedia

Use = Callable[["Path | bytes", str], object]
"""Takes (picture file or PNG bytes, its name)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelServices:
    """What the panel asks of the program around it."""

    session: Session
    generation: Generation
    keys: LookKeys
    preferences: Preferences
    motion: MotionBrush
    adapters: Library
    find_media: FindMedia
    """Media id → the file of a still in the pool."""
    pick_frame: Callable[[str, Use], object]
    """Ask for a frame of a clip: (title, what to do with its PNG bytes and name)."""
    shot_ready: Callable[[], bool]
    """Make a shot where there is none; whether there is one now."""
    shot_changed: Callable[[ShotWish], object]
    shot_sized: Callable[[ShotWish], Shot]
    next_shot: Callable[[], ShotWish]
    """What the next shot will be."""
    customization: Callable[[QWidget], QWidget]
    """Makes the page of the Customization mode."""
    choose_mode: Callable[[Mode], object]
    """Goes to a mode and to the panels that serve it."""
    models: Callable[[Mode], object]
    """Opens the window of models on those that serve a mode."""
