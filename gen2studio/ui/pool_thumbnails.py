"""Pictures for the media pool, decoded on one thread of their own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QPixmap

from gen2studio.core.errors import StudioError
from gen2studio.core.log import topic
from gen2studio.core.media_info import MediaKind
from gen2studio.document.model import MediaItem
from gen2studio.media import codecs
from gen2studio.ui.panels.media_pool import poster_time
from gen2studio.ui.widgets.pictures import image_of

_log = topic("ui")
_HEIGHT = 126

Deliver = Callable[[QPixmap], None]


class PoolThumbnails(QObject):
    """Asks for one picture a file; answers arrive on the UI thread, a null pixmap where there is none."""

    _made = Signal(object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._wanted: queue.SimpleQueue[tuple[MediaItem, Deliver] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._made.connect(self._on_made, Qt.ConnectionType.QueuedConnection)

    def request(self, item: MediaItem, deliver: Deliver) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="pool-thumbnails", daemon=True)
            self._thread.start()
        self._wanted.put((item, deliver))

    def shutdown(self) -> None:
        if self._thread is not None:
            self._wanted.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        codecs.load()
        from gen2studio.media.thumbnails import thumbnail

        while (wanted := self._wanted.get()) is not None:
            item, deliver = wanted
            image = None
            if item.info.kind is not MediaKind.AUDIO:
                try:
                    image = image_of(thumbnail(Path(item.path), poster_time(item), _HEIGHT))
                except (StudioError, OSError) as error:
                    _log.info("no thumbnail of %s: %s", item.name, error)
            self._made.emit(image, deliver)

    def _on_made(self, image: object, deliver: Deliver) -> None:
        deliver(QPixmap() if image is None else QPixmap.fromImage(image))  # pyright: ignore[reportArgumentType]
