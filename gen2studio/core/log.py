"""Loggers by topic, so that a log can be read: ``media``, ``engine``, ``document``, ``ui``, ``export``, ``example``…"""

from __future__ import annotations

import logging
import os


def topic(name: str) -> logging.Logger:
    """The logger of one topic."""
    return logging.getLogger(f"gen2studio.{name}")


def configure(level: str | None = None) -> None:
    """Send logs to stderr. ``GEN2STUDIO_LOG`` overrides the level (DEBUG, INFO, WARNING…)."""
    chosen = (os.environ.get("GEN2STUDIO_LOG") or level or "WARNING").upper()
    logging.basicConfig(format="%(asctime)s %(levelname).1s %(name)s: %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("gen2studio").setLevel(getattr(logging, chosen, logging.WARNING))
