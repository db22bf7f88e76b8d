"""Keys of a look and what they make stale: only the frames whose values change, and only those are made again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from gen2studio.app.planning_levels import curve_of, sampled
from gen2studio.app.staleness import Judge, stale_runs
from gen2studio.app.studio import Studio
from gen2studio.compose import studio as real_studio
from gen2studio.core.curve import Curve, CurveKey, Ease
from gen2studio.document import masks
from gen2studio.document.codec_looks import decode_look, encode_look
from gen2studio.document.codec_reader import Node
from gen2studio.document.look import KEYED, Look, LookPart, Region
from gen2studio.document.model import Clip, MaskFrame, Take
from gen2studio.engine.events import JobState
from gen2studio.engine.requests import Levels
from gen2studio.engine.take_store import TakeStore
from gen2studio.media.decoder import open_decoder
from gen2studio.ui.timeline.layout import runs_on_clip

FRAMES = 30
RAMP = Curve(1.0, (CurveKey(0, 0.0), CurveKey(20, 1.0)))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty frames of 96 × 64 at 15 a second: a ramp with a square that moves over it."""
    path = tmp_path_factory.mktemp("film") / "film.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=15)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "bgr0"
        y, x = np.mgrid[0:64, 0:96]
        for number in range(FRAMES):
            picture = np.stack([x * 2, y * 3, x + y], -1).astype(np.uint8)
            picture[20:44, 10 + 2 * number : 26 + 2 * number] = (200, 90, 40)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def studio(qtbot: QtBot, film: Path) -> Iterator[Studio]:
    """The whole program without widgets, the film on its timeline."""
    made = real_studio(sound=False)
    made.preferences.set("live_preview", False)
    with qtbot.waitSignal(made.importer.finished, timeout=15000):
        made.import_files([film])
    yield made
    made.shutdown(discard=True)
    made.deleteLater()


def target(studio: Studio) -> Clip:
    clip = studio.session.target_clip()
    assert clip is not None
    return clip


def shown(studio: Studio) -> Take:
    return studio.store.document.takes[target(studio).active_take]


def generate(studio: Studio, qtbot: QtBot) -> Take:
    """Generate the clip and show the take."""
    with qtbot.waitSignal(studio.takes.take_ended, timeout=60000, check_params_cb=lambda _t, s: s is JobState.FINISHED):
        assert studio.generation.run()
    studio.generation.apply_take(target(studio).takes[-1])
    return shown(studio)


def pictures(studio: Studio, take: Take) -> dict[int, np.ndarray]:
    store = TakeStore(studio.project.takes_dir)
    return {frame: store.read(take.id, frame) for frame in store.frames(take.id)}


def set_curve(studio: Studio, name: str, curve: Curve) -> None:
    studio.generation.set_look("Keys", studio.generation.look.with_curve(name, curve))


# -- values ------------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(-20, 60), st.floats(0, 1), st.sampled_from(list(Ease))), min_size=1, max_size=6))
def test_levels_say_what_the_curve_says_on_every_frame(keys: list[tuple[int, float, Ease]]) -> None:
    unique = {frame: CurveKey(frame, value, ease) for frame, value, ease in keys}
    curve = Curve(0.5, tuple(unique[frame] for frame in sorted(unique)))
    levels = Levels(name="strength", values=sampled("strength", curve, range(40)))
    again = curve_of(levels)
    for frame in range(40):
        assert levels.at(frame) == pytest.approx(min(max(curve.at(frame), 0), 1), abs=6e-5)
        assert again.at(frame) == pytest.approx(levels.at(frame), abs=3e-3)


def test_keys_are_saved_and_kept_in_range() -> None:
    bent = CurveKey(9, 5.0, Ease.BEZIER, (-1.0, 0.25), (2.5, -0.5))
    look = Look().with_curve("style_weight", Curve(0.7, (CurveKey(3, 0.2, Ease.HOLD), bent)))
    look = look.with_curve("grow", Curve(1.0, (CurveKey(-4, -7.0),)))
    assert [name for name, _ in look.curves] == ["style_weight", "grow"]
    assert look.curve("style_weight").keys[1].value == KEYED["style_weight"][1]
    assert decode_look(Node(json.loads(json.dumps(encode_look(look))), "it")) == look
    still = look.with_curve("grow", Curve(2.0))
    assert [name for name, _ in still.curves] == ["style_weight"] and still.controls.grow == 2
    assert look.controls_at(3).style_weight == 0.2 and look.controls_at(3).grow == -7


