"""Requests through the real engine and a real pipeline on a small checkpoint: every mode, and everything that fails."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gen2studio.core.geometry import Extent
from gen2studio.diffusion.conditioning.structure import control_clip
from gen2studio.engine.events import Estimated, Event, FrameReady, JobState, Picture, Progress, StepPreview
from gen2studio.engine.requests import (
    AdapterRef,
    CameraMove,
    GenerateRequest,
    KeyRef,
    Lane,
    LeadRef,
    Levels,
    MaskTrackRef,
    MotionRegionRef,
)
from tests.diffusion.studio import Stage, footage, source_ref

FIRST = footage(source_ref(), 0, Extent(64, 64))
LAST = footage(source_ref(), 8, Extent(64, 64))


class Switch:
    """Passes events on to whatever a test wants to do with them."""

    def __init__(self) -> None:
        self.act: Callable[[Event], None] = lambda event: None

    def __call__(self, event: Event) -> None:
        self.act(event)


@pytest.fixture(scope="module")
def switch() -> Switch:
    return Switch()


@pytest.fixture(scope="module")
def stage(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory, switch: Switch) -> Iterator[Stage]:
    made = Stage(tiny_model, tmp_path_factory.mktemp("stage"), switch)
    made.made(made.request("text"))  # starts the thread that writes takes
    yield made
    made.close()


@pytest.fixture(autouse=True)
def still(switch: Switch) -> Iterator[None]:
    yield
    switch.act = lambda event: None


def key(stage: Stage, frame: int, picture: Picture) -> KeyRef:
    return KeyRef(frame=frame, blob=stage.image(f"key-{frame}", picture))


def subject(stage: Stage) -> tuple[MaskTrackRef, ...]:
    mask = np.zeros((64, 64), np.uint8)
    mask[16:48, 16:48] = 255
    raster = stage.tiles.pack(mask)
    return (MaskTrackRef(object_id="mask-1", frames=tuple((i, raster) for i in range(12))),)


def case(stage: Stage, name: str) -> GenerateRequest:
    match name:
        case "text":
            return stage.request("text")
        case "text_image":
            return stage.request("text_image", styles=(stage.image("style", FIRST),))
        case "image":
            return stage.request("image", keys=(key(stage, 0, FIRST), key(stage, 8, LAST)))
        case "camera":
            return stage.request("text", camera=CameraMove(pan=4.0, zoom=2.0))
        case "brush":
            raster = subject(stage)[0].frames[0][1]
            regions = (MotionRegionRef(raster=raster, horizontal=6.0),)
            return stage.request("image", keys=(key(stage, 0, FIRST),), motion_regions=regions)
        case "storyboard":
            return stage.request("storyboard", keys=(key(stage, 2, FIRST), key(stage, 7, LAST)))
        case "layout":
            return stage.request("storyboard", layout=stage.image("layout", FIRST))
        case "stylize":
            return stage.request("stylize", keys=(key(stage, 0, FIRST),), controls={"strength": 0.6})
        case "mask":
            return stage.request("mask", masks=subject(stage), region="foreground", fill="free")
        case "background":
            return stage.request("mask", masks=subject(stage), region="background", fill="shape")
        case "render":
            return stage.request("render", structure_source="grey", controls={"structure": 4.0})
        case "outpaint":
            return stage.request("stylize", outpaint=(8, 0, 8, 0))
        case _:
            return stage.request("text", lead=LeadRef(source=source_ref(), start=2, stop=10))


MODES = (
    "text", "text_image", "image", "camera", "brush", "storyboard", "layout", "stylize", "mask", "background",
    "render", "outpaint", "extend",
)  # fmt: skip


@pytest.mark.parametrize("name", MODES)
def test_every_mode_makes_a_take(stage: Stage, name: str) -> None:
    request = case(stage, name)
    frames = stage.made(request)
    assert len(frames) == 9 and all(f.shape == (64, 64, 3) for f in frames)
    assert len({f.tobytes() for f in frames}) == 9
    assert stage.previews() and stage.previews()[0].step == 1
    estimates = [event.estimate for event in stage.events if isinstance(event, Estimated)]
    assert estimates[0].memory_bytes > 0
    if name == "outpaint":
        own = [footage(request.source, frame, Extent(48, 64)) for frame in range(9)]
        assert all((f[:, 8:56] == o).all() for f, o in zip(frames, own, strict=True))
        assert all(f[:, :8].std() + f[:, 56:].std() > 1 for f in frames)
    if name in ("mask", "background"):
        outside = np.ones((64, 64), bool)
        outside[16:48, 16:48] = False
        kept = ~outside if name == "background" else outside
        for index, frame in enumerate(frames):
            assert np.array_equal(frame[kept], footage(source_ref(), index, Extent(64, 64))[kept])
            assert not np.array_equal(frame[~kept], footage(source_ref(), index, Extent(64, 64))[~kept])


def test_a_strength_with_keys_holds_frames_on_the_footage(stage: Stage) -> None:
    def asked(*values: tuple[int, float]) -> list[Picture]:
        levels = (Levels(name="strength", values=values),) if len(values) > 1 else ()
        return stage.made(stage.request("stylize", controls={"strength": values[0][1]}, levels=levels))

    def gap(frame: Picture, index: int) -> float:
        return float(np.abs(frame.astype(float) - footage(source_ref(), index, Extent(64, 64))).mean())

    free, held = asked((0, 1.0)), asked((0, 0.0), (5, 1.0))
    # Frame 0 has a latent frame for itself, 1 to 4 share the next one, 5 to 8 the last.
    assert max(gap(held[i], i) for i in range(5)) < 0.25 * min(gap(free[i], i) for i in range(5))
    assert min(gap(held[i], i) for i in range(5, 9)) > 0.5 * min(gap(free[i], i) for i in range(5, 9))
    # The other way round, and in between.
    held = asked((0, 1.0), (5, 0.0))
    assert gap(held[0], 0) > 3 * gap(held[8], 8)
    half = asked((0, 0.5), (5, 1.0))
    assert gap(asked((0, 0.0), (5, 1.0))[2], 2) < gap(half[2], 2) < 1.3 * gap(free[2], 2)


def test_structure_with_keys_is_that_of_each_frame() -> None:
    frames = [footage(source_ref(), i, Extent(64, 64)) for i in range(3)]
    for kind in ("edges", "grey"):
        mixed = control_clip(kind, frames, level=[0.0, 3.0, 7.0])
        for index, level in enumerate((0.0, 3.0, 7.0)):
            assert np.array_equal(mixed[index], control_clip(kind, frames, level=level)[index])


def test_seeds_repeat_whatever_ran_before_and_differ(stage: Stage) -> None:
    first = stage.made(case(stage, "text"))
    stage.made(case(stage, "background"))
    assert all(np.array_equal(a, b) for a, b in zip(first, stage.made(case(stage, "text")), strict=True))
    other = stage.made(replace(case(stage, "text"), seed=4))
    assert not np.array_equal(first[0], other[0])


def test_stills_and_other_sizes(stage: Stage) -> None:
    for name in ("stylize", "image"):
        request = replace(case(stage, name), frames=(1, 4, 7), width=100, height=60)
        stage.made(request, Lane.STILLS)
        assert sorted(stage.frames()) == [1, 4, 7]
        assert all(f.shape == (60, 100, 3) for f in stage.frames().values())
    # A shot's still is what the take will show there, in fewer steps: with as many it is the same picture.
    take = stage.made(case(stage, "text"))
    stage.made(replace(case(stage, "text"), frames=(3,)), Lane.STILLS)
    assert np.array_equal(stage.frames()[3], take[3])


def test_long_shots_rates_and_motion(stage: Stage) -> None:
    long = stage.request("text", stop=41, source=source_ref(60))
    frames = stage.made(long)
    assert len(frames) == 41
    plan = stage.generators.generator(stage.model.id, "text")
    fast, slow = (plan.estimate(stage.request("text", controls={"motion": m})).seconds for m in (10.0, 0.0))
    assert fast is not None and slow is not None and fast > slow
    # Footage three times as fast as the model: every third frame is diffused, all frames come out.
    source = replace(source_ref(24), rate=source_ref().rate * 3)
    assert len(stage.made(stage.request("stylize", stop=24, source=source))) == 24


def test_applied_large_on_footage(stage: Stage) -> None:
    source = replace(source_ref(), width=320, height=320)
    frames = stage.made(stage.request("stylize", stop=3, source=source, width=320, height=320))
    assert len(frames) == 3 and frames[0].shape == (320, 320, 3)


# -- what goes wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stop": 0}, "no frames"),
        ({"frames": ()}, "no frames"),
        ({"width": 4, "height": 4}, "too small"),
        ({"mode": "image"}, "no image to bring to life"),
        ({"prompt": "  "}, "prompt is empty"),
        ({"mode": "dance"}, "does not serve"),
        ({"outpaint": (40, 0, 40, 0), "from_nothing": False}, "no room for the footage"),
        ({"adapters": (AdapterRef(digest="d", path="/nowhere/look.safetensors"),)}, "look.safetensors is not there"),
    ],
)
def test_requests_that_make_no_sense(stage: Stage, changes: dict[str, Any], words: str) -> None:
    end = stage.run(replace(case(stage, "text"), **changes))
    assert end.state is JobState.FAILED
    assert words in end.reason and "Something went wrong" not in end.reason and "\n" not in end.reason
    assert stage.run(case(stage, "text")).state is JobState.FINISHED, "the engine goes on"


def test_cancelling_keeps_what_is_there_and_leaves_no_trace(stage: Stage, switch: Switch) -> None:
    fresh = stage.made(case(stage, "text"))

    def cancel(event: Event) -> None:
        if isinstance(event, StepPreview):
            stage.engine.queue.cancel(event.job_id)

    switch.act = cancel
    assert stage.run(case(stage, "text")).state is JobState.CANCELLED
    switch.act = lambda event: None
    assert all(np.array_equal(a, b) for a, b in zip(fresh, stage.made(case(stage, "text")), strict=True))


def test_a_run_that_died_while_decoding_goes_on_there(stage: Stage, switch: Switch) -> None:
    request = replace(case(stage, "text"), seed=77)
    whole = stage.made(request)

    def cancel(event: Event) -> None:
        if isinstance(event, Progress) and event.stage == "Decoding frames":
            stage.engine.queue.cancel(event.job_id)

    switch.act = cancel
    assert stage.run(request, take="take-0123456789ab").state is JobState.CANCELLED
    switch.act = lambda event: None
    again = stage.run(request, take="take-0123456789ab")
    assert again.state is JobState.FINISHED, again.reason
    stages = {event.stage for event in stage.events if isinstance(event, Progress)}
    assert "Decoding frames" in stages and "Diffusing" not in stages
    assert all(np.array_equal(a, stage.frames()[i]) for i, a in enumerate(whole))


@pytest.mark.parametrize("part", ["transformer", "encoder", "decoder"])
@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"), MemoryError()]
)
def test_out_of_memory_is_one_sentence(
    stage: Stage, part: str, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    import diffusers
    from diffusers.models.autoencoders import autoencoder_kl_wan as wan

    owner = {
        "transformer": diffusers.WanVACETransformer3DModel, "encoder": wan.WanEncoder3d, "decoder": wan.WanDecoder3d,
    }[part]  # fmt: skip

    def full(*_: Any, **__: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(owner, "forward", full)
        end = stage.run(case(stage, "text"))
    assert end.state is JobState.FAILED
    assert "memory" in end.reason and "CUDA" not in end.reason and "\n" not in end.reason
    assert stage.run(case(stage, "text")).state is JobState.FINISHED


def test_numbers_that_run_over_are_one_sentence(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    import diffusers

    owner = diffusers.WanVACETransformer3DModel
    forward = owner.forward
    request = replace(case(stage, "text"), seed=93)
    with monkeypatch.context() as patch:
        patch.setattr(owner, "forward", lambda *given, **named: (forward(*given, **named)[0] * float("nan"),))
        end = stage.run(request, take="take-00000000abcf")
    assert end.state is JobState.FAILED and "numbers ran over" in end.reason and not stage.frames()
    assert stage.run(request, take="take-00000000abcf").state is JobState.FINISHED


def test_no_job_is_let_in_while_a_model_is_loaded(
    stage: Stage, switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gen2studio.diffusion.runtime import residency

    outer, inner = stage.job(case(stage, "text")), stage.job(replace(case(stage, "text"), frames=(2,)), Lane.PREVIEW)
    load, loads = residency.load_components, 0

    def counted(*given: Any, **named: Any) -> Any:
        nonlocal loads
        # Without names: the model itself, not what reads the prompt.
        loads += len(given) == 2
        return load(*given, **named)

    sent: list[Event] = []

    def interrupt(event: Event) -> None:
        if isinstance(event, Progress) and event.stage == "Loading the model" and not sent:
            sent.append(event)
            stage.engine.queue.submit(inner)

    monkeypatch.setattr(residency, "load_components", counted)
    stage.residency.release(stage.model.id)
    switch.act = interrupt
    stage.events.clear()
    assert stage.engine.run(outer).state is JobState.FINISHED
    assert sent and loads == 1
    assert {e.job_id for e in stage.events if isinstance(e, FrameReady)} == {outer.id, inner.id}


def test_memory_that_runs_out_once_is_no_failure(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    import diffusers

    owner = diffusers.WanVACETransformer3DModel
    forward, calls = owner.forward, 0

    def once(*given: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(*given, **named)

    monkeypatch.setattr(owner, "forward", once)
    assert stage.run(case(stage, "text")).state is JobState.FINISHED
    assert any("memory was not enough; going on" in note for note in stage.notes())


def test_stills_that_are_there_are_not_drawn_again_with_less_memory(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    import diffusers

    owner = diffusers.WanVACETransformer3DModel
    request = replace(case(stage, "stylize"), frames=(1, 4, 7), seed=94)
    forward, calls = owner.forward, 0

    def once(*given: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == short:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(*given, **named)

    short = 0
    monkeypatch.setattr(owner, "forward", once)
    stage.made(request, Lane.STILLS)
    usual, calls = calls, 0
    short = usual // 3 + 1
    stage.made(request, Lane.STILLS)
    assert any("going on" in note for note in stage.notes())
    assert [e.frame for e in stage.events if isinstance(e, FrameReady)] == [1, 4, 7]
    assert calls == usual + 1, "the pass that failed, and no other, is made again"


def test_latents_survive_memory_that_runs_out_while_decoding(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """One rung down, and even after the bottom of the ladder, nothing is denoised twice."""
    import diffusers
    from diffusers.models.autoencoders import autoencoder_kl_wan as wan

    passes, hopeless = 0, False
    forward, decode = diffusers.WanVACETransformer3DModel.forward, wan.WanDecoder3d.forward

    def counted(*given: Any, **named: Any) -> Any:
        nonlocal passes
        passes += 1
        return forward(*given, **named)

    def tight(*given: Any, **named: Any) -> Any:
        if not hopeless and any("going on" in note for note in stage.notes()):
            return decode(*given, **named)
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(diffusers.WanVACETransformer3DModel, "forward", counted)
    request = replace(case(stage, "text"), seed=91)
    whole = stage.made(request)
    usual, passes = passes, 0
    monkeypatch.setattr(wan.WanDecoder3d, "forward", tight)

    end = stage.run(request, take="take-00000000abcd")
    assert end.state is JobState.FINISHED, end.reason
    assert passes == usual
    made = stage.frames()
    assert all(int(np.abs(a.astype(int) - made[i]).max()) <= 1 for i, a in enumerate(whole))

    passes, hopeless = 0, True
    end = stage.run(replace(request, seed=92), take="take-00000000abce")
    assert end.state is JobState.FAILED and "memory" in end.reason
    assert passes == usual, "each rung found the latents of the first"
    monkeypatch.setattr(wan.WanDecoder3d, "forward", decode)
    passes = 0
    assert stage.run(replace(request, seed=92), take="take-00000000abce").state is JobState.FINISHED
    assert passes == 0


def test_a_full_disk_is_one_sentence(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    from gen2studio.diffusion import production

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(production, "save_latents", full)
        end = stage.run(case(stage, "text"))
    assert end.state is JobState.FAILED and "disk is full" in end.reason
    assert stage.run(case(stage, "text")).state is JobState.FINISHED


# -- adapters --------------------------------------------------------------------------------------------------------


def lora(path: Path, width: int = 32, seed: int = 1) -> Path:
    """A LoRA file for the tiny transformer (or one that does not fit it)."""
    from safetensors.torch import save_file

    made = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}
    for layer in ("to_q", "to_k", "to_v", "to_out.0"):
        for block in range(3):
            name = f"transformer.blocks.{block}.attn1.{layer}"
            tensors[f"{name}.lora_A.weight"] = torch.randn((4, width), generator=made)
            tensors[f"{name}.lora_B.weight"] = torch.randn((width, 4), generator=made)
    save_file(tensors, path, metadata={"format": "pt"})
    return path


def test_adapters_act_add_up_and_go(stage: Stage, tmp_path: Path) -> None:
    text = case(stage, "text")
    base = stage.made(text)
    one = AdapterRef(digest="1", path=str(lora(tmp_path / "one.safetensors")))
    two = AdapterRef(digest="2", path=str(lora(tmp_path / "two.safetensors", seed=2)))

    def made(*adapters: AdapterRef) -> list[Picture]:
        return stage.made(replace(text, adapters=adapters))

    def same(a: list[Picture], b: list[Picture]) -> bool:
        return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))

    assert same(made(replace(one, strength=0.0)), base)
    full, half, both = made(one), made(replace(one, strength=0.5)), made(one, two)
    assert not same(full, base) and not same(half, full) and not same(half, base) and not same(both, full)
    assert same(made(one), full), "and again"
    assert same(stage.made(text), base), "nothing of them is left"
    end = stage.run(
        replace(text, adapters=(AdapterRef(digest="3", path=str(lora(tmp_path / "wide.safetensors", width=48))),))
    )
    assert end.state is JobState.FAILED and "does not fit" in end.reason


def test_an_adapter_with_a_damaged_description_is_one_sentence(stage: Stage, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    text, tensors = case(stage, "text"), load_file(lora(tmp_path / "whole.safetensors"))
    for number, said in enumerate(("[1]", '{"transformer.r": "many"}', "{")):
        path = tmp_path / f"damaged-{number}.safetensors"
        save_file(tensors, path, metadata={"format": "pt", "lora_adapter_metadata": said})
        end = stage.run(replace(text, adapters=(AdapterRef(digest=str(number), path=str(path)),)))
        assert end.state is JobState.FAILED and "can't be used with" in end.reason, end.reason
    assert stage.run(text).state is JobState.FINISHED


def test_a_job_in_between_has_its_own_adapters(stage: Stage, switch: Switch, tmp_path: Path) -> None:
    one = AdapterRef(digest="1", path=str(lora(tmp_path / "one.safetensors")))
    two = AdapterRef(digest="2", path=str(lora(tmp_path / "two.safetensors", seed=2)))
    outer = replace(case(stage, "text"), adapters=(one,))
    inner = replace(case(stage, "text"), frames=(2,), adapters=(two,), seed=8)
    alone = stage.made(outer), stage.made(inner, Lane.PREVIEW)
    sent: list[str] = []

    def interrupt(event: Event) -> None:
        if isinstance(event, StepPreview) and not sent:
            job = stage.job(inner, Lane.PREVIEW)
            sent.append(job.id)
            stage.engine.queue.submit(job)

    switch.act = interrupt
    assert stage.run(outer).state is JobState.FINISHED
    mixed = [e for e in stage.events if hasattr(e, "picture") and not isinstance(e, StepPreview)]
    ours = {e.frame: e.picture for e in mixed if e.job_id not in sent}  # type: ignore[attr-defined]
    theirs = {e.frame: e.picture for e in mixed if e.job_id in sent}  # type: ignore[attr-defined]
    assert np.array_equal(theirs[2], alone[1][0])
    assert all(np.array_equal(picture, ours[i]) for i, picture in enumerate(alone[0]))
