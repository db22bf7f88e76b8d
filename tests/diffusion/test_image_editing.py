"""Models that edit single frames, on small checkpoints of their own classes: the bare pipeline's picture, words for
each picture, and a clip made of key frames that are carried."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from gen2studio.core.errors import ModelError
from gen2studio.core.geometry import Extent
from gen2studio.diffusion.entries import generator_entries
from gen2studio.diffusion.families.contract import LatentGeometry, PipelineInputs
from gen2studio.diffusion.families.driving import Decoding, Denoising, PromptEmbeds, Sampling
from gen2studio.diffusion.families.flux2_klein_driver import Flux2KleinDriver
from gen2studio.diffusion.families.image_editing import MOST_REFERENCES, ONE_FRAME, instruction
from gen2studio.diffusion.families.qwen_image_edit_driver import QwenImageEditDriver, picture_area
from gen2studio.engine.abilities import GeneratorEntry, GeneratorRegistry
from gen2studio.engine.events import Event, JobState, Picture, StepPreview
from gen2studio.engine.job_queue import JobQueue
from gen2studio.engine.keyframed import keyframed_entry
from gen2studio.engine.protocol import EventSink
from gen2studio.engine.requests import AdapterRef, GenerateRequest, Lane
from gen2studio.engine.worker import EngineWorker
from gen2studio.example.generator import ExampleGenerator
from gen2studio.models.checkpoint import check_checkpoint
from tests.diffusion import tiny_flux2, tiny_qwen_edit
from tests.diffusion.studio import Stage, footage, source_ref


class Desk(Stage):
    """A model and the carrier of its key frames behind the real engine."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.act: Callable[[Event], None] = lambda event: None
        super().__init__(folder, home, lambda event: self.act(event))

    def _worker(self, queue: JobQueue, sink: EventSink) -> EngineWorker:
        example = ExampleGenerator()
        carrier = GeneratorEntry(example.abilities, lambda: example)
        drawing = generator_entries(self.library, lambda: self.residency)
        self.generators = GeneratorRegistry([carrier, *(keyframed_entry(entry, carrier) for entry in drawing)])
        return super()._worker(queue, sink)

    def still(self, request: GenerateRequest, frame: int = 2) -> Picture:
        return self.made(replace(request, frames=(frame,)), Lane.STILLS)[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_flux2.build(tmp_path_factory.mktemp("flux2") / "model")


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose text encoder sees the pictures."""
    return tiny_qwen_edit.build(tmp_path_factory.mktemp("qwen") / "model")


@pytest.fixture
def desk(folder: Path, tmp_path: Path) -> Iterator[Desk]:
    made = Desk(folder, tmp_path)
    yield made
    made.close()


def test_each_picture_has_its_part_in_words() -> None:
    assert instruction("  a wood ", 0) == "a wood"
    assert instruction("a wood", 1).startswith("a wood. Keep") and "from image 2." in instruction("a wood", 1)
    assert "image 2 and image 3." in instruction("", 2) and instruction("A wood!", 1).startswith("A wood! ")
    assert f"image {MOST_REFERENCES + 2}" not in instruction("", 9)


def test_the_picture_is_the_bare_pipeline_s(desk: Desk) -> None:
    from diffusers import Flux2KleinPipeline

    style = np.random.default_rng(0).integers(0, 255, (80, 70, 3)).astype(np.uint8)
    request = desk.request("stylize", styles=(desk.image("style", style),))
    ours = desk.still(request)
    pipe = Flux2KleinPipeline.from_pretrained(desk.model.folder, local_files_only=True, use_safetensors=True)
    pipe.set_progress_bar_config(disable=True)
    frame = footage(source_ref(), 2, Extent(64, 64))
    theirs = pipe(
        image=[Image.fromarray(frame), Image.fromarray(style)], prompt=instruction(request.prompt, 1),
        height=64, width=64, num_inference_steps=2, guidance_scale=1.0,
        generator=torch.Generator("cpu").manual_seed(request.seed),
        max_sequence_length=desk.model.manifest.text_length, output_type="np",
    ).images[0]  # fmt: skip
    np.testing.assert_array_equal(ours, np.rint(theirs * 255).astype(np.uint8))


def test_words_are_read_with_the_pictures_they_are_about(reader: Path, tmp_path: Path) -> None:
    from diffusers import QwenImageEditPlusPipeline

    desk = Desk(reader, tmp_path)
    style = np.random.default_rng(0).integers(0, 255, (80, 70, 3)).astype(np.uint8)
    request = desk.request("mask", styles=(desk.image("style", style),), negative_prompt="noir")
    ours = desk.still(request)
    pipe = QwenImageEditPlusPipeline.from_pretrained(reader, local_files_only=True, use_safetensors=True)
    pipe.set_progress_bar_config(disable=True)
    frame = footage(source_ref(), 2, Extent(64, 64))
    with picture_area(64 * 64):
        theirs = pipe(
            image=[Image.fromarray(frame), Image.fromarray(style)], prompt=instruction(request.prompt, 1),
            negative_prompt="noir", height=64, width=64, num_inference_steps=2, true_cfg_scale=2.0,
            generator=torch.Generator("cpu").manual_seed(request.seed), output_type="np",
        ).images[0]  # fmt: skip
    np.testing.assert_array_equal(ours, np.rint(theirs * 255).astype(np.uint8))
    # The words of another frame are other ones: two frames of one job are each drawn as alone.
    alone = desk.still(request, 5)
    both = desk.made(replace(request, frames=(2, 5)), Lane.STILLS)
    np.testing.assert_array_equal(both[1], alone)
    desk.close()


def test_a_distilled_checkpoint_offers_no_guidance_and_single_frames_only(desk: Desk) -> None:
    for mode in desk.generators.abilities[1].modes:
        told = dict(mode.why_not)
        assert not {"guidance", "negative_prompt"} & mode.controls and "distilled" in told["guidance"]
        assert mode.stills_only and mode.key_reference
        assert {"key_spacing", "keys", "consistency"} <= mode.controls and not told.keys() & mode.controls


def test_a_clip_is_drawn_in_key_frames_that_know_each_other(desk: Desk) -> None:
    request = desk.request("stylize", stop=7, controls={"steps": 1}, key_spacing=3)
    end = desk.run(request)
    assert end.state is JobState.FINISHED, end.reason
    assert sorted(desk.frames()) == list(range(7))
    drawn = {event.frame: event.picture for event in desk.previews()}
    assert sorted(drawn) == [0, 3, 6]
    # The second key was shown the first one: drawn alone it is another picture.
    np.testing.assert_array_equal(drawn[0], desk.still(request, 0))
    assert not np.array_equal(drawn[3], desk.still(request, 3))


def test_a_clip_without_the_carrier_is_refused_in_one_sentence(folder: Path, tmp_path: Path) -> None:
    stage = Stage(folder, tmp_path)
    end = stage.run(stage.request("stylize"))
    stage.close()
    assert end.state is JobState.FAILED and "draws single frames" in end.reason and "Choose key frames" in end.reason


def test_after_a_cancel_and_an_adapter_the_model_is_as_it_was(desk: Desk, tmp_path: Path) -> None:
    request = desk.request("render")
    before = desk.still(request)

    def stop(event: Event) -> None:
        if isinstance(event, StepPreview):
            desk.engine.queue.cancel(event.job_id)

    desk.act = stop
    assert desk.run(replace(request, frames=(5,)), Lane.STILLS).state is JobState.CANCELLED
    desk.act = lambda event: None
    path = tmp_path / "look.safetensors"
    made = torch.Generator().manual_seed(1)
    layer = "transformer.transformer_blocks.0.attn.to_q"
    save_file(
        {f"{layer}.lora_A.weight": torch.randn((4, 32), generator=made),
         f"{layer}.lora_B.weight": torch.randn((32, 4), generator=made)},
        path, metadata={"format": "pt"},
    )  # fmt: skip
    adapted = desk.still(replace(request, adapters=(AdapterRef(digest="look", path=str(path)),)))
    assert not np.array_equal(adapted, before)
    np.testing.assert_array_equal(desk.still(request), before)


@pytest.mark.parametrize("family", ["flux2", "qwen"])
def test_the_denoiser_may_be_narrower_than_the_vae(family: str, request: pytest.FixtureRequest) -> None:
    """As on a GPU: everything in bfloat16 but the VAE."""
    import diffusers

    checkpoint: Path = request.getfixturevalue("folder" if family == "flux2" else "reader")
    driver = Flux2KleinDriver() if family == "flux2" else QwenImageEditDriver()
    kind = diffusers.Flux2KleinPipeline if family == "flux2" else diffusers.QwenImageEditPlusPipeline
    parts = {"vae": torch.float32, "default": torch.bfloat16}
    pipe = kind.from_pretrained(checkpoint, local_files_only=True, use_safetensors=True, dtype=parts)
    channels, spatial = (16, 16) if family == "flux2" else (4, 8)
    geometry = LatentGeometry(spatial=spatial, multiple=16, channels=channels, frames=ONE_FRAME, temporal=1)
    frame = footage(source_ref(), 2, Extent(64, 64))
    inputs = PipelineInputs(
        task="variation",
        width=64,
        height=64,
        frames=1,
        video=(frame,),
        references=(frame,),
        strength=0.6,
        start=(frame,),
    )
    width = pipe.transformer.config.joint_attention_dim
    embeds = PromptEmbeds({"prompt_embeds": torch.ones((1, 8, width), dtype=torch.bfloat16)})
    latents = driver.denoise(
        pipe, Denoising(inputs, embeds, Sampling(steps=2, guidance=1.0, seed=1), Silent(), geometry)
    )
    picture = next(driver.decode(pipe, latents, Decoding()))
    assert picture.shape == (64, 64, 3) and bool(torch.isfinite(latents).all())
    tiled = next(driver.decode(pipe, latents, Decoding(tile=32)))
    assert tiled.shape == picture.shape


@pytest.mark.parametrize(
    ("path", "change", "said"),
    [
        ("processor/tokenizer_config.json", {"auto_map": {"AutoTokenizer": "evil.Evil"}}, "program code"),
        ("processor/preprocessor_config.json", {"auto_map": {"AutoProcessor": "evil.Evil"}}, "program code"),
        ("transformer/config.json", {"num_layers": 3}, "its config says 3"),
        ("transformer/config.json", {"joint_attention_dim": 24}, "reads texts of width 24"),
        ("transformer/config.json", {"num_attention_heads": 10**9}, "no such model"),
        ("vae/config.json", {"z_dim": 16}, "is needed"),
    ],
)
def test_a_checkpoint_that_does_not_add_up_is_refused(
    reader: Path, tmp_path: Path, path: str, change: dict[str, object], said: str
) -> None:
    folder = shutil.copytree(reader, tmp_path / "model")
    config = json.loads((folder / path).read_text())
    (folder / path).write_text(json.dumps({**config, **change}))
    with pytest.raises(ModelError, match=said):
        check_checkpoint(folder)


class Silent:
    """Nobody looks on."""

    def check(self) -> None:
        pass

    def stepped(self, step: int, steps: int, clean: torch.Tensor) -> None:
        assert clean.dtype == torch.float32 and clean.dim() == 5