# -- generating --------------------------------------------------------------------------------------------------------


def test_sliders_change_over_the_clip(studio: Studio, qtbot: QtBot) -> None:
    studio.generation.change("Look", prompt="sunset")
    full = pictures(studio, generate(studio, qtbot))
    set_curve(studio, "strength", RAMP)
    made = pictures(studio, generate(studio, qtbot))
    clip = target(studio)
    decoder = open_decoder(studio.store.document.media[clip.media_id].path)
    first, tenth = decoder.rgb(0), decoder.rgb(10)
    decoder.close()
    assert np.array_equal(made[25], full[25]) and np.array_equal(made[0], first)
    assert np.abs(made[10] - (tenth.astype(float) + full[10]) / 2).max() <= 1.01
    # The panel's slider sets a key where the playhead stands.
    studio.session.set_playhead(clip.start + 5)
    studio.generation.change("Strength", strength=0.9)
    assert studio.generation.look.curve("strength").key_at(5) == CurveKey(5, 0.9)


def test_only_what_a_key_changes_is_made_again(studio: Studio, qtbot: QtBot) -> None:
    studio.generation.change("Look", preset="oil")
    set_curve(studio, "style_weight", RAMP)
    old = generate(studio, qtbot)
    before = pictures(studio, old)
    assert studio.stale_runs(target(studio)) == ()
    # From frame 16 on the ramp now ends lower; what lies before keeps its values.
    bent = Curve(1.0, (CurveKey(0, 0.0), CurveKey(16, 0.8), CurveKey(20, 0.4), CurveKey(24, 1.0)))
    set_curve(studio, "style_weight", bent)
    assert studio.stale_runs(target(studio)) == ((17, 24),)
    assert studio.is_stale(target(studio), old)

    renewed: list[tuple[str, object]] = []
    studio.clip_takes.renewed.connect(lambda *values: renewed.append(values))
    with qtbot.waitSignal(studio.clip_takes.renewed, timeout=60000):
        assert studio.clip_takes.renew()
    take = shown(studio)
    after = pictures(studio, take)
    [(take_id, told)] = renewed
    assert take_id == take.id != old.id and (told.made, told.kept) == (7 + 2 * 4, FRAMES - 15)  # type: ignore[attr-defined]
    assert take.complete and studio.stale_runs(target(studio)) == () and not studio.is_stale(target(studio), take)
    store = TakeStore(studio.project.takes_dir)
    for frame in range(FRAMES):
        same = np.array_equal(before[frame], after[frame])
        linked = store.frame_path(old.id, frame).stat().st_ino == store.frame_path(take.id, frame).stat().st_ino
        assert linked is not (13 <= frame < 28) and (same or not linked)
    assert not np.array_equal(before[20], after[20])
    # No step where the new frames come in: frame to frame it changes as much as it did there before.
    steps = [np.abs(after[f + 1].astype(float) - after[f]).mean() for f in range(FRAMES - 1)]
    was = [np.abs(before[f + 1].astype(float) - before[f]).mean() for f in range(FRAMES - 1)]
    assert max(steps[12:17] + steps[24:28]) < 2.0 * max(was)
    # Undo and redo know the new take, and undo of the keys finds the old one fresh again.
    studio.generation.apply_take(old.id)
    studio.store.undo_stack.undo()
    assert shown(studio).id == take.id


def test_mattes_make_their_own_frames_stale(studio: Studio, qtbot: QtBot) -> None:
    clip = target(studio)

    def painted(frame: int, left: int) -> MaskFrame:
        matte = np.zeros((64, 96), np.uint8)
        matte[16:48, left : left + 40] = 255
        return MaskFrame(raster=studio.store.tiles.pack(matte), anchor=True)

    object_id = "mask-00000000000a"
    document = masks.add_object(studio.store.document, clip.media_id, object_id=object_id)
    frames = {frame: painted(frame, 10 + frame) for frame in range(FRAMES)}
    studio.store.apply("Paint", masks.set_frames(document, object_id, frames))
    studio.generation.change("Look", prompt="sunset", region=Region.FOREGROUND, feather=2.0)
    take = generate(studio, qtbot)
    document = masks.set_frames(studio.store.document, object_id, {7: painted(7, 40), 8: painted(8, 40)})
    studio.store.apply("Paint", document)
    assert studio.stale_runs(target(studio)) == ((7, 9),)
    # A feather with keys beyond the frames it changes leaves them alone.
    soft = Curve(2.0, (CurveKey(20, 2.0), CurveKey(29, 6.0)))
    set_curve(studio, "feather", soft)
    assert studio.stale_runs(target(studio)) == ((7, 9), (21, FRAMES))
    # Cut short behind the first spans, the clip asks for less.
    short = replace(target(studio), duration=5)
    assert not studio.is_stale(short, take)
    # What is not a matter of frames makes all of them stale, and so does a generator that is made in one piece.
    whole = ((0, FRAMES),)
    seeded = replace(target(studio), look=replace(studio.generation.look, seed=99))
    assert stale_runs(studio.store.document, seeded, take, studio.judge()) == whole
    assert stale_runs(studio.store.document, target(studio), take, Judge(blobs=studio.project.find_blob)) == whole


