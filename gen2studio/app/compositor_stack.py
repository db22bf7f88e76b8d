"""What a sequence shows at a frame, as a value: layers bottom first, transitions, captions. No pixels in here.

A stack is all that decides a frame's pixels, so its digest is the key of rendered frames: what changes nothing on
screen keeps them, and what changes something can't be mistaken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TypeAlias

from gen2studio.app.compositor_geometry import Pose, fitted, pose_of
from gen2studio.app.reframing import place as placed
from gen2studio.core.errors import MediaError
from gen2studio.core.geometry import Extent, Rect
from gen2studio.core.hashing import bytes_digest
from gen2studio.core.media_info import MediaKind
from gen2studio.core.records import dataclass
from gen2studio.document.composition import SubtitleStyle, Transition, TransitionKind
from gen2studio.document.model import Clip, Document, MediaItem, Sequence, Track

IndexAt: TypeAlias = Callable[[MediaItem, Fraction], int]
"""Media frame on screen at a media time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One clip's contribution to a sequence frame."""

    clip: Clip
    item: MediaItem
    index: int
    """Media frame; of a nested sequence, its frame."""
    take_id: str = ""
    """Empty when the source is shown."""
    take_digest: str = ""
    has_alpha: bool = False
    """Whether its picture can be seen through."""
    extent: Extent
    """Display size of the picture, which decides how it is fitted."""
    pose: Pose | None = None
    """None = fitted and centred."""
    opacity: float = 1.0
    """With fades."""
    nested: Stack | None = None

    @property
    def blend(self) -> str:
        return self.clip.blend.value

    @property
    def touched(self) -> bool:
        """Whether anything is done to its picture but fitting it."""
        return self.pose is not None or self.opacity < 1 or self.blend != "normal" or self.nested is not None

    def hides(self, frame: Extent) -> bool:
        """Whether nothing below it can be seen in a ``frame``."""
        if self.pose is not None or self.opacity < 1 or self.blend != "normal" or self.has_alpha:
            return False
        return fitted(self.extent, frame) == Rect.of(frame)

    def key(self) -> tuple[object, ...]:
        """All that decides its pixels."""
        if self.nested is not None:
            source: tuple[object, ...] = ("nested", *self.nested.key())
        elif self.take_id:
            source = ("take", self.take_id, self.take_digest, self.index)
        else:
            source = ("media", self.item.fingerprint, self.item.path, self.index)
        extent = (self.extent.width, self.extent.height)
        return (source, extent, _pose_key(self.pose), round(self.opacity, 6), self.blend, self.has_alpha)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """Two clips and the transition between them."""

    left: Layer | None
    """None where a clip is disabled."""
    right: Layer | None
    transition: Transition
    progress: float
    """0…1, never quite either: the frames beside the transition are the pure ones."""

    def hides(self, frame: Extent) -> bool:
        if self.transition.kind is TransitionKind.DIP:
            return all(side is None or side.blend == "normal" for side in (self.left, self.right))
        return all(side is not None and side.hides(frame) for side in (self.left, self.right))

    def key(self) -> tuple[object, ...]:
        t = self.transition
        sides = tuple(side.key() if side is not None else None for side in (self.left, self.right))
        return ("cross", *sides, t.kind.value, t.angle, t.softness, t.colour, round(self.progress, 6))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One frame of a sequence."""

    frame: Extent
    """Size of the sequence."""
    entries: tuple[Layer | Crossing, ...] = ()
    """Bottom first; nothing below what hides it."""
    captions: tuple[str, ...] = ()
    style: SubtitleStyle | None = None

    @property
    def plain(self) -> Layer | None:
        """The one untouched clip that is all there is to see, or None."""
        if len(self.entries) != 1 or self.captions:
            return None
        only = self.entries[0]
        return only if isinstance(only, Layer) and not only.touched else None

    @property
    def opaque(self) -> bool:
        """Whether every pixel of the frame is covered."""
        return bool(self.entries) and self.entries[0].hides(self.frame)

    def layers(self) -> Iterator[Layer]:
        """Every clip's layer, bottom first, also those of nested sequences."""
        for entry in self.entries:
            for layer in (entry,) if isinstance(entry, Layer) else (entry.left, entry.right):
                if layer is not None:
                    yield layer
                    if layer.nested is not None:
                        yield from layer.nested.layers()

    def key(self) -> tuple[object, ...]:
        style = self.style
        words = ()
        if self.captions and style is not None:
            look = (style.size, style.colour, style.outline, style.box, style.place)
            words = (self.captions, look)
        return ((self.frame.width, self.frame.height), *(entry.key() for entry in self.entries), words)

    def digest(self) -> str:
        """What this frame looks like, in 32 characters."""
        return bytes_digest(repr(self.key()).encode())


