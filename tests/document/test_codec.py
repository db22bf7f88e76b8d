"""Project text: lossless, versioned, strict."""

from __future__ import annotations

import copy
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gen2studio.core.curve import Curve
from gen2studio.core.errors import ProjectError
from gen2studio.core.frozen import frozen_map
from gen2studio.core.mask_refinement import Refinement
from gen2studio.document import codec, codec_timeline, lookup
from gen2studio.document.codec_reader import Node, parse_json
from gen2studio.document.composition import Transform
from gen2studio.document.deltas import Replay, difference
from gen2studio.document.look import Camera
from gen2studio.document.lookup import each_clip
from gen2studio.document.model import Clip, Document, MaskBlend, SourceView
from tests.document.builders import documents

BASE = Path("/films/dog.g2s")
modest = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))


@modest
@given(documents())
def test_round_trip_is_lossless(document: Document) -> None:
    text = codec.dumps(document, BASE)
    assert codec.loads(text, BASE) == document
    assert codec.dumps(codec.loads(text, BASE), BASE) == text


@modest
@given(documents(), documents())
def test_a_difference_turns_one_document_into_the_other(old: Document, new: Document) -> None:
    replay = Replay(codec.encode(old, None))
    replay.apply(json.loads(json.dumps(difference(old, new))))
    found = replay.document()
    assert found == new
    for name in ("media", "sequences", "masks", "takes", "boards", "training_sets"):
        assert list(getattr(found, name)) == list(getattr(new, name))
    assert difference(new, new) == {}


def sample() -> dict[str, Any]:
    """A document with one of everything, as text of this version."""
    return saved(4)


def saved(version: int) -> dict[str, Any]:
    return json.loads((Path(__file__).parent / f"project_version_{version}.json").read_text())


def test_this_version_opens_as_it_was() -> None:
    document = codec.decode(sample(), BASE)
    assert codec.encode(document, BASE) == sample()


def test_version_0_is_brought_up() -> None:
    assert codec.decode(saved(0), BASE) == codec.decode(saved(1), BASE)


def test_version_1_is_brought_up() -> None:
    """What the older program could hold is as it was; what it could not is as it begins."""
    old, new = codec.decode(saved(1), BASE), codec.decode(sample(), BASE)
    assert old.default_look == new.default_look and old.default_look.generator == "example"
    assert list(old.takes) == list(new.takes) and _painted(old) == _painted(new)
    assert set(new.media) - set(old.media) == {"media-0000000000d1", "media-0000000000e1"}
    assert not old.boards and not old.training_sets
    look = next(clip.look for _, clip in each_clip(old.sequences[old.active_sequence]) if clip.look is not None)
    assert look.generator == "example" and look.controls.structure == 1.25
    assert (look.camera, look.adapters, look.depth_pass) == (Camera(), (), None)


def _painted(document: Document) -> list[Any]:
    """What version 2 knew of the masks."""
    return [(m.id, m.media_id, m.name, m.colour, m.visible, m.locked, dict(m.frames)) for m in document.masks.values()]


def test_version_2_is_brought_up() -> None:
    """Masks that were only painted add up, have no shapes, and nothing is done to them."""
    old, new = codec.decode(saved(2), BASE), codec.decode(sample(), BASE)
    assert _painted(old) == _painted(new) and old.boards == new.boards
    for mask in old.masks.values():
        assert (mask.blend, mask.shapes, mask.refinement) == (MaskBlend.ADD, (), Refinement())
    assert any(mask.shapes and mask.refinement.changes_matte for mask in new.masks.values())


def test_version_3_is_brought_up() -> None:
    """Clips that were only laid down are as new clips in what they could not be; all else is as it was."""
    old, new = codec.decode(saved(3), BASE), codec.decode(sample(), BASE)
    assert old.boards == new.boards and old.masks == new.masks
    before, after = old.sequences["seq-000000000001"], new.sequences["seq-000000000001"]
    for was, now in zip((c for _, c in each_clip(before)), (c for _, c in each_clip(after)), strict=False):
        assert (was.reverse, was.freeze, was.keep_pitch, was.group) == (False, False, True, "")
        assert (was.opacity, was.volume, was.transform, was.fade_in) == (Curve(1.0), Curve(), Transform(), 0)
        if was.id == now.id:
            assert (was.start, was.source_in, was.speed) == (now.start, now.source_in, now.speed)
            assert (was.look, was.takes) == (now.look, now.takes)
    assert before.tracks[0].transitions == () and len(after.tracks[0].transitions) == 2
    assert not before.subtitles and after.subtitles and not lookup.problems(after)


def test_a_plain_clip_is_a_few_words() -> None:
    """Ten thousand of them are opened at once, so what is as on a new clip is not written."""
    clip = Clip(id="clip-0123456789ab", media_id="media-0123456789ab", name="dog", start=5, duration=7)
    written = codec_timeline.encode_clip(clip)
    assert set(written) == {"id", "media", "name", "start", "duration"}
    assert codec_timeline.decode_clip(Node(written, "it"), None, None) == clip


