"""Captions: edits, and subtitle files in and out."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import pytest

from gen2studio.app.subtitle_files import BIGGEST, parse_subtitles, read_subtitles, srt_text, write_srt
from gen2studio.core.errors import EditRefused, MediaError
from gen2studio.document import edits, subtitles
from gen2studio.document.composition import Subtitle
from gen2studio.document.model import Sequence
from gen2studio.document.title_ripple import subtitles_closed
from tests.document.builders import still, timeline

RATE = Fraction(25)
SRT = """1
00:00:01,000 --> 00:00:03,000
A <i>dog</i> on the
<font color="red">beach</font>

2
00:00:03,000 --> 00:00:04,520
Übermut &amp; Freude
"""


def told(sequence: Sequence) -> list[tuple[int, int, str]]:
    return [(s.start, s.end, s.text) for s in sequence.subtitles]


def spoken() -> Sequence:
    sequence = subtitles.add_subtitle(timeline(), 100, 50, "one two three four")
    return subtitles.add_subtitle(subtitles.add_subtitle(sequence, 0, 40, "first"), 150, 25, "last")


def test_what_lay_in_a_stretch_that_went_goes_and_what_reached_into_it_is_shorter() -> None:
    def left(*spans: tuple[int, int], of: tuple[tuple[int, int], ...]) -> list[tuple[int, int]]:
        before = tuple(Subtitle(id=f"s{start}", text="", start=start, duration=stop - start) for start, stop in of)
        return [(each.start, each.end) for each in subtitles_closed(before, spans)]

    assert left((10, 20), of=((30, 40),)) == [(20, 30)], "the only one"
    assert left((10, 20), of=((0, 5), (30, 40))) == [(0, 5), (20, 30)], "the last one alone"
    assert left((10, 20), of=((0, 10), (10, 20), (20, 25))) == [(0, 10), (10, 15)]
    assert left((10, 20), of=((5, 15), (15, 30))) == [(5, 10), (10, 20)]
    assert left((10, 20), (30, 50), of=((0, 60), (60, 61))) == [(0, 30), (30, 31)]
    assert left((40, 50), of=((0, 40),)) == [(0, 40)]


def test_captions_are_added_moved_and_never_overlap() -> None:
    sequence = spoken()
    assert told(sequence) == [(0, 40, "first"), (100, 150, "one two three four"), (150, 175, "last")]
    first, middle, last = (s.id for s in sequence.subtitles)
    assert told(subtitles.add_subtitle(sequence, 80))[1] == (80, 100, "")
    assert told(subtitles.move_subtitles(sequence, {middle, last}, 10))[1:] == [
        (110, 160, "one two three four"),
        (160, 185, "last"),
    ]
    for wrong in (
        lambda: subtitles.add_subtitle(sequence, 120),
        lambda: subtitles.add_subtitle(sequence, 90, 20),
        lambda: subtitles.move_subtitles(sequence, {middle}, 1),
        lambda: subtitles.move_subtitles(sequence, {first}, -1),
        lambda: subtitles.set_text(sequence, first, "x" * 30_000),
        lambda: subtitles.remove_subtitles(sequence, {"title-000000000000"}),
    ):
        with pytest.raises(EditRefused):
            wrong()


def test_captions_are_trimmed_split_and_merged() -> None:
    sequence = spoken()
    first, middle, last = (s.id for s in sequence.subtitles)
    assert told(subtitles.trim_subtitle(sequence, middle, head=-500, tail=5))[1] == (40, 150, "one two three four")
    assert told(subtitles.trim_subtitle(sequence, last, tail=-500))[2] == (150, 151, "last")
    split = subtitles.split_subtitle(sequence, middle, 125)
    assert told(split)[1:3] == [(100, 125, "one two"), (125, 150, "three four")]
    merged = subtitles.merge_subtitles(split, [s.id for s in split.subtitles[1:3]])
    assert told(merged)[1] == (100, 150, "one two\nthree four")
    with pytest.raises(EditRefused, match="neighbour"):
        subtitles.merge_subtitles(sequence, {first, last})
    styled = subtitles.set_style(sequence, size=9, colour=(1, 2, 3), shown=False).subtitle_style
    assert (styled.size, styled.colour, styled.shown) == (0.5, (1, 2, 3), False)


def test_captions_and_markers_go_with_what_moves_everywhere() -> None:
    sequence = edits.append_media(spoken(), still(), source=(Fraction(0), Fraction(8))).sequence
    for frame, duration in ((20, 0), (120, 30), (160, 0)):
        sequence = edits.add_marker(sequence, frame, duration=duration)
    words = [text for _, _, text in told(sequence)]
    opened = edits.insert_gap(sequence, 110, 10)
    assert told(opened) == list(zip([0, 100, 160], [40, 150, 185], words, strict=True))
    assert [(m.frame, m.duration) for m in opened.markers] == [(20, 0), (130, 30), (170, 0)]
    out = edits.extract_range(sequence, 30, 140)
    assert told(out) == [(0, 30, "first"), (30, 40, "one two three four"), (40, 65, "last")]
    assert [(m.frame, m.duration) for m in out.markers] == [(20, 0), (30, 10), (50, 0)]
    gone = edits.extract_range(sequence, 10, 170)
    assert [text for _, _, text in told(gone)] == ["first", "last"] and not gone.markers
    lane = sequence.tracks[0].id
    alone = edits.insert_gap(sequence, 110, 10, tracks=[lane])
    assert (alone.subtitles, alone.markers) == (sequence.subtitles, sequence.markers)
    clip = sequence.tracks[0].clips[0].id
    short = edits.ripple_trim_head(sequence, clip, 120, {}, all_tracks=True)
    assert told(short) == [(0, 30, "one two three four"), (30, 55, "last")]


def test_srt_comes_in_and_goes_out() -> None:
    found = parse_subtitles(SRT, RATE)
    assert [(s.start, s.end, s.text) for s in found] == [
        (25, 75, "A <i>dog</i> on the\nbeach"),
        (75, 113, "Übermut &amp; Freude"),
    ]
    text = srt_text(found, RATE)
    assert "00:00:03,000 --> 00:00:04,520" in text
    again = parse_subtitles(text, RATE)
    assert [(s.start, s.end, s.text) for s in again] == [(s.start, s.end, s.text) for s in found]
    cut = srt_text(found, RATE, 50, 100)
    assert "00:00:00,000 --> 00:00:01,000" in cut and "00:00:01,000 --> 00:00:02,000" in cut


def test_other_formats_and_overlaps_are_put_in_order() -> None:
    vtt = "WEBVTT\n\n00:01.000 --> 00:05.000\nlate\n\n00:00.000 --> 00:02.000\nearly\n\n00:00.000 --> 00:01.000\ntoo\n"
    found = parse_subtitles(vtt, RATE)
    assert [(s.start, s.end) for s in found] == [(0, 25), (25, 125)]
    assert set(found[0].text.split("\n")) == {"early", "too"}
    assert subtitles.replace_subtitles(timeline(), found).subtitles == found


@pytest.mark.parametrize(
    "data", [b"", b"\x00\x01\x02" * 99, b"not subtitles", b"1\n00:00:01,000 --> x\nhm\n", b"{" * 9]
)
def test_what_is_no_subtitle_file_is_refused_in_a_sentence(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.srt"
    path.write_bytes(data)
    with pytest.raises(MediaError) as caught:
        read_subtitles(path, RATE)
    assert caught.value.sentence.endswith(".") and "bad.srt" in caught.value.sentence


def test_files_are_bounded_and_damage_never_crashes(tmp_path: Path) -> None:
    big = tmp_path / "big.srt"
    with big.open("wb") as stream:
        stream.truncate(BIGGEST + 1)
    with pytest.raises(MediaError, match="too big"):
        read_subtitles(big, RATE)
    with pytest.raises(MediaError, match="can't be read"):
        read_subtitles(tmp_path / "none.srt", RATE)
    chance = random.Random(3)
    for _ in range(150):
        broken = bytearray(SRT.encode())
        for _ in range(chance.randint(1, 6)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        path = tmp_path / "odd.srt"
        path.write_bytes(bytes(broken))
        try:
            found = read_subtitles(path, RATE)
        except MediaError:
            continue
        assert subtitles.replace_subtitles(timeline(), found).subtitles == found


def test_latin_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "old.srt"
    path.write_bytes(SRT.encode("cp1252"))
    assert "Übermut" in read_subtitles(path, RATE)[1].text
    captions = (Subtitle(id="title-000000000001", start=5, duration=20, text="Grüße"),)
    write_srt(tmp_path / "new.srt", captions, RATE)
    assert read_subtitles(tmp_path / "new.srt", RATE)[0].text == "Grüße"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new.srt", "old.srt"]
