"""AnimateDiff on Stable Diffusion 1.5: what diffusers makes of the same noise, Gen-1's frame consistency, styles,
ControlNets, masks, few-step schedules, adapters, and the parts that lie beside the model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from gen2studio.cli.main import main
from gen2studio.core.cancel import Cancelled
from gen2studio.core.errors import GenerationError, ModelError
from gen2studio.diffusion.adapter_scope import adapters_loaded
from gen2studio.diffusion.entries import abilities_of, family_of
from gen2studio.diffusion.families.animatediff import RECIPES, AnimateDiffAdapter, canny
from gen2studio.diffusion.families.animatediff_driver import AnimateDiffDriver, begin_at, scheduler_for
from gen2studio.diffusion.families.contract import LatentGeometry, PipelineInputs
from gen2studio.diffusion.families.driving import Decoding, Denoising, PromptEmbeds, Sampling
from gen2studio.diffusion.runtime.applying import apply_plan
from gen2studio.diffusion.runtime.device import quick_machine
from gen2studio.diffusion.runtime.ladder import plans_for
from gen2studio.diffusion.runtime.loading import Components, load_components, text_parts
from gen2studio.diffusion.sampling import seeds
from gen2studio.diffusion.sampling.few_steps import recipe_named
from gen2studio.diffusion.sampling.free_noise import rescheduled
from gen2studio.diffusion.sampling.guided_unet import GuidedUnet, motion_modules, motion_off
from gen2studio.engine.events import Event, JobState, Progress
from gen2studio.engine.requests import AdapterRef
from gen2studio.models.library import InstalledModel, ModelLibrary
from tests.diffusion import tiny_animatediff
from tests.diffusion.studio import Stage

FRAMES = 4
SIDE = 32
CELLS = SIDE // 8


class Rig:
    """One loaded model, driven directly."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.model: InstalledModel = ModelLibrary(home / "models.json").add(folder)
        self.adapter = AnimateDiffAdapter.of(self.model)
        self.geometry: LatentGeometry = self.adapter.geometry(self.model)
        plan = next(plan for plan in plans_for(self.model, quick_machine()) if plan.dtype == "float32")
        self.parts: Components = load_components(self.model, plan)
        words = load_components(self.model, plan, text_parts(self.model))
        self.driver = AnimateDiffDriver()
        self.pipe: Any = self.driver.pipeline(self.parts)
        self.said = self.driver.embed(words, "a red dog in the meadow", 77, "cpu")
        self.unsaid = self.driver.embed(words, "", 77, "cpu")
        self.steps: list[torch.Tensor] = []

    def check(self) -> None:
        return

    def stepped(self, step: int, steps: int, clean: torch.Tensor) -> None:
        self.steps.append(clean)

    def run(self, *, guidance: float = 3.0, steps: int = 2, seed: int = 4, **changes: Any) -> torch.Tensor:
        named = {name: changes.pop(name) for name in ("consistency", "window", "overlap", "recipe") if name in changes}
        inputs = PipelineInputs(**{"task": "text", "width": SIDE, "height": SIDE, "frames": FRAMES, **changes})
        embeds = PromptEmbeds(self.said, self.unsaid if guidance > 1 else None)
        sampling = Sampling(steps=steps, guidance=guidance, seed=seed, **named)
        self.steps.clear()
        return self.driver.denoise(self.pipe, Denoising(inputs, embeds, sampling, self, self.geometry))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_animatediff.build(tmp_path_factory.mktemp("animatediff"), without=("few_step_lora.safetensors",))


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_animatediff.build_apart(tmp_path_factory.mktemp("apart"))


