"""Numpy pictures as Qt pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QBuffer, QIODevice, QSize, Qt
from PySide6.QtGui import QImage, QImageReader, QPixmap

if TYPE_CHECKING:
    from numpy.typing import NDArray


def image_of(picture: NDArray[np.uint8]) -> QImage:
    """A QImage that owns its pixels: (H, W, 3) RGB or (H, W, 4) premultiplied BGRA uint8."""
    contiguous = np.ascontiguousarray(picture)
    height, width, channels = contiguous.shape
    kind = QImage.Format.Format_RGB888 if channels == 3 else QImage.Format.Format_ARGB32_Premultiplied
    return QImage(contiguous.data, width, height, width * channels, kind).copy()


def pixmap_of(picture: NDArray[np.uint8], box: QSize | None = None, ratio: float = 1.0) -> QPixmap:
    """A pixmap, scaled to fit ``box`` (device-independent pixels) when given."""
    image = image_of(picture)
    return _fitted(image, box, ratio)


def pixmap_from_file(path: Path, box: QSize, ratio: float = 1.0) -> QPixmap:
    """A small upright pixmap of an image file, read at reduced size; null when it can't be read."""
    image = image_from_file(path, box, ratio)
    return QPixmap() if image.isNull() else _fitted(image, box, ratio)


def image_from_file(path: Path, box: QSize, ratio: float = 1.0) -> QImage:
    """As :func:`pixmap_from_file`, at about twice the size and for any thread."""
    reader = QImageReader(str(path))
    reader.setAutoTransform(True)
    size = reader.size()
    if size.isValid():
        target = size.scaled(box * ratio * 2, Qt.AspectRatioMode.KeepAspectRatioByExpanding)
        if target.width() < size.width():
            reader.setScaledSize(target)
    return reader.read()


def png_of(image: QImage) -> bytes:
    """The PNG file of a picture."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # pyright: ignore[reportCallIssue, reportArgumentType]
    return bytes(buffer.data().data())


def _fitted(image: QImage, box: QSize | None, ratio: float) -> QPixmap:
    if box is not None:
        image = image.scaled(
            box * ratio, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
    pixmap = QPixmap.fromImage(image)
    pixmap.setDevicePixelRatio(ratio)
    return pixmap