def _pose_key(pose: Pose | None) -> tuple[object, ...]:
    if pose is None:
        return ()
    numbers = (pose.x, pose.y, pose.scale, pose.stretch, pose.rotation, pose.anchor_x, pose.anchor_y, *pose.crop)
    return (*(round(number, 9) for number in numbers), pose.flip_horizontal, pose.flip_vertical)


def clip_index(clips: tuple[Clip, ...], frame: int) -> int:
    """Where in ``clips`` the one is that covers ``frame``, or −1: they are sorted and never overlap."""
    low, high = 0, len(clips)
    while low < high:
        middle = (low + high) // 2
        if clips[middle].end <= frame:
            low = middle + 1
        else:
            high = middle
    return low if low < len(clips) and clips[low].start <= frame else -1


def clip_at(clips: tuple[Clip, ...], frame: int) -> Clip | None:
    """The clip that covers sequence ``frame``."""
    index = clip_index(clips, frame)
    return clips[index] if index >= 0 else None


def shown_tracks(sequence: Sequence) -> tuple[Track, ...]:
    """Video tracks that can be seen, bottom first: while any is solo, the solo ones."""
    tracks = sequence.video_tracks
    chosen = tuple(track for track in tracks if track.solo) or tracks
    return tuple(track for track in chosen if not track.muted)


def transition_at(track: Track, index: int, frame: int) -> tuple[Clip, Clip, Transition] | None:
    """The transition that ``frame`` lies in, with its clips; ``index`` is that of the clip there."""
    clip = track.clips[index]
    for transition in track.transitions:
        if transition.left == clip.id and index + 1 < len(track.clips):
            left, right = clip, track.clips[index + 1]
        elif transition.right == clip.id and index > 0:
            left, right = track.clips[index - 1], clip
        else:
            continue
        joined = left.id == transition.left and right.id == transition.right and left.end == right.start
        if joined and left.end - transition.before <= frame < left.end + transition.after:
            return left, right, transition
    return None


def fade_of(clip: Clip, frame: int, *, head: bool = True, tail: bool = True) -> float:
    """0…1: the clip's fades alone. The first frame of a fade in and the last of a fade out show nothing."""
    share = 1.0
    if head and clip.fade_in > 0:
        share = min(share, (frame - clip.start) / clip.fade_in)
    if tail and clip.fade_out > 0:
        share = min(share, (clip.end - 1 - frame) / clip.fade_out)
    return max(0.0, share)


def opacity_of(clip: Clip, frame: int, *, head: bool = True, tail: bool = True) -> float:
    """0…1 at a sequence frame, with its fades in (``head``) and out (``tail``)."""
    return min(1.0, max(0.0, clip.opacity.at(frame - clip.start))) * fade_of(clip, frame, head=head, tail=tail)


def captions_at(sequence: Sequence, frame: int) -> tuple[str, ...]:
    """The subtitles on screen."""
    if not sequence.subtitle_style.shown:
        return ()
    return tuple(s.text for s in sequence.subtitles if s.start <= frame < s.end and s.text.strip())


def is_composed(document: Document, sequence: Sequence, frame: int) -> bool:
    """Whether ``frame`` shows anything but one untouched clip, or a gap. Quick: no media is asked."""
    if captions_at(sequence, frame):
        return True
    size = Extent(sequence.width, sequence.height)
    seen = 0
    for track in reversed(shown_tracks(sequence)):
        index = clip_index(track.clips, frame)
        if index < 0:
            continue
        clip = track.clips[index]
        item = document.media.get(clip.media_id)
        if track.transitions and transition_at(track, index, frame) is not None:
            return True
        if not clip.enabled or item is None or item.info.kind is MediaKind.AUDIO:
            continue
        opacity = opacity_of(clip, frame)
        if opacity < 1 or clip.blend.value != "normal" or item.nested:
            return True
        if pose_of(clip.transform, frame - clip.start) is not None:
            return True
        seen += 1
        if seen > 1:
            return True
        take = document.takes.get(clip.active_take)
        if not item.info.has_alpha and take is None and fitted(item.info.extent, size) == Rect.of(size):
            return False
        if not item.info.has_alpha and take is not None and fitted(_extent(item, take), size) == Rect.of(size):
            return False
    return False