@pytest.fixture(scope="module")
def rig(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    yield Rig(folder, tmp_path_factory.mktemp("rig"))


def _noise(seed: int) -> torch.Tensor:
    return seeds.noise((1, 4, FRAMES, CELLS, CELLS), seed)


def pictures(count: int = FRAMES, seed: int = 0) -> tuple[np.ndarray, ...]:
    made = np.random.default_rng(seed).integers(0, 255, (count, SIDE, SIDE, 3), np.uint8)
    return tuple(made)


# -- the same as diffusers ---------------------------------------------------------------------------------------------


def test_a_run_from_nothing_is_what_the_stock_pipeline_makes_of_its_noise(rig: Rig) -> None:
    from diffusers import AnimateDiffPipeline

    mine = rig.run(guidance=3.0)
    stock = AnimateDiffPipeline(
        vae=rig.parts.vae, text_encoder=None, tokenizer=None, unet=rig.parts.parts["unet"], motion_adapter=None,
        scheduler=scheduler_for(None, rig.parts.scheduler),
    )  # pyright: ignore[reportArgumentType]  # fmt: skip
    stock.set_progress_bar_config(disable=True)
    theirs = stock(
        prompt_embeds=rig.said["prompt_embeds"], negative_prompt_embeds=rig.unsaid["prompt_embeds"], num_frames=FRAMES,
        width=SIDE, height=SIDE, num_inference_steps=2, guidance_scale=3.0, latents=_noise(4),
        output_type="latent",
    ).frames  # pyright: ignore  # fmt: skip
    assert torch.equal(mine, theirs.float())
    assert len(rig.steps) == 2 and rig.steps[-1].shape == mine.shape


def test_the_unet_is_the_one_that_diffusers_joins(rig: Rig, folder: Path) -> None:
    from diffusers import MotionAdapter, UNet2DConditionModel, UNetMotionModel

    image = UNet2DConditionModel.from_pretrained(folder / "unet", local_files_only=True)
    motion = MotionAdapter.from_pretrained(folder / "motion_adapter", local_files_only=True)
    theirs, mine = UNetMotionModel.from_unet2d(image, motion).state_dict(), rig.parts.parts["unet"].state_dict()
    assert theirs.keys() == mine.keys()
    assert all(torch.equal(theirs[name], mine[name]) for name in mine)


# -- frame consistency -------------------------------------------------------------------------------------------------


def test_without_motion_the_frames_are_stable_diffusions_own(rig: Rig, folder: Path) -> None:
    from diffusers import UNet2DConditionModel

    image = UNet2DConditionModel.from_pretrained(folder / "unet", local_files_only=True).eval()
    unet, noise = rig.parts.parts["unet"], _noise(9)
    words = rig.said["prompt_embeds"].repeat(FRAMES, 1, 1)
    with torch.no_grad():
        with motion_off(unet):
            frames = unet(noise, 500, words).sample[0]
        alone = image(noise[0].transpose(0, 1), 500, words).sample.transpose(0, 1)
        moving = unet(noise, 500, words).sample[0]
    assert torch.allclose(frames, alone, atol=1e-5)
    assert not torch.allclose(moving, alone, atol=1e-2), "the motion modules are back, and act"


@torch.no_grad()
def test_consistency_is_gen_1s_formula(rig: Rig) -> None:
    unet, noise = rig.parts.parts["unet"], _noise(9)
    both = torch.cat([noise, noise])
    words = torch.cat([rig.unsaid["prompt_embeds"], rig.said["prompt_embeds"]]).repeat_interleave(FRAMES, 0)
    video = unet(both, 500, words).sample
    with motion_off(unet):
        frames = unet(noise, 500, words[:FRAMES]).sample
    for held in (0.0, 0.5, 3.0):
        made = GuidedUnet(unet, rig.check, consistency=held)(both, 500, encoder_hidden_states=words).sample
        without, with_words = made.chunk(2)
        guided = without + 4.0 * (with_words - without)
        wanted = frames + held * (video[:1] - frames) + 4.0 * (video[1:] - video[:1])
        assert torch.allclose(guided, wanted, atol=1e-4), held
    neutral = GuidedUnet(unet, rig.check, consistency=1.0)(both, 500, encoder_hidden_states=words).sample
    assert torch.equal(neutral, video)


def test_consistency_changes_a_run_without_words_too(rig: Rig) -> None:
    assert not torch.equal(rig.run(guidance=1.0), rig.run(guidance=1.0, consistency=3.0))


def _draw_together(unet: Any) -> None:
    """Motion modules that take every frame towards the mean of all: what trained ones do, in its plainest form."""
    with torch.no_grad():
        for module in motion_modules(unet):
            for parameter in module.parameters():
                parameter.zero_()
            same, block = torch.eye(module.proj_in.weight.shape[0]), module.transformer_blocks[0]
            for weight in (module.norm.weight, block.norm1.weight):
                weight.fill_(1)
            module.proj_in.weight.copy_(same)
            module.proj_out.weight.copy_(-same)
            block.attn1.to_v.weight.copy_(same)
            block.attn1.to_out[0].weight.copy_(-same)


def test_flicker_of_real_footage_falls_as_frames_are_held_together(rig: Rig, media_root: Path) -> None:
    reader = cv2.VideoCapture(str(media_root / "clips" / "golden_retriever_512_3.2s.mp4"))
    clip = tuple(cv2.resize(reader.read()[1], (SIDE, SIDE), interpolation=cv2.INTER_AREA) for _ in range(FRAMES))
    held = Rig.__new__(Rig)
    held.__dict__ |= rig.__dict__
    held.parts = load_components(rig.model, rig.parts.plan)
    held.pipe = rig.driver.pipeline(held.parts)
    _draw_together(held.parts.parts["unet"])

    def flicker(consistency: float) -> float:
        made = held.run(start=clip, strength=0.7, steps=4, guidance=2.0, consistency=consistency)
        # Against the contrast of the clip, which guidance raises as well.
        return float((made[:, :, 1:] - made[:, :, :-1]).abs().mean() / made.std())

    free, neutral, steady = flicker(0.0), flicker(1.0), flicker(3.0)
    assert steady < 0.97 * neutral and neutral < 0.99 * free


# -- style images ------------------------------------------------------------------------------------------------------


def test_a_style_image_acts_by_its_weight_and_leaves_nothing_behind(rig: Rig) -> None:
    unet = rig.parts.parts["unet"]
    before, plain = dict(unet.attn_processors), rig.run()
    style = pictures(1, 5)
    assert torch.equal(rig.run(references=style, reference_scale=0.0), plain)
    light, strong = rig.run(references=style, reference_scale=0.3), rig.run(references=style, reference_scale=1.0)
    assert not torch.equal(light, plain) and not torch.equal(light, strong)
    two = rig.run(references=(*style, *pictures(1, 6)), reference_scale=1.0)
    assert not torch.equal(two, strong), "two images are two"
    same = rig.run(references=(*style, *style), reference_scale=1.0, reference_weights=(1.0, 0.2))
    assert torch.allclose(same, strong, atol=1e-4), "an image that is there twice is that image"
    uneven = rig.run(references=(*style, *pictures(1, 6)), reference_scale=1.0, reference_weights=(1.0, 0.1))
    assert (uneven - strong).abs().mean() < (two - strong).abs().mean() / 2, "the heavier image counts more"
    assert unet.attn_processors == before and unet.encoder_hid_proj is None
    assert torch.equal(rig.run(), plain)


def _stock_with_style(rig: Rig, folder: Path, style: np.ndarray, scale: float) -> torch.Tensor:
    """What the stock pipeline makes of a style image with the adapter file of ``folder``."""
    from diffusers import AnimateDiffPipeline, MotionAdapter, UNet2DConditionModel
    from PIL import Image
    from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

    encoder = CLIPVisionModelWithProjection.from_pretrained(folder / "image_encoder", local_files_only=True)
    stock: Any = AnimateDiffPipeline(
        vae=rig.parts.vae, text_encoder=None, tokenizer=None,
        unet=UNet2DConditionModel.from_pretrained(folder / "unet", local_files_only=True),
        motion_adapter=MotionAdapter.from_pretrained(folder / "motion_adapter", local_files_only=True),
        scheduler=scheduler_for(None, rig.parts.scheduler), image_encoder=encoder,
        feature_extractor=CLIPImageProcessor(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}),
    )  # pyright: ignore[reportArgumentType]  # fmt: skip
    stock.set_progress_bar_config(disable=True)
    stock.load_ip_adapter(str(folder), subfolder="", weight_name="ip_adapter.safetensors", local_files_only=True)
    stock.set_ip_adapter_scale(scale)
    return stock(
        prompt_embeds=rig.said["prompt_embeds"], negative_prompt_embeds=rig.unsaid["prompt_embeds"], num_frames=FRAMES,
        width=SIDE, height=SIDE, num_inference_steps=2, guidance_scale=3.0, latents=_noise(4),
        output_type="latent", ip_adapter_image=Image.fromarray(style),
    ).frames.float()  # fmt: skip


