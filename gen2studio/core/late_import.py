"""Packages that are imported when somebody first asks them for something.

``import numpy`` takes as long as bringing up Qt, and a window without footage needs no array. Modules still say
``import numpy as np`` at their top and find a :class:`LatePackage`; the first attribute that is read from it imports
the real one, under Python's own import locks, so any thread may be the first.
"""

from __future__ import annotations

import importlib
import sys
import threading
from types import ModuleType

_lock = threading.Lock()
_LOOKING = frozenset({"__file__", "__wrapped__"})
"""Read by tools that look at every module (Qt's bindings do), not by somebody who needs the package."""


class LatePackage(ModuleType):
    """Stands in ``sys.modules`` for a package that was not imported yet; afterwards it is an ordinary module."""

    def __getattr__(self, name: str) -> object:
        if name in _LOOKING:
            raise AttributeError(name)
        with _lock:
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
        package = importlib.import_module(self.__name__)
        vars(self).update(vars(package))
        # Without a class of its own, reading an attribute costs what it costs of any module.
        self.__class__ = ModuleType  # pyright: ignore[reportAttributeAccessIssue]
        return getattr(package, name)


def import_late(name: str) -> None:
    """From here on ``import name`` costs nothing until the package is used. One that was imported already stays."""
    if name not in sys.modules:
        sys.modules[name] = LatePackage(name)
