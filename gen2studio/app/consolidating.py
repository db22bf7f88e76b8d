"""A copy of a project to carry away or archive, with only the stretches of media that its timelines use.

The project itself and its media are not touched. Footage is cut at key frames without decoding and compared with the
source (``media/excerpt.py``); what can't be cut to the bit, or is tied to frame numbers (masks, takes, painted keys),
is copied whole, and the report says why.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from gen2studio.app.project_files import Project
from gen2studio.app.project_pack import pack
from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import MediaError, ProjectError
from gen2studio.core.frozen import frozen_map
from gen2studio.core.hashing import file_fingerprint
from gen2studio.core.media_info import MediaKind
from gen2studio.core.paths import write_atomic
from gen2studio.core.records import dataclass
from gen2studio.document import codec
from gen2studio.document.lookup import each_clip
from gen2studio.document.model import Clip, Document, MediaItem, Sequence
from gen2studio.media import codecs

HANDLES = Fraction(1)
"""Seconds kept on both sides of what is used."""
_WORTH = 0.9
"""An excerpt that would keep more than this part of a file is not made."""
_PACK = ".zip.g2s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Consolidated:
    """What was written."""

    path: Path
    cut: tuple[str, ...] = ()
    """Names of the media of which only the used stretch was kept."""
    whole: tuple[tuple[str, str], ...] = ()
    """(name, why) of the media copied whole."""
    left_out: tuple[str, ...] = ()
    """Names of the media that no timeline and no storyboard uses."""
    missing: tuple[str, ...] = ()
    """Names of the media that is offline and could not be copied."""
    bytes_before: int = 0
    """Of the media's files."""
    bytes_after: int = 0

    @property
    def sentences(self) -> tuple[str, ...]:
        found = [f"“{name}” was copied whole: {why}." for name, why in self.whole]
        found += [f"“{name}” is used nowhere and was left out." for name in self.left_out]
        found += [f"“{name}” is offline and was not copied." for name in self.missing]
        return tuple(found)


def consolidate(
    project: Project,
    document: Document,
    target: Path,
    *,
    handles: Fraction = HANDLES,
    cut: bool = True,
    cancel: CancelToken | None = None,
    tell: Callable[[float], None] | None = None,
) -> Consolidated:
    """Write ``document`` with its media to ``target``: a folder, or one file when its name ends in ``.zip.g2s``.

    ``cut`` False copies media whole. ``tell`` hears 0…1. Raises ProjectError, OSError, Cancelled; nothing is left then.
    """
    codecs.load()
    cancel = cancel or CancelToken()
    if target.exists():
        raise ProjectError(f"“{target.name}” is there already.", "Choose another name.")
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        found = _fill(project, document, folder, handles, cut, cancel, tell or (lambda _part: None))
        if target.name.endswith(_PACK):
            names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
            pack(folder, names, target)
            shutil.rmtree(folder)
        else:
            folder.chmod(0o755)
            os.replace(folder, target)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return replace(found, path=target)


def _fill(
    project: Project,
    document: Document,
    folder: Path,
    handles: Fraction,
    cut: bool,
    cancel: CancelToken,
    tell: Callable[[float], None],
) -> Consolidated:
    used = _used(document)
    left_out = tuple(item.name for key, item in document.media.items() if key not in used)
    document = _only(document, used)
    external = {
        key: item
        for key, item in document.media.items()
        if item.path and Path(item.path).is_file() and not Path(item.path).is_relative_to(project.folder)
    }
    missing = tuple(i.name for i in document.media.values() if i.path and not Path(i.path).is_file())
    before = sum(Path(item.path).stat().st_size for item in external.values())
    media_folder = folder / "media"
    media_folder.mkdir()
    trimmed: dict[str, tuple[MediaItem, Fraction]] = {}
    whole: list[tuple[str, str]] = []
    for number, (key, item) in enumerate(external.items()):
        cancel.check()
        tell(number / (len(external) + 1))
        if not cut or item.info.kind is not MediaKind.VIDEO:
            continue
        reason = _tied(document, key)
        if not reason:
            try:
                trimmed[key] = _excerpt(document, item, media_folder, handles, cancel)
                continue
            except MediaError as error:
                reason = error.sentence.rstrip(".")
                reason = reason[0].lower() + reason[1:] if reason.startswith(("A ", "Nearly")) else reason
        whole.append((item.name, reason))
    carried = project.copy_in(document, media_folder, without=trimmed.keys())
    cancel.check()
    document = project.with_collected(document, carried)
    document = project.copy_to(document, folder)
    document = _with_excerpts(document, trimmed)
    write_atomic(folder / "project.json", codec.dumps(document, folder))
    tell(1.0)
    after = sum(f.stat().st_size for f in media_folder.iterdir())
    return Consolidated(
        path=folder,
        cut=tuple(document.media[key].name for key in trimmed),
        whole=tuple(whole),
        left_out=left_out,
        missing=missing,
        bytes_before=before,
        bytes_after=after,
    )


