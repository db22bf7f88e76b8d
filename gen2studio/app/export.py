"""Exporting a sequence: one core for the window and the command line, and the thread the window runs it on."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from PySide6.QtCore import QObject

from gen2studio.app.compositor import Layer, OfflinePixels, Pixels, SequenceRenderer, sequence_of
from gen2studio.app.export_basis import export_basis
from gen2studio.app.export_extras import write_extras
from gen2studio.app.export_picture import ExportPicture, as_asked, exported_frames
from gen2studio.app.export_sound import ExportSound, sound_to_copy
from gen2studio.app.export_values import (
    ExportProgress,
    ExportResult,
    ExportSettings,
    Progress,
    export_range,
    target_path,
)
from gen2studio.app.file_job import FileJob
from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import sentence_of
from gen2studio.document.model import Document, Take
from gen2studio.media.encoder_presets import ExportPreset, preset_of
from gen2studio.media.provenance import WEIGHT_FREE, declared_type
from gen2studio.media.resumption import Resumption
from gen2studio.raster.tiles import TileStore

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from gen2studio.media.content_credentials import Identity
    from gen2studio.media.encoder import PictureWriter
    from gen2studio.media.encoder_images import ImageSequenceWriter
    from gen2studio.media.metadata import ExportRecord

_REPORT_EVERY = 0.1
"""Seconds between two progress reports."""


def export_sequence(
    document: Document,
    settings: ExportSettings,
    *,
    take_folder: Callable[[str], Path],
    project_folder: Path | None = None,
    cancel: CancelToken | None = None,
    on_progress: Progress | None = None,
    trained: Callable[[str], bool] = lambda generator: generator not in WEIGHT_FREE,
    tiles: TileStore | None = None,
    resumption: Resumption | None = None,
) -> ExportResult:
    """Render and write a sequence; blocks. Any thread; the document is a value, so edits meanwhile don't matter.

    ``take_folder(take_id)`` is where a take's frames lie (:meth:`TakeStore.path`); ``trained(generator_id)`` says
    whether a generator has trained weights; ``tiles`` hold the masks, for their mattes. Raises ExportError, MediaError
    or Cancelled; then no file, part file or sidecar is left and an older file of that name is untouched.

    With a ``resumption`` finished pictures of a run that was interrupted are kept where everything they depend on is
    the same, and an interrupted run leaves its own.
    """
    export = _Export(document, settings, take_folder, project_folder, cancel, on_progress, trained, tiles, resumption)
    return export.run()


class _Export:
    """One run of :func:`export_sequence`."""

    def __init__(
        self,
        document: Document,
        settings: ExportSettings,
        take_folder: Callable[[str], Path],
        project_folder: Path | None,
        cancel: CancelToken | None,
        on_progress: Progress | None,
        trained: Callable[[str], bool],
        tiles: TileStore | None,
        resumption: Resumption | None,
    ) -> None:
        self._basis = "" if resumption is None else export_basis(document, settings, take_folder)
        self.resumption = resumption
        self.document = document = as_asked(document, settings)
        self.settings = settings
        self.sequence = sequence_of(document)
        self.preset = _with_options(preset_of(settings.preset), settings.options)
        self.path = target_path(document, settings, project_folder)
        self.start, self.stop = export_range(self.sequence, settings)
        self.frames, self.rate = exported_frames(self.sequence.rate, self.start, self.stop, self.preset, settings)
        self.total = len(self.frames)
        self.finish = ExportPicture(self.sequence, self.preset, settings)
        self.take_folder, self.tiles = take_folder, tiles
        self.cancel = cancel or CancelToken()
        self.on_progress = on_progress
        self.trained = trained
        self.pixels = OfflinePixels(take_folder)
        self.renderer = SequenceRenderer(document, self.pixels, alpha=self.preset.alpha)
        self.sound = ExportSound(document, self.start, self.stop, settings)
        self.missing: dict[str, int] = {}
        """Clip name → frames whose active take has no picture."""
        self.empty: dict[str, int] = {}
        """Frames of generated shots that no take fills, by clip name."""
        self.kept = 0
        """Pictures that an interrupted run had finished."""
        self.unsigned = ""
        """Why the files carry no Content Credentials although they were asked for."""
        self.passed_through = 0
        self._heard = 0
        """Samples of sound that were written."""
        self._straight = not self.preset.is_sequence and not self.preset.alpha and not self.finish.changes
        self.began = time.perf_counter()
        self._reported = 0.0

    def run(self) -> ExportResult:
        try:
            self.cancel.check()
            self._check_credentials()
            record = self._record()
            if self.resumption is not None:
                with self._named_errors():
                    created = self.resumption.begin(self.path, self._basis, record.created)
                record = replace(record, created=created)
            made = self._finished_before() or self._film(record)
            extras = write_extras(
                self.document,
                self.settings,
                self.path,
                (self.start, self.stop),
                self.take_folder,
                self.cancel,
                self.tiles,
                self.resumption,
            )
            return replace(made, extras=extras, seconds=time.perf_counter() - self.began)
        finally:
            if self.resumption is not None:
                self.resumption.end()
            self.pixels.close()
            self.sound.close()

    def _finished_before(self) -> ExportResult | None:
        """What an earlier run of this export made, if it came as far as to what goes with the film."""
        if self.resumption is None or not self.resumption.committed or not self.path.exists():
            return None
        note = "It was finished before the export was interrupted; only what goes with it was made now."
        return ExportResult(path=self.path, frames=self.total, seconds=0.0, notes=(note,))

    def _film(self, record: ExportRecord) -> ExportResult:
        """The film or the pictures, under their name."""
        from gen2studio.media import metadata

        if self.settings.audio and self.preset.audio:
            self.sound.normalise(self.cancel, self._report_measuring)
        writer = self._open(record)
        try:
            self._write_frames(writer)
            writer.finish(lambda: self._report(writer))
            self.cancel.check()
            with self._named_errors():
                if self.preset.is_sequence:
                    if self.settings.sidecar:
                        inside = writer.part / metadata.sidecar_path(self.path).name
                        inside.write_text(metadata.record_json(record, indent=2) + "\n", encoding="utf-8")
                elif self.preset.container in ("mp4", "mov"):
                    metadata.append_xmp_box(writer.part, record)
                self._sign(writer.part, record)
                writer.commit()
                if self.resumption is not None and not self.resumption.spoiled:
                    self.resumption.commit()
        finally:
            writer.abort()
        notes = [*writer.notes, *self._notes()]
        if self.settings.sidecar and not self.preset.is_sequence:
            try:
                metadata.write_sidecar(self.path, record)
            except OSError as error:
                notes.append(f"The recipes could not be written beside the file: {sentence_of(error)}")
        self._report(writer, final=True)
        copied = bool(getattr(writer, "audio_copied", False))
        return ExportResult(
            path=self.path,
            frames=writer.frames_muxed,
            seconds=time.perf_counter() - self.began,
            notes=tuple(notes),
            audio="copied" if copied else "encoded" if writer.audio_wanted else "",
            passed_through=self.passed_through,
            loudness=self.sound.loudness if writer.audio_wanted else None,
        )

    @contextlib.contextmanager
    def _named_errors(self) -> Generator[None]:
        """System errors as sentences about the export."""
        try:
            yield
        except OSError as error:
            from gen2studio.media.encoder import export_error

            raise export_error(error, self.path) from error

    # -- picture and sound -------------------------------------------------------------------------------------------

    def _open(self, record: ExportRecord) -> PictureWriter:
        from gen2studio.media import metadata

        extent = self.finish.extent
        if self.preset.is_animation:
            from gen2studio.media.encoder_animation import AnimationWriter

            return AnimationWriter(self.path, self.preset, extent, self.rate)
        if self.preset.is_sequence:
            images = self._images(record)
            if self.settings.audio and self.sound.audible:
                images.notes.append("Picture sequences carry no sound: export a video file for it.")
            return images
        from gen2studio.media.encoder import Encoder

        copy = None
        if self.settings.audio:
            copy = sound_to_copy(self.document, self.sequence, self.start, self.stop, self.preset, self.settings)
        sound = self.settings.audio and copy is None and self.sound.audible
        return Encoder(
            self.path,
            self.preset,
            extent,
            self.sequence.rate,
            sample_rate=self.sequence.sample_rate if sound else 0,
            audio_copy=copy,
            captions=self.finish.caption_track(self.start, self.stop),
            metadata=metadata.container_tags(record),
        )

    def _images(self, record: ExportRecord) -> ImageSequenceWriter:
        from gen2studio.media import metadata
        from gen2studio.media.encoder_images import ImageSequenceWriter

        extent, alpha = self.finish.extent, self.preset.alpha
        if self.preset.container == "exr":
            from gen2studio.media.exr_writer import ExrPictureWriter

            text = metadata.exr_text(record)
            return ExrPictureWriter(
                self.path,
                extent,
                alpha=alpha,
                first=self.start,
                rate=self.rate,
                text=text,
                resumption=self.resumption,
            )
        return ImageSequenceWriter(
            self.path,
            extent,
            bits=self.preset.bits,
            alpha=alpha,
            first=self.start,
            text=metadata.png_text(record),
            resumption=self.resumption,
        )

    def _write_frames(self, writer: PictureWriter) -> None:
        """Decode in order, composite some frames at once, write in order."""
        waiting: deque[tuple[int, Future[Pixels] | VideoFrame]] = deque()
        workers = max(1, min(4, os.cpu_count() or 1))
        with ThreadPoolExecutor(workers, thread_name_prefix="export-picture") as pool:
            try:
                for frame in self.frames:
                    self.cancel.check()
                    if self._finished(writer, frame):
                        continue
                    waiting.append((frame, self._begin_frame(writer, frame, pool)))
                    while len(waiting) > workers:
                        self._end_frame(writer, *waiting.popleft())
                while waiting:
                    self._end_frame(writer, *waiting.popleft())
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _finished(self, writer: PictureWriter, frame: int) -> bool:
        """Leave out a picture that an interrupted run finished."""
        from gen2studio.media.encoder_images import ImageSequenceWriter

        if not isinstance(writer, ImageSequenceWriter) or frame not in writer.kept:
            return False
        self._count_missing(tuple(self.renderer.stack(frame).layers()))
        writer.skip(frame)
        self.kept += 1
        self._report(writer)
        return True

    def _begin_frame(self, writer: PictureWriter, frame: int, pool: ThreadPoolExecutor) -> Future[Pixels] | VideoFrame:
        stack = self.renderer.stack(frame)
        self._count_missing(tuple(stack.layers()))
        plain = stack.plain
        # An untouched clip of the export's own size and format skips RGB: exact, and cheaper.
        if self._straight and plain is not None and not plain.take_id and not plain.has_alpha:
            planes = self.pixels.planes(plain.item, plain.index)
            if planes is not None and writer.accepts(planes):
                return planes
        pictures = self.renderer.gathered(stack)
        return pool.submit(lambda: self.finish.finished(self.renderer.made(stack, pictures), frame))

    def _end_frame(self, writer: PictureWriter, frame: int, made: Future[Pixels] | VideoFrame) -> None:
        self.cancel.check()
        if isinstance(made, Future):
            writer.write(made.result())
        else:
            writer.write_frame(made)
            self.passed_through += 1
        if writer.audio_wanted:
            rate, sample_rate = self.sequence.rate, self.sequence.sample_rate
            until = round((frame + 1) / rate * sample_rate) - self.sound.first
            if until - self._heard >= sample_rate // 4 or frame + 1 == self.stop:
                writer.write_audio(self.sound.read(self._heard, until - self._heard))
                self._heard = until
        self._report(writer)

    def _count_missing(self, layers: tuple[Layer, ...]) -> None:
        for layer in layers:
            if layer.take_id:
                continue
            if layer.item.shot is not None:
                self.empty[layer.clip.name] = self.empty.get(layer.clip.name, 0) + 1
            elif layer.clip.active_take:
                self.missing[layer.clip.name] = self.missing.get(layer.clip.name, 0) + 1

    # -- who signs -----------------------------------------------------------------------------------------------------

    def _check_credentials(self) -> None:
        """Before anything is encoded: who can't sign is told at once. Raises ExportError."""
        if self.settings.certificate and self.preset.container != "exr":
            from gen2studio.media.content_credentials import signer_of

            signer_of(self._identity())

    def _identity(self) -> Identity:
        from gen2studio.media.content_credentials import Identity

        return Identity(Path(self.settings.certificate).expanduser(), Path(self.settings.private_key).expanduser())

    def _sign(self, part: Path, record: ExportRecord) -> None:
        """Sign the film, or every picture of a sequence, before it gets its name."""
        if not self.settings.certificate:
            return
        if self.preset.container == "exr":
            self.unsigned = "EXR files can't hold Content Credentials; these carry their recipes unsigned."
            return
        from gen2studio.media.content_credentials import Source, sign

        media = self.document.media
        used = {held.fingerprint: held.name for held in record.inputs}
        if self.resumption is not None:
            # Signed pictures are not what a second run would sign.
            self.resumption.spoil()
        files = {item.fingerprint: Path(item.path) for item in media.values() if item.fingerprint in used}
        sources = [Source(used[key], path) for key, path in files.items() if path.is_file()]
        signed = sorted(part.glob("*.png")) if part.is_dir() else [part]
        sign(signed, record, sources, self._identity(), self.path.name, self.cancel)

    # -- what is told --------------------------------------------------------------------------------------------------

    def _record(self) -> ExportRecord:
        from gen2studio.media import metadata

        used: dict[str, None] = {}
        shown: set[str] = set()
        """Media that is shown itself, on some frame."""
        inputs: dict[str, None] = {}
        for track in self.sequence.tracks:
            for clip in () if track.muted else track.clips:
                if clip.enabled and clip.start < self.stop and clip.end > self.start:
                    inputs[clip.media_id] = None
        if any(c.active_take for t in self.sequence.video_tracks for c in t.clips):
            for frame in range(self.start, self.stop):
                for layer in self.renderer.layers(frame):
                    if layer.take_id:
                        used[layer.take_id] = None
                    else:
                        shown.add(layer.item.id)
        else:
            shown |= inputs.keys()
        media = self.document.media
        declared = {i: declared_type(Path(media[i].path)) for i in inputs if i in media and not media[i].nested}
        takes: list[metadata.TakeRecord] = []
        for take_id in used:
            take = self.document.takes[take_id]
            item = media[take.media_id]
            takes.append(
                metadata.take_record(
                    take_id=take.id,
                    name=take.name,
                    media=item.name,
                    fingerprint=item.fingerprint,
                    request_digest=take.request_digest,
                    recipe=take.recipe,
                    generator=(maker := _maker(take)),
                    trained=self.trained(maker),
                    of_source="" if item.shot is not None else declared.get(item.id, ""),
                )
            )
        rate = self.rate
        return metadata.ExportRecord(
            project=self.document.name,
            preset=self.preset.id,
            width=self.finish.extent.width,
            height=self.finish.extent.height,
            rate=f"{rate.numerator}/{rate.denominator}",
            frames=self.total,
            first_frame=self.start,
            takes=tuple(takes),
            inputs=tuple(
                metadata.InputRecord(
                    name=media[i].name,
                    fingerprint=media[i].fingerprint,
                    source_type=declared.get(i, ""),
                    shown=i in shown and media[i].info.has_video,
                )
                for i in inputs
                if i in media and media[i].shot is None
            ),
            created=metadata.now(),
        )

    def _notes(self) -> list[str]:
        notes = [
            f"{count} frame{'s' if count != 1 else ''} of “{name}” have no rendered take and show the source."
            for name, count in self.missing.items()
        ]
        notes += [
            f"{count} frame{'s' if count != 1 else ''} of the shot “{name}” were not generated yet and are empty grey."
            for name, count in self.empty.items()
        ]
        notes += [self.unsigned] if self.unsigned else []
        if self.kept:
            notes.insert(0, f"{self.kept} of {self.total} pictures were finished by the run that was interrupted.")
        return [*notes, *self.pixels.warnings(), *self.sound.mixer.warnings, *self.sound.notes]

    def _report_measuring(self, _part: float) -> None:
        if self.on_progress is not None and time.perf_counter() - self._reported >= _REPORT_EVERY:
            self._reported = time.perf_counter()
            self.on_progress(ExportProgress(done=0, total=self.total, frames_per_second=0.0, seconds_left=None))

    def _report(self, writer: PictureWriter, final: bool = False) -> None:
        if not final:
            self.cancel.check()
        if self.on_progress is None:
            return
        now = time.perf_counter()
        if not final and now - self._reported < _REPORT_EVERY:
            return
        self._reported = now
        done, elapsed = writer.frames_muxed, now - self.began
        # What was there before says nothing about the pace.
        new = done - self.kept
        pace = new / elapsed if elapsed > 0 else 0.0
        left = (self.total - done) / pace if new >= min(10, self.total) and pace > 0 else None
        told = ExportProgress(done=done, total=self.total, frames_per_second=pace, seconds_left=left, kept=self.kept)
        self.on_progress(told)


def _with_options(preset: ExportPreset, options: tuple[tuple[str, str], ...]) -> ExportPreset:
    from gen2studio.core.frozen import frozen_map

    return replace(preset, options=frozen_map({**preset.options, **dict(options)})) if options else preset


class ExportJob(FileJob):
    """One export of a sequence; ``finished`` brings its ExportResult."""

    def __init__(
        self,
        document: Document,
        settings: ExportSettings,
        *,
        take_folder: Callable[[str], Path],
        project_folder: Path | None = None,
        parent: QObject | None = None,
    ) -> None:
        def work(cancel: CancelToken, progress: Progress) -> ExportResult:
            return export_sequence(
                document,
                settings,
                take_folder=take_folder,
                project_folder=project_folder,
                cancel=cancel,
                on_progress=progress,
            )

        super().__init__("export", work, parent)


def _maker(take: Take) -> str:
    """The generator or operator that made a take. Its look may only say “automatic”; its recipe knows."""
    fields: Any = None
    with contextlib.suppress(ValueError):
        fields = json.loads(take.recipe)
    if isinstance(fields, dict):
        found = cast("dict[str, Any]", fields)
        return str(found.get("generator") or found.get("operator") or take.look.generator)
    return take.look.generator