def test_a_style_image_is_what_load_ip_adapter_makes_of_it(rig: Rig, folder: Path) -> None:
    style = pictures(1, 5)
    mine = rig.run(references=style, reference_scale=0.8)
    assert torch.allclose(mine, _stock_with_style(rig, folder, style[0], 0.8), atol=1e-4)


def test_the_plus_kind_of_ip_adapter_reads_the_image_in_more_detail(rig: Rig, folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "plus")
    tiny_animatediff.plus_style(copy / "ip_adapter.safetensors")
    plus, style = Rig(copy, tmp_path), pictures(1, 5)
    mine = plus.run(references=style, reference_scale=0.8)
    assert torch.allclose(mine, _stock_with_style(plus, copy, style[0], 0.8), atol=1e-4)
    assert not torch.allclose(mine, rig.run(references=style, reference_scale=0.8), atol=1e-2)


# -- control pictures --------------------------------------------------------------------------------------------------


def test_a_controlnet_follows_its_pictures_window_by_window_as_at_once(rig: Rig) -> None:
    lines = pictures(seed=3)
    plain = rig.run()
    controlled = rig.run(structure=lines, structure_kind="scribble")
    assert not torch.equal(controlled, plain)
    assert torch.equal(rig.run(structure=lines, structure_kind="scribble", window=FRAMES, overlap=2), controlled)
    assert not torch.equal(rig.run(structure=lines, structure_kind="depth"), controlled)
    assert not torch.equal(rig.run(structure=lines, structure_kind="scribble", scale=0.2), controlled)
    assert torch.allclose(rig.run(structure=lines, structure_kind="scribble", scale=0.0), plain, atol=1e-5)
    part = rig.run(structure=lines, structure_kind="scribble", window=3, overlap=1)
    assert part.shape == plain.shape and torch.isfinite(part).all()


