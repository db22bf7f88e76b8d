"""Exports of real clips, read back: pictures, tags, sound, recipes, and what is left after a failure."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from gen2studio.app.export import ExportProgress, ExportSettings, export_range, export_sequence
from gen2studio.core.cancel import Cancelled, CancelToken
from gen2studio.core.errors import ExportError
from gen2studio.document.model import Document
from gen2studio.engine.take_store import TakeStore
from gen2studio.media.decoder import open_decoder
from gen2studio.media.metadata import ENHANCED, TRAINED, read_recipe
from gen2studio.media.probe import probe
from gen2studio.media.provenance import COMPOSITE
from tests.export.sequences import (
    BUNNY,
    DOG,
    SEQ,
    accurate_pictures,
    clip_of,
    document_with,
    item_of,
    mean_delta_e,
    sequence_with,
    simple,
    stored_take,
)


def export(document: Document, path: Path, preset: str = "h264", takes: Path | None = None, **more: object):
    settings = ExportSettings(path=path, preset=preset, **more)  # type: ignore[arg-type]
    return export_sequence(document, settings, take_folder=TakeStore(takes or path.parent / "none").path)


def left_behind(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize(
    ("preset", "codec", "tag", "pixel_format", "crf", "limit"),
    [
        ("h264", "h264", "avc1", "yuv420p", "", 1.0),
        ("h264", "h264", "avc1", "yuv420p", "8", 0.85),
        ("h265", "hevc", "hvc1", "yuv420p", "8", 0.85),
        ("h265_10bit", "hevc", "hvc1", "yuv420p10le", "8", 0.75),
        ("prores_422_hq", "prores", "apch", "yuv422p10le", "", 0.5),
        ("prores_4444", "prores", "ap4h", "yuva444p12le", "", 0.3),
    ],
)
def test_a_video_file_reads_back_as_it_looked(
    tmp_path: Path, media_root: Path, preset: str, codec: str, tag: str, pixel_format: str, crf: str, limit: float
) -> None:
    document = simple(media_root / DOG)
    result = export(document, tmp_path / "dog", preset, options=(("crf", crf),) if crf else ())
    info = probe(result.path)
    assert (info.codec, info.pixel_format, info.frame_count, info.rate) == (codec, pixel_format, 10, Fraction(10))
    assert (info.width, info.height) == (512, 512)
    assert (info.colour.matrix, info.colour.primaries, info.colour.transfer) == (1, 1, 1)
    assert not info.colour.full_range
    with av.open(str(result.path)) as container:
        assert container.streams.video[0].codec_context.codec_tag == tag
        frame = next(container.decode(video=0))
        assert (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range) == (1, 1, 1, 1)
    before, after = open_decoder(media_root / DOG), accurate_pictures(result.path)
    differences = [mean_delta_e(before.rgb(n), after[n]) for n in range(10)]
    biases = [abs(float((before.rgb(n).astype(int) - after[n]).mean())) for n in range(10)]
    before.close()
    assert np.mean(differences) <= limit
    assert max(biases) < 0.15, "the picture as a whole became darker or lighter"


def test_the_index_of_an_mp4_comes_first(tmp_path: Path, media_root: Path) -> None:
    data = export(simple(media_root / DOG, 3), tmp_path / "dog.mp4").path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("preset", ["png_8", "png_16"])
def test_png_pictures_are_the_decoders_own(tmp_path: Path, media_root: Path, preset: str) -> None:
    result = export(simple(media_root / DOG, 4), tmp_path / "dog.png", preset)
    assert result.path == tmp_path / "dog"
    decoder = open_decoder(media_root / DOG)
    for number in range(4):
        stored = cv2.imread(str(result.path / f"dog_{number:06d}.png"), cv2.IMREAD_UNCHANGED)[..., ::-1]
        if preset == "png_16":
            assert stored.dtype == np.uint16
            assert (stored % 257 == 0).all()
            stored = (stored // 257).astype(np.uint8)
        assert np.array_equal(stored, decoder.rgb(number))
    decoder.close()


def test_untouched_hd_frames_are_passed_through_bit_for_bit(tmp_path: Path, media_root: Path) -> None:
    source = next((media_root / "clips").glob("sam2_dog_fetch_1280x720*"))
    document = simple(source, 5)
    result = export(document, tmp_path / "dog", audio=False, options=(("crf", "0"),))
    assert result.passed_through == 5
    with av.open(str(source)) as a, av.open(str(result.path)) as b:
        for _, first, second in zip(range(5), a.decode(video=0), b.decode(video=0), strict=False):
            assert np.array_equal(first.to_ndarray(), second.to_ndarray())


def test_alpha_survives_prores_4444_and_png(tmp_path: Path, media_root: Path) -> None:
    item = item_of(media_root / "clips/hard/derived_prores4444_alpha_grey_walk.mov")
    size = (item.info.width, item.info.height)
    clip = replace(clip_of(item, duration=2), source_in=Fraction(8) / item.info.rate)
    document = document_with(sequence_with((clip,), rate=item.info.rate, size=size), item)
    decoder = open_decoder(Path(item.path))
    wanted = decoder.rgba(9)
    decoder.close()
    assert 0 < wanted[..., 3].mean() < 255
    movie = open_decoder(export(document, tmp_path / "walk", "prores_4444", audio=False).path)
    got = movie.rgba(1)
    movie.close()
    assert np.abs(got[..., 3].astype(int) - wanted[..., 3]).max() <= 1
    folder = export(document, tmp_path / "pictures", "png_8_alpha").path
    stored = cv2.imread(str(folder / "pictures_000001.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(stored[..., 3], wanted[..., 3])


def test_an_odd_size_is_padded_by_one_and_told(tmp_path: Path, media_root: Path) -> None:
    item = item_of(media_root / DOG)
    document = document_with(sequence_with((clip_of(item, duration=2),), size=(127, 127)), item)
    result = export(document, tmp_path / "odd", audio=False)
    info = probe(result.path)
    assert (info.width, info.height) == (128, 128)
    assert any("127×127" in note and "128×128" in note for note in result.notes)
    assert probe(export(document, tmp_path / "odd_png", "png_8").path).extent.width == 127


def test_sound_is_passed_through_when_untouched_and_mixed_when_not(tmp_path: Path, media_root: Path) -> None:
    document = simple(media_root / BUNNY, 60)
    source = document.media["media-000000000001"].info
    assert source.audio is not None
    copied = export(document, tmp_path / "copied")
    assert copied.audio == "copied"
    packets: list[list[bytes]] = []
    for path in (media_root / BUNNY, copied.path):
        with av.open(str(path)) as container:
            packets.append([bytes(p) for p in container.demux(audio=0) if p.size])
    assert 80 < len(packets[1]) < len(packets[0])
    assert packets[1] == packets[0][: len(packets[1])]

    sequence = document.sequences[SEQ]
    audio = sequence.tracks[-1]
    quieter = replace(audio, clips=(replace(audio.clips[0], gain_db=-6.0),))
    changed = replace(document, sequences={SEQ: replace(sequence, tracks=(*sequence.tracks[:-1], quieter))})
    for preset, codec in (("h264", "aac"), ("prores_422_hq", "pcm_s24le")):
        mixed = export(changed, tmp_path / f"mixed_{codec}", preset, stop=15)
        assert mixed.audio == "encoded"
        info = probe(mixed.path)
        assert info.audio is not None
        assert info.audio.codec.startswith(codec)
        assert abs(float(info.audio.duration) - float(15 / source.rate)) < 0.05


def test_an_export_without_sound_has_none(tmp_path: Path, media_root: Path) -> None:
    assert probe(export(simple(media_root / BUNNY, 3), tmp_path / "mute", audio=False).path).audio is None


def with_take(media_root: Path, takes: Path, frames: int = 6) -> Document:
    item = item_of(media_root / DOG)
    take = stored_take(TakeStore(takes), item, range(frames), (200, 40, 10), (256, 256))
    clip = replace(clip_of(item, duration=8), takes=(take.id,), active_take=take.id)
    return document_with(sequence_with((clip,), size=(256, 256)), item, takes=(take,))


def test_takes_are_shown_where_they_exist_and_gaps_are_told(tmp_path: Path, media_root: Path) -> None:
    document = with_take(media_root, tmp_path / "takes")
    result = export(document, tmp_path / "out", "png_8", takes=tmp_path / "takes")
    colours = [cv2.imread(str(result.path / f"out_{n:06d}.png"))[128, 128, ::-1].tolist() for n in range(8)]
    assert colours[:6] == [[200, 40, 10]] * 6
    assert [200, 40, 10] not in colours[6:]
    assert any(note.startswith("2 frames of") for note in result.notes)


@pytest.mark.parametrize("preset", ["h264", "prores_422_hq", "png_8"])
def test_the_recipe_can_be_read_back(tmp_path: Path, media_root: Path, preset: str) -> None:
    document = with_take(media_root, tmp_path / "takes")
    result = export(document, tmp_path / "out", preset, takes=tmp_path / "takes")
    sidecar = result.path / "out.json" if result.path.is_dir() else result.path.with_suffix(".json")
    plain = json.loads(sidecar.read_text())
    assert plain["digital_source_type"] == ENHANCED
    assert plain["takes"][0]["recipe"]["seed"] == 42
    beside = read_recipe(sidecar)
    sidecar.unlink()
    inside = read_recipe(result.path)
    assert inside is not None
    assert inside == beside
    take = inside.takes[0]
    assert (take.generator, take.revision, take.seed, take.prompt) == ("example", "7", 42, "ink on paper")
    assert json.loads(take.recipe)["masks"] == []
    assert len(take.masks_digest) == 64
    assert inside.inputs[0].fingerprint == document.media["media-000000000001"].fingerprint
    data = next(result.path.glob("*.png")).read_bytes() if result.path.is_dir() else result.path.read_bytes()
    assert ENHANCED.encode() in data
    assert TRAINED.encode() not in data


def test_a_trained_generator_is_named_as_such(tmp_path: Path, media_root: Path) -> None:
    document = with_take(media_root, tmp_path / "takes")
    store = TakeStore(tmp_path / "takes")
    settings = ExportSettings(path=tmp_path / "out", stop=2)
    result = export_sequence(document, settings, take_folder=store.path, trained=lambda _generator: True)
    record = read_recipe(result.path)
    assert record is not None
    # The take of these tests was made inside a mask.
    assert record.source_type == COMPOSITE
    untouched = read_recipe(export(simple(media_root / DOG, 2), tmp_path / "plain").path)
    assert untouched is not None
    assert untouched.source_type == ""


def test_another_programs_json_is_left_alone(tmp_path: Path, media_root: Path) -> None:
    (tmp_path / "shot.json").write_text('{"mine": true}')
    export(simple(media_root / DOG, 2), tmp_path / "shot.mp4")
    assert (tmp_path / "shot.json").read_text() == '{"mine": true}'
    assert read_recipe(tmp_path / "shot.gen2studio.json") is not None


@pytest.mark.parametrize("preset", ["h264", "png_8"])
@pytest.mark.parametrize("at", [0, 3, 9])
def test_a_cancel_leaves_nothing_and_keeps_the_older_file(
    tmp_path: Path, media_root: Path, preset: str, at: int
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    token = CancelToken()
    if preset == "h264":
        (out / "dog.mp4").write_bytes(b"older")
    before = left_behind(out)
    seen: list[ExportProgress] = []

    class Counting(CancelToken):
        polls = 0

        def check(self) -> None:
            Counting.polls += 1
            if Counting.polls > 2 * at:
                token.cancel()
            token.check()

    settings = ExportSettings(path=out / "dog", preset=preset)
    with pytest.raises(Cancelled):
        export_sequence(
            simple(media_root / DOG), settings, take_folder=Path, cancel=Counting(), on_progress=seen.append
        )
    assert left_behind(out) == before
    if before:
        assert (out / "dog.mp4").read_bytes() == b"older"


def test_progress_counts_up_to_the_end(tmp_path: Path, media_root: Path) -> None:
    seen: list[ExportProgress] = []
    settings = ExportSettings(path=tmp_path / "dog")
    export_sequence(simple(media_root / DOG), settings, take_folder=Path, on_progress=seen.append)
    assert (seen[-1].done, seen[-1].total) == (10, 10)
    assert [p.done for p in seen] == sorted(p.done for p in seen)


def test_source_media_is_never_overwritten(tmp_path: Path, media_root: Path) -> None:
    source = tmp_path / "dog.mp4"
    source.write_bytes((media_root / DOG).read_bytes())
    link = tmp_path / "alias.mp4"
    os.link(source, link)
    document = simple(source, 2)
    for target in (source, tmp_path / "dog", link, tmp_path / "sub" / ".." / "dog.mp4"):
        with pytest.raises(ExportError, match="not overwritten"):
            export(document, target)
    assert source.read_bytes() == (media_root / DOG).read_bytes()


def test_the_projects_own_folders_are_refused(tmp_path: Path, media_root: Path) -> None:
    settings = ExportSettings(path=tmp_path / "takes" / "take-0000000000aa" / "shot.mp4")
    with pytest.raises(ExportError, match="own folders"):
        export_sequence(simple(media_root / DOG, 2), settings, take_folder=Path, project_folder=tmp_path)


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path, media_root: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    with pytest.raises(ExportError) as caught:
        export(simple(media_root / DOG, 2), blocker / "out.mp4")
    assert str(blocker) in caught.value.sentence
    assert caught.value.remedy
    assert left_behind(tmp_path) == ["file"]


def test_a_folder_with_other_files_is_not_replaced_but_an_older_sequence_is(tmp_path: Path, media_root: Path) -> None:
    document = simple(media_root / DOG, 2)
    export(document, tmp_path / "shot", "png_8", stop=2)
    export(document, tmp_path / "shot", "png_8", stop=1)
    assert left_behind(tmp_path / "shot") == ["shot.json", "shot_000000.png"]
    (tmp_path / "shot" / "notes.txt").write_text("keep me")
    with pytest.raises(ExportError, match="holds other files"):
        export(document, tmp_path / "shot", "png_8")
    assert (tmp_path / "shot" / "notes.txt").read_text() == "keep me"
    assert left_behind(tmp_path) == ["shot"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (2, 6)),
        ({"whole": True}, (0, 10)),
        ({"start": 4}, (4, 6)),
        ({"start": 7, "stop": 9}, (7, 9)),
    ],
)
def test_ranges(media_root: Path, settings: dict[str, int], expected: tuple[int, int]) -> None:
    sequence = replace(simple(media_root / DOG).sequences[SEQ], in_point=2, out_point=6)
    assert export_range(sequence, ExportSettings(path=Path("x"), **settings)) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("settings", [{"start": 5, "stop": 5}, {"start": -1}, {"stop": 11}])
def test_impossible_ranges_are_refused(media_root: Path, settings: dict[str, int]) -> None:
    with pytest.raises(ExportError, match="not a range"):
        export_range(simple(media_root / DOG).sequences[SEQ], ExportSettings(path=Path("x"), **settings))  # type: ignore[arg-type]


def test_only_the_range_is_exported(tmp_path: Path, media_root: Path) -> None:
    folder = export(simple(media_root / DOG), tmp_path / "part", "png_8", start=3, stop=5).path
    assert left_behind(folder) == ["part.json", "part_000003.png", "part_000004.png"]