def test_marks_of_the_source_viewer_are_written_where_there_are_any() -> None:
    document = codec.decode(sample(), BASE)
    key = next(iter(document.media))
    marked = replace(
        document, sources=frozen_map({key: SourceView(start=2, stop=9, playhead=4), "media-00000000dead": SourceView()})
    )
    written = codec.encode(marked, BASE)
    assert written["sources"] == [{"media": key, "in": 2, "out": 9, "at": 4}], "not of files that are gone"
    read = codec.decode(written, BASE)
    assert dict(read.sources) == {key: SourceView(start=2, stop=9, playhead=4)}
    journal = Replay(codec.encode(document, None))
    journal.apply(difference(document, read))
    assert journal.document() == read
    journal.apply(difference(read, document))
    assert journal.document() == document


@pytest.mark.parametrize("wrong", [{"in": 5, "out": 5}, {"at": -1}, {"in": "3"}, {"media": "../x"}])
def test_damaged_marks_are_refused(wrong: dict[str, object]) -> None:
    mark = {"media": "media-000000000001", "in": None, "out": None, "at": 0, **wrong}
    with pytest.raises(ProjectError):
        codec.decode({**sample(), "sources": [mark]}, BASE)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("kind", "spiral"),
        ("operation", "multiply"),
        ("keys", []),
        ("keys", [[3, [[0] * 7]], [3, [[0] * 7]]]),
        ("keys", [[0, [[0] * 7]], [3, [[0] * 7, [1] * 7]]]),
        ("keys", [[0, [[0] * 6 + [1e300]]]]),
        ("id", "../../shape"),
    ],
)
def test_broken_shapes_are_refused(where: str, value: Any) -> None:
    data = sample()
    data["masks"][0]["shapes"][0][where] = value
    with pytest.raises(ProjectError):
        codec.decode(data, BASE)


@pytest.mark.parametrize("value", [{"grow": 65}, {"feather": [1, [[4, 1], [2, 1]]]}, {"chatter": "much"}, {"edge": -1}])
def test_broken_refinements_are_refused(value: Any) -> None:
    data = sample()
    data["masks"][0]["refinement"] = value
    with pytest.raises(ProjectError):
        codec.decode(data, BASE)


def test_an_older_journal_goes_on() -> None:
    """Records of version 1 are applied to a document of version 1 and brought up together."""
    written = saved(1)
    for entry in written["media"]:
        entry["path"] = f"/films/{Path(entry['path']).name}"
    replay = Replay(written)
    entry = {**saved(1)["takes"][0], "rating": 5}
    replay.apply({"takes": [entry]})
    [take] = replay.document().takes.values()
    assert take.rating == 5


def test_media_paths_are_relative_only_nearby() -> None:
    paths = [entry["path"] for entry in sample()["media"]]
    assert paths == ["../dog.mp4", "/other/place/voice.wav", "media/shot-1.mp4", ""]
    document = codec.decode(sample(), BASE)
    found = [item.path for item in document.media.values()]
    assert found == ["/films/dog.mp4", paths[1], "/films/dog.g2s/media/shot-1.mp4", ""]
    depth = document.boards["board-000000000001"].look.depth_pass
    assert depth is not None and depth.path == "/films/depth/depth_0001.png"


def _set(data: dict[str, Any], path: str, value: Any) -> None:
    *steps, last = path.split("/")
    target: Any = data
    for step in steps:
        target = target[int(step)] if isinstance(target, list) else target[step]
    target[int(last) if isinstance(target, list) else last] = value


