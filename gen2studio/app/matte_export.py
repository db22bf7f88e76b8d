"""Exporting mattes: objects of one clip to images and videos, alone or with the footage's colour.

The window and the command line share this. Everything is written beside its target and renamed at the end; a cancel or
an error leaves nothing. Frames keep their count and their times, and colour is the footage's own: see
:mod:`gen2studio.media.matte_colour`.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen2studio.app.export import ExportProgress
from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import ExportError, StudioError
from gen2studio.core.records import dataclass
from gen2studio.document.masks import mask_of
from gen2studio.document.model import Document, MaskObject, MediaItem
from gen2studio.media import codecs
from gen2studio.media.matte_formats import FORMATS, MATTE, PREMULTIPLIED, STRAIGHT, MatteFormat, format_of, preset_for
from gen2studio.raster.tiles import Mask, TileStore

if TYPE_CHECKING:
    from gen2studio.app.mattes import MatteSource
    from gen2studio.media.audio_reader import AudioReader
    from gen2studio.media.decoder import Decoder
    from gen2studio.media.encoder import Encoder
    from gen2studio.media.encoder_images import ImageSequenceWriter
    from gen2studio.media.exr_writer import ExrSequenceWriter
    from gen2studio.media.matte_colour import Colour, FrameMaker

_REPORT_EVERY = 0.1
_STILL_RATE = Fraction(24)
_PROJECT_FOLDERS = ("takes", "blobs", "tiles", "media")
GREEN = (0, 177, 64)
"""Chroma key green as cloth and paint are sold, sRGB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatteExport:
    """What to export and where to."""

    path: Path
    """A file, or the folder of an image sequence. With several objects apart, their names are appended."""
    format: str = "prores4444"
    """Id of one of :data:`gen2studio.media.matte_formats.FORMATS`."""
    objects: tuple[str, ...]
    """Ids of mask objects of one media item."""
    combined: bool = True
    """One matte of all objects by their blends; False = one file (in EXR: one layer) per object."""
    start: int | None = None
    stop: int | None = None
    """Media frames [start, stop); None = where the objects have anything."""
    content: str = STRAIGHT
    """straight, premultiplied or matte, for formats that hold colour."""
    key: tuple[int, int, int] = GREEN
    """sRGB colour behind the subject, for green screens."""
    linear: bool = True
    """EXR with colour: scene-linear light (sRGB curve undone) instead of display code values as they are."""
    float32: bool = False
    """EXR: 32-bit instead of 16-bit floats."""
    audio: bool = True
    """Carry the clip's sound where the file can hold it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatteExportResult:
    paths: tuple[Path, ...]
    frames: int
    seconds: float
    """How long it took."""
    notes: tuple[str, ...] = ()
    audio: str = ""
    """``copied`` bit for bit, ``encoded``, or empty."""


def targets(document: Document, settings: MatteExport, project_folder: Path | None = None) -> tuple[Path, ...]:
    """The files or folders an export will write. Raises ExportError when one is the project's own."""
    chosen = format_of(settings.format)
    if not settings.path.name:
        raise ExportError("The export has no file name.", "Give it one.")
    path = settings.path.expanduser().absolute()
    owners = _owners(document, settings)
    known = {".png", ".exr", *(f.suffix for f in FORMATS if f.suffix)}
    stem = path.with_suffix("") if path.suffix.lower() in known else path
    names = [""]
    if not settings.combined and len(owners) > 1 and settings.format != "exr":
        names = [f"_{name}" for name in _file_names([o.name for o in owners])]
    found = tuple(stem.with_name(f"{stem.name}{name}{chosen.suffix}") for name in names)
    for target in found:
        _check_target(document, target, project_folder)
        if target.is_dir() and not chosen.is_sequence:
            raise ExportError(f"“{target}” is a folder.", "Choose another name.")
    return found