def test_looks_by_object_are_renewed_by_span(studio: Studio, qtbot: QtBot) -> None:
    clip = target(studio)

    def painted(left: int) -> MaskFrame:
        matte = np.zeros((64, 96), np.uint8)
        matte[16:48, left : left + 40] = 255
        return MaskFrame(raster=studio.store.tiles.pack(matte), anchor=True)

    object_id = "mask-00000000000b"
    document = masks.add_object(studio.store.document, clip.media_id, object_id=object_id)
    document = masks.set_frames(document, object_id, {frame: painted(10 + frame) for frame in range(FRAMES)})
    studio.store.apply("Paint", document)
    parts = (
        LookPart(object_id=object_id, look=Look(prompt="sunset").with_curve("strength", RAMP)),
        LookPart(look=Look(preset="noir")),
    )
    studio.generation.change("Looks", parts=parts)
    old = generate(studio, qtbot)
    before = pictures(studio, old)
    studio.store.apply("Paint", masks.set_frames(studio.store.document, object_id, {25: painted(50)}))
    assert studio.stale_runs(target(studio)) == ((25, 26),)
    with qtbot.waitSignal(studio.clip_takes.renewed, timeout=60000):
        assert studio.clip_takes.renew()
    take = shown(studio)
    after = pictures(studio, take)
    assert take.complete and studio.stale_runs(target(studio)) == ()
    assert all(np.array_equal(before[f], after[f]) for f in range(21))
    assert not np.array_equal(before[25][16:48, 50:90], after[25][16:48, 50:90])


def test_a_longer_clip_gets_the_frames_it_lacks(studio: Studio, qtbot: QtBot) -> None:
    sequence = studio.session.sequence
    assert sequence is not None
    clip = target(studio)
    studio.editing.perform("Trim", lambda s: _trimmed(s, clip, -10, studio))
    studio.generation.change("Look", preset="ink")
    old = generate(studio, qtbot)
    assert (old.start, old.stop) == (0, 20)
    studio.editing.perform("Trim", lambda s: _trimmed(s, clip, 6, studio))
    assert studio.stale_runs(target(studio)) == () and studio.is_stale(target(studio), old)
    with qtbot.waitSignal(studio.clip_takes.renewed, timeout=60000):
        assert studio.clip_takes.renew()
    take = shown(studio)
    assert (take.start, take.stop, take.complete) == (0, 26, True) and not studio.is_stale(target(studio), take)
    # Its colours are those of the frames that were there.
    assert json.loads(take.recipe)["sampled"] == [0, 20]
    assert not studio.clip_takes.renew()


def _trimmed(sequence: object, clip: Clip, delta: int, studio: Studio) -> object:
    from gen2studio.document import edits

    return edits.trim_tail(sequence, clip.id, delta, studio.store.document.media)  # type: ignore[arg-type]


def test_bands_lie_where_a_clip_shows_the_frames() -> None:
    clip = Clip(id="clip-00000000000a", media_id="media-00000000000a", name="a", start=100, duration=30)
    assert runs_on_clip([(2, 5)], clip, 15, 15) == ((102, 105),)
    assert runs_on_clip([(2, 5), (20, 40)], replace(clip, reverse=True), 15, 15) == ((100, 110), (125, 128))
    frozen = replace(clip, freeze=True, source_in=Fraction(4, 15))
    assert runs_on_clip([(2, 5)], frozen, 15, 15) == ((100, 130),) and runs_on_clip([(5, 9)], frozen, 15, 15) == ()
