"""The preset painters by name."""

from __future__ import annotations

from gen2studio.core.errors import GenerationError
from gen2studio.example import media_craft, media_drawn, media_painted
from gen2studio.example.medium import Medium

MEDIA: dict[str, type[Medium]] = {
    "grade": Medium,
    "watercolour": media_painted.Watercolour,
    "oil": media_painted.Oil,
    "anime": media_painted.Anime,
    "clay": media_painted.Clay,
    "ink": media_drawn.Ink,
    "noir": media_drawn.Noir,
    "pencil": media_drawn.Pencil,
    "neon": media_drawn.Neon,
    "engraving": media_drawn.Engraving,
    "pixel": media_craft.Pixel,
    "paper": media_craft.PaperCut,
    "halftone": media_craft.Halftone,
    "mosaic": media_craft.Mosaic,
    "glass": media_craft.StainedGlass,
}


def medium(name: str) -> type[Medium]:
    """The painter of a look file's ``medium``. Raises GenerationError when there is none."""
    found = MEDIA.get(name)
    if found is None:
        raise GenerationError(f"No painter is called “{name}”.", f"Use one of {', '.join(MEDIA)} in the look file.")
    return found
