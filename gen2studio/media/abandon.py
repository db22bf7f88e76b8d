"""How a decode that nobody waits for any more ends. A module of its own, so that naming it loads no codec."""

from __future__ import annotations


class Abandoned(Exception):
    """The caller no longer wants the frame that was being decoded."""