def _extent(item: MediaItem, take: object) -> Extent:
    """How large the picture of an item is: a take that reaches beyond it has a shape of its own."""
    extent = item.info.extent
    look = getattr(take, "look", None)
    if look is not None and look.outpaint.adds:
        reached = placed(look.outpaint, extent)
        return Extent(reached.width, reached.height)
    return extent


class StackBuilder:
    """Makes the stacks of one document. As thread-safe as ``index_at``."""

    def __init__(self, document: Document, index_at: IndexAt) -> None:
        self._document = document
        self._index_at = index_at

    def stack(self, sequence: Sequence, frame: int, _inside: tuple[str, ...] = ()) -> Stack:
        """What ``sequence`` shows at ``frame``. Raises MediaError."""
        size = Extent(sequence.width, sequence.height)
        path = (*_inside, sequence.id)
        entries: list[Layer | Crossing] = []
        for track in reversed(shown_tracks(sequence)):
            entry = self._entry(track, sequence, frame, path)
            if entry is None:
                continue
            entries.append(entry)
            if entry.hides(size):
                break
        return Stack(
            frame=size,
            entries=tuple(reversed(entries)),
            captions=captions_at(sequence, frame),
            style=sequence.subtitle_style,
        )

    def _entry(self, track: Track, sequence: Sequence, frame: int, path: tuple[str, ...]) -> Layer | Crossing | None:
        index = clip_index(track.clips, frame)
        if index < 0:
            return None
        found = transition_at(track, index, frame) if track.transitions else None
        if found is None:
            return self._layer(track.clips[index], sequence, frame, path)
        left, right, transition = found
        # Where both meet the transition is the fade.
        old = self._layer(left, sequence, frame, path, tail=False)
        new = self._layer(right, sequence, frame, path, head=False)
        if old is None and new is None:
            return None
        progress = (frame - (left.end - transition.before) + 1) / (transition.duration + 1)
        return Crossing(left=old, right=new, transition=transition, progress=progress)

    def _layer(
        self,
        clip: Clip,
        sequence: Sequence,
        frame: int,
        path: tuple[str, ...],
        *,
        head: bool = True,
        tail: bool = True,
    ) -> Layer | None:
        if not clip.enabled:
            return None
        document = self._document
        item = document.media.get(clip.media_id)
        if item is None:
            raise MediaError(
                f"The media of the clip “{clip.name}” is not in the project.", "Relink or delete the clip."
            )
        if item.info.kind is MediaKind.AUDIO:
            return None
        opacity = opacity_of(clip, frame, head=head, tail=tail)
        if opacity <= 0:
            return None
        seconds = max(Fraction(0), clip.source_time(frame, sequence.rate))
        pose = pose_of(clip.transform, frame - clip.start)
        if item.nested:
            return self._nested(clip, item, seconds, pose, opacity, path)
        index = 0 if item.info.kind is MediaKind.STILL else self._index_at(item, seconds)
        take = document.takes.get(clip.active_take)
        shown = take if take is not None and take.media_id == item.id and take.has(index) else None
        return Layer(
            clip=clip,
            item=item,
            index=index,
            take_id=shown.id if shown is not None else "",
            take_digest=shown.request_digest if shown is not None else "",
            has_alpha=item.info.has_alpha and shown is None,
            extent=_extent(item, shown),
            pose=pose,
            opacity=opacity,
        )

    def _nested(
        self, clip: Clip, item: MediaItem, seconds: Fraction, pose: Pose | None, opacity: float, path: tuple[str, ...]
    ) -> Layer | None:
        inner = self._document.sequences.get(item.nested)
        # A sequence inside itself would never end; a file may claim it all the same.
        if inner is None or inner.id in path or inner.duration == 0:
            return None
        index = min(max(0, (seconds * inner.rate).__floor__()), inner.duration - 1)
        stack = self.stack(inner, index, path)
        return Layer(
            clip=clip,
            item=item,
            index=index,
            has_alpha=not stack.opaque,
            extent=Extent(inner.width, inner.height),
            pose=pose,
            opacity=opacity,
            nested=stack,
        )
