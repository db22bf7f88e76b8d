"""HunyuanVideo 1.5 on small checkpoints of its own classes: the bare pipelines' frames, clips longer than a window, and
the padding that a large clip leaves out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gen2studio.core.errors import ModelError
from gen2studio.core.geometry import Extent
from gen2studio.diffusion.entries import abilities_of
from gen2studio.diffusion.families.contract import FrameRule, LatentGeometry, PipelineInputs
from gen2studio.diffusion.families.driving import Decoding, Denoising, PromptEmbeds, Sampling
from gen2studio.diffusion.families.hunyuan_driver import HunyuanDriver, HunyuanImageDriver
from gen2studio.diffusion.runtime.device import quick_machine
from gen2studio.diffusion.runtime.ladder import plans_for
from gen2studio.diffusion.runtime.residency import Residency
from gen2studio.engine.events import Event, JobState, Picture, StepPreview
from gen2studio.engine.requests import GenerateRequest, KeyRef
from gen2studio.models.checkpoint import check_checkpoint
from gen2studio.models.families.hunyuan import HunyuanActivations
from gen2studio.models.library import ModelLibrary
from tests.diffusion import tiny_hunyuan
from tests.diffusion.studio import Stage, footage, source_ref

SIZE = Extent(32, 32)
GEOMETRY = LatentGeometry(spatial=8, multiple=8, channels=4, frames=FrameRule(4, 4), temporal=4)
FIRST = footage(source_ref(), 0, SIZE)


class Set(Stage):
    """A model behind the real engine, and a listener that a test may change."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.act: Callable[[Event], None] = lambda event: None
        super().__init__(folder, home, lambda event: self.act(event))

    def shot(self, mode: str, stop: int = 9, **changes: Any) -> GenerateRequest:
        if mode == "image":
            changes = {"keys": (KeyRef(frame=0, blob=self.image("first", FIRST)),), **changes}
        changes = {"source": source_ref(24, 32, 32), **changes}
        return self.request(mode, stop, width=32, height=32, **changes)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("hunyuan")
    return {kind: tiny_hunyuan.build(home / kind, kind) for kind in ("text", "image", "few")}


@pytest.fixture
def stage(folders: dict[str, Path], tmp_path: Path) -> Iterator[Callable[[str], Set]]:
    made: list[Set] = []

    def opened(kind: str) -> Set:
        made.append(Set(folders[kind], tmp_path))
        return made[-1]

    yield opened
    for each in made:
        each.close()


def bare(folder: Path, guidance: float, **dtype: Any) -> Any:
    """Diffusers' own loading of the folder, with as short prompts as its manifest says."""
    import diffusers

    picture = (folder / "image_encoder").is_dir()
    kind = diffusers.HunyuanVideo15ImageToVideoPipeline if picture else diffusers.HunyuanVideo15Pipeline
    pipe = kind.from_pretrained(folder, local_files_only=True, use_safetensors=True, **dtype)
    pipe.set_progress_bar_config(disable=True)
    pipe.guider = pipe.guider.new(guidance_scale=guidance)
    pipe.tokenizer_max_length, pipe.target_size = 64, 32
    return pipe


def as_pictures(frames: Any) -> list[Picture]:
    return list(np.rint(frames[0] * 255).astype(np.uint8))


@pytest.mark.parametrize(("kind", "guidance"), [("text", 3.0), ("image", 3.0), ("few", 1.0)])
def test_the_frames_are_the_bare_pipeline_s(
    kind: str, guidance: float, folders: dict[str, Path], stage: Callable[[str], Set]
) -> None:
    mine = stage(kind)
    asked = {"guidance": guidance} if guidance > 1 else {}
    request = mine.shot(
        "text" if kind == "text" else "image", prompt='a red dog, "the sea" on it', negative_prompt="noir",
        controls={"steps": 3, **asked},
    )  # fmt: skip
    ours = mine.made(request)
    given = {"image": Image.fromarray(FIRST)} if kind != "text" else {"height": 32, "width": 32}
    theirs = bare(folders[kind], guidance)(
        prompt=request.prompt, negative_prompt="noir", num_frames=9, num_inference_steps=3, output_type="np",
        generator=torch.Generator("cpu").manual_seed(request.seed), **given,
    ).frames  # fmt: skip
    np.testing.assert_array_equal(np.stack(ours), np.stack(as_pictures(theirs)))