def test_canny_draws_thin_white_lines_and_fewer_at_a_higher_level() -> None:
    picture = np.full((256, 256, 3), 40, np.uint8)
    picture[64:192, 64:192] = 220
    picture[:, 208:240:8] = picture[:, 209:241:8] = 220
    lines = canny(picture)
    assert lines.shape == picture.shape and set(np.unique(lines)) <= {0, 255}
    assert 0 < canny(picture, 5.0).mean() < 255 and canny(picture, 5.0).mean() < lines.mean()


# -- footage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", ["", *(recipe.name for recipe in RECIPES[:1]), RECIPES[3].name])
def test_what_lies_outside_a_mask_stays_exactly_the_footage(rig: Rig, recipe: str) -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[8:24, 8:24] = 255
    clip = pictures(seed=8)
    made = rig.run(start=clip, masks=(mask,) * FRAMES, recipe=recipe, guidance=1.5)
    clean = rig.driver.encode(rig.pipe, clip)
    changed = torch.zeros(CELLS, CELLS, dtype=torch.bool)
    changed[1:3, 1:3] = True
    assert torch.equal(made[..., ~changed], clean[..., ~changed])
    assert not torch.allclose(made[..., changed], clean[..., changed], atol=1e-2)


def test_strength_and_a_strength_for_every_frame_hold_the_footage(rig: Rig) -> None:
    clip = pictures(seed=8)
    clean = rig.driver.encode(rig.pipe, clip)

    def far(latents: torch.Tensor) -> torch.Tensor:
        return (latents - clean).pow(2).mean((0, 1, 3, 4))

    weak, strong = rig.run(start=clip, strength=0.2, steps=5), rig.run(start=clip, strength=0.8, steps=5)
    assert far(weak).mean() < far(strong).mean()
    keyed = rig.run(start=clip, strength=0.8, steps=5, frame_strength=(0.0, 0.8, 0.8, 0.0))
    assert far(keyed)[0] == 0 and far(keyed)[3] == 0 and far(keyed)[2] > 0.01