def _used(document: Document) -> set[str]:
    """Ids of the media that a timeline or a storyboard shows, that a shot goes on from, or that is trained on."""
    used = {c.media_id for s in document.sequences.values() for _, c in each_clip(s)}
    used |= _boarded(document) | _trained_on(document)
    for item in document.media.values():
        if item.id in used and item.shot is not None and item.shot.lead is not None:
            used.add(item.shot.lead.media_id)
    return used


def _boarded(document: Document) -> set[str]:
    found: set[str] = set()
    for board in document.boards.values():
        cues = [board.sound, *(panel.sound for panel in board.panels), *(panel.mock_up for panel in board.panels)]
        found |= {cue.media_id for cue in cues if cue is not None}
    return found


def _trained_on(document: Document) -> set[str]:
    sets = document.training_sets.values()
    return {image.clip.media_id for found in sets for image in found.images if image.clip is not None}


def _only(document: Document, used: set[str]) -> Document:
    return replace(
        document,
        media=frozen_map({k: m for k, m in document.media.items() if k in used}),
        masks=frozen_map({k: m for k, m in document.masks.items() if m.media_id in used}),
        takes=frozen_map({k: t for k, t in document.takes.items() if t.media_id in used}),
    )


def _tied(document: Document, media_id: str) -> str:
    """Why a file must keep its frame numbers, or nothing."""
    if document.masks_of(media_id):
        return "it has masks, which know its frames by number"
    if any(take.media_id == media_id for take in document.takes.values()):
        return "it has takes, which know its frames by number"
    if media_id in _boarded(document):
        return "a storyboard uses it"
    if media_id in _trained_on(document):
        return "a training set knows its frames by number"
    if any(
        i.shot is not None and i.shot.lead is not None and i.shot.lead.media_id == media_id
        for i in document.media.values()
    ):
        return "a shot goes on from it"
    for sequence in document.sequences.values():
        for _, clip in each_clip(sequence):
            look = clip.look if clip.media_id == media_id else None
            if look is not None and (look.keys or look.curves or look.depth_pass is not None or look.motion_regions):
                return "a look on it knows its frames by number"
    return ""


def _excerpt(
    document: Document, item: MediaItem, folder: Path, handles: Fraction, cancel: CancelToken
) -> tuple[MediaItem, Fraction]:
    """The item of the excerpt, and the source second that is its first. Raises MediaError when none can be made."""
    from gen2studio.media.clock import clock_of
    from gen2studio.media.excerpt import suffix_for, write_excerpt
    from gen2studio.media.probe import probe

    spans = [span for s in document.sequences.values() for span in _spans(s, item.id)]
    source = Path(item.path)
    clock = clock_of(source, item.info)
    start = clock.index_at(max(Fraction(0), min(low for low, _ in spans) - handles))
    stop = clock.index_at(max(high for _, high in spans) + handles) + 1
    first = clock.key_index_before(start)
    if stop - first > _WORTH * clock.frame_count:
        raise MediaError("Nearly all of it is used.", "Copy it whole.")
    target = folder / f"{item.id}_{source.stem}{suffix_for(source)}"
    try:
        first = write_excerpt(source, target, item.info, start, stop, cancel)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    made = replace(item, path=target.as_posix(), fingerprint=file_fingerprint(target), info=probe(target))
    return made, clock.time_of(first)


def _spans(sequence: Sequence, media_id: str) -> list[tuple[Fraction, Fraction]]:
    """Seconds [low, high) of a media item that clips of a timeline show, with what transitions show beside them."""
    found: list[tuple[Fraction, Fraction]] = []
    for track in sequence.tracks:
        reach = {t.left: (0, t.after) for t in track.transitions}
        for transition in track.transitions:
            tail = reach.get(transition.right, (0, 0))[1]
            reach[transition.right] = (transition.before, tail)
        for clip in track.clips:
            if clip.media_id == media_id:
                found.append(_span(clip, sequence.rate, *reach.get(clip.id, (0, 0))))
    return found


def _span(clip: Clip, rate: Fraction, before: int, after: int) -> tuple[Fraction, Fraction]:
    if clip.freeze:
        return clip.source_in, clip.source_in + 1 / rate
    if clip.reverse:
        before, after = after, before
    step = clip.speed / rate
    return clip.source_in - before * step, clip.source_in + (clip.duration + after) * step


def _with_excerpts(document: Document, trimmed: dict[str, tuple[MediaItem, Fraction]]) -> Document:
    """The excerpts in place of the files, and their clips moved by what was cut off."""
    media = frozen_map({k: trimmed[k][0] if k in trimmed else m for k, m in document.media.items()})
    sequences: dict[str, Sequence] = {}
    for key, sequence in document.sequences.items():
        tracks = tuple(
            replace(
                track,
                clips=tuple(
                    replace(c, source_in=c.source_in - trimmed[c.media_id][1]) if c.media_id in trimmed else c
                    for c in track.clips
                ),
            )
            for track in sequence.tracks
        )
        sequences[key] = replace(sequence, tracks=tracks)
    return replace(document, media=media, sequences=frozen_map(sequences))
