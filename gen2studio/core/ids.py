"""Short, sortable-enough, collision-free ids for everything the document holds."""

from __future__ import annotations

import os
import re

_SHAPE = re.compile(r"^[a-z]{1,8}-[0-9a-f]{12,32}$")


def new_id(prefix: str) -> str:
    """A fresh id like ``clip-3f9a0c1d2e4b``; 48 random bits are ample inside one project."""
    return f"{prefix}-{os.urandom(6).hex()}"


def is_id(text: str) -> bool:
    """True when ``text`` has the shape of an id. Ids become file names, so a project file must not smuggle paths."""
    return bool(_SHAPE.match(text))