def _check_target(document: Document, target: Path, project_folder: Path | None) -> None:
    resolved = target.resolve()
    for item in document.media.values():
        media = Path(item.path).resolve()
        if resolved in (media, media.parent if media.suffix.lower() in (".png", ".exr") else media):
            raise ExportError(
                f"“{target.name}” is media of this project and is not overwritten.", "Choose another name."
            )
    if project_folder is not None:
        root = project_folder.resolve()
        if resolved == root or any((root / name) in (resolved, *resolved.parents) for name in _PROJECT_FOLDERS):
            raise ExportError("Exports can't go into the project's own folders.", "Choose another folder.")


def _file_names(names: list[str]) -> list[str]:
    """Object names as parts of file names, each one once."""
    out: list[str] = []
    for name in names:
        plain = re.sub(r'[\\/:*?"<>|\x00-\x1f]+', "_", name).strip(" .") or "object"
        taken = {o.casefold() for o in out}
        out.append(next(n for n in (plain, *(f"{plain} {k}" for k in range(2, 1000))) if n.casefold() not in taken))
    return out


def _owners(document: Document, settings: MatteExport) -> list[MaskObject]:
    """The chosen objects in the order of the object list. Raises ExportError."""
    if not settings.objects:
        raise ExportError("No mask object is chosen.", "Choose the objects to export.")
    chosen = {mask_of(document, object_id).id for object_id in settings.objects}
    owners = [owner for owner in document.masks.values() if owner.id in chosen]
    if len({owner.media_id for owner in owners}) > 1:
        raise ExportError("The objects belong to different clips.", "Export the objects of one clip at a time.")
    return owners


def matte_range(document: Document, settings: MatteExport, source: MatteSource) -> tuple[int, int]:
    """Media frames [start, stop) of an export. Raises ExportError when there are none, or outside the clip."""
    owners = _owners(document, settings)
    count = max(1, document.media[owners[0].media_id].info.frame_count)
    spans = [span for owner in owners if (span := source.frames(owner.id))]
    if not spans and (settings.start is None or settings.stop is None):
        names = ", ".join(o.name for o in owners)
        raise ExportError(f"{names} has no mattes to export.", "Paint and propagate it first.")
    start = min(s.start for s in spans) if settings.start is None else settings.start
    stop = min(count, max(s.stop for s in spans)) if settings.stop is None else settings.stop
    if not 0 <= start < stop <= count:
        raise ExportError(
            f"Frames {start} to {stop} are not a range of the clip, which has {count} frames.",
            "Set the first frame before the last, inside the clip.",
        )
    return start, stop


def export_mattes(
    document: Document,
    settings: MatteExport,
    tiles: TileStore,
    *,
    project_folder: Path | None = None,
    cancel: CancelToken | None = None,
    on_progress: Callable[[ExportProgress], None] | None = None,
) -> MatteExportResult:
    """Render and write; blocks. Any thread: the document is a value, so edits meanwhile don't matter.

    Raises ExportError, MediaError, EditRefused or Cancelled; then nothing new is on disk and older files are untouched.
    """
    codecs.load()
    return _Export(document, settings, tiles, project_folder, cancel or CancelToken(), on_progress).run()