def prompt(driver: HunyuanDriver, pipe: Any, text: str) -> PromptEmbeds:
    class Parts:
        text_encoder, tokenizer = pipe.text_encoder, pipe.tokenizer
        parts = {"tokenizer_2": pipe.tokenizer_2, "text_encoder_2": pipe.text_encoder_2}

    return PromptEmbeds(driver.embed(Parts(), text, 64, "cpu"))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("text", ["a red dog", 'a red dog, "sea"'])
def test_what_is_padding_has_no_part_in_it(text: str, folders: dict[str, Path]) -> None:
    pipe = bare(folders["text"], 1.0)
    padded, whole = HunyuanDriver(), HunyuanDriver(mask_limit=0)
    inputs = PipelineInputs(task="text", width=32, height=32, frames=9)
    run = Denoising(inputs, prompt(padded, pipe, text), Sampling(steps=3, guidance=1.0, seed=3), Silent(), GEOMETRY)
    processors = [block.attn.processor for block in pipe.transformer.transformer_blocks]
    torch.testing.assert_close(whole.denoise(pipe, run), padded.denoise(pipe, run), rtol=0, atol=2e-5)
    assert [block.attn.processor for block in pipe.transformer.transformer_blocks] == processors


def test_footage_is_drawn_again_and_kept_around_a_mask(folders: dict[str, Path]) -> None:
    driver, pipe = HunyuanDriver(), bare(folders["text"], 1.0)
    frames = tuple(footage(source_ref(), frame, SIZE) for frame in range(9))
    mask = np.zeros((32, 32), np.uint8)
    mask[8:24, 8:16] = 255
    inputs = PipelineInputs(task="mask", width=32, height=32, frames=9, strength=0.6, start=frames, masks=(mask,) * 9)
    embeds = prompt(driver, pipe, "a red dog")
    made = driver.denoise(pipe, Denoising(inputs, embeds, Sampling(steps=5, guidance=1.0, seed=3), Silent(), GEOMETRY))
    changed = (made != driver.encode(pipe, frames)).any(1)[0]
    assert changed.shape == (3, 4, 4) and bool(changed[:, 1:3, 1].all()) and int(changed.sum()) == 6


def test_a_long_shot_is_denoised_in_windows(stage: Callable[[str], Set]) -> None:
    mine = stage("text")
    frames = mine.made(mine.shot("text", 17, controls={"steps": 1}))
    assert len(frames) == 17 and len({frame.tobytes() for frame in frames}) == 17


def test_a_killed_long_shot_goes_on_from_its_last_frame(stage: Callable[[str], Set]) -> None:
    mine = stage("few")
    request = mine.shot("image", 15, controls={"steps": 1})
    whole = mine.made(request)
    assert len(whole) == 15

    def stop(event: Event) -> None:
        if isinstance(event, StepPreview) and event.frame > 8:
            mine.engine.queue.cancel(event.job_id)

    mine.act = stop
    assert mine.run(request, take="take-000000000077").state is JobState.CANCELLED
    mine.act = lambda event: None
    end = mine.run(request, take="take-000000000077")
    assert end.state is JobState.FINISHED, end.reason
    assert all(event.frame > 8 for event in mine.previews())
    for frame, picture in mine.frames().items():
        np.testing.assert_array_equal(picture, whole[frame])


def test_the_numbers_of_a_gpu(folders: dict[str, Path]) -> None:
    """Everything in bfloat16, as the published weights are run, and the clip in tiles."""
    pipe = bare(folders["image"], 1.0, dtype=torch.bfloat16)
    driver = HunyuanDriver()
    frames = tuple(footage(source_ref(), frame, SIZE) for frame in range(5))
    inputs = PipelineInputs(task="variation", width=32, height=32, frames=5, strength=0.6, start=frames)
    embeds = prompt(driver, pipe, "a red dog")
    from diffusers import HunyuanVideo15Pipeline

    shared = HunyuanVideo15Pipeline(
        **{name: part for name, part in pipe.components.items() if name not in ("image_encoder", "feature_extractor")}
    )
    run = Denoising(inputs, embeds, Sampling(steps=2, guidance=1.0, seed=3), Silent(), GEOMETRY)
    latents = driver.denoise(shared, run)
    assert latents.dtype == torch.float32 and bool(torch.isfinite(latents).all())
    plain = list(driver.decode(shared, latents, Decoding()))
    tiled = list(driver.decode(shared, latents, Decoding(tile=16)))
    assert len(plain) == len(tiled) == 5 and plain[0].shape == tiled[0].shape == (32, 32, 3)