def test_long_clips_share_their_noise_and_short_ones_are_left_alone() -> None:
    noise = seeds.noise((1, 4, 40, 4, 4), 3)
    assert torch.equal(rescheduled(noise[:, :, :16], 16, 4, 3), noise[:, :, :16])
    long = rescheduled(noise, 16, 4, 3)
    assert torch.equal(long[:, :, :16], noise[:, :, :16]) and torch.equal(long, rescheduled(noise, 16, 4, 3))
    for frame in range(16, 40):
        group = range((frame - 16) // 4 * 4, (frame - 16) // 4 * 4 + 4)
        assert any(torch.equal(long[:, :, frame], long[:, :, other]) for other in group)
    assert len({long[0, 0, frame].numpy().tobytes() for frame in range(16, 20)}) == 4, "the order changes, no more"


# -- few steps ---------------------------------------------------------------------------------------------------------


def test_distilled_schedules_are_the_ones_they_were_distilled_on(rig: Rig) -> None:
    own = rig.parts.scheduler
    lightning = scheduler_for(recipe_named(RECIPES, "AnimateDiff-Lightning 4-step"), own)
    lightning.set_timesteps(4)
    assert [round(float(t)) for t in lightning.timesteps] == [999, 749, 499, 249]
    begin_at(lightning, 4, 0.5)
    lightning.set_timesteps(2)
    assert [round(float(t)) for t in lightning.timesteps] == [499, 249] and len(lightning.sigmas) == 3
    lcm = scheduler_for(recipe_named(RECIPES, "AnimateLCM"), own)
    lcm.set_timesteps(6)
    assert type(lcm).__name__ == "LCMScheduler" and lcm.config.beta_schedule == "linear"
    assert int(lcm.timesteps[0]) == 999 and len(lcm.timesteps) == 6
    usual = scheduler_for(None, own)
    assert usual.config.beta_schedule == "linear" and not usual.config.clip_sample
    begin_at(usual, 20, 0.6)
    usual.set_timesteps(12)
    assert len(usual.timesteps) == 12 and 560 < int(usual.timesteps[0]) < 640


def test_animate_lcm_depends_on_its_seed_and_on_nothing_else(rig: Rig) -> None:
    torch.manual_seed(1)
    one = rig.run(recipe="AnimateLCM", guidance=1.0, steps=4)
    torch.manual_seed(2)
    two = rig.run(recipe="AnimateLCM", guidance=1.0, steps=4)
    assert torch.equal(one, two)
    assert not torch.equal(one, rig.run(recipe="AnimateLCM", guidance=1.0, steps=4, seed=5))


def test_animate_lcm_noises_again_with_the_noise_of_the_stock_pipeline(rig: Rig) -> None:
    from diffusers import AnimateDiffPipeline

    parts = rig.parts
    scheduler = scheduler_for(recipe_named(RECIPES, "AnimateLCM"), parts.scheduler)
    stock = AnimateDiffPipeline(parts.vae, None, None, parts.parts["unet"], None, scheduler)
    stock.set_progress_bar_config(disable=True)
    wanted = stock(
        prompt_embeds=rig.said["prompt_embeds"], num_frames=FRAMES, width=SIDE, height=SIDE, num_inference_steps=4,
        guidance_scale=1.0, generator=torch.Generator().manual_seed(4), output_type="latent",
    ).frames  # fmt: skip
    assert torch.equal(rig.run(recipe="AnimateLCM", guidance=1.0, steps=4, seed=4), wanted)


# -- jobs --------------------------------------------------------------------------------------------------------------


def test_stopping_between_blocks_leaves_the_model_as_it_was(rig: Rig) -> None:
    everything: dict[str, Any] = {
        "references": pictures(1, 5), "structure": pictures(seed=3), "structure_kind": "depth", "consistency": 2.0,
    }  # fmt: skip
    before = rig.run(**everything)
    calls = 0

    class Stopping(Rig):
        def __init__(self) -> None:
            pass

        def check(self) -> None:
            nonlocal calls
            calls += 1
            if calls > 12:
                raise Cancelled

    stopping = Stopping()
    stopping.__dict__ |= rig.__dict__
    with pytest.raises(Cancelled):
        stopping.run(**everything)
    assert not any(module._forward_pre_hooks for module in rig.parts.parts["unet"].modules())
    assert torch.equal(rig.run(**everything), before)


def test_an_adapter_is_loaded_for_a_job_and_gone_after_it(rig: Rig, tmp_path: Path) -> None:
    path = tmp_path / "look.safetensors"
    tiny_animatediff.few_step_lora(path)
    plain = rig.run()
    unet = rig.parts.parts["unet"]
    names = set(unet.state_dict())
    with adapters_loaded(rig.pipe, [AdapterRef(digest="look", path=str(path), strength=0.7)], rig.model):
        changed = rig.run()
    assert not torch.equal(changed, plain)
    assert set(unet.state_dict()) == names and torch.equal(rig.run(), plain)


def test_the_lora_of_a_distilled_model_is_on_in_every_job(rig: Rig, folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "distilled")
    lora = tiny_animatediff.few_step_lora(copy / "few_step_lora.safetensors")
    model = ModelLibrary(tmp_path / "models.json").add(copy)
    plain = rig.run()
    with adapters_loaded(rig.pipe, [], model):
        own = rig.run()
    with adapters_loaded(rig.pipe, [AdapterRef(digest="lcm", path=str(lora), strength=0.8)], rig.model):
        named = rig.run()
    assert torch.equal(own, named) and not torch.equal(own, plain)
    assert torch.equal(rig.run(), plain)


def test_an_adapter_of_kohyas_trainers_with_a_part_for_the_words(rig: Rig, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    plain_file, kohya = tmp_path / "plain.safetensors", tmp_path / "kohya.safetensors"
    tiny_animatediff.few_step_lora(plain_file)
    tensors: dict[str, torch.Tensor] = {}
    for name, tensor in load_file(plain_file).items():
        layer, side = name.removeprefix("unet.").rsplit(".lora_", 1)
        stem = f"lora_unet_{layer.replace('.', '_')}"
        tensors[f"{stem}.lora_{'down' if side.startswith('A') else 'up'}.weight"] = tensor
        tensors[f"{stem}.alpha"] = torch.tensor(2.0)
    for side, shape in (("down", (2, 24)), ("up", (24, 2))):
        tensors[f"lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_{side}.weight"] = torch.ones(shape)
    tensors["lora_te_text_model_encoder_layers_0_self_attn_q_proj.alpha"] = torch.tensor(2.0)
    save_file(tensors, kohya)
    made: list[torch.Tensor] = []
    for path in (plain_file, kohya):
        with adapters_loaded(rig.pipe, [AdapterRef(digest="look", path=str(path))], rig.model):
            made.append(rig.run())
    assert torch.allclose(made[0], made[1], atol=1e-5)


def test_an_adapter_for_another_model_is_refused(rig: Rig, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "wan.safetensors"
    pair = {"lora_A.weight": torch.ones(2, 32), "lora_B.weight": torch.ones(32, 2)}
    save_file({f"transformer.blocks.0.attn1.to_q.{side}": tensor for side, tensor in pair.items()}, path)
    with (
        pytest.raises(GenerationError, match="another kind of model"),
        adapters_loaded(rig.pipe, [AdapterRef(digest="wan", path=str(path))], rig.model),
    ):
        pass


def test_decoding_in_tiles_gives_every_frame(rig: Rig) -> None:
    latents = rig.run(width=64, height=64)
    ticks: list[int] = []

    def decoded(tile: int) -> np.ndarray:
        how = Decoding(tile=tile, check=rig.check, progress=lambda done, _: ticks.append(done))
        return np.stack(list(rig.driver.decode(rig.pipe, latents, how)))

    whole, tiled = decoded(0), decoded(32)
    assert whole.shape == tiled.shape == (FRAMES, 64, 64, 3) and whole.dtype == np.uint8
    assert ticks[:FRAMES] == [*range(1, FRAMES + 1)]
    expected = rig.pipe.decode_latents(latents, decode_chunk_size=1)
    expected = ((expected[0].clamp(-1, 1) + 1) * 127.5).round().permute(1, 2, 3, 0).numpy().astype(np.uint8)
    assert np.array_equal(whole, expected)


@pytest.mark.parametrize("rung", ["int8", "fp8"])
def test_every_rung_of_the_memory_ladder_runs_with_everything_at_once(rig: Rig, rung: str, tmp_path: Path) -> None:
    plan = next(plan for plan in plans_for(rig.model, quick_machine()) if plan.rung == rung)
    narrow = Rig.__new__(Rig)
    narrow.__dict__ |= rig.__dict__
    narrow.parts = apply_plan(load_components(rig.model, plan), plan)
    narrow.pipe = rig.driver.pipeline(narrow.parts)
    lora = tiny_animatediff.few_step_lora(tmp_path / "look.safetensors")
    plain = narrow.run()
    assert 0 < float((plain - rig.run()).abs().mean()) < 0.5, "coarser numbers, the same clip"
    with adapters_loaded(narrow.pipe, [AdapterRef(digest="look", path=str(lora))], rig.model):
        everything = narrow.run(
            structure=pictures(seed=3), structure_kind="depth", references=pictures(1, 5), consistency=2.0
        )
    assert torch.isfinite(everything).all() and not torch.equal(everything, plain)
    assert torch.equal(narrow.run(), plain)


def test_a_long_clip_is_made_in_windows_and_goes_on_from_kept_latents(folder: Path, tmp_path: Path) -> None:
    stage = Stage(folder, tmp_path)
    long = stage.request("stylize", 12, controls={"steps": 1, "strength": 0.8}, structure_source="none")
    try:
        whole = stage.made(long)
        assert len(whole) == 12 and len({frame.tobytes() for frame in whole}) == 12
        job = stage.job(long, take="take-000000000099")
        stopped: list[bool] = []

        def stop(event: Event) -> None:
            if isinstance(event, Progress) and event.stage.startswith("Decoding") and not stopped:
                stopped.append(True)
                stage.engine.queue.cancel(event.job_id)

        stage._on_event = stop
        assert stage.engine.run(job).state is JobState.CANCELLED and stopped
        stages: list[str] = []
        stage._on_event = lambda event: stages.append(event.stage) if isinstance(event, Progress) else None
        stage.events.clear()
        end = stage.engine.run(stage.job(long, take="take-000000000099"))
        assert end.state is JobState.FINISHED and not any(name.startswith("Diffusing") for name in stages)
        assert [stage.frames()[frame].tobytes() for frame in range(12)] == [frame.tobytes() for frame in whole]
    finally:
        stage.close()


# -- parts beside the model --------------------------------------------------------------------------------------------


def test_what_fits_and_lies_beside_a_folder_is_taken_along(apart: Path, tmp_path: Path) -> None:
    library = ModelLibrary(tmp_path / "models.json")
    model = library.add(apart)
    assert not model.problem
    assert {name for name, _ in model.parts} == {
        "motion_adapter", "ip_adapter", "image_encoder", *(f"controlnet_{kind}" for kind in tiny_animatediff.CONTROLS)
    }  # fmt: skip
    modes = {mode.mode: mode for mode in abilities_of(model).modes}
    assert {"styles", "style_weight", "depth_pass", "structure_source"} <= modes["stylize"].controls
    assert "text_image" in modes and family_of(model).traits.id == "animatediff"
    assert ModelLibrary(tmp_path / "models.json").model(model.id).parts == model.parts


def test_a_folder_without_a_motion_adapter_is_refused_with_what_to_do(apart: Path, tmp_path: Path) -> None:
    alone = shutil.copytree(apart, tmp_path / "alone" / "sd15")
    with pytest.raises(ModelError, match=r"single pictures; a motion adapter .* --with-motion"):
        ModelLibrary(tmp_path / "models.json").add(alone)


def _added(library: ModelLibrary) -> list[InstalledModel]:
    return [model for model in library.models() if not model.built_in]


def test_parts_that_come_later_join_the_model_that_is_listed(apart: Path, tmp_path: Path) -> None:
    alone = shutil.copytree(apart, tmp_path / "alone" / "sd15")
    library = ModelLibrary(tmp_path / "models.json")
    lonely = shutil.copytree(apart.parent / "controlnet-sd15-depth", tmp_path / "far" / "away" / "sd15-depth")
    with pytest.raises(ModelError, match="no model by itself: it is the controlnet depth"):
        library.add(lonely)
    bare = library.add(alone, parts={"motion_adapter": apart.parent / "animatediff-motion-v1-5-3"})
    stylize = abilities_of(bare).mode("stylize")
    assert stylize is not None and not {"styles", "structure", "structure_source", "depth_pass"} & stylize.controls
    told = dict(stylize.why_not)
    assert "ControlNet" in told["structure"] and "IP-Adapter" in told["styles"]
    assert abilities_of(bare).mode("text_image") is None
    joined = library.add(apart.parent / "controlnet-sd15-depth")
    assert joined.id == bare.id and len(_added(library)) == 1
    stylize = abilities_of(joined).mode("stylize")
    assert stylize is not None and {"structure", "depth_pass"} <= stylize.controls
    assert {"edges", "layout", "grey", "flow"} == set(dict(abilities_of(joined).structure_why_not))
    styled = library.add(apart.parent / "ip-adapter-sd15")
    assert styled.id == bare.id and abilities_of(styled).mode("text_image") is not None
    lcm = shutil.copytree(apart.parent / "animatediff-motion-v1-5-3", tmp_path / "parts" / "AnimateLCM")
    tiny_animatediff.few_step_lora(lcm / "AnimateLCM_sd15_t2v_lora.safetensors")
    quick = library.add(lcm)
    assert quick.id != bare.id and quick.manifest.recipe == "AnimateLCM" and len(_added(library)) == 2
    assert "few_step_lora" in dict(quick.parts) and "controlnet_depth" in dict(quick.parts)


def test_the_name_of_a_motion_adapter_says_how_it_was_distilled(apart: Path, tmp_path: Path) -> None:
    alone = shutil.copytree(apart, tmp_path / "alone" / "sd15")
    (alone / "gen2studio.json").unlink()
    motion = shutil.copytree(apart.parent / "animatediff-motion-v1-5-3", tmp_path / "animatediff_lightning_4step")
    model = ModelLibrary(tmp_path / "models.json").add(alone, parts={"motion_adapter": motion})
    assert model.manifest.recipe == "AnimateDiff-Lightning 4-step"
    assert model.manifest.steps.default == model.manifest.steps.highest == 4 and model.manifest.guidance.default == 1.0


def test_parts_beside_stable_diffusion_are_named_or_missed(
    apart: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = shutil.copytree(apart, tmp_path / "alone" / "sd15")
    beside = apart.parent
    assert main(["models", "add", str(alone)]) != 0
    assert "--with-motion" in capsys.readouterr().err
    assert main(["models", "add", str(alone), "--with-control", "pose=x"]) != 0
    assert "names no ControlNet" in capsys.readouterr().err
    named = [
        *("--with-motion", str(beside / "animatediff-motion-v1-5-3")),
        *("--with-control", f"depth={beside / 'controlnet-sd15-depth'}"),
        *("--with-style", str(beside / "ip-adapter-sd15" / "models" / "ip-adapter_sd15.safetensors")),
        *("--image-encoder", str(beside / "ip-adapter-sd15" / "models" / "image_encoder")),
    ]
    assert main(["models", "add", str(alone), *named]) == 0
    told = capsys.readouterr().out
    assert "motion adapter" in told and "controlnet depth" in told and "ip adapter" in told


def _spoil_motion(folder: Path) -> None:
    config = folder / "motion_adapter" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "block_out_channels": [16, 64]}))


def _spoil_control(folder: Path) -> None:
    config = folder / "controlnet_depth" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "cross_attention_dim": 48}))


