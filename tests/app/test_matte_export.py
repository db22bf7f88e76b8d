"""Mattes in and out: the same mattes, the same colour, the same times; and nothing left when it fails."""

from __future__ import annotations

import errno
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gen2studio.app.export import ExportProgress
from gen2studio.app.matte_export import GREEN, MatteExport, export_mattes, targets
from gen2studio.app.matte_files import (
    MatteImport,
    arrange,
    first_frame_of,
    kept_anchors,
    preview_picture,
    read_mattes,
    with_mattes,
)
from gen2studio.core.cancel import Cancelled, CancelToken
from gen2studio.core.errors import EditRefused, ExportError, MediaError
from gen2studio.core.geometry import Extent
from gen2studio.core.keyed import Keyed
from gen2studio.core.mask_refinement import Refinement
from gen2studio.core.mask_shape import MaskShape, ShapePoint
from gen2studio.document import masks as edits
from gen2studio.document.model import Document, MaskBlend, MaskFrame, MediaItem
from gen2studio.media.decoder import open_decoder
from gen2studio.media.exr import read_exr
from gen2studio.media.matte_formats import MATTE, PREMULTIPLIED, STRAIGHT
from gen2studio.media.matte_kinds import IDS, LUMA, MatteFit
from gen2studio.media.matte_reader import find_matte
from gen2studio.raster.tiles import TileStore
from tests.export.sequences import mean_delta_e, simple

DOG, CAR = "mask-0000000000d0", "mask-0000000000c0"
NASA = "clips/hard/nasa_6streams_13s.mp4"
ODD = "clips/hard/odd_dims_161x121_vp9.webm"
VFR = "clips/hard/android_slowmo_vfr.mp4"
FIRST, COUNT = 2, 3


class Shot:
    """A clip with two soft discs that move, masked on frames 2…4."""

    def __init__(self, path: Path) -> None:
        self.tiles = TileStore()
        self.path = path
        document = simple(path)
        self.item: MediaItem = next(iter(document.media.values()))
        self.extent: Extent = self.item.info.extent
        self.truth: dict[tuple[str, int], NDArray[np.uint8]] = {}
        for object_id, name, step in ((DOG, "Dog 1", 5), (CAR, "car.left", -9)):
            document = edits.add_object(document, self.item.id, name, object_id=object_id)
            frames: dict[int, MaskFrame] = {}
            for frame in range(FIRST, FIRST + COUNT):
                matte = self.disc(step * frame)
                self.truth[object_id, frame] = matte
                frames[frame] = MaskFrame(raster=self.tiles.pack(matte), anchor=True)
            document = edits.set_frames(document, object_id, frames)
        self.document: Document = document

    def disc(self, shift: int) -> NDArray[np.uint8]:
        width, height = self.extent.width, self.extent.height
        y, x = np.mgrid[:height, :width]
        return np.clip(128 - (np.hypot(x - width / 2 - shift, y - height / 2) - height / 4) * 8, 0, 255).astype(
            np.uint8
        )

    def export(self, path: Path, **changes: object) -> tuple[Path, ...]:
        settings = MatteExport(path=path, objects=(DOG,), **changes)  # type: ignore[arg-type]
        return export_mattes(self.document, settings, self.tiles).paths

    def back(self, path: Path, **changes: object) -> dict[str, dict[int, NDArray[np.uint8]]]:
        """Object name → media frame → matte, as an import of ``path`` brings it."""
        file = find_matte(path)
        settings = MatteImport(**changes)  # type: ignore[arg-type]
        places = arrange(file, settings, self.item.info)
        layers = read_mattes(file, settings, places, self.extent, self.tiles)
        return {layer.name: {f: self.tiles.unpack(r) for f, r in layer.frames} for layer in layers}


@pytest.fixture(scope="module")
def shot(media_root: Path) -> Shot:
    return Shot(media_root / NASA)


@pytest.fixture(scope="module")
def odd(media_root: Path) -> Shot:
    return Shot(media_root / ODD)