class _Export:
    """One run of :func:`export_mattes`."""

    def __init__(
        self,
        document: Document,
        settings: MatteExport,
        tiles: TileStore,
        project_folder: Path | None,
        cancel: CancelToken,
        on_progress: Callable[[ExportProgress], None] | None,
    ) -> None:
        from gen2studio.app.mattes import MatteSource

        self.settings = settings
        self.cancel = cancel
        self.on_progress = on_progress
        self.format: MatteFormat = format_of(settings.format)
        self.content = settings.content if self.format.contents else MATTE
        if self.format.contents and settings.content not in self.format.contents:
            raise ExportError(
                f"{self.format.title} can't hold “{settings.content}”.",
                f"Choose one of {', '.join(self.format.contents)}.",
            )
        self.owners = _owners(document, settings)
        self.item: MediaItem = document.media[self.owners[0].media_id]
        self.paths = targets(document, settings, project_folder)
        self.mattes = MatteSource(document, tiles)
        self.start, self.stop = matte_range(document, settings, self.mattes)
        self.extent = self.item.info.extent
        self.rate = self.item.info.rate or _STILL_RATE
        self.screen = settings.format.startswith("greenscreen")
        self.needs_colour = self.screen or (bool(self.format.contents) and self.content != MATTE)
        self.groups: list[tuple[MaskObject, ...]] = (
            [tuple(self.owners)] if settings.combined or settings.format == "exr" else [(o,) for o in self.owners]
        )
        self.notes: list[str] = []
        self.audio = ""
        self.decoder: Decoder | None = None
        self.sound: AudioReader | None = None
        self.began = time.perf_counter()
        self._reported = 0.0
        self._done = 0
        self._frame = -1
        self._mattes: dict[str, Mask] = {}

    def run(self) -> MatteExportResult:
        from gen2studio.media.decoder import open_decoder

        outputs: list[_Output] = []
        try:
            self.cancel.check()
            with contextlib.suppress(StudioError):
                # Where only mattes are written, they can be had without the footage.
                self.decoder = open_decoder(Path(self.item.path), self.item.info)
            if self.decoder is None and self.needs_colour:
                self.decoder = open_decoder(Path(self.item.path), self.item.info)
            for path, group in zip(self.paths, self.groups, strict=True):
                outputs.append(self._output(path, group))
            self._write(outputs)
            for output in outputs:
                output.writer.finish(lambda: self._report(outputs))
            self.cancel.check()
            for output in outputs:
                output.writer.commit()
        finally:
            for output in outputs:
                output.writer.abort()
            self.mattes.close()
            if self.decoder is not None:
                self.notes += self.decoder.warnings
                self.decoder.close()
            if self.sound is not None:
                self.sound.close()
        for output in outputs:
            self.notes += output.writer.notes
        self._report(outputs, final=True)
        return MatteExportResult(
            paths=self.paths,
            frames=self.stop - self.start,
            seconds=time.perf_counter() - self.began,
            notes=tuple(dict.fromkeys(self.notes)),
            audio=self.audio,
        )

    # -- what is written to ------------------------------------------------------------------------------------------

    def _output(self, path: Path, group: tuple[MaskObject, ...]) -> _Output:
        if self.settings.format == "exr":
            from gen2studio.media.exr_writer import ExrSequenceWriter

            exr = ExrSequenceWriter(path, self.extent, float32=self.settings.float32, rate=self.item.info.rate or None)
            return _ExrOutput(self, group, exr)
        if self.format.is_sequence:
            from gen2studio.media.encoder_images import ImageSequenceWriter

            bits = 16 if self.settings.format == "png16" else 8
            return _PngOutput(self, group, ImageSequenceWriter(path, self.extent, bits=bits, grey=True))
        return _VideoOutput(self, group, self._encoder(path))

    def _encoder(self, path: Path) -> Encoder:
        from gen2studio.media.encoder import Encoder

        preset = preset_for(self.format, self.content if self.format.contents else STRAIGHT)
        clock = self.decoder.clock if self.decoder is not None else None
        times: tuple[Fraction, list[int]] | None = None
        if clock is not None and not clock.steady and clock.frame_count > 1 and not clock.ordinal:
            starts = clock.pts[self.start : self.stop] - clock.pts[self.start]
            times = clock.time_base, [int(t) for t in starts]
        copy, sample_rate = self._sound(preset.copy_audio, bool(preset.audio))
        if preset.audio == "libopus" and sample_rate:
            sample_rate = 48_000
        return Encoder(
            path,
            preset,
            self.extent,
            self.rate,
            sample_rate=sample_rate,
            audio_copy=copy,
            metadata={"comment": f"Mattes of {', '.join(o.name for o in self.owners)}, by Gen2 Studio."},
            times=times,
        )

    def _sound(self, may_copy: tuple[str, ...], may_encode: bool) -> tuple[Any, int]:
        """(sound to copy, sample rate to encode at): the clip's own, where the file can hold it."""
        from gen2studio.media.encoder import AudioCopy

        audio = self.item.info.audio
        if not self.settings.audio or audio is None:
            return None, 0
        if self.start == 0 and audio.codec in may_copy:
            self.audio = "copied"
            return AudioCopy(path=Path(self.item.path), stop=self._until(self.stop)), 0
        if not may_encode:
            return None, 0
        self.audio = "encoded"
        return None, min(audio.sample_rate, 48_000)

    def _until(self, frame: int) -> Fraction:
        """Seconds from the first exported frame to the beginning of ``frame``."""
        if self.decoder is None:
            return (frame - self.start) / self.rate
        clock = self.decoder.clock
        return clock.time_of(frame) - clock.time_of(self.start)

    # -- frames --------------------------------------------------------------------------------------------------------

    def _write(self, outputs: list[_Output]) -> None:
        videos = [o.writer for o in outputs if isinstance(o, _VideoOutput) and o.writer.audio_wanted]
        for frame in range(self.start, self.stop):
            self.cancel.check()
            picture = self._picture(frame)
            for output in outputs:
                output.write(frame, picture)
            if videos:
                self._write_sound(videos, frame)
            self._done = frame + 1 - self.start
            self._report(outputs)

    def _picture(self, frame: int) -> Colour | None:
        if not self.needs_colour:
            return None
        from gen2studio.media.matte_colour import deep_rgb

        assert self.decoder is not None
        return deep_rgb(self.decoder.picture(frame))

    def matte(self, group: tuple[MaskObject, ...], frame: int) -> Mask:
        """The effective matte of a group's objects together."""
        mattes = [self._effective(owner, frame) for owner in group]
        if len(group) == 1:
            return mattes[0]
        from gen2studio.raster.matte_refine import blended

        united = np.zeros_like(mattes[0])
        for owner, matte in zip(group, mattes, strict=True):
            united = blended(united, matte, owner.blend.value)
        return united

    def _effective(self, owner: MaskObject, frame: int) -> Mask:
        """One object's effective matte; those of the frame in hand are kept, as layer and combined matte share them."""
        if self._frame != frame:
            self._frame = frame
            self._mattes.clear()
        found = self._mattes.get(owner.id)
        if found is None:
            try:
                found = self._mattes[owner.id] = self.mattes.matte(owner.id, frame)
            except KeyError as error:
                raise ExportError(
                    f"Part of a matte of {owner.name} on frame {frame} is missing from the project.",
                    "Paint that frame again, or export other frames.",
                ) from error
        return found

    def colour(self, group: tuple[MaskObject, ...], frame: int, matte: Mask, picture: Colour) -> Colour:
        """``picture`` with soft edges decontaminated as far as the objects ask; elsewhere untouched at full depth."""
        amount = max(o.refinement.decontaminate.at(frame) if o.refinement.enabled else 0.0 for o in group)
        if amount <= 0:
            return picture
        from gen2studio.raster.matte_refine import decontaminated

        eight = np.rint(picture * 255).astype(np.uint8)
        changed = decontaminated(eight, matte, amount)
        where = (changed != eight).any(axis=2)
        out = picture.copy()
        out[where] = changed[where].astype(np.float32) / np.float32(255)
        return out

    def _write_sound(self, videos: list[Encoder], frame: int) -> None:
        from gen2studio.media.audio_reader import AudioReader

        audio = self.item.info.audio
        assert audio is not None
        rate = 48_000 if self.settings.format == "vp9" else min(audio.sample_rate, 48_000)
        if self.sound is None:
            self.sound = AudioReader(Path(self.item.path), rate)
        first, until = round(self._until(frame) * rate), round(self._until(frame + 1) * rate)
        begin = self.decoder.clock.time_of(self.start) if self.decoder is not None else Fraction(0)
        samples: NDArray[np.float32] = self.sound.read(begin + Fraction(first, rate), until - first)
        for video in videos:
            video.write_audio(samples)

    def _report(self, outputs: list[_Output], final: bool = False) -> None:
        if not final:
            self.cancel.check()
        now = time.perf_counter()
        if self.on_progress is None or (not final and now - self._reported < _REPORT_EVERY):
            return
        self._reported = now
        total = self.stop - self.start
        done = total if final else min([self._done, *(o.writer.frames_muxed for o in outputs)])
        elapsed = now - self.began
        pace = done / elapsed if elapsed > 0 else 0.0
        left = (total - done) / pace if done >= min(10, total) and pace > 0 else None
        self.on_progress(ExportProgress(done=done, total=total, frames_per_second=pace, seconds_left=left))


