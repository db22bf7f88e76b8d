"""What a family declares, and what exactly the pipeline is shown for each task. No torch in here."""

from __future__ import annotations

import itertools
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from gen2studio.core.errors import GenerationError
from gen2studio.diffusion.families.contract import TASKS, Clip, Conditions, FrameRule, Matte, PipelineInputs
from gen2studio.diffusion.families.wan_vace import GREY, WanVaceAdapter, task_of
from gen2studio.diffusion.framing import Framing, choose_native
from gen2studio.diffusion.timing import JOINT_WINDOWS, ModelClock, footage_clock, latent_window, runs_of, shot_clock
from gen2studio.engine.events import Picture
from gen2studio.engine.requests import (
    BlobRef,
    ControlValues,
    GenerateRequest,
    KeyRef,
    LeadRef,
    MaskTrackRef,
    SourceRef,
)
from gen2studio.models.manifest import GuidanceRange, ModelManifest

RULE = FrameRule(4, 4)
SIZE = 32
FAMILY = WanVaceAdapter()


def request(mode: str, **changes: object) -> GenerateRequest:
    values: dict[str, object] = {
        "mode": mode, "generator": "m", "revision": "1", "source": SourceRef(fingerprint="f", path="p"), "start": 0,
        "stop": 9, "width": SIZE, "height": SIZE, **changes,
    }  # fmt: skip
    return GenerateRequest(**values)  # type: ignore[arg-type]


def flat(value: int) -> Picture:
    return np.full((SIZE, SIZE, 3), value, np.uint8)


CLIP = Clip(frames=tuple(range(9)), width=SIZE, height=SIZE)
SOURCE = tuple(flat(20 + i) for i in range(9))
STRUCTURE = tuple(flat(200 + i) for i in range(9))


def square(top: int, left: int, side: int) -> Matte:
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[top : top + side, left : left + side] = 255
    return mask


def inputs(mode: str, conditions: Conditions, **changes: object) -> PipelineInputs:
    return FAMILY.inputs(request(mode, **changes), CLIP, conditions, RULE)


def test_text_and_references_have_no_control() -> None:
    made = inputs("text", Conditions())
    assert (made.task, made.video, made.masks, made.references) == ("text", (), (), ())
    style = flat(90)
    made = inputs("text_image", Conditions(references=(style,)), styles=(BlobRef(digest="s"),))
    assert made.task == "reference" and made.video == () and made.references[0] is style


def test_keys_are_kept_and_everything_else_is_invented() -> None:
    keys = (KeyRef(frame=0, blob=BlobRef(digest="a")), KeyRef(frame=8, blob=BlobRef(digest="b")))
    made = inputs("image", Conditions(keys=((0, flat(10)), (8, flat(11)))), keys=keys)
    assert made.task == "keys"
    assert [int(f[0, 0, 0]) for f in made.video] == [10, *[GREY] * 7, 11]
    assert [int(m[0, 0]) for m in made.masks] == [0, *[255] * 7, 0]


def test_structure_is_shown_under_a_white_mask() -> None:
    made = inputs("stylize", Conditions(source=SOURCE, structure=STRUCTURE))
    assert made.task == "structure" and made.strength == 1.0 and made.start == ()
    assert all(a is b for a, b in zip(made.video, STRUCTURE, strict=True))
    assert all(m.min() == 255 for m in made.masks)


def test_strength_starts_from_the_footage() -> None:
    made = inputs(
        "stylize",
        Conditions(source=SOURCE, structure=STRUCTURE),
        controls=ControlValues(strength=0.4, control_scale=0.5),
    )
    assert made.task == "variation" and made.strength == 0.4 and made.start == SOURCE and made.scale == 0.5


def test_style_frame_lies_on_structure() -> None:
    made = inputs(
        "stylize",
        Conditions(source=SOURCE, structure=STRUCTURE, keys=((0, flat(77)),)),
        keys=(KeyRef(frame=0, blob=BlobRef(digest="a")),),
    )
    assert made.task == "style_frame"
    assert int(made.video[0][0, 0, 0]) == 77 and int(made.masks[0][0, 0]) == 0
    assert int(made.video[1][0, 0, 0]) == 201 and int(made.masks[1][0, 0]) == 255