@pytest.mark.parametrize("kind", ["text", "few"])
def test_every_rung_of_the_memory_ladder_draws_the_clip(kind: str, folders: dict[str, Path], tmp_path: Path) -> None:
    model = ModelLibrary(registry_file=tmp_path / "models.json", builtin=folders[kind]).models()[0]
    driver = HunyuanDriver() if kind == "text" else HunyuanImageDriver()
    words = prompt(driver, bare(folders[kind], 1.0), "a red dog").positive
    keys = ((0, FIRST),) if kind == "few" else ()
    inputs = PipelineInputs(task="text", width=32, height=32, frames=5, keys=keys)
    whole: torch.Tensor | None = None
    for plan in plans_for(model, quick_machine()):
        pipe = driver.pipeline(Residency().acquire(model, plan))
        dtype = getattr(torch, plan.dtype)
        said = {name: rows.to(dtype) if rows.is_floating_point() else rows for name, rows in words.items()}
        run = Denoising(inputs, PromptEmbeds(said), Sampling(steps=2, guidance=1.0, seed=3), Silent(), GEOMETRY)
        made = driver.denoise(pipe, run)
        whole = made if whole is None else whole
        apart = float((made - whole).abs().mean() / whole.abs().mean())
        assert apart == 0 if plan.exact and plan.dtype == "float32" else 0 < apart < 0.5, plan.rung
        assert next(driver.decode(pipe, made, Decoding(tile=16))).shape == (32, 32, 3)


def test_what_a_pass_keeps_is_told_from_the_shapes() -> None:
    """The live tensors of one pass of the class at 848×480 and 121 frames, in bfloat16, counted at 2.48 GB."""
    tokens = 31 * 30 * 53
    counted = HunyuanActivations(tokens=tokens, words=200, dim=2048, ffn=8192, latent_numbers=tokens * 32)
    assert counted.denoising_bytes(2) == pytest.approx(2.477e9, rel=0.02)


def test_the_published_ones_are_known_by_their_configs(folders: dict[str, Path], tmp_path: Path) -> None:
    library = ModelLibrary(registry_file=tmp_path / "models.json")
    assert [library.add(folders[kind]).usable for kind in ("text", "image", "few")] == [True, True, True]
    few = next(model for model in library.models() if "few" in model.id)
    assert abilities_of(few).guidance == (1.0, 1.0, 1.0) and abilities_of(few).native_rate == 8
    copy = shutil.copytree(folders["few"], tmp_path / "few")
    (copy / "gen2studio.json").unlink()
    known = check_checkpoint(copy).manifest
    assert known.steps.default == 8 and known.guidance.highest == 1.0 and known.frames.native == 121
    config = copy / "transformer" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "target_size": 960}))
    assert check_checkpoint(copy).manifest.sizes[0] == (1280, 720)


@pytest.mark.parametrize(
    ("kind", "path", "change", "said"),
    [
        ("image", "tokenizer_2/tokenizer_config.json", {"auto_map": {"AutoTokenizer": "evil.Evil"}}, "program code"),
        ("text", "transformer/config.json", {"num_layers": 3}, "lack “transformer_blocks.2."),
        ("text", "transformer/config.json", {"num_layers": 10**9}, "no such model"),
        ("text", "transformer/config.json", {"use_meanflow": True}, "lack “time_embed.timestep_embedder_r"),
        ("text", "transformer/config.json", {"target_size": [640]}, "no such model"),
        ("text", "vae/config.json", {"latent_channels": 8}, "and its config says"),
        ("text", "guider/guider_config.json", {"guidance_scale": "lots"}, "no such model"),
        ("text", "scheduler/scheduler_config.json", {"use_dynamic_shifting": True}, "no such model"),
        ("image", "image_encoder/config.json", {"hidden_size": 24}, "image encoder's weights"),
    ],
)
def test_a_checkpoint_that_does_not_add_up_is_refused(
    folders: dict[str, Path], tmp_path: Path, kind: str, path: str, change: dict[str, object], said: str
) -> None:
    copy = shutil.copytree(folders[kind], tmp_path / "model")
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
