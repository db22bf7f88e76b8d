"""Frames that a new take keeps of an older one, and the mix where new frames meet them."""

from __future__ import annotations

import numpy as np

from gen2studio.core.errors import MediaError
from gen2studio.engine.events import Picture
from gen2studio.engine.requests import Reuse
from gen2studio.engine.take_store import TakeStore


class Lender:
    """The older take of a job that reuses frames. Without one it lends nothing and leaves pictures as they are."""

    def __init__(self, store: TakeStore | None, reuse: Reuse | None) -> None:
        self._store = store
        self._reuse = reuse if store is not None else None
        self._shares = dict(reuse.joins) if self._reuse is not None and reuse is not None else {}

    def lend(self, take_id: str, size: tuple[int, int]) -> None:
        """Bring the kept frames into a take that lacks them: linked where the disk can, else copied.

        Frames of another (width, height) and those that are gone are left out: they are made like the rest.
        """
        if self._store is not None and self._reuse is not None:
            self._store.borrow(take_id, self._reuse.take_id, self._reuse.kept(), size)

    def kept(self, finished: frozenset[int]) -> frozenset[int]:
        """The frames among ``finished`` that come from the older take."""
        return self._reuse.kept() & finished if self._reuse is not None else frozenset()

    def joined(self, frame: int, picture: Picture) -> Picture:
        """``picture``, mixed with the old one where the new span begins or ends."""
        share = self._shares.get(frame)
        if share is None or self._store is None or self._reuse is None:
            return picture
        try:
            old = self._store.read(self._reuse.take_id, frame)
        except MediaError:
            return picture
        if old.shape != picture.shape:
            return picture
        mixed = np.rint(old + (picture.astype(np.float32) - old) * np.float32(share))
        out = mixed.astype(np.uint8)
        out.setflags(write=False)
        return out