@pytest.mark.parametrize("fill", ["free", "shape"])
def test_mask_edit_keeps_outside_and_fills_inside(fill: str) -> None:
    # The subject moves one pixel a frame: within a causal group the union is generated.
    masks = tuple(square(12, 8 + i, 6) for i in range(9))
    structure = STRUCTURE if fill == "shape" else ()
    made = inputs(
        "mask", Conditions(source=SOURCE, structure=structure, masks=masks),
        masks=(MaskTrackRef(object_id="o"),), region="foreground", fill=fill,
    )  # fmt: skip
    assert made.task == "mask"
    for group in (range(0, 1), range(1, 5), range(5, 9)):
        union = np.maximum.reduce([masks[i] for i in group])
        for i in group:
            assert (made.masks[i][union > 0] == 255).all(), "source leaks into an edited latent"
            assert np.array_equal(made.masks[i], made.masks[group[0]])
            inside = made.masks[i] == 255
            assert (made.video[i][~inside] == 20 + i).all()
            assert (made.video[i][inside] == (200 + i if fill == "shape" else GREY)).all()
    assert made.masks[0].sum() >= masks[0].sum()


def test_background_and_outpaint() -> None:
    subject = square(8, 8, 12)
    masks = tuple(np.asarray(255 - subject, np.uint8) for _ in range(9))
    made = inputs(
        "mask", Conditions(source=SOURCE, masks=masks), masks=(MaskTrackRef(object_id="o"),), region="background",
        fill="free",
    )  # fmt: skip
    assert made.task == "background"
    assert int(made.video[3][14, 14, 0]) == 23 and int(made.video[3][0, 0, 0]) == GREY
    border = np.full((SIZE, SIZE), 255, np.uint8)
    border[:, 8:24] = 0
    made = inputs("stylize", Conditions(source=SOURCE, border=border), outpaint=(8, 0, 8, 0))
    assert made.task == "outpaint"
    assert np.array_equal(made.masks[4], border) and int(made.video[4][0, 16, 0]) == 24
    assert int(made.video[4][0, 0, 0]) == GREY


def test_extend_pins_the_lead() -> None:
    lead = tuple(flat(40 + i) for i in range(5))
    made = inputs(
        "text", Conditions(lead=lead), lead=LeadRef(source=SourceRef(fingerprint="l", path="l"), start=0, stop=9)
    )
    assert made.task == "extend"
    assert [int(m[0, 0]) for m in made.masks] == [0] * 5 + [255] * 4
    assert [int(v[0, 0, 0]) for v in made.video] == [40, 41, 42, 43, 44, *[GREY] * 4]


def test_guides_lie_under_keys() -> None:
    open_ = square(0, 0, 10)
    made = inputs(
        "image",
        Conditions(guide=tuple(flat(60) for _ in range(9)), guide_masks=(open_,) * 9, keys=((0, flat(9)),)),
        keys=(KeyRef(frame=0, blob=BlobRef(digest="a")),),
    )
    assert int(made.video[0][0, 0, 0]) == 9 and made.masks[0].max() == 0
    assert int(made.video[5][0, 0, 0]) == GREY and int(made.video[5][20, 20, 0]) == 60
    assert np.array_equal(made.masks[5], open_)


def test_every_task_is_reached_and_wrong_shapes_are_refused() -> None:
    reached = {
        task_of(request("text")),
        task_of(request("text_image", styles=(BlobRef(digest="s"),))),
        task_of(request("image", keys=(KeyRef(frame=0, blob=BlobRef(digest="a")),))),
        task_of(request("stylize")),
        task_of(request("mask")),
        task_of(request("mask", region="background")),
        task_of(request("stylize", outpaint=(1, 0, 0, 0))),
        task_of(request("text", lead=LeadRef(source=SourceRef(fingerprint="l", path="l"), start=0, stop=1))),
        task_of(request("render", keys=(KeyRef(frame=0, blob=BlobRef(digest="a")),))),
        "variation",
    }
    assert reached == set(TASKS)
    with pytest.raises(GenerationError, match="can't make 8 frames"):
        FAMILY.inputs(request("text"), Clip(frames=tuple(range(8)), width=SIZE, height=SIZE), Conditions(), RULE)
    with pytest.raises(GenerationError, match="no frames"):
        FAMILY.inputs(request("text"), Clip(frames=(), width=SIZE, height=SIZE), Conditions(), RULE)
    with pytest.raises(GenerationError, match="don't fit"):
        inputs("stylize", Conditions(structure=STRUCTURE[:5]))


def test_guidance_follows_the_task_and_stays_in_range() -> None:
    manifest = ModelManifest(
        id="m", title="M", family="wan-vace", pipeline="WanVACEPipeline", guidance=GuidanceRange(3.0, 1.0, 6.0, 1.8)
    )
    assert FAMILY.guidance(manifest, "text") == 3.0
    assert FAMILY.guidance(manifest, "mask") == 1.8
    assert FAMILY.guidance(manifest, "mask", 9.0) == 6.0


