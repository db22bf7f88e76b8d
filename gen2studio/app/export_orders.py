"""Exports that wait, as files: each order has a folder with what it was asked to be and the document as it was.

::

    exports/1/lock             held by the program that works on this queue
    exports/1/queue.json       {"held": false, "orders": [ids in their order]}
    exports/1/<id>/order.json  settings, state, what came of it
    exports/1/<id>/document.json

A program that is killed leaves an order ``running``; the next one that opens the queue makes it wait again. Pictures of
a sequence that were finished are kept (:mod:`gen2studio.media.resumption`); a film starts again from its first frame,
because encoders can't go on in a half file. What was finished stays finished.
"""

from __future__ import annotations

import contextlib
import enum
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from gen2studio.app.export_values import Captions, ExportSettings
from gen2studio.app.project_lock import ProjectLock
from gen2studio.core.errors import ProjectError, StudioError
from gen2studio.core.ids import is_id
from gen2studio.core.log import topic
from gen2studio.core.paths import data_dir, write_atomic
from gen2studio.core.records import dataclass
from gen2studio.document import codec
from gen2studio.document.codec_reader import Node, complain, parse_json
from gen2studio.document.model import Document

_log = topic("exports")
_MOST = 500
"""Orders that are read from a queue."""
_BIGGEST_JSON = 1 << 30
_LONGEST_PATH = 4096
_INTERRUPTED = {
    True: "Interrupted; finished pictures are kept.",
    False: "Interrupted; a film starts again from its first frame.",
}
"""By whether it is a sequence of pictures."""


