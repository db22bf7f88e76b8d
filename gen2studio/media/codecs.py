"""Loading the codec libraries once, whichever thread comes first.

The window opens without them. Several threads may then want them at the same moment, each through another module of
this room; Python's import locks break such knots by handing out half-made modules. So whoever imports a decoding module
inside a function calls :func:`load` first.
"""

from __future__ import annotations

import importlib
import threading

_MODULES = ("probe", "stills", "clock_scan", "decoder", "audio_reader", "peaks", "thumbnails")
_lock = threading.RLock()
_loaded = threading.Event()


def load() -> None:
    """Import PyAV and the modules that decode with it. Cheap once done; blocks while another thread is at it."""
    if _loaded.is_set():
        return
    with _lock:
        if not _loaded.is_set():
            for name in _MODULES:
                importlib.import_module(f"gen2studio.media.{name}")
            _loaded.set()