def test_frame_rule() -> None:
    assert [RULE.padded(n) for n in (1, 2, 5, 6, 80, 81)] == [1, 5, 5, 9, 81, 81]
    assert [RULE.latent(n) for n in (1, 5, 81)] == [1, 2, 21]
    assert [RULE.group_of(f) for f in (0, 1, 4, 5, 8)] == [0, 1, 1, 2, 2]
    assert FrameRule(4, 1).latent(9) == 9


# -- framing and timing ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", [(640, 360), (360, 640), (512, 512), (1920, 800), (100, 60), (37, 211)])
def test_the_whole_frame_lies_in_the_models_picture(output: tuple[int, int]) -> None:
    native = choose_native(output, [(128, 128), (160, 96), (96, 160)], 16)
    assert native[0] % 16 == 0 and native[1] % 16 == 0
    framing = Framing(native, output)
    x, y, width, height = framing.box
    assert x >= 0 and y >= 0 and x + width <= native[0] and y + height <= native[1]
    assert abs(width / height - output[0] / output[1]) / (output[0] / output[1]) < 0.06
    picture = np.zeros((output[1], output[0], 3), np.uint8)
    picture[:, : max(1, output[0] // 16)] = 255  # its left edge must still be there
    seen = framing.into(picture)
    assert seen.shape == (native[1], native[0], 3)
    back = framing.out(seen)
    assert back.shape == picture.shape
    assert back[:, 0].mean() > 120 and back[:, -1].mean() < 60


def test_masks_are_never_lost_and_never_reach_the_filling() -> None:
    framing = Framing((128, 128), (1280, 720))
    mask = np.zeros((720, 1280), np.uint8)
    mask[300:303, 600:604] = 255
    small = framing.mask_into(mask)
    assert small.max() == 255
    _, y, _, height = framing.box
    assert small[:y].max(initial=0) == 0 and small[y + height :].max(initial=0) == 0


def test_odd_shapes_get_a_size_of_the_same_area() -> None:
    width, height = choose_native((1920, 800), [(832, 480)], 16)
    assert 0.8 < width * height / (832 * 480) <= 1.1 and abs(width / height - 2.4) < 0.15


def test_clocks() -> None:
    assert footage_clock(0, 48, Fraction(24), Fraction(8)).step == 3
    assert footage_clock(0, 48, Fraction(6), Fraction(8)).step == 1
    neutral = shot_clock(0, 49, Fraction(24), Fraction(8), 5.0)
    assert neutral.step == 3 and neutral.count == 17
    counts = [shot_clock(0, 49, Fraction(24), Fraction(8), m).count for m in (0, 2.5, 5, 7.5, 10)]
    assert counts == sorted(counts) and counts[0] < counts[-1]
    clock = ModelClock(10, 20, 3.0)
    assert [clock.media(i) for i in range(clock.count)] == [10, 13, 16, 19]
    assert ModelClock(5, 6, 3.0).count == 1


@pytest.mark.parametrize("rule", [FrameRule(4, 4), FrameRule(4, 1)])
@pytest.mark.parametrize("count", [1, 9, 17, 18, 60, 200, 333])
def test_runs_cover_everything_once_and_go_on_from_each_other(count: int, rule: FrameRule) -> None:
    runs = runs_of(count, 17, rule)
    assert runs[0].start == 0 and runs[0].known == 0 and runs[-1].stop == count
    for before, after in itertools.pairwise(runs):
        assert after.start == before.stop - after.known and after.known > 0
        assert after.stop > before.stop
    window, overlap = latent_window(17, rule)
    assert all(rule.latent(rule.padded(r.count)) <= window + (JOINT_WINDOWS - 1) * (window - overlap) for r in runs)


def test_entries_need_no_torch(tiny_model: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from gen2studio.models.library import ModelLibrary\n"
        "from gen2studio.diffusion.entries import generator_entries\n"
        f"found = generator_entries(ModelLibrary(registry_file=Path({str(tmp_path / 'm.json')!r}),"
        f" builtin=Path({str(tiny_model)!r})))\n"
        "modes = {m.mode for m in found[0].abilities.modes}\n"
        "assert {'text', 'text_image', 'image', 'stylize', 'storyboard', 'mask', 'render'} <= modes, modes\n"
        "assert found[0].abilities.memory_plan and found[0].abilities.structure_readers\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'cv2', 'av', 'numba'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