def packets(path: Path) -> list[Fraction]:
    """Presentation times of the pictures of a file, in seconds."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        return sorted(p.pts * stream.time_base for p in container.demux(stream) if p.pts is not None)


# -- there and back --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "content", "most"),
    [
        ("png8", STRAIGHT, 0),
        ("png16", STRAIGHT, 0),
        ("exr", MATTE, 0),
        ("exr", PREMULTIPLIED, 0),
        ("prores4444", STRAIGHT, 0),
        ("prores4444", PREMULTIPLIED, 0),
        ("prores4444", MATTE, 2),
        ("vp9", STRAIGHT, 6),
    ],
)
def test_what_is_exported_is_imported_again(odd: Shot, tmp_path: Path, kind: str, content: str, most: int) -> None:
    (path,) = odd.export(tmp_path / "dog", format=kind, content=content)
    sequence = path.is_dir()
    found = odd.back(path, **({} if sequence else {"first_frame": FIRST}))
    assert set(found) == {"Dog 1" if kind == "exr" else "dog"}
    (track,) = found.values()
    assert sorted(track) == [2, 3, 4]
    for frame, matte in track.items():
        gap = np.abs(matte.astype(int) - odd.truth[DOG, frame])
        assert int(gap.max()) <= most, (frame, gap.max())
    assert not list(tmp_path.glob(".*"))


def test_images_are_numbered_by_media_frame(odd: Shot, tmp_path: Path) -> None:
    (folder,) = odd.export(tmp_path / "dog.png", format="png16")
    assert sorted(p.name for p in folder.iterdir()) == [f"dog_{n:06d}.png" for n in (2, 3, 4)]
    read = cv2.imread(str(folder / "dog_000003.png"), cv2.IMREAD_UNCHANGED)
    assert read.dtype == np.uint16 and np.array_equal(read, odd.truth[DOG, 3].astype(np.uint16) * 257)


def test_objects_apart_are_files_or_layers_and_together_one_matte(odd: Shot, tmp_path: Path) -> None:
    both = {"objects": (CAR, DOG), "combined": False}
    settings = MatteExport(path=tmp_path / "m", format="png8", **both)  # type: ignore[arg-type]
    paths = export_mattes(odd.document, settings, odd.tiles).paths
    assert [p.name for p in paths] == ["m_Dog 1", "m_car.left"]
    exr = export_mattes(odd.document, replace(settings, format="exr", path=tmp_path / "e"), odd.tiles).paths[0]
    layers = odd.back(exr)
    assert list(layers) == ["Dog 1", "car.left"]
    for name, object_id in (("Dog 1", DOG), ("car.left", CAR)):
        assert all(np.array_equal(m, odd.truth[object_id, f]) for f, m in layers[name].items())
    document = replace(odd.document, masks={**odd.document.masks})
    car = replace(document.masks[CAR], blend=MaskBlend.SUBTRACT)
    document = replace(document, masks={**document.masks, CAR: car})
    one = export_mattes(document, replace(settings, combined=True, path=tmp_path / "one"), odd.tiles).paths[0]
    read = cv2.imread(str(one / "one_000004.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(read, np.minimum(odd.truth[DOG, 4], 255 - odd.truth[CAR, 4]))


def test_shapes_and_the_refine_stack_are_exported(odd: Shot, tmp_path: Path) -> None:
    square = tuple(ShapePoint(x, y) for x, y in ((2, 2), (30, 2), (30, 30), (2, 30)))
    outline = MaskShape(id="shape-000000000001", kind="polygon", keys=((0, square),))
    dog = replace(odd.document.masks[DOG], shapes=(outline,), refinement=Refinement(grow=Keyed(4.0)))
    document = replace(odd.document, masks={**odd.document.masks, DOG: dog})
    settings = MatteExport(path=tmp_path / "m", format="png8", objects=(DOG,), start=2, stop=4)
    folder = export_mattes(document, settings, odd.tiles).paths[0]
    read = cv2.imread(str(folder / "m_000002.png"), cv2.IMREAD_UNCHANGED)
    assert read[15, 15] == 255 and read[15, 33] == 255 and read[15, 40] == 0
    assert (read >= odd.truth[DOG, 2]).all() and read.sum() > odd.truth[DOG, 2].sum() + 28 * 28 * 255


# -- colour, times and sound -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "layout", "most"),
    [
        ("prores4444", "yuva444p12le", 0.4),
        ("greenscreen_prores", "yuv422p10le", 0.4),
        ("greenscreen", "yuv420p", 0.9),
        ("vp9", "yuv420p", 1.8),
    ],
)
def test_colour_times_tags_and_sound_are_the_clips_own(
    shot: Shot, tmp_path: Path, kind: str, layout: str, most: float
) -> None:
    settings = MatteExport(path=tmp_path / "dog", format=kind, objects=(DOG,))
    result = export_mattes(shot.document, settings, shot.tiles)
    (path,) = result.paths
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.pix_fmt, stream.average_rate) == (layout, Fraction(30000, 1001))
        tags = context.color_range, context.colorspace, context.color_primaries, context.color_trc
        assert tags == (1, 1, 1, 1)
        sound = container.streams.audio[0]
        samples = sum(f.samples for f in container.decode(sound))
        assert abs(samples / sound.rate - COUNT * 1001 / 30000) < 0.045
    # WebM counts in milliseconds.
    tick = Fraction(1, 1000) if kind == "vp9" else Fraction(0)
    times = packets(path)
    assert len(times) == result.frames == COUNT
    assert all(abs(at - Fraction(1001 * n, 30000)) <= tick for n, at in enumerate(times))
    source, made = open_decoder(shot.path), open_decoder(path)
    try:
        for index in range(COUNT):
            want = source.rgb(FIRST + index).astype(np.float64)
            if kind.startswith("greenscreen"):
                weight = shot.truth[DOG, FIRST + index][..., None] / 255
                want = want * weight + np.array(GREEN) * (1 - weight)
            got = made.rgba(index)[..., :3]
            assert mean_delta_e(got, np.rint(want).astype(np.uint8)) < most
            assert abs(float(got.mean() - want.mean())) < 0.4  # no shift of exposure
            if kind.startswith("greenscreen"):
                assert np.abs(got[:10, :10].astype(int) - GREEN).max() <= 3
    finally:
        source.close()
        made.close()


def test_premultiplied_is_straight_times_alpha(shot: Shot, tmp_path: Path) -> None:
    (path,) = shot.export(tmp_path / "p", format="prores4444", content=PREMULTIPLIED)
    source, made = open_decoder(shot.path), open_decoder(path)
    want = source.rgb(FIRST) * (shot.truth[DOG, FIRST][..., None] / 255)
    got = made.rgba(0)[..., :3]
    source.close()
    made.close()
    assert mean_delta_e(got, np.rint(want).astype(np.uint8)) < 0.4


@pytest.mark.parametrize("linear", [False, True])
def test_exr_colour_is_the_code_values_or_their_light(shot: Shot, tmp_path: Path, linear: bool) -> None:
    (folder,) = shot.export(tmp_path / "e", format="exr", content=STRAIGHT, linear=linear, float32=True, stop=3)
    _, layers = read_exr(folder / "e_000002.exr")
    source = open_decoder(shot.path)
    code = source.rgb(2) / 255
    source.close()
    want = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4) if linear else code
    stored = np.dstack([layers[""][c] for c in "RGB"])
    # 8-bit rounding of the yardstick is half a step of 1/255, spread by the curve's slope of at most 2.3.
    assert np.abs(stored - want).max() < (2.4 if linear else 1.2) / 255
    assert abs(float((stored - want).mean())) < 2e-4
    assert np.array_equal(np.rint(layers[""]["A"] * 255), shot.truth[DOG, 2])


def test_an_odd_size_keeps_its_size_where_the_codec_can(odd: Shot, tmp_path: Path) -> None:
    for kind, size in (("prores4444", (161, 121)), ("vp9", (161, 121)), ("greenscreen", (162, 122))):
        result = export_mattes(odd.document, MatteExport(path=tmp_path / kind, format=kind, objects=(DOG,)), odd.tiles)
        with av.open(str(result.paths[0])) as container:
            video = container.streams.video[0]
            assert (video.width, video.height) == size
        assert bool(result.notes) == (kind == "greenscreen")


def test_a_variable_rate_keeps_its_times(media_root: Path, tmp_path: Path) -> None:
    shot = Shot(media_root / VFR)
    settings = MatteExport(path=tmp_path / "v", format="greenscreen", objects=(DOG,), start=0, stop=7)
    (path,) = export_mattes(shot.document, settings, shot.tiles).paths
    own = packets(shot.path)
    made = packets(path)
    assert len(made) == 7
    assert all(abs(m - (o - own[0])) < Fraction(1, 1000) for m, o in zip(made, own, strict=False))
    gaps = [b - a for a, b in pairwise(own[:7])]
    assert max(gaps) > min(gaps), "the clip is not of a variable rate"


def test_decontaminated_colour_reaches_the_file_only_at_the_edge(shot: Shot, tmp_path: Path) -> None:
    dog = replace(shot.document.masks[DOG], refinement=Refinement(decontaminate=Keyed(1.0)))
    document = replace(shot.document, masks={**shot.document.masks, DOG: dog})
    settings = MatteExport(path=tmp_path / "d", format="prores4444", objects=(DOG,), stop=3)
    (path,) = export_mattes(document, settings, shot.tiles).paths
    source, made = open_decoder(shot.path), open_decoder(path)
    gap = np.abs(made.rgba(0)[..., :3].astype(int) - source.rgb(2)).max(axis=2)
    source.close()
    made.close()
    matte = shot.truth[DOG, 2]
    assert float(gap[matte == 255].mean()) < 1.5
    soft = (matte > 20) & (matte < 235)
    assert float(gap[soft].mean()) > 2 * float(gap[matte == 255].mean())


# -- what can go wrong -----------------------------------------------------------------------------------------------


def test_progress_counts_up_and_a_cancel_leaves_nothing(shot: Shot, tmp_path: Path) -> None:
    for kind in ("prores4444", "png8", "exr", "vp9"):
        token = CancelToken()
        told: list[ExportProgress] = []

        def on_progress(progress: ExportProgress, token: CancelToken = token, told: list = told) -> None:  # type: ignore[type-arg]
            told.append(progress)
            token.cancel()

        settings = MatteExport(path=tmp_path / kind, format=kind, objects=(DOG, CAR), combined=False)
        with pytest.raises(Cancelled):
            export_mattes(shot.document, settings, shot.tiles, cancel=token, on_progress=on_progress)
        assert told and told[0].total == COUNT
        assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_and_keeps_the_old_file(
    odd: Shot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (old,) = odd.export(tmp_path / "dog", format="exr")
    before = {p.name: p.read_bytes() for p in old.iterdir()}
    wrote = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if path.name.endswith("_000004.exr"):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return wrote(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ExportError, match=r"disk .* is full"):
        odd.export(tmp_path / "dog", format="exr")
    assert [p.name for p in tmp_path.iterdir()] == ["dog"]
    assert {p.name: p.read_bytes() for p in old.iterdir()} == before


def test_places_that_can_not_be_written_to_are_refused(shot: Shot, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"is not there|can't be written to"):
        shot.export(Path("/proc/nowhere/dog"), format="prores4444")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "letter.txt").write_text("mine")
    with pytest.raises(ExportError, match="holds other files"):
        shot.export(tmp_path / "taken", format="png8")
    media = MatteExport(path=Path(shot.item.path), format="greenscreen", objects=(DOG,))
    with pytest.raises(ExportError, match="media of this project"):
        targets(shot.document, media)
    inside = MatteExport(path=tmp_path / "takes" / "x", objects=(DOG,))
    with pytest.raises(ExportError, match="own folders"):
        targets(shot.document, inside, tmp_path)


def test_wrong_ranges_and_empty_objects_are_one_sentence(shot: Shot, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="not a range of the clip"):
        shot.export(tmp_path / "x", start=4, stop=2)
    document = edits.add_object(shot.document, shot.item.id, "Empty", object_id="mask-0000000000ee")
    settings = MatteExport(path=tmp_path / "x", objects=("mask-0000000000ee",))
    with pytest.raises(ExportError, match="Empty has no mattes"):
        export_mattes(document, settings, shot.tiles)
    with pytest.raises(ExportError, match="no matte format"):
        shot.export(tmp_path / "x", format="gif")
    assert list(tmp_path.iterdir()) == []


def test_a_matte_that_lost_its_pixels_is_one_sentence(odd: Shot, tmp_path: Path) -> None:
    settings = MatteExport(path=tmp_path / "x", format="prores4444", objects=(DOG,))
    with pytest.raises(ExportError, match="Part of a matte of Dog 1 on frame 2 is missing"):
        export_mattes(odd.document, settings, TileStore())
    assert list(tmp_path.iterdir()) == []


# -- import ----------------------------------------------------------------------------------------------------------


def numbered(folder: Path, numbers: range, size: tuple[int, int], white: int = 255) -> Path:
    folder.mkdir()
    for number in numbers:
        matte = np.zeros((size[1], size[0]), np.uint8)
        matte[: size[1] // 2] = white
        matte[0, number % size[0]] = 0
        cv2.imwrite(str(folder / f"m_{number:04d}.png"), matte)
    return folder


def test_numbers_in_file_names_are_media_frames_where_they_fit(shot: Shot, tmp_path: Path) -> None:
    count = shot.item.info.frame_count
    for name, numbers, first in (
        ("own", range(12, 15), 12),
        ("one", range(1, count + 1), 0),
        ("film", range(1001, 1004), 0),
    ):
        file = find_matte(numbered(tmp_path / name, numbers, (16, 9)))
        assert first_frame_of(file, count) == first, name
    still = find_matte(tmp_path / "own" / "m_0013.png", single=True)
    assert first_frame_of(still, count, 40) == 13
    assert first_frame_of(still, 10, 7) == 7


def test_shorter_leaves_the_rest_longer_is_cut_and_both_are_said(shot: Shot, tmp_path: Path) -> None:
    info = shot.item.info
    file = find_matte(numbered(tmp_path / "short", range(0, 4), (16, 9)))
    placed = arrange(file, MatteImport(first_frame=info.frame_count - 3), info)
    assert [frame for _, frame in placed.frames] == [info.frame_count - 3 + n for n in range(3)]
    told = " ".join(placed.notes)
    assert "1 image outside the clip's" in told and "is left out" in told and "stay as they are" in told
    assert "scaled to 480×270" in told
    with pytest.raises(MediaError, match="No image of “short” falls into the clip"):
        arrange(file, MatteImport(first_frame=info.frame_count), info)


def test_an_import_is_new_objects_with_anchors_or_propagated_frames(shot: Shot, tmp_path: Path) -> None:
    file = find_matte(numbered(tmp_path / "m", range(3, 6), (16, 9)))
    for anchors in (True, False):
        settings = MatteImport(anchors=anchors, invert=not anchors)
        placed = arrange(file, settings, shot.item.info)
        layers = read_mattes(file, settings, placed, shot.extent, shot.tiles)
        document, (made,) = with_mattes(shot.document, shot.item.id, settings, layers)
        owner = document.masks[made]
        assert owner.name == "m" and sorted(owner.frames) == [3, 4, 5]
        assert all(f.anchor is anchors and f.confidence == 1.0 for f in owner.frames.values())
        matte = shot.tiles.unpack(owner.frames[4].raster)
        assert matte[200, 200] == (0 if anchors else 255)


def test_an_object_keeps_what_the_import_does_not_reach(shot: Shot, tmp_path: Path) -> None:
    file = find_matte(numbered(tmp_path / "m", range(4, 7), (16, 9)))
    settings = MatteImport(object_id=DOG)
    layers = read_mattes(file, settings, arrange(file, settings, shot.item.info), shot.extent, shot.tiles)
    document, ids = with_mattes(shot.document, shot.item.id, settings, layers)
    owner = document.masks[DOG]
    assert ids == (DOG,) and sorted(owner.frames) == [2, 3, 4, 5, 6]
    assert owner.frames[2] is shot.document.masks[DOG].frames[2]
    locked = edits.set_locked(shot.document, DOG, True)
    with pytest.raises(EditRefused, match="locked"):
        with_mattes(locked, shot.item.id, settings, layers)


def test_propagated_frames_never_replace_drawn_ones(shot: Shot, tmp_path: Path) -> None:
    file = find_matte(numbered(tmp_path / "m", range(4, 7), (16, 9)))
    settings = MatteImport(object_id=DOG, anchors=False)
    layers = read_mattes(file, settings, arrange(file, settings, shot.item.info), shot.extent, shot.tiles)
    document, ids = with_mattes(shot.document, shot.item.id, settings, layers)
    assert document.masks[DOG].frames[4] is shot.document.masks[DOG].frames[4]
    assert kept_anchors(document, ids, layers) == 1


def test_mattes_of_the_stored_size_fit_an_anamorphic_clip(media_root: Path, tmp_path: Path) -> None:
    shot = Shot(media_root / "clips" / "hard" / "sar_2x1_640x360_5s.mp4")
    assert shot.extent == Extent(1280, 360)
    folder = numbered(tmp_path / "m", range(0, 2), (640, 360))
    assert "stored size 640×360" in arrange(find_matte(folder), MatteImport(), shot.item.info).notes[0]
    matte = shot.back(folder)["m"][1]
    assert matte.shape == (360, 1280) and matte[100].min() == 255 and not matte[250].any()


def test_object_numbers_met_late_become_objects_too(shot: Shot, tmp_path: Path) -> None:
    folder = tmp_path / "ids"
    folder.mkdir()
    for number in range(20):
        ids = np.zeros((54, 96), np.uint8)
        ids[:10] = 1
        if number == 7:
            ids[20:] = 5  # not among the images that are looked at first
        cv2.imwrite(str(folder / f"{number:05d}.png"), ids)
    file = find_matte(folder)
    assert file.carrier == IDS and [x.key for x in file.layers_of(IDS)] == ["id:1"]
    found = shot.back(folder)
    assert list(found) == ["Object 1", "Object 5"]
    assert len(found["Object 5"]) == 20 and found["Object 5"][7].max() == 255 and not found["Object 5"][6].any()
    assert list(shot.back(folder, carrier=LUMA)) == ["ids"]


def test_another_shape_is_refused_or_fitted_on_request(shot: Shot, tmp_path: Path) -> None:
    folder = numbered(tmp_path / "m", range(0, 2), (10, 10))
    with pytest.raises(MediaError, match="shapes differ"):
        shot.back(folder)
    assert shot.back(folder, fit=MatteFit.FIT)["m"][1][:, :100].max() == 0
    assert shot.back(folder, fit=MatteFit.STRETCH)["m"][1][100, 5] == 255


def test_a_still_can_be_held_over_the_clip(odd: Shot, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "garbage.png"), np.full((121, 161), 200, np.uint8))
    track = odd.back(tmp_path / "garbage.png", hold=True)["garbage"]
    assert sorted(track) == list(range(odd.item.info.frame_count))


def test_empty_mattes_and_a_file_that_breaks_halfway_change_nothing(shot: Shot, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="Every matte of “black” is empty"):
        shot.back(numbered(tmp_path / "black", range(0, 3), (16, 9), white=0))
    folder = numbered(tmp_path / "m", range(0, 40), (16, 9))
    (folder / "m_0007.png").write_bytes((folder / "m_0007.png").read_bytes()[:40])
    with pytest.raises(MediaError, match=r"“m_0007\.png” is damaged or cut short"):
        shot.back(folder)


def test_a_cancelled_import_reads_no_further(shot: Shot, tmp_path: Path) -> None:
    file = find_matte(numbered(tmp_path / "m", range(0, 9), (16, 9)))
    token = CancelToken()
    seen: list[int] = []

    def on_progress(done: int, total: int) -> None:
        seen.append(done)
        assert total == 9
        token.cancel()

    placed = arrange(file, MatteImport(), shot.item.info)
    with pytest.raises(Cancelled):
        read_mattes(file, MatteImport(), placed, shot.extent, shot.tiles, cancel=token, on_progress=on_progress)
    assert seen == [1]


def test_the_preview_darkens_what_lies_outside(shot: Shot, tmp_path: Path) -> None:
    file = find_matte(numbered(tmp_path / "m", range(0, 3), (16, 9)))
    picture = preview_picture(file, MatteImport(), shot.item, 1, 0, 240)
    source = open_decoder(shot.path)
    plain = source.rgb(1, Extent(240, 135))
    source.close()
    assert picture.shape == (135, 240, 3)
    assert np.abs(picture[30:45].astype(int) - plain[30:45]).max() <= 1
    assert picture[80:].mean() == pytest.approx(0.22 * plain[80:].mean(), rel=0.05)
