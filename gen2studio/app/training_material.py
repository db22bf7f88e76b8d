"""What a training set is made of, read on a thread: pictures kept in the project, clips as footage of its pool."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from gen2studio.app import planning
from gen2studio.app.customization_plan import caption_beside, expanded, is_clip_file
from gen2studio.app.dataset_checks import ImageFacts, facts_of_picture
from gen2studio.app.importing import media_item
from gen2studio.core.errors import GenerationError, MediaError, StudioError, sentence_of
from gen2studio.core.media_info import MediaKind
from gen2studio.core.records import dataclass
from gen2studio.document.media_edits import find_by_path
from gen2studio.document.model import Document, MediaItem, TrainingClip, TrainingImage
from gen2studio.document.training_sets import clip_digest
from gen2studio.engine.events import Picture
from gen2studio.engine.requests import SourceRef
from gen2studio.media import codecs

AddBlob = Callable[[Path | bytes], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What came of a drop: what the set gets, the footage the project needs for it, and what was refused, in words."""

    images: tuple[TrainingImage, ...] = ()
    media: tuple[MediaItem, ...] = ()
    refused: tuple[str, ...] = ()


def read_files(
    sources: Sequence[tuple[Path | bytes, str]], document: Document, add_blob: AddBlob, stopped: Callable[[], bool]
) -> Material:
    """Files, folders and encoded images. A ``.txt`` beside a file is its caption."""
    images: list[TrainingImage] = []
    media: list[MediaItem] = []
    refused: list[str] = []
    for source, label in expanded(sources):
        if stopped():
            break
        try:
            caption = caption_beside(source) if isinstance(source, Path) else ""
            if isinstance(source, Path) and is_clip_file(source):
                item = find_by_path(document, source.absolute().as_posix()) or probed(source)
                images.append(replace(whole_clip(item), caption=caption))
                media.append(item)
            else:
                images.append(TrainingImage(digest=add_blob(source), name=label, caption=caption))
        except (StudioError, OSError) as error:
            refused.append(sentence_of(error))
    return Material(images=tuple(images), media=tuple(media), refused=tuple(refused))


def read_media(items: Iterable[MediaItem], add_blob: AddBlob) -> Material:
    """Items of the media pool: films whole, stills as pictures."""
    return read_ranges([(item, None) for item in items], add_blob)


def read_ranges(ranges: Iterable[tuple[MediaItem, tuple[int, int] | None]], add_blob: AddBlob) -> Material:
    """Stretches [start, stop) of media frames; None = all of them."""
    images: list[TrainingImage] = []
    refused: list[str] = []
    for item, span in ranges:
        try:
            if item.info.kind is MediaKind.STILL:
                images.append(TrainingImage(digest=add_blob(Path(item.path)), name=Path(item.path).name))
            else:
                images.append(whole_clip(item, span))
        except (StudioError, OSError) as error:
            refused.append(sentence_of(error))
    return Material(images=tuple(images), refused=tuple(refused))


def whole_clip(item: MediaItem, span: tuple[int, int] | None = None) -> TrainingImage:
    """A film, or a stretch of it, as a part of a training set. Raises GenerationError for what has no moving picture.

    The first time this may take a pass over the file.
    """
    if item.shot is not None:
        raise GenerationError(f"“{item.name}” is a generated shot.", "Use a take of it as footage, then add that.")
    source = planning.source_of(item)
    start, stop = span or (0, source.frame_count)
    if stop - start < 2:
        raise GenerationError(f"“{item.name}” holds a single frame.", "Add it as a picture.")
    clip = TrainingClip(media_id=item.id, start=start, stop=stop)
    return TrainingImage(digest=clip_digest(item.fingerprint, start, stop), name=item.name, clip=clip)


def middle_frame(item: MediaItem | None, image: TrainingImage) -> tuple[Picture, SourceRef]:
    """The middle frame of a clip, uncropped, and its file for a request. Raises StudioError, OSError."""
    from gen2studio.media.decoder import open_decoder

    if item is None or image.clip is None:
        raise GenerationError("Its footage is no longer in the project.", "Take the clip out.")
    if not Path(item.path).exists():
        raise MediaError(f"The footage {Path(item.path).name} is not where it was.", "Relink the media.")
    codecs.load()
    source = planning.source_of(item)
    decoder = open_decoder(Path(item.path), item.info if item.info.kind is MediaKind.SEQUENCE else None)
    try:
        return decoder.rgb((image.clip.start + min(image.clip.stop, source.frame_count)) // 2), source
    finally:
        decoder.close()


def look_at_clip(item: MediaItem | None, image: TrainingImage) -> tuple[ImageFacts, SourceRef | None]:
    """The middle frame of a clip measured as a picture, how long it is, and its file for a request."""
    assert image.clip is not None
    try:
        picture, source = middle_frame(item, image)
    except (StudioError, OSError) as error:
        return ImageFacts(problem=sentence_of(error)), None
    facts = facts_of_picture(picture, image.crop)
    return replace(facts, frames=image.clip.stop - image.clip.start, rate=source.rate), source


def probed(path: Path) -> MediaItem:
    """A media item for a film. Raises MediaError, OSError."""
    codecs.load()
    from gen2studio.media.probe import probe

    return media_item(path, probe(path))
