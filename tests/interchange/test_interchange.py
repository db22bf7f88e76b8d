"""Timelines from and to other programs: our own come back whole, foreign ones as far as they say."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest

from gen2studio.app.importing import media_item
from gen2studio.app.interchange import lay, read_timelines, write_timeline
from gen2studio.core.curve import Curve, CurveKey, Ease
from gen2studio.core.errors import ProjectError
from gen2studio.core.frozen import frozen_map
from gen2studio.core.ids import new_id
from gen2studio.document import nesting
from gen2studio.document.composition import BlendMode, Subtitle, Transform, Transition, TransitionKind
from gen2studio.document.look import Look
from gen2studio.document.lookup import problems
from gen2studio.document.model import Clip, Document, Marker, MediaItem, Sequence, Track, TrackKind
from gen2studio.interchange.times import exact_rate
from gen2studio.media.probe import probe

RATE = Fraction(30000, 1001)


@pytest.fixture(scope="module")
def items(media_root: Path) -> list[MediaItem]:
    clips = media_root / "clips"
    names = ("sam2_dog_fetch_1280x720_10s.mp4", "sam2_juggle_person_10s.mp4", "hard/chaplin_9.6s.mp4")
    return [media_item(clips / name, probe(clips / name)) for name in names]


def film(items: list[MediaItem]) -> Document:
    """Everything a timeline of ours can hold."""
    dog, juggler, chaplin = items
    a = Clip(
        id=new_id("clip"),
        media_id=dog.id,
        name="Dog",
        start=10,
        duration=60,
        source_in=Fraction(7, 3),
        link="link-00000000000a",
        look=Look(prompt="a white dog"),
        opacity=Curve(1.0, (CurveKey(0, 0.2, Ease.SMOOTH), CurveKey(20, 1.0))),
        fade_in=5,
    )
    b = Clip(
        id=new_id("clip"),
        media_id=juggler.id,
        name="Juggler",
        start=70,
        duration=40,
        source_in=Fraction(1),
        speed=Fraction(3, 2),
        reverse=True,
        keep_pitch=False,
        group="group-00000000000a",
        blend=BlendMode.SCREEN,
        transform=Transform(x=Curve(0.25), rotation=Curve(-12.5)),
    )
    c = Clip(
        id=new_id("clip"),
        media_id=chaplin.id,
        name="Chaplin",
        start=120,
        duration=33,
        freeze=True,
        source_in=Fraction(2),
    )
    automation = (CurveKey(5, -20.0), CurveKey(30, 0.0, Ease.BEZIER, (0.0, 0.0), (4.0, 1.0)))
    sound = Clip(
        id=new_id("clip"),
        media_id=dog.id,
        name="Dog",
        start=10,
        duration=60,
        source_in=Fraction(7, 3),
        link="link-00000000000a",
        gain_db=-3.5,
        volume=Curve(0.0, automation),
        fade_out=9,
    )
    cut = Transition(id=new_id("wipe"), left=a.id, right=b.id, kind=TransitionKind.WIPE, before=6, after=8, angle=90.0)
    tracks = (
        Track(id=new_id("track"), kind=TrackKind.VIDEO, name="V1", clips=(a, b), transitions=(cut,)),
        Track(id=new_id("track"), kind=TrackKind.VIDEO, name="Titles", clips=(c,), muted=True, height=90),
        Track(id=new_id("track"), kind=TrackKind.AUDIO, name="A1", clips=(sound,), gain_db=-2.0, pan=0.3, solo=True),
    )
    sequence = Sequence(
        id=new_id("seq"), name="Film", rate=RATE, width=1280, height=720, tracks=tracks, in_point=12, out_point=99,
        markers=(
            Marker(id=new_id("marker"), frame=4, name="Start", note="from here", colour="red"),
            Marker(id=new_id("marker"), frame=40, duration=12, name="Range", colour="teal"),
        ),
        subtitles=(Subtitle(id=new_id("subtitle"), start=3, duration=30, text="<i>Hello</i>\nthere"),),
    )  # fmt: skip
    document = Document(
        id=new_id("project"),
        media=frozen_map({i.id: i for i in items}),
        sequences=frozen_map({sequence.id: sequence}),
        active_sequence=sequence.id,
    )
    assert problems(sequence, document.media) == []
    return document


def empty(*items: MediaItem) -> Document:
    return Document(id=new_id("project"), media=frozen_map({i.id: i for i in items}))


def reread(path: Path, document: Document) -> tuple[Document, Sequence]:
    read = read_timelines(path, document, media_folder=path.parent / "unpacked")
    assert len(read) == 1
    laid, report = lay(document, read[0])
    assert report.missing == ()
    sequence = laid.sequence
    assert sequence is not None
    assert problems(sequence, laid.media) == []
    return laid, sequence


@pytest.mark.parametrize("suffix", [".otio", ".otioz"])
def test_our_own_timeline_comes_back_whole(tmp_path: Path, items: list[MediaItem], suffix: str) -> None:
    document = film(items)
    report = write_timeline(document, tmp_path / f"film{suffix}")
    assert report.clips == 4
    said = " ".join(report.sentences)
    assert "Opacity of clips: “Dog”" in said
    assert "Blend modes: “Juggler”" in said
    assert "Looks" in said
    again, sequence = reread(tmp_path / f"film{suffix}", empty())
    assert sequence == document.sequence
    assert {i.id: (i.fingerprint, i.info) for i in again.media.values()} == {
        i.id: (i.fingerprint, i.info) for i in items
    }
    inside = {Path(i.path).parent == tmp_path / "unpacked" for i in again.media.values()}
    assert inside == {suffix == ".otioz"}


def test_timelines_inside_timelines_come_back_as_one(tmp_path: Path, items: list[MediaItem]) -> None:
    document = film(items)
    sequence = document.sequence
    assert sequence is not None
    inner = nesting.nest(document, [sequence.tracks[0].clips[0].id], "Inside")
    document = inner.document
    outer = document.sequence
    assert outer is not None
    shown = next(
        c
        for t in outer.video_tracks
        for c in t.clips
        if c.media_id in document.media and document.media[c.media_id].nested
    )
    again = replace(shown, id=new_id("clip"), start=400, link="")
    first = replace(outer.tracks[0], clips=(*outer.tracks[0].clips, again))
    document = replace(
        document,
        sequences=frozen_map({**document.sequences, outer.id: replace(outer, tracks=(first, *outer.tracks[1:]))}),
    )
    write_timeline(document, tmp_path / "film.otio")
    laid, back = reread(tmp_path / "film.otio", empty())
    assert back == document.sequence
    assert laid.sequences[inner.sequence_id] == document.sequences[inner.sequence_id]
    assert len(laid.sequences) == 2
    foreign = otio.adapters.read_from_file(str(tmp_path / "film.otio"))
    for item in [foreign.tracks, *foreign.find_children()]:
        item.metadata.clear()
    foreign.metadata.clear()
    otio.adapters.write_to_file(foreign, str(tmp_path / "plain.otio"))
    laid, back = reread(tmp_path / "plain.otio", empty())
    assert sum(bool(m.nested) for m in laid.media.values()) == 1
    assert [c.start for c in back.tracks[0].clips] == [c.start for c in first.clips]


def test_into_the_project_it_came_from_it_is_a_second_timeline(tmp_path: Path, items: list[MediaItem]) -> None:
    document = film(items)
    write_timeline(document, tmp_path / "film.otio")
    laid, sequence = reread(tmp_path / "film.otio", document)
    assert len(laid.sequences) == 2
    assert laid.media == document.media
    old = document.sequence
    assert old is not None
    ids = {c.id for s in laid.sequences.values() for t in s.tracks for c in t.clips}
    assert len(ids) == 8
    links = {c.link for t in sequence.tracks for c in t.clips if c.link}
    assert len(links) == 1
    assert links.isdisjoint({"link-00000000000a"})
    transition = sequence.tracks[0].transitions[0]
    assert (transition.left, transition.right) == tuple(c.id for c in sequence.tracks[0].clips)
    assert (transition.kind, transition.before, transition.after) == (TransitionKind.WIPE, 6, 8)


def test_what_another_program_changed_wins_and_the_rest_stays(tmp_path: Path, items: list[MediaItem]) -> None:
    document = film(items)
    path = tmp_path / "film.otio"
    write_timeline(document, path)
    timeline = otio.adapters.read_from_file(str(path))
    track = timeline.tracks[0]
    del track[0]  # the gap before the dog
    dog = track[0]
    dog.source_range = otio.opentime.TimeRange(
        otio.opentime.RationalTime(90, float(items[0].info.rate)), otio.opentime.RationalTime(50, float(RATE))
    )
    dog.enabled = False
    otio.adapters.write_to_file(timeline, str(path))
    _, sequence = reread(path, empty())
    clip = sequence.tracks[0].clips[0]
    assert clip.link == "", "its sound stayed behind"
    assert (clip.start, clip.duration, clip.enabled) == (0, 50, False)
    assert clip.source_in == 90 / items[0].info.rate
    before = document.sequence.tracks[0].clips[0] if document.sequence else None
    assert before is not None
    assert (clip.opacity, clip.look, clip.fade_in) == (before.opacity, before.look, 5)


def test_cuts_speeds_and_dissolves_go_through_final_cut_xml(tmp_path: Path, items: list[MediaItem]) -> None:
    document = film(items)
    report = write_timeline(document, tmp_path / "film.xml")
    assert any("Freeze frames: “Chaplin”" in s for s in report.sentences)
    assert any("centred on their cuts" in s for s in report.sentences)
    _, sequence = reread(tmp_path / "film.xml", empty(*items))
    first = sequence.tracks[0].clips
    assert [(c.start, c.duration) for c in first] == [(10, 60), (70, 40)]
    assert first[1].speed == Fraction(3, 2)
    assert first[1].reverse
    assert abs(first[0].source_in - Fraction(7, 3)) < Fraction(1, 29)
    assert len(sequence.tracks[0].transitions) == 1
    sounds = [t for t in sequence.tracks if t.kind is TrackKind.AUDIO]
    assert sounds[0].clips[0].link == first[0].link != ""


def test_an_edit_list_holds_one_track_and_says_so(tmp_path: Path, items: list[MediaItem]) -> None:
    document = film(items)
    sequence = document.sequence
    assert sequence is not None
    first = sequence.tracks[0]
    dissolve = replace(first.transitions[0], kind=TransitionKind.DISSOLVE, before=0, after=8)
    clips = (first.clips[0], replace(first.clips[1], reverse=False))
    first = replace(first, clips=clips, transitions=(dissolve,))
    sequence = replace(sequence, rate=Fraction(30), tracks=(first, *sequence.tracks[1:]))
    document = replace(document, sequences=frozen_map({sequence.id: sequence}))
    report = write_timeline(document, tmp_path / "film.edl")
    said = " ".join(report.sentences)
    assert "Other video tracks: “Titles”" in said
    assert "Audio tracks: “A1”" in said
    text = (tmp_path / "film.edl").read_text()
    assert "TITLE: Film" in text
    read = read_timelines(tmp_path / "film.edl", empty(*items), rate=Fraction(30))
    laid, _ = lay(empty(*items), read[0])
    back = laid.sequence
    assert back is not None
    assert problems(back, laid.media) == []
    assert [c.duration for c in back.tracks[0].clips] == [60, 40]
    assert back.tracks[0].transitions[0].duration == 8


FOREIGN = [
    ("edl/25fps.edl", 4, 0), ("edl/avid_example.edl", 2, 0), ("edl/cdl.edl", 2, 0), ("edl/dissolve_test.edl", 3, 1),
    ("edl/dissolve_test_2.edl", 3, 1), ("edl/dissolve_test_3.edl", 3, 1), ("edl/dissolve_test_4.edl", 6, 2),
    ("edl/gap_test.edl", 3, 0), ("edl/multi_audio.edl", 2, 0), ("edl/nucoda_example.edl", 2, 0),
    ("edl/premiere_example.edl", 2, 0), ("edl/screening_example.edl", 9, 0), ("edl/speed_effects_small.edl", 5, 0),
    ("edl/transition_duration.edl", 4, 1), ("edl/wipe_test.edl", 3, 1), ("fcp7xml/hiero_xml_export.xml", 2, 0),
    ("fcp7xml/premiere_example.xml", 12, 1), ("fcpxml/fcpx_example.fcpxml", 16, 0), ("fcpxml/fcpx_clips.fcpxml", 1, 0),
    ("fcpxml/fcpx_project.fcpxml", 16, 0), ("otio/big_int.otio", 1, 0), ("otio/clip_example.otio", 1, 0),
    ("otio/effects.otio", 37, 1), ("otio/multiple_track.otio", 5, 0), ("otio/multitrack.otio", 5, 0),
    ("otio/nested_example.otio", 7, 0), ("otio/preflattened.otio", 5, 0), ("otio/premiere_example.otio", 12, 1),
    ("otio/screening_example.otio", 9, 0), ("otio/simple_cut.otio", 4, 0), ("otio/transition.otio", 4, 1),
    ("otio/transition_test.otio", 3, 1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "clips", "transitions"), FOREIGN)
def test_foreign_timelines_open_with_what_they_hold(media_root: Path, name: str, clips: int, transitions: int) -> None:
    document = empty()
    read = read_timelines(media_root / "interchange" / name, document)
    laid, report = lay(document, read[0])
    sequence = laid.sequence
    assert sequence is not None
    for each in laid.sequences.values():
        assert problems(each, laid.media) == []
    assert report.clips == clips
    assert sum(len(t.transitions) for t in sequence.tracks) == transitions
    assert report.missing, "none of their media is here: all offline, all told"
    assert any("not found" in sentence for sentence in report.sentences)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("edl/dissolve_test_fail.edl", "can't be understood as Edit list"),
        ("fcp7xml/premiere_example_filter.xml", "No top-level sequences"),
        ("fcp7xml/sample_just_track.xml", "holds no clips"),
        ("otio/generator_reference_test.otio", "holds no clips"),
    ],
)
def test_files_without_a_timeline_say_so_in_one_sentence(media_root: Path, name: str, said: str) -> None:
    with pytest.raises(ProjectError, match=said):
        read_timelines(media_root / "interchange" / name, empty())


def test_speeds_holds_and_markers_of_others_are_carried(media_root: Path) -> None:
    read = read_timelines(media_root / "interchange/edl/speed_effects_small.edl", empty())
    clips = lay(empty(), read[0])[0].sequence.tracks[0].clips  # type: ignore[union-attr]
    assert [c.freeze for c in clips] == [False, True, False, False, False]
    assert float(clips[-1].speed) == pytest.approx(47.6 / 24, abs=0.01)
    read = read_timelines(media_root / "interchange/fcp7xml/hiero_xml_export.xml", empty())
    laid = lay(empty(), read[0])[0].sequence
    assert laid is not None
    assert Fraction(1, 4) in {c.speed for c in laid.tracks[0].clips}
    read = read_timelines(media_root / "interchange/otio/premiere_example.otio", empty())
    sequence = lay(empty(), read[0])[0].sequence
    assert sequence is not None
    assert len(sequence.markers) >= 3


def test_media_is_found_beside_the_file_and_by_its_timecode(tmp_path: Path, media_root: Path) -> None:
    clip = media_root / "clips/golden_retriever_512_3.2s.mp4"
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "dog.mp4").symlink_to(clip)
    edl = "TITLE: Cut\n001  AX V C 01:00:01:00 01:00:02:00 00:00:00:00 00:00:01:00\n* FROM CLIP NAME: dog.mp4\n"
    (tmp_path / "cut.edl").write_text(edl)
    laid, sequence = reread(tmp_path / "cut.edl", empty())
    assert next(iter(laid.media.values())).info.width == 512
    assert sequence.tracks[0].clips[0].source_in == 1


def test_bundles_of_others_are_unpacked_inside_their_folder_alone(tmp_path: Path, items: list[MediaItem]) -> None:
    write_timeline(film(items), tmp_path / "film.otioz")
    folder = tmp_path / "unpacked"
    folder.mkdir()
    laid, _ = lay(empty(), read_timelines(tmp_path / "film.otioz", empty(), media_folder=folder)[0])
    assert len(list(folder.iterdir())) == 3
    assert laid.sequence is not None
    with zipfile.ZipFile(tmp_path / "evil.otioz", "w") as bundle:
        bundle.writestr("content.otio", zipfile.ZipFile(tmp_path / "film.otioz").read("content.otio"))
        bundle.writestr("media/../../escaped.mp4", b"x")
    read_timelines(tmp_path / "evil.otioz", empty(), media_folder=folder)
    assert not (tmp_path / "escaped.mp4").exists()
    assert not (tmp_path.parent / "escaped.mp4").exists()


@pytest.mark.parametrize("suffix", [".otio", ".otioz", ".edl", ".xml", ".fcpxml"])
def test_rubbish_is_refused(tmp_path: Path, suffix: str) -> None:
    for number, data in enumerate((b"", b"\x00\xff" * 500, b"{" * 4000, b"<a>" * 3000)):
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(data)
        with pytest.raises(ProjectError):
            read_timelines(path, empty())


def test_entities_and_absurd_times_are_refused(tmp_path: Path, items: list[MediaItem]) -> None:
    bomb = tmp_path / "bomb.xml"
    bomb.write_text('<!DOCTYPE x [<!ENTITY a "b">]><xmeml version="4"><sequence>&a;</sequence></xmeml>')
    with pytest.raises(ProjectError, match="entities"):
        read_timelines(bomb, empty())
    write_timeline(film(items), tmp_path / "film.otio")
    data = json.loads((tmp_path / "film.otio").read_text())
    data["tracks"]["children"][0]["children"][0]["source_range"]["duration"]["value"] = 1e300
    (tmp_path / "long.otio").write_text(json.dumps(data))
    with pytest.raises(ProjectError, match="out of range"):
        read_timelines(tmp_path / "long.otio", empty())


def test_writing_keeps_the_old_file_when_it_fails(tmp_path: Path, items: list[MediaItem]) -> None:
    path = tmp_path / "film.edl"
    path.write_text("old")
    document = film(items)
    sequence = document.sequence
    assert sequence is not None
    sounds = replace(sequence, tracks=sequence.audio_tracks)
    with pytest.raises(ProjectError, match="needs a video track"):
        write_timeline(replace(document, sequences=frozen_map({sounds.id: sounds})), path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["film.edl"]


@pytest.mark.parametrize(
    ("said", "rate"),
    [
        *((24.0, 24), (25.0, 25), (12.5, Fraction(25, 2)), (1000.0, 1000), (29.94, Fraction(1497, 50))),
        *((23.976, Fraction(24000, 1001)), (23.98, Fraction(24000, 1001)), (29.97, Fraction(30000, 1001))),
        *((47.952, Fraction(48000, 1001)), (59.94, Fraction(60000, 1001)), (119.88, Fraction(120000, 1001))),
    ],
)
def test_rates_of_other_programs_are_exact(said: float, rate: Fraction) -> None:
    assert exact_rate(said) == rate


@pytest.mark.parametrize("said", [0.0, -25.0, 1e7, float("nan"), float("inf")])
def test_what_is_no_rate_is_refused(said: float) -> None:
    with pytest.raises(ProjectError, match="no sound frame rate"):
        exact_rate(said)