def _pickle(folder: Path) -> None:
    weights = folder / "controlnet_depth" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))


def _lonely_style(folder: Path) -> None:
    shutil.rmtree(folder / "image_encoder")


def _face_style(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "ip_adapter.safetensors")
    tensors["image_proj.norm.weight"] = tensors["image_proj.norm.weight"].clone()
    save_file({n: t for n, t in tensors.items() if "proj.weight" not in n}, folder / "ip_adapter.safetensors")


def _escape(folder: Path) -> None:
    weights = folder / "motion_adapter" / "diffusion_pytorch_model.safetensors"
    outside = folder.parent / "elsewhere.safetensors"
    weights.rename(outside)
    weights.symlink_to(outside)


def _program(folder: Path) -> None:
    config = folder / "controlnet_depth" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "auto_map": {"AutoModel": "evil.Evil"}}))


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_spoil_motion, "made for another image model"),
        (_spoil_control, "ControlNet for depth was made for another image model"),
        (_pickle, "a pickle"),
        (_lonely_style, "no image encoder"),
        (_face_style, "for faces"),
        (_escape, "leads outside"),
        (_program, "program code of its own"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(folder: Path, tmp_path: Path, spoil: Any, sentence: str) -> None:
    copy = shutil.copytree(folder, tmp_path / "model")
    spoil(copy)
    with pytest.raises(ModelError, match=sentence):
        ModelLibrary(tmp_path / "models.json").add(copy)


def test_the_safety_checker_is_never_opened(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "model")
    (copy / "safety_checker").mkdir()
    (copy / "safety_checker" / "model.safetensors").write_bytes(b"no header at all")
    assert not ModelLibrary(tmp_path / "models.json").add(copy).problem


def test_the_names_stable_diffusion_was_published_with_are_read(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    copy = shutil.copytree(folder, tmp_path / "model")
    old = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}
    weights = copy / "vae" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    for new, name in old.items():
        tensors = {key.replace(new, name): tensor for key, tensor in tensors.items()}
    assert any(".proj_attn." in name for name in tensors)
    save_file(tensors, weights, metadata={"format": "pt"})
    made = Rig(copy, tmp_path)
    assert made.parts.vae is not None and torch.isfinite(made.driver.encode(made.pipe, pictures(1))).all()
