"""What the confidence of a carried matte means, for whoever makes, shows or lists it."""

from __future__ import annotations

SUSPECT = 0.5
"""A confidence is an estimate of how likely the matte is to be usable. Below this a frame is worth a look."""
