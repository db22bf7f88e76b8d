"""Small documents to test with, and hypothesis strategies for whole ones."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import strategies as st

from gen2studio.core.frozen import frozen_map
from gen2studio.core.keyed import Keyed
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.core.mask_refinement import Refinement
from gen2studio.core.mask_shape import KINDS, OPERATIONS, MaskShape, ShapePoint
from gen2studio.core.media_info import AudioInfo, ColourTags, MediaInfo, MediaKind
from gen2studio.document import edits
from gen2studio.document.board_values import (
    Arrow,
    ArrowKind,
    CameraFrame,
    LayerBlend,
    MockUp,
    PanelLayer,
    PanelStill,
    SeedPolicy,
    ShotSize,
    SoundCue,
)
from gen2studio.document.look import (
    AdapterUse,
    Camera,
    Controls,
    DepthPass,
    Fill,
    Look,
    Mode,
    MotionRegion,
    Outpaint,
    PaintedKey,
    Pattern,
    Region,
    StructureSource,
    StyleImage,
)
from gen2studio.document.model import (
    CLIP_WINDOWS,
    EXPERTS,
    METHODS,
    OPTIMISERS,
    Board,
    Clip,
    Document,
    Lead,
    MaskBlend,
    MaskFrame,
    MaskObject,
    MediaItem,
    Panel,
    Sequence,
    Shot,
    Take,
    TrainingClip,
    TrainingImage,
    TrainingSet,
)

RATE = Fraction(25)


def video(media_id: str = "media-0000000000a1", seconds: int = 10, sound: bool = True) -> MediaItem:
    info = MediaInfo(
        kind=MediaKind.VIDEO,
        width=640,
        height=360,
        rate=RATE,
        frame_count=seconds * 25,
        exact=True,
        duration=Fraction(seconds),
        audio=AudioInfo(48000, 2, "aac", Fraction(seconds)) if sound else None,
    )
    return MediaItem(id=media_id, name="dog", path=f"/films/{media_id}.mp4", fingerprint="ab" * 16, info=info)


def still(media_id: str = "media-0000000000b1") -> MediaItem:
    info = MediaInfo(kind=MediaKind.STILL, width=320, height=240, frame_count=1, exact=True)
    return MediaItem(id=media_id, name="card", path=f"/films/{media_id}.png", fingerprint="cd" * 16, info=info)


def timeline(video_tracks: int = 2, audio_tracks: int = 2) -> Sequence:
    return edits.new_sequence("Test", RATE, 640, 360, video_tracks=video_tracks, audio_tracks=audio_tracks)


def with_pairs(count: int, item: MediaItem, seconds: int = 2) -> tuple[Sequence, list[str]]:
    """A sequence with ``count`` linked pairs one behind the other; the ids of the pictures."""
    sequence, ids = timeline(), []
    for n in range(count):
        start = Fraction(n % 4)
        placed = edits.append_media(sequence, item, source=(start, start + seconds))
        sequence = placed.sequence
        ids.append(placed.clip_ids[0])
    return sequence, ids


# -- strategies ------------------------------------------------------------------------------------------------------

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_fraction = st.fractions(min_value=0, max_value=1000, max_denominator=1001)
_colour = st.tuples(*[st.integers(0, 255)] * 3)


def _hex(digits: int) -> st.SearchStrategy[str]:
    """One number, not as many letters: a document holds dozens, and a draw of thousands is given up."""
    return st.integers(0, 16**digits - 1).map(lambda number: f"{number:0{digits}x}")


_digest64, _digest32 = _hex(64), _hex(32)


def _ids(prefix: str) -> st.SearchStrategy[str]:
    return _hex(12).map(lambda h: f"{prefix}-{h}")


def _floats(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False)


rasters = st.builds(
    lambda width, height, digests: MaskRaster.from_map(
        width, height, {(c, r): d for (c, r), d in digests.items() if c * 256 < width and r * 256 < height}
    ),
    st.integers(1, 1000),
    st.integers(1, 1000),
    st.dictionaries(st.tuples(st.integers(0, 3), st.integers(0, 3)), _digest32, max_size=4),
)

_axis = _floats(-10, 10)
cameras = st.builds(
    Camera, horizontal=_axis, vertical=_axis, zoom=_axis, pan=_axis, tilt=_axis, roll=_axis, static=st.booleans()
)

looks = st.builds(
    Look,
    generator=st.sampled_from(["", "example", "mini"]),
    structure_source=st.sampled_from(StructureSource),
    depth_pass=st.none()
    | st.builds(
        DepthPass,
        path=st.sampled_from(["/films/depth_0001.png", "/other/a b/z.exr"]),
        name=_text,
        near_is_white=st.booleans(),
        near=st.none() | _floats(-10, 10),
        far=st.none() | _floats(-10, 1e6),
    ),
    fill=st.sampled_from(Fill),
    layout=st.just("") | _digest64,
    camera=cameras,
    outpaint=st.builds(Outpaint, left=_floats(0, 2), top=_floats(0, 2)),
    key_spacing=st.sampled_from([0, -1, 12]),
    key_carrier=st.sampled_from(["", "example", "wan2.1-vace-14b"]),
    motion_regions=st.lists(
        st.builds(
            MotionRegion, raster=rasters, horizontal=_axis, vertical=_axis, proximity=_axis, ambient=_floats(0, 10)
        ),
        max_size=2,
    ).map(tuple),
    adapters=st.lists(st.builds(AdapterUse, adapter=_ids("adapter"), strength=_floats(0, 2)), max_size=2).map(tuple),
    mode=st.sampled_from(Mode),
    preset=st.sampled_from(["", "ink", "oil_2"]),
    styles=st.lists(st.builds(StyleImage, digest=_digest64, name=_text, weight=_floats(0, 2)), max_size=2).map(tuple),
    keys=st.lists(st.builds(PaintedKey, frame=st.integers(0, 999), digest=_digest64), max_size=2).map(tuple),
    pattern=st.none() | st.builds(Pattern, base=_colour, ink=_colour, scale=_floats(0.25, 4)),
    prompt=_text,
    negative_prompt=_text,
    region=st.sampled_from(Region),
    mask_objects=st.lists(_ids("mask"), max_size=2).map(tuple),
    controls=st.builds(
        Controls,
        structure=_floats(0, 7),
        grow=st.integers(-50, 50),
        feather=_floats(0, 20),
        guidance=_floats(0, 20),
        steps=st.integers(0, 100),
        motion=_floats(0, 10),
        control_scale=_floats(0, 2),
        reuse=_floats(0, 30),
    ),
    seed=st.integers(0, 2**63),
    seed_locked=st.booleans(),
)

infos = st.builds(
    MediaInfo,
    kind=st.sampled_from(MediaKind),
    codec=_text,
    width=st.integers(0, 4096),
    height=st.integers(0, 4096),
    rotation=st.sampled_from([0, 90, 180, 270]),
    rate=_fraction,
    frame_count=st.integers(0, 10**6),
    exact=st.booleans(),
    duration=_fraction,
    colour=st.builds(ColourTags, st.integers(0, 22), st.integers(0, 22), st.integers(0, 22), st.booleans()),
    audio=st.none() | st.builds(AudioInfo, st.integers(8000, 192000), st.integers(1, 8), _text, _fraction),
)

_crop = st.tuples(_floats(0, 1), _floats(0, 1), _floats(0.01, 1), _floats(0.01, 1))
_seconds = st.fractions(min_value=Fraction(1, 100), max_value=100, max_denominator=1001)

_points = st.tuples(_floats(-1, 2), _floats(-1, 2))
_frames = st.builds(CameraFrame, x=_floats(-1, 2), y=_floats(-1, 2), width=_floats(0.05, 2), angle=_floats(-180, 180))
_cues = st.builds(SoundCue, media_id=_ids("media"), start=_seconds, gain_db=_floats(-60, 24))

boards = st.builds(
    Board,
    id=_ids("board"),
    name=_text,
    look=looks,
    panels=st.lists(
        st.builds(
            Panel,
            id=_ids("panel"),
            name=_text,
            picture=st.just("") | _digest64,
            prompt=_text,
            seconds=_seconds,
            keep_picture=st.booleans(),
            look=st.none() | looks,
            camera=cameras,
            notes=_text,
            dialogue=_text,
            clip_id=st.just("") | _ids("clip"),
            action=_text,
            shot_size=st.sampled_from(ShotSize),
            layers=st.lists(
                st.builds(
                    PanelLayer,
                    id=_ids("layer"),
                    name=_text,
                    picture=st.just("") | _digest64,
                    visible=st.booleans(),
                    opacity=_floats(0, 1),
                    blend=st.sampled_from(LayerBlend),
                ),
                max_size=2,
                unique_by=lambda layer: layer.id,
            ).map(tuple),
            reference=st.just("") | _digest64,
            reference_opacity=_floats(0, 1),
            frames=st.just(()) | st.tuples(_frames, _frames),
            arrows=st.lists(
                st.builds(Arrow, kind=st.sampled_from(ArrowKind), start=_points, end=_points), max_size=2
            ).map(tuple),
            mock_up=st.none()
            | st.builds(MockUp, media_id=_ids("media"), start=_seconds, stop=_seconds.map(lambda s: s + 100)),
            sound=st.none() | _cues,
            tapped=st.none() | _seconds,
            seed=st.integers(0, 2**63),
            stills=st.lists(st.builds(PanelStill, picture=_digest64, seed=st.integers(0, 9)), max_size=2).map(tuple),
            guide=st.just("") | _digest64,
        ),
        max_size=2,
        unique_by=lambda panel: panel.id,
    ).map(tuple),
    width=st.integers(2, 4096),
    height=st.integers(2, 4096),
    rate=_seconds,
    seeds=st.sampled_from(SeedPolicy),
    sequence_id=st.just("") | _ids("seq"),
    sound=st.none() | _cues,
)

training_sets = st.builds(
    TrainingSet,
    id=_ids("set"),
    name=_text,
    trigger=_text,
    kind=st.sampled_from(["subject", "style"]),
    images=st.lists(
        st.builds(
            TrainingImage,
            digest=_digest64,
            name=_text,
            caption=_text,
            crop=st.none() | _crop,
            clip=st.none()
            | st.builds(TrainingClip, media_id=_ids("media"), start=st.integers(0, 99), stop=st.integers(100, 999)),
        ),
        max_size=3,
    ).map(tuple),
    generator=st.sampled_from(["", "mini"]),
    steps=st.integers(0, 5000),
    rank=st.integers(1, 128),
    learning_rate=_floats(0, 0.01),
    seed=st.integers(0, 2**63),
    size=st.just((0, 0)) | st.tuples(st.integers(64, 4096), st.integers(64, 4096)),
    clip_frames=st.sampled_from([0, 17, 33]),
    clip_windows=st.sampled_from(CLIP_WINDOWS),
    every_frame=st.booleans(),
    experts=st.sampled_from(EXPERTS),
    method=st.sampled_from(METHODS),
    vectors=st.integers(0, 16),
    initial=_text,
    optimiser=st.sampled_from(OPTIMISERS),
)


def _keyed(low: float, high: float) -> st.SearchStrategy[Keyed]:
    keys = st.dictionaries(st.integers(0, 999), _floats(low, high), max_size=3)
    return st.builds(Keyed, _floats(low, high), keys.map(lambda found: tuple(sorted(found.items()))))


refinements = st.builds(
    Refinement,
    enabled=st.booleans(),
    despeckle=_floats(0, 500),
    border_fix=_floats(0, 64),
    chatter=_floats(0, 8),
    edge=_floats(0, 64),
    grow=_keyed(-64, 64),
    feather=_keyed(0, 64),
    decontaminate=_keyed(0, 1),
)
_point = st.builds(ShapePoint, *[_floats(-500, 5000)] * 7)


@st.composite
def _shape_keys(draw: st.DrawFn) -> tuple[tuple[int, tuple[ShapePoint, ...]], ...]:
    count = draw(st.integers(0, 4))
    points = st.lists(_point, min_size=count, max_size=count).map(tuple)
    keys = draw(st.dictionaries(st.integers(0, 999), points, min_size=1, max_size=3))
    return tuple(sorted(keys.items()))


shapes = st.builds(
    MaskShape,
    id=_ids("shape"),
    name=_text,
    kind=st.sampled_from(KINDS),
    operation=st.sampled_from(OPERATIONS),
    visible=st.booleans(),
    start=st.none() | st.integers(0, 99),
    stop=st.none() | st.integers(0, 99),
    keys=_shape_keys(),
)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Whole documents: media, a timeline cut by random gaps, masks, takes, markers."""
    items = draw(
        st.lists(
            st.builds(
                MediaItem,
                id=_ids("media"),
                name=_text,
                path=st.sampled_from(["/films/dog.mp4", "/films/a b/ü.mov", "/other/x.png"]),
                fingerprint=_digest32,
                info=infos,
                shot=st.none()
                | st.builds(
                    Shot,
                    width=st.integers(2, 4096),
                    height=st.integers(2, 4096),
                    rate=_seconds,
                    frames=st.integers(1, 999),
                    lead=st.none()
                    | st.builds(
                        Lead,
                        media_id=_ids("media"),
                        take_id=st.just("") | _ids("take"),
                        start=st.integers(0, 99),
                        stop=st.integers(0, 99),
                    ),
                ),
            ),
            min_size=1,
            max_size=3,
            unique_by=lambda item: item.id,
        )
    )
    media = {item.id: item for item in items}
    takes = draw(
        st.lists(
            st.builds(
                Take,
                id=_ids("take"),
                media_id=st.sampled_from(sorted(media)),
                name=_text,
                request_digest=_digest64,
                recipe=_text,
                look=looks,
                start=st.just(0),
                stop=st.just(50),
                done=st.sampled_from([(), ((0, 50),), ((0, 3), (7, 20))]),
                rating=st.integers(-1, 5),
                flicker=st.none() | _floats(0, 10),
            ),
            max_size=2,
            unique_by=lambda take: take.id,
        )
    )
    sequence = timeline()
    tracks = []
    for track in sequence.tracks:
        cursor, clips = 0, []
        for clip in draw(
            st.lists(
                st.builds(
                    Clip,
                    id=_ids("clip"),
                    media_id=st.sampled_from(sorted(media)),
                    name=_text,
                    start=st.integers(0, 30),
                    duration=st.integers(1, 100),
                    source_in=_fraction,
                    speed=st.fractions(min_value=Fraction(1, 100), max_value=100, max_denominator=1000),
                    enabled=st.booleans(),
                    gain_db=_floats(-96, 24),
                    look=st.none() | looks,
                    takes=st.just(tuple(take.id for take in takes)),
                    active_take=st.sampled_from(["", *(take.id for take in takes)]),
                ),
                max_size=3,
                unique_by=lambda clip: clip.id,
            )
        ):
            clip = replace(clip, start=cursor + clip.start, id=f"{clip.id}{len(tracks)}{len(clips)}")
            cursor = clip.end
            clips.append(clip)
        tracks.append(replace(track, clips=tuple(clips), muted=draw(st.booleans())))
    sequence = replace(sequence, tracks=tuple(tracks))
    if draw(st.booleans()):
        sequence = edits.set_out_point(edits.set_in_point(edits.add_marker(sequence, 7, note=draw(_text)), 3), 40)
    masks = {
        mask.id: mask
        for mask in draw(
            st.lists(
                st.builds(
                    MaskObject,
                    id=_ids("mask"),
                    media_id=st.sampled_from(sorted(media)),
                    name=_text,
                    colour=_colour,
                    blend=st.sampled_from(MaskBlend),
                    shapes=st.lists(shapes, max_size=2).map(tuple),
                    refinement=refinements,
                    frames=st.dictionaries(
                        st.integers(0, 999),
                        st.builds(
                            MaskFrame,
                            raster=rasters,
                            anchor=st.booleans(),
                            confidence=_floats(0, 1),
                            basis=st.sampled_from(["", "0123456789abcdef"]),
                        ),
                        max_size=3,
                    ).map(frozen_map),
                ),
                max_size=2,
            )
        )
    }
    return Document(
        id="doc-0123456789ab",
        name=draw(_text),
        media=frozen_map(media),
        sequences=frozen_map({sequence.id: sequence}),
        active_sequence=sequence.id,
        masks=frozen_map(masks),
        takes=frozen_map({take.id: take for take in takes}),
        default_look=draw(looks),
        boards=frozen_map({board.id: board for board in draw(st.lists(boards, max_size=1))}),
        training_sets=frozen_map({found.id: found for found in draw(st.lists(training_sets, max_size=1))}),
    )
