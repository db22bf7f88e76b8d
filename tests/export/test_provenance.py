"""What exports and takes say about their origin, read by programs that are not ours."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from gen2studio.app.export import export_sequence
from gen2studio.app.export_values import ExportSettings
from gen2studio.core.frozen import frozen_map
from gen2studio.document.look import Look
from gen2studio.document.model import Document, Take
from gen2studio.engine.take_store import TakeStore
from gen2studio.media.exr import read_exr
from gen2studio.media.metadata import ExportRecord, TakeRecord, read_recipe, take_record, take_text
from gen2studio.media.provenance import (
    COMPOSITE,
    ENHANCED,
    TRAINED,
    combined,
    declared_type,
    type_of_recipe,
    xmp_packet,
)
from tests.export.sequences import clip_of, document_with, item_of, sequence_with

TAKE = "take-0000000000aa"
SIZE = (161, 121)


def recipe_of(generator: str = "wan-model", **changes: Any) -> dict[str, Any]:
    plain = {"t": "GenerateRequest", "generator": generator, "revision": "7", "region": "all", "masks": [],
             "outpaint": [0, 0, 0, 0], "parts": [], "prompt": "a café & <more>"}  # fmt: skip
    return {**plain, **changes}


MASKED = {"region": "foreground", "masks": [{"t": "MaskTrackRef"}]}


@pytest.mark.parametrize(
    ("recipe", "of_source", "kind"),
    [
        (recipe_of(), "", TRAINED),
        (recipe_of(**MASKED), "", COMPOSITE),
        (recipe_of(outpaint=[16, 0, 0, 0]), "", COMPOSITE),
        (recipe_of(**MASKED), TRAINED, TRAINED),
        (recipe_of("example"), "", ENHANCED),
        (recipe_of("example", **MASKED), "", ENHANCED),
        (recipe_of("example"), TRAINED, TRAINED),
        (recipe_of("", parts=[recipe_of(**MASKED), recipe_of("example", **MASKED)]), "", COMPOSITE),
        (recipe_of("", parts=[recipe_of("example", **MASKED)]), "", ENHANCED),
        ({"t": "OperateRequest", "operator": "rife"}, "", ENHANCED),
        ({"t": "OperateRequest", "operator": "built-in"}, TRAINED, TRAINED),
    ],
)
def test_the_term_says_what_was_used(recipe: dict[str, Any], of_source: str, kind: str) -> None:
    assert type_of_recipe(recipe, of_source=of_source) == kind


def test_strange_recipes_are_typed_without_end_or_error() -> None:
    """They come with takes that strangers made."""
    nested: dict[str, Any] = recipe_of("example")
    for _ in range(5000):
        nested = recipe_of("example", parts=[nested])
    assert type_of_recipe(nested) == ENHANCED
    assert type_of_recipe(recipe_of(parts=[1, None, "x"])) == TRAINED
    assert type_of_recipe(recipe_of(parts={"a": 1})) == TRAINED


def test_a_shot_of_nothing_was_made_and_footage_was_restyled() -> None:
    def made(**fields: Any) -> TakeRecord:
        return take_record(
            take_id=TAKE, name="", media="", fingerprint="", request_digest="", generator="wan-model", trained=True,
            recipe=json.dumps(recipe_of(**fields)),
        )  # fmt: skip

    record = ExportRecord(project="", preset="", width=8, height=8, rate="8/1", frames=1)
    shot, clip = made(from_nothing=True), made(from_nothing=False)
    assert replace(record, takes=(shot,)).sentence().startswith("Made with wan-model 7 and exported by")
    assert replace(record, takes=(clip,)).sentence().startswith("Restyled with wan-model 7 and")
    assert replace(record, takes=(shot, clip)).sentence().startswith("Made and restyled with wan-model 7 and")


def test_what_is_cut_together_is_a_composite() -> None:
    assert combined([]) == combined(["", ""]) == ""
    assert combined([TRAINED, TRAINED]) == TRAINED
    assert combined([TRAINED, ""]) == combined([TRAINED, ENHANCED]) == combined([COMPOSITE]) == COMPOSITE
    assert combined([ENHANCED, ""]) == ENHANCED


def film(media_root: Path, store: TakeStore, recipe: dict[str, Any], *, beside: bool = False) -> Document:
    """Four frames of a take; ``beside`` four frames of untouched footage after them."""
    item = item_of(media_root / "clips/hard/odd_dims_161x121_vp9.webm")
    text = json.dumps(recipe)
    store.begin(TAKE, "d1", text, Path(item.path))
    rng = np.random.default_rng(3)
    for frame in range(4):
        store.write(TAKE, frame, rng.integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8))
    take = Take(
        id=TAKE, media_id=item.id, name="Take 1", request_digest="d1", recipe=text, look=Look(), start=0, stop=4,
        width=SIZE[0], height=SIZE[1], done=((0, 4),),
    )  # fmt: skip
    clips = [replace(clip_of(item, duration=4), takes=(TAKE,), active_take=TAKE)]
    if beside:
        clips.append(clip_of(item, "clip-000000000003", start=4, duration=4))
    assert item.info.rate
    return document_with(sequence_with(tuple(clips), rate=item.info.rate, size=SIZE), item, takes=(take,))


@pytest.fixture
def store(tmp_path: Path) -> TakeStore:
    return TakeStore(tmp_path / "private place" / "takes")


def exported(document: Document, store: TakeStore, path: Path, preset: str) -> Path:
    return export_sequence(document, ExportSettings(path=path, preset=preset), take_folder=store.path).path


def told(*command: object) -> str:
    """What another program says of a file."""
    found = subprocess.run([str(word) for word in command], capture_output=True, check=True)
    return found.stdout.decode("utf-8", "replace")


def test_ffprobe_reads_the_origin_of_a_film(media_root: Path, store: TakeStore, tmp_path: Path) -> None:
    probe = ("ffprobe", "-v", "error", "-export_xmp", "1", "-show_entries", "format_tags", "-of", "json")
    for preset, document, kind in (
        ("h264", film(media_root, store, recipe_of()), TRAINED),
        ("prores_422_hq", film(media_root, store, recipe_of(), beside=True), COMPOSITE),
    ):
        path = exported(document, store, tmp_path / preset, preset)
        tags = json.loads(told(*probe, path))["format"]["tags"]
        assert f"<Iptc4xmpExt:DigitalSourceType>{kind}</Iptc4xmpExt:DigitalSourceType>" in tags["xmp"]
        assert "<Iptc4xmpExt:AISystemUsed>wan-model</Iptc4xmpExt:AISystemUsed>" in tags["xmp"]
        assert "<Iptc4xmpExt:AIPromptInformation>a café &amp; &lt;more&gt;<" in tags["xmp"]
        assert tags["digital_source_type"] == kind
        assert json.loads(tags["comment"])["takes"][0]["recipe"]["prompt"] == "a café & <more>"
        assert declared_type(path) == kind
        assert b"private place" not in path.read_bytes() and str(media_root).encode() not in path.read_bytes()


def test_pillow_reads_the_origin_of_pictures(media_root: Path, store: TakeStore, tmp_path: Path) -> None:
    document = film(media_root, store, recipe_of(**MASKED))
    folder = exported(document, store, tmp_path / "png", "png_8")
    pictures = [next(folder.glob("*.png")), store.frame_path(TAKE, 0)]
    for picture in pictures:
        with Image.open(picture) as opened:
            text = opened.text  # type: ignore[attr-defined]
        assert f"DigitalSourceType>{COMPOSITE}<" in text["XML:com.adobe.xmp"]
        assert "AISystemVersionUsed>7<" in text["XML:com.adobe.xmp"]
        assert '"prompt":"a café & <more>"' in text["Gen2Studio"].replace(": ", ":")
        assert declared_type(picture) == COMPOSITE
        assert b"private place" not in picture.read_bytes()
    # A frame of a take alone gives its settings back.
    record = read_recipe(pictures[1])
    assert record is not None and record.takes[0].prompt == "a café & <more>" and record.source_type == COMPOSITE


def test_frames_of_a_take_are_the_same_whenever_they_are_made(tmp_path: Path) -> None:
    picture = np.full((4, 4, 3), 9, np.uint8)
    for name in ("a", "b"):
        takes = TakeStore(tmp_path / name)
        takes.begin(TAKE, "d1", json.dumps(recipe_of()))
        takes.write(TAKE, 0, picture)
    first, second = ((tmp_path / name / TAKE / "frame_000000.png").read_bytes() for name in ("a", "b"))
    assert first == second
    assert np.array_equal(TakeStore(tmp_path / "a").read(TAKE, 0), picture)


def test_mattes_and_endless_recipes_stay_out_of_every_frame() -> None:
    mattes = [{"t": "MaskTrackRef", "frames": [[n, "x" * 40] for n in range(2000)]}]
    parts = recipe_of("", parts=[recipe_of("example", region="foreground", masks=mattes)])
    for recipe in (recipe_of("example", region="foreground", masks=mattes), parts):
        text = take_text("d1", json.dumps(recipe))
        said = json.loads(text["Gen2Studio"])
        assert len(text["Gen2Studio"]) < 2000 and len(said["masks_digest"]) == 64 and said["recipe"]
        assert said["type"] == ENHANCED
    text = take_text("d1", json.dumps(recipe_of(levels=[[n, 0.5] for n in range(9000)])))
    said = json.loads(text["Gen2Studio"])
    assert said["digest"] == "d1" and "recipe" not in said and said["type"] == TRAINED


def test_a_take_that_became_footage_stays_generated(media_root: Path, store: TakeStore, tmp_path: Path) -> None:
    film(media_root, store, recipe_of())
    item = item_of(store.frame_path(TAKE, 0))
    clip = clip_of(item, duration=1)
    document = document_with(sequence_with((clip,), size=SIZE), item)
    record = read_recipe(exported(document, store, tmp_path / "again", "png_8"))
    assert record is not None and not record.takes and record.source_type == TRAINED
    assert record.inputs[0].source_type == TRAINED


def test_exr_holds_scene_linear_light_and_its_origin(media_root: Path, store: TakeStore, tmp_path: Path) -> None:
    document = film(media_root, store, recipe_of())
    folder = exported(document, store, tmp_path / "exr", "exr_alpha")
    file = folder / "exr_000002.exr"
    assert {f.name for f in folder.iterdir()} == {*(f"exr_{n:06d}.exr" for n in range(4)), "exr.json"}
    # FFmpeg's reader of EXR is its own; the file was written by the OpenEXR library.
    said = told("ffprobe", "-v", "error", "-show_frames", "-of", "json", file)
    tags = json.loads(said)["frames"][0]["tags"]
    assert tags["digital_source_type"] == TRAINED and tags["comments"].startswith("Restyled with wan-model 7")
    with av.open(str(file)) as container:
        # Long attributes are cut by older versions of it.
        whole = next(container.decode(video=0)).metadata
    assert "<Iptc4xmpExt:AISystemUsed>wan-model" in whole["xmp"]
    assert json.loads(whole["gen2studio"])["takes"][0]["recipe"]["prompt"] == "a café & <more>"
    assert declared_type(file) == TRAINED
    record = read_recipe(file)
    assert record is not None and record.takes[0].revision == "7" and record == read_recipe(folder)
    assert b"private place" not in file.read_bytes()
    # The light comes back as the very code values of the take.
    _, layers = read_exr(file)
    light = np.dstack([layers[""][name] for name in "RGB"])
    low = light <= 0.0031308
    code = np.where(low, light * 12.92, 1.055 * np.power(np.maximum(light, 1e-9), 1 / 2.4) - 0.055)
    assert np.array_equal(np.rint(code * 255).astype(np.uint8), store.read(TAKE, 2))
    assert np.all(layers[""]["A"] == 1)


def test_a_gap_is_transparent_in_exr(media_root: Path, store: TakeStore, tmp_path: Path) -> None:
    document = film(media_root, store, recipe_of())
    sequence = document.sequences[document.active_sequence]
    track = sequence.video_tracks[0]
    moved = replace(track, clips=tuple(replace(clip, start=1) for clip in track.clips))
    tracks = tuple(moved if each is track else each for each in sequence.tracks)
    document = replace(document, sequences=frozen_map({sequence.id: replace(sequence, tracks=tracks)}))
    folder = exported(document, store, tmp_path / "gap", "exr_alpha")
    _, layers = read_exr(folder / "gap_000000.exr")
    assert not layers[""]["A"].any() and not layers[""]["R"].any()


def test_xmp_holds_no_character_that_xml_forbids() -> None:
    packet = xmp_packet(kind=TRAINED, tool="T", sentence="a\x00b\x1b<c>", prompts="]]>\x07")
    assert "\x00" not in packet and "ab&lt;c&gt;" in packet and "]]&gt;" in packet