class _Output:
    """One file or folder, and which objects it shows."""

    def __init__(self, run: _Export, group: tuple[MaskObject, ...]) -> None:
        self.run = run
        self.group = group

    @property
    def writer(self) -> Encoder | ImageSequenceWriter:
        raise TypeError("an output has a writer")

    def write(self, frame: int, picture: Colour | None) -> None:
        raise TypeError("an output writes frames")


class _PngOutput(_Output):
    def __init__(self, run: _Export, group: tuple[MaskObject, ...], writer: ImageSequenceWriter) -> None:
        super().__init__(run, group)
        self._writer = writer

    @property
    def writer(self) -> ImageSequenceWriter:
        return self._writer

    def write(self, frame: int, picture: Colour | None) -> None:
        self.writer.write(self.run.matte(self.group, frame), number=frame)


class _ExrOutput(_Output):
    def __init__(self, run: _Export, group: tuple[MaskObject, ...], writer: ExrSequenceWriter) -> None:
        super().__init__(run, group)
        self._writer = writer

    @property
    def writer(self) -> ExrSequenceWriter:
        return self._writer

    def write(self, frame: int, picture: Colour | None) -> None:
        from gen2studio.media.exr import linear_light
        from gen2studio.media.matte_colour import premultiplied

        run = self.run
        combined = run.matte(self.group, frame)
        apart = not run.settings.combined or len(self.group) == 1
        layers = [(o.name, run.matte((o,), frame)) for o in self.group] if apart else []
        colour = picture
        if colour is not None:
            colour = run.colour(self.group, frame, combined, colour)
            colour = linear_light(colour) if run.settings.linear else colour
            colour = premultiplied(colour, combined) if run.content == PREMULTIPLIED else colour
        self.writer.write_layers(layers, combined, colour, frame)


class _VideoOutput(_Output):
    def __init__(self, run: _Export, group: tuple[MaskObject, ...], writer: Encoder) -> None:
        from gen2studio.media.matte_colour import FrameMaker

        super().__init__(run, group)
        self._writer = writer
        self._maker: FrameMaker = FrameMaker(writer.preset.pixel_format, writer.extent)

    @property
    def writer(self) -> Encoder:
        return self._writer

    def write(self, frame: int, picture: Colour | None) -> None:
        from gen2studio.media import matte_colour

        run = self.run
        matte = run.matte(self.group, frame)
        if picture is None:
            self.writer.write_planes(self._maker.frame(matte_colour.grey(matte)))
            return
        colour = run.colour(self.group, frame, matte, picture)
        if run.screen:
            self.writer.write_planes(self._maker.frame(matte_colour.over_colour(colour, matte, run.settings.key)))
            return
        if run.content == PREMULTIPLIED:
            colour = matte_colour.premultiplied(colour, matte)
        self.writer.write_planes(self._maker.frame(colour, matte))
