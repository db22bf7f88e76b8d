"""Z-Image on a small checkpoint of its own classes: the bare pipelines' pictures, stills of shots, and a clip of key
frames that are carried."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gen2studio.core.errors import ModelError
from gen2studio.core.geometry import Extent
from gen2studio.diffusion.entries import abilities_of, generator_entries
from gen2studio.diffusion.families.contract import LatentGeometry, PipelineInputs
from gen2studio.diffusion.families.driving import Decoding, Denoising, PromptEmbeds, Sampling
from gen2studio.diffusion.families.image_editing import ONE_FRAME
from gen2studio.diffusion.families.z_image_driver import ZImageDriver
from gen2studio.diffusion.runtime.device import quick_machine
from gen2studio.diffusion.runtime.ladder import plans_for
from gen2studio.diffusion.runtime.residency import Residency
from gen2studio.diffusion.sampling import seeds
from gen2studio.engine.abilities import GeneratorEntry, GeneratorRegistry
from gen2studio.engine.events import Event, JobState, Picture, StepPreview
from gen2studio.engine.job_queue import JobQueue
from gen2studio.engine.keyframed import CONTROL, keyframed_entry
from gen2studio.engine.requests import AdapterRef, GenerateRequest, Lane
from gen2studio.engine.worker import EngineWorker
from gen2studio.example.generator import ExampleGenerator
from gen2studio.models.checkpoint import check_checkpoint
from gen2studio.models.library import ModelLibrary
from tests.diffusion import tiny_z_image
from tests.diffusion.studio import Stage, footage, source_ref
from tests.diffusion.test_family_contract import transformer_lora

GEOMETRY = LatentGeometry(spatial=8, multiple=16, channels=4, frames=ONE_FRAME, temporal=1)
SIZE = Extent(64, 64)


class Desk(Stage):
    """The model and the carrier of its key frames behind the real engine."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.act: Callable[[Event], None] = lambda event: None
        super().__init__(folder, home, lambda event: self.act(event))

    def _worker(self, queue: JobQueue, sink: Any) -> EngineWorker:
        example = ExampleGenerator()
        carrier = GeneratorEntry(example.abilities, lambda: example)
        drawing = generator_entries(self.library, lambda: self.residency)
        self.generators = GeneratorRegistry([carrier, *(keyframed_entry(entry, carrier) for entry in drawing)])
        return super()._worker(queue, sink)

    def stills(self, request: GenerateRequest, *frames: int) -> list[Picture]:
        return self.made(replace(request, frames=frames), Lane.STILLS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_z_image.build(tmp_path_factory.mktemp("z-image") / "model")


@pytest.fixture
def desk(folder: Path, tmp_path: Path) -> Iterator[Desk]:
    made = Desk(folder, tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def bare(folder: Path) -> Any:
    """Diffusers' own loading of the folder."""
    from diffusers import ZImagePipeline

    pipe = ZImagePipeline.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def embeds(pipe: Any, text: str) -> PromptEmbeds:
    made, _ = pipe.encode_prompt(text, do_classifier_free_guidance=False, max_sequence_length=64)
    return PromptEmbeds({"prompt_embeds": made[0][None]})


def test_a_still_of_a_shot_is_the_bare_pipeline_s(desk: Desk, bare: Any) -> None:
    request = desk.request("text", controls={"steps": 8})
    ours = desk.stills(request, 0)[0]
    theirs = bare(
        request.prompt, height=64, width=64, num_inference_steps=8, guidance_scale=0.0,
        generator=torch.Generator("cpu").manual_seed(request.seed),
        max_sequence_length=desk.model.manifest.text_length, output_type="np",
    ).images[0]  # fmt: skip
    np.testing.assert_array_equal(ours, np.rint(theirs * 255).astype(np.uint8))


def test_guidance_counts_from_one_as_everywhere(tmp_path: Path) -> None:
    from diffusers import ZImagePipeline

    desk = Desk(tiny_z_image.build(tmp_path / "base", "base"), tmp_path)
    request = desk.request("text", negative_prompt="noir", controls={"guidance": 4.0})
    ours = desk.stills(request, 0)[0]
    pipe = ZImagePipeline.from_pretrained(desk.model.folder, local_files_only=True, use_safetensors=True)
    pipe.set_progress_bar_config(disable=True)
    theirs = pipe(
        request.prompt, negative_prompt="noir", height=64, width=64, num_inference_steps=2, guidance_scale=3.0,
        generator=torch.Generator("cpu").manual_seed(request.seed),
        max_sequence_length=desk.model.manifest.text_length, output_type="np",
    ).images[0]  # fmt: skip
    desk.close()
    np.testing.assert_array_equal(ours, np.rint(theirs * 255).astype(np.uint8))


def test_four_stills_of_a_shot_are_four_pictures(desk: Desk) -> None:
    request = desk.request("text")
    four = desk.stills(request, 1, 3, 5, 7)
    assert len({picture.tobytes() for picture in four}) == 4
    again = desk.stills(replace(request, seed=request.seed + 2), 1)
    np.testing.assert_array_equal(again[0], four[2])


def test_beginning_from_a_frame_is_what_the_image_pipeline_does(bare: Any) -> None:
    """At whole numbers of steps the last steps of the schedule are the levels from the strength on."""
    from diffusers import ZImageImg2ImgPipeline

    driver, prompt = ZImageDriver(), embeds(bare, "a red dog")
    frame = footage(source_ref(), 2, SIZE)
    clean = driver.encode(bare, [frame])
    inputs = PipelineInputs(task="variation", width=64, height=64, frames=1, strength=0.625, start=(frame,))
    ours = driver.denoise(bare, Denoising(inputs, prompt, Sampling(steps=8, guidance=1.0, seed=3), Silent(), GEOMETRY))
    # Four channels are taken for latents, so that both begin from the same ones.
    theirs = ZImageImg2ImgPipeline(**bare.components)(
        image=clean[:, :, 0], strength=0.625, height=64, width=64, num_inference_steps=8, guidance_scale=0.0,
        prompt_embeds=[prompt.positive["prompt_embeds"][0]], generator=seeds.generator(3), output_type="latent",
    ).images  # fmt: skip
    torch.testing.assert_close(ours[:, :, 0], theirs, rtol=0, atol=2e-6)
    other = replace(inputs, strength=0.6)
    finer = driver.denoise(bare, Denoising(other, prompt, Sampling(steps=8, guidance=1.0, seed=3), Silent(), GEOMETRY))
    assert not torch.equal(finer, ours)


def test_around_a_mask_the_latents_are_the_frame_s(bare: Any) -> None:
    driver, prompt = ZImageDriver(), embeds(bare, "a red dog")
    frame = footage(source_ref(), 2, SIZE)
    mask = np.zeros((64, 64), np.uint8)
    mask[16:48, 24:40] = 255
    inputs = PipelineInputs(task="mask", width=64, height=64, frames=1, strength=1.0, start=(frame,), masks=(mask,))
    made = driver.denoise(bare, Denoising(inputs, prompt, Sampling(steps=3, guidance=1.0, seed=3), Silent(), GEOMETRY))
    clean = driver.encode(bare, [frame])
    changed = (made != clean).any(1)[0, 0]
    assert bool(changed[2:6, 3:5].all()) and int(changed.sum()) == 8


def test_the_clip_is_drawn_in_key_frames_from_its_own_frames(desk: Desk) -> None:
    request = desk.request("stylize", stop=7, controls={"steps": 2, "strength": 0.6}, key_spacing=3)
    end = desk.run(request)
    assert end.state is JobState.FINISHED, end.reason
    assert sorted(desk.frames()) == list(range(7))
    drawn = {event.frame: event.picture for event in desk.previews()}
    assert sorted(drawn) == [0, 3, 6]
    # It takes no picture to match, so a key is what it is by itself.
    np.testing.assert_array_equal(drawn[3], desk.stills(request, 3)[0])


def test_a_killed_take_goes_on_where_it_stopped(desk: Desk) -> None:
    request = desk.request("stylize", stop=7, controls={"steps": 2, "strength": 0.6}, key_spacing=3)
    whole = desk.made(request)

    def stop(event: Event) -> None:
        if isinstance(event, StepPreview) and event.frame == 6:
            desk.engine.queue.cancel(event.job_id)

    desk.act = stop
    assert desk.run(request, take="take-000000000077").state is JobState.CANCELLED
    desk.act = lambda event: None
    end = desk.run(request, take="take-000000000077")
    assert end.state is JobState.FINISHED, end.reason
    assert {event.frame for event in desk.previews()} == {6}
    for frame, picture in desk.frames().items():
        np.testing.assert_array_equal(picture, whole[frame])


def test_a_shot_from_nothing_is_no_clip(desk: Desk) -> None:
    end = desk.run(desk.request("text"))
    assert end.state is JobState.FAILED and "draws single frames" in end.reason and "Make stills" in end.reason
    for mode in desk.generators.abilities[1].modes:
        assert mode.stills_only and (CONTROL in mode.controls) == (mode.mode in ("stylize", "mask", "render"))
        assert not {"guidance", "negative_prompt", "styles"} & mode.controls


def test_after_a_cancel_and_an_adapter_the_model_is_as_it_was(desk: Desk, tmp_path: Path) -> None:
    request = desk.request("render", controls={"strength": 0.6})
    before = desk.stills(request, 2)[0]

    def stop(event: Event) -> None:
        if isinstance(event, StepPreview):
            desk.engine.queue.cancel(event.job_id)

    desk.act = stop
    assert desk.run(replace(request, frames=(5,)), Lane.STILLS).state is JobState.CANCELLED
    desk.act = lambda event: None
    path = transformer_lora(tmp_path / "look.safetensors", ("transformer.layers.0.attention.to_q",))
    adapted = desk.stills(replace(request, adapters=(AdapterRef(digest="look", path=str(path)),)), 2)[0]
    assert not np.array_equal(adapted, before)
    np.testing.assert_array_equal(desk.stills(request, 2)[0], before)


def test_the_denoiser_may_be_narrower_than_the_vae(folder: Path) -> None:
    """As on a GPU: everything in bfloat16 but the VAE."""
    from diffusers import ZImagePipeline

    parts = {"vae": torch.float32, "default": torch.bfloat16}
    pipe = ZImagePipeline.from_pretrained(folder, local_files_only=True, use_safetensors=True, dtype=parts)
    driver, frame = ZImageDriver(), footage(source_ref(), 2, SIZE)
    inputs = PipelineInputs(task="variation", width=64, height=64, frames=1, strength=0.6, start=(frame,))
    prompt = PromptEmbeds({"prompt_embeds": torch.ones((1, 8, 16), dtype=torch.bfloat16)})
    run = Denoising(inputs, prompt, Sampling(steps=2, guidance=1.0, seed=1), Silent(), GEOMETRY)
    latents = driver.denoise(pipe, run)
    assert latents.dtype == torch.float32 and bool(torch.isfinite(latents).all())
    picture = next(driver.decode(pipe, latents, Decoding()))
    tiled = next(driver.decode(pipe, latents, Decoding(tile=32)))
    assert picture.shape == tiled.shape == (64, 64, 3)


def test_every_rung_of_the_memory_ladder_draws_the_picture(folder: Path, bare: Any, tmp_path: Path) -> None:
    model = ModelLibrary(registry_file=tmp_path / "models.json", builtin=folder).models()[0]
    driver, words = ZImageDriver(), embeds(bare, "a red dog").positive["prompt_embeds"]
    inputs = PipelineInputs(task="text", width=64, height=64, frames=1)
    whole: torch.Tensor | None = None
    sampling = Sampling(steps=2, guidance=1.0, seed=3)
    for plan in plans_for(model, quick_machine()):
        pipe = driver.pipeline(Residency().acquire(model, plan))
        prompt = PromptEmbeds({"prompt_embeds": words.to(getattr(torch, plan.dtype))})
        made = driver.denoise(pipe, Denoising(inputs, prompt, sampling, Silent(), GEOMETRY))
        whole = made if whole is None else whole
        apart = float((made - whole).abs().mean() / whole.abs().mean())
        assert apart == 0 if plan.exact and plan.dtype == "float32" else 0 < apart < 0.5, plan.rung
        packed = sum(type(layer).__name__ == "GGUFLinear" for layer in pipe.transformer.modules())
        # Six matrices of each of four blocks, whose rows are whole packs, and the modulations of three.
        assert packed == (6 * 4 + 3 if plan.rung == "int8" else 0), plan.rung


def test_the_published_ones_are_known_by_schedule_or_name(folder: Path, tmp_path: Path) -> None:
    added = ModelLibrary(registry_file=tmp_path / "models.json").add(folder)
    assert added.usable and abilities_of(added).steps[0] == 2
    named = shutil.copytree(folder, tmp_path / "my-z-image-TURBO-tune")
    (named / "gen2studio.json").unlink()
    scheduler = named / "scheduler" / "scheduler_config.json"
    scheduler.write_text(json.dumps({**json.loads(scheduler.read_text()), "shift": 6.0}))
    turbo = check_checkpoint(named).manifest
    assert turbo.guidance.highest == 1.0 and turbo.steps.default == 8 and turbo.frames.native == 1
    plain = named.rename(tmp_path / "my-z-image")
    full = check_checkpoint(plain).manifest
    assert full.guidance.default == 5.0 and full.steps.default == 50


@pytest.mark.parametrize(
    ("path", "change", "said"),
    [
        ("tokenizer/tokenizer_config.json", {"auto_map": {"AutoTokenizer": "evil.Evil"}}, "program code"),
        ("transformer/config.json", {"n_layers": 3}, "lack “layers.2."),
        ("transformer/config.json", {"n_layers": 10**9}, "no such model"),
        ("transformer/config.json", {"cap_feat_dim": 24}, "its config says 24"),
        ("transformer/config.json", {"siglip_feat_dim": 8}, "Omni"),
        ("transformer/config.json", {"axes_dims": [4, 6, 8]}, "no such model"),
        ("vae/config.json", {"shift_factor": None}, "no such model"),
        ("vae/config.json", {"latent_channels": 16}, "4 latent channels and the VAE makes 16"),
    ],
)
def test_a_checkpoint_that_does_not_add_up_is_refused(
    folder: Path, tmp_path: Path, path: str, change: dict[str, object], said: str
) -> None:
    copy = shutil.copytree(folder, tmp_path / "model")
    config = json.loads((copy / path).read_text())
    (copy / path).write_text(json.dumps({**config, **change}))
    with pytest.raises(ModelError, match=said):
        check_checkpoint(copy)


class Silent:
    """Nobody looks on."""

    def check(self) -> None:
        pass

    def stepped(self, step: int, steps: int, clean: torch.Tensor) -> None:
        assert clean.dtype == torch.float32 and clean.dim() == 5
