"""Image embeddings on disk: what a model read in a frame once, it need not read again.

One file per model and frame in half precision (2 MB for the published Segment Anything models), written beside and
renamed. The oldest go when all together exceed a bound; a file that can't be read is dropped and made again.
"""

from __future__ import annotations

import contextlib
import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gen2studio.core.hashing import canonical_digest
from gen2studio.core.log import topic
from gen2studio.core.paths import cache_dir, write_atomic
from gen2studio.engine.requests import SourceRef

LIMIT = 2 << 30
"""Bytes of all embeddings together: a thousand frames."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """What an image encoder made of one frame."""

    features: NDArray[np.float16]
    """(1, C, h, w)."""
    original: tuple[int, int]
    """(height, width) of the frame."""
    fitted: tuple[int, int]
    """(height, width) of the frame as the encoder saw it, before padding."""


def embedding_key(model_digest: str, source: SourceRef, frame: int) -> str:
    """Names an embedding: equal for the same weights and the same frame of the same footage."""
    return canonical_digest((model_digest, source.fingerprint, frame, source.width, source.height))


class EmbeddingCache:
    """Embeddings by key, bounded in bytes. Used on the engine thread."""

    def __init__(self, folder: Path | None = None, limit: int = LIMIT) -> None:
        self._folder = folder
        self._limit = limit

    @property
    def folder(self) -> Path:
        if self._folder is None:
            self._folder = cache_dir("embeddings")
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder

    def get(self, key: str) -> Embedding | None:
        """The embedding, or None when it is not there or can't be read."""
        path = self._path(key)
        try:
            with np.load(path, allow_pickle=False) as stored:
                features = np.asarray(stored["features"], np.float16)
                sizes = [int(side) for side in stored["sizes"]]
            if features.ndim != 4 or len(sizes) != 4 or not np.isfinite(features).all():
                raise ValueError("no embedding")
        except FileNotFoundError:
            return None
        except Exception:
            # A broken archive raises what the zip reader, numpy or zlib think of.
            topic("masks").warning("the embedding %s can't be read and is made again", path.name)
            path.unlink(missing_ok=True)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return Embedding(features, (sizes[0], sizes[1]), (sizes[2], sizes[3]))

    def put(self, key: str, embedding: Embedding) -> None:
        """Keep ``embedding``. A full disk costs the artist time later, never the selection now."""
        packed = io.BytesIO()
        sizes = np.array([*embedding.original, *embedding.fitted], np.int64)
        np.savez(packed, features=embedding.features, sizes=sizes)
        try:
            write_atomic(self._path(key), packed.getvalue())
            self._shrink()
        except OSError as error:
            topic("masks").warning("an embedding could not be kept: %s", error)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npz"

    def _shrink(self) -> None:
        """Drop what was longest out of use until the bound holds."""
        found = [(stat.st_mtime_ns, stat.st_size, path) for path in self.folder.glob("*.npz") if (stat := path.stat())]
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found)[:-1]:
            if total <= self._limit:
                return
            path.unlink(missing_ok=True)
            total -= size