CLIP = "sequences/0/tracks/0/clips/0"


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("format", "other"),
        ("version", 99),
        ("version", "1"),
        ("media", {}),
        ("media/0/id", "../../etc"),
        ("media/0/path", "../../../../etc/passwd"),
        ("media/0/path", "a/../../../b"),
        ("media/0/path", "/dev/zero"),
        ("media/0/path", "/films/../dev/zero"),
        ("media/0/path", "a\0b"),
        ("media/0/info/rate", "1/0"),
        ("media/0/info/rate", 25),
        ("media/0/info/size", [640]),
        (f"{CLIP}/id", "clip-3f/../../x"),
        (f"{CLIP}/media", "media-ffffffffffff"),
        (f"{CLIP}/start", -1),
        (f"{CLIP}/start", 1.5),
        (f"{CLIP}/start", True),
        (f"{CLIP}/duration", 0),
        (f"{CLIP}/speed", "0/1"),
        (f"{CLIP}/gain_db", "loud"),
        (f"{CLIP}/look/styles/0/digest", "../x"),
        (f"{CLIP}/look/preset", "../../secret"),
        (f"{CLIP}/look/controls/structure", 1e9),
        ("sequences/0/tracks/0/clips/1/start", 5),
        ("sequences/0/rate", "0/1"),
        ("masks/0/frames/0/5/0/2", "zz" * 16),
        ("masks/0/frames/0/5/0/0", 99),
        ("takes/0/id", "take-../../../x"),
        ("takes/0/done", [[5, 3]]),
        ("active_sequence", "seq-ffffffffffff"),
        (f"{CLIP}/look/camera/zoom", 11),
        (f"{CLIP}/look/depth_pass/path", "/dev/zero"),
        (f"{CLIP}/look/fill", "all"),
        (f"{CLIP}/look/outpaint", [0.1, 0.1]),
        (f"{CLIP}/look/outpaint", [0.1, 0, 3, 0]),
        (f"{CLIP}/look/key_spacing", -2),
        (f"{CLIP}/look/key_carrier", 7),
        (f"{CLIP}/look/motion_regions/0/ambient", -1),
        (f"{CLIP}/look/motion_regions", [{}] * 6),
        (f"{CLIP}/look/adapters/0/adapter", "../x"),
        (f"{CLIP}/look/adapters/0/strength", 3),
        (f"{CLIP}/fade_in", 51),
        (f"{CLIP}/fade_out", 46),
        (f"{CLIP}/blend", "burn"),
        (f"{CLIP}/group", "../x"),
        (f"{CLIP}/opacity", 1.5),
        (f"{CLIP}/opacity/keys/1/0", 0),
        (f"{CLIP}/opacity/keys/0/2", "wobble"),
        (f"{CLIP}/transform/x", 1e9),
        (f"{CLIP}/transform/scale/keys/0/1", -1),
        ("sequences/0/tracks/0/transitions/0/left", "clip-0000000000f1"),
        ("sequences/0/tracks/0/transitions/0/before", 26),
        ("sequences/0/tracks/0/transitions/1/before", 15),
        ("sequences/0/tracks/0/transitions/1/after", 21),
        ("sequences/0/tracks/0/transitions/0/kind", "melt"),
        ("sequences/0/tracks/0/transitions/0/softness", 2),
        ("sequences/0/tracks/1/pan", -1.5),
        ("sequences/0/subtitles/1/1", 22),
        ("sequences/0/subtitles/0/2", 0),
        ("sequences/0/subtitles/0/0", "title"),
        ("sequences/0/subtitle_style/size", 0),
        ("sequences/0/markers/0/duration", -1),
        ("sequences/1/tracks/0/clips/0/media", "media-0000000000d1"),
        ("media/3/nested", "seq-ffffffffffff"),
        ("media/3/path", "../dog.mp4"),
        ("media/0/proxy", "sometimes"),
        ("media/2/shot/frames", 0),
        ("media/2/shot/size", [0, 128]),
        ("boards/0/rate", "0/1"),
        ("boards/0/panels/0/seconds", "0/1"),
        ("boards/0/panels/1/id", "panel-000000000001"),
        ("boards/0/panels/0/picture", "../../x"),
        ("training_sets/0/kind", "both"),
        ("training_sets/0/images/0/crop", [0, 0, 0, 1]),
        ("training_sets/0/rank", 0),
    ],
)
def test_damage_is_refused_in_one_sentence(where: str, value: Any) -> None:
    data = sample()
    _set(data, where, value)
    with pytest.raises(ProjectError) as caught:
        codec.decode(data, BASE)
    assert caught.value.sentence.endswith(".") and caught.value.remedy


@pytest.mark.parametrize(
    "text", [b"", b"[]", b'{"version": NaN}', b"{" * 100_000, b"\xff\xfe", b'{"a": 1' + b"0" * 9999 + b"}"]
)
def test_text_that_is_no_project(text: bytes) -> None:
    with pytest.raises(ProjectError):
        codec.loads(text, BASE)


def test_mutated_files_never_crash() -> None:
    """Random damage opens or is refused; nothing else ever comes out."""
    chance = random.Random(7)
    text = bytearray(json.dumps(sample()).encode())
    for _ in range(250):
        broken = bytearray(text)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(broken))
            broken[at : at + chance.randint(0, 3)] = bytes(chance.choices(b'0123456789"{}[],:-.eaN\\/', k=2))
        try:
            codec.loads(bytes(broken), BASE)
        except ProjectError:
            continue


@modest
@given(st.data())
def test_swapped_values_never_crash(data: st.DataObject) -> None:
    tree = copy.deepcopy(sample())
    node: Any = tree
    for _ in range(8):
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        if not isinstance(node[key], (dict, list)) or data.draw(st.booleans()):
            node[key] = data.draw(st.sampled_from([None, -1, 0, 1 << 80, 0.5, "", "x", "1/0", [], {}, [[]], True]))
            break
        node = node[key]
    try:
        codec.decode(tree, BASE)
    except ProjectError as refused:
        assert refused.sentence


def test_parse_refuses_infinities() -> None:
    with pytest.raises(ProjectError):
        parse_json('{"a": Infinity}')