class OrderState(enum.Enum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in (OrderState.DONE, OrderState.FAILED, OrderState.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOrder:
    """One export of the queue."""

    id: str
    title: str
    """What it is called in the list."""
    settings: ExportSettings
    folder: Path
    """Working folder of its project: takes and masks are there."""
    state: OrderState = OrderState.WAITING
    sentence: str = ""
    """What came of it: why it failed, what the artist should know."""
    paths: tuple[str, ...] = ()
    """Files that it made."""
    pid: int = 0
    """The process that runs it, or ran it when it was killed."""


def encode_settings(settings: ExportSettings) -> dict[str, Any]:
    """JSON-ready form."""
    return {
        "path": settings.path.as_posix(), "preset": settings.preset, "start": settings.start, "stop": settings.stop,
        "whole": settings.whole, "audio": settings.audio, "sidecar": settings.sidecar,
        "options": [list(pair) for pair in settings.options], "width": settings.width, "rate": settings.rate,
        "burn_timecode": settings.burn_timecode, "burn_name": settings.burn_name, "captions": settings.captions.value,
        "srt": settings.srt, "caption_track": settings.caption_track, "loudness": settings.loudness,
        "true_peak": settings.true_peak, "track_mattes": settings.track_mattes, "mask_mattes": settings.mask_mattes,
        "certificate": settings.certificate, "private_key": settings.private_key,
    }  # fmt: skip


def decode_settings(node: Node) -> ExportSettings:
    """Settings of :func:`encode_settings`'s form. Raises ProjectError for anything else."""
    options: list[tuple[str, str]] = []
    for pair in node.listing("options")[:64]:
        if not isinstance(pair, list) or [type(part) for part in pair] != [str, str]:  # pyright: ignore[reportUnknownVariableType]
            complain(node.where, "has an encoder option that is no pair of words")
        options.append((str(pair[0]), str(pair[1])))  # pyright: ignore[reportUnknownArgumentType]
    return ExportSettings(
        path=Path(node.text("path", limit=_LONGEST_PATH)),
        preset=node.text("preset", limit=64),
        start=node.optional_integer("start"),
        stop=node.optional_integer("stop"),
        whole=node.flag("whole"),
        audio=node.flag("audio"),
        sidecar=node.flag("sidecar"),
        options=tuple(options),
        width=node.integer("width", 0, 16384),
        rate=node.integer("rate", 0, 480),
        burn_timecode=node.flag("burn_timecode"),
        burn_name=node.text("burn_name", limit=500),
        captions=node.choice("captions", Captions),
        srt=node.flag("srt"),
        caption_track=node.flag("caption_track"),
        loudness=node.optional_number("loudness", -70, 0),
        true_peak=node.number("true_peak", -20, 0),
        track_mattes=node.flag("track_mattes"),
        mask_mattes=node.flag("mask_mattes"),
        certificate=node.text("certificate", "", _LONGEST_PATH),
        private_key=node.text("private_key", "", _LONGEST_PATH),
    )


def _encode_order(order: ExportOrder) -> dict[str, Any]:
    return {
        "id": order.id, "title": order.title, "settings": encode_settings(order.settings),
        "folder": order.folder.as_posix(), "state": order.state.value, "sentence": order.sentence,
        "paths": list(order.paths), "pid": order.pid,
    }  # fmt: skip


def _decode_order(data: dict[str, Any]) -> ExportOrder:
    node = Node(data, "the order")
    return ExportOrder(
        id=node.ident("id"),
        title=node.text("title", limit=500),
        settings=decode_settings(node.node("settings")),
        folder=Path(node.text("folder", limit=_LONGEST_PATH)),
        state=node.choice("state", OrderState),
        sentence=node.text("sentence"),
        paths=tuple(str(path) for path in node.listing("paths")[:64]),
        pid=node.integer("pid"),
    )


class OrderFiles:
    """The files of one queue; a lock keeps other programs from it. One thread at a time."""

    def __init__(self, root: Path | None = None) -> None:
        """Takes the first queue below ``root`` that no living program works on, and what dead ones left in others."""
        self._root = root or data_dir() / "exports"
        self._lock: ProjectLock | None = None
        for number in range(1, 100):
            with contextlib.suppress(ProjectError):
                self._lock = ProjectLock(self._root / str(number) / "lock")
                self.folder = self._root / str(number)
                break
        if self._lock is None:
            raise ProjectError("Too many programs are exporting at once.", "Close one of them.")
        self._adopt_others()

    def _adopt_others(self) -> None:
        for other in sorted(path for path in self._root.iterdir() if path.is_dir() and path != self.folder):
            try:
                lock = ProjectLock(other / "lock")
            except (ProjectError, OSError):
                continue
            try:
                for order in [path for path in other.iterdir() if path.is_dir() and is_id(path.name)]:
                    order.rename(self.folder / order.name)
            except OSError as error:
                _log.warning("orders in %s stay there: %s", other, error)
            finally:
                lock.release()

    def load(self) -> tuple[list[ExportOrder], bool]:
        """(orders in their order, whether the queue is held). What was running waits again."""
        listed: list[str] = []
        held = False
        try:
            head = Node(parse_json((self.folder / "queue.json").read_bytes()), "the queue")
            held = head.flag("held")
            listed = [str(name) for name in head.listing("orders")]
        except FileNotFoundError:
            pass
        except (OSError, ValueError, StudioError) as error:
            _log.warning("the export queue's order is lost: %s", error)
        there = sorted(path.name for path in self.folder.iterdir() if path.is_dir() and is_id(path.name))
        names = [name for name in dict.fromkeys(listed) if name in there]
        names += [name for name in there if name not in names]
        orders: list[ExportOrder] = []
        for name in names[:_MOST]:
            try:
                order = _decode_order(parse_json((self.folder / name / "order.json").read_bytes()))
            except (OSError, ValueError, StudioError) as error:
                _log.warning("the order %s can't be read: %s", name, error)
                continue
            if order.id == name:
                orders.append(self._woken(order))
        return orders, held

    def _woken(self, order: ExportOrder) -> ExportOrder:
        if order.state is not OrderState.RUNNING:
            return order
        forget_parts(order)
        woken = interrupted(order)
        self.write(woken)
        return woken

    def add(self, order: ExportOrder, document: Document) -> None:
        """Write a new order with the document as it is now."""
        folder = self.folder / order.id
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / "document.json", codec.dumps(document, None))
        self.write(order)

    def write(self, order: ExportOrder) -> None:
        write_atomic(self.folder / order.id / "order.json", codec_bytes(_encode_order(order)))

    def document(self, order: ExportOrder) -> Document:
        """The document of an order. Raises ProjectError."""
        file = self.folder / order.id / "document.json"
        try:
            if file.stat().st_size > _BIGGEST_JSON:
                raise ProjectError("The export's project is too big to be one of ours.", "Add it to the queue again.")
            return codec.loads(file.read_bytes(), None)
        except OSError as error:
            raise ProjectError("What this export was made of is gone.", "Add it to the queue again.") from error

    def write_head(self, ids: list[str], held: bool) -> None:
        write_atomic(self.folder / "queue.json", codec_bytes({"held": held, "orders": ids}))

    def remove(self, order_id: str) -> None:
        if is_id(order_id):
            shutil.rmtree(self.folder / order_id, ignore_errors=True)

    def close(self) -> None:
        """Let other programs work on this queue."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def codec_bytes(data: dict[str, Any]) -> bytes:
    import json

    return json.dumps(data, ensure_ascii=False, indent=1).encode()


def interrupted(order: ExportOrder) -> ExportOrder:
    """An order that the end of the program stopped, as it waits for the next one."""
    return replace(order, state=OrderState.WAITING, pid=0, sentence=_INTERRUPTED[_pictures(order)])


def _pictures(order: ExportOrder) -> bool:
    from gen2studio.media.encoder_presets import preset_of

    try:
        return preset_of(order.settings.preset).is_sequence
    except StudioError:
        return False


def forget_kept(order: ExportOrder) -> None:
    """Remove what an interrupted order left for its next run."""
    from gen2studio.media.resumption import forget

    forget(order.settings.path.expanduser().absolute().parent, order.id)


def forget_parts(order: ExportOrder) -> None:
    """Remove the half files that a killed process left of an order."""
    from gen2studio.media.encoder_presets import preset_of

    if not order.pid or order.pid == os.getpid():
        return
    try:
        target = preset_of(order.settings.preset).output_path(order.settings.path.expanduser().absolute())
    except StudioError:
        return
    plain, folder = f".{target.stem}.{order.pid}.part", f".{target.name}.{order.pid}.part"
    for part in (target.with_name(plain + target.suffix), target.with_name(plain + ".frames.mkv")):
        with contextlib.suppress(OSError):
            part.unlink()
    shutil.rmtree(target.with_name(folder), ignore_errors=True)
