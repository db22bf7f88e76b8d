"""The built-in mini model: the shipped checkpoint, and everything that makes it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gen2studio.diffusion.training import mini_tasks
from gen2studio.diffusion.training.mini_codec import (
    PatchCodec,
    fit_codec,
    from_autoencoder,
    from_patches,
    latent_colours,
    natural_frames,
    to_autoencoder,
    to_patches,
)
from gen2studio.diffusion.training.mini_data import Shard, open_shards, render_shard, write_shard
from gen2studio.diffusion.training.mini_model import build_tokenizer, control_latents, embed_prompts
from gen2studio.diffusion.vocabulary import TRIGGERS
from gen2studio.diffusion.world.grammar import ClipSpec
from gen2studio.diffusion.world.render import render_specs

MODEL = Path(__file__).resolve().parents[2] / "resources" / "models" / "mini"


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def pipeline() -> Any:
    from diffusers import WanVACEPipeline

    loaded = WanVACEPipeline.from_pretrained(MODEL, local_files_only=True, use_safetensors=True)
    loaded.set_progress_bar_config(disable=True)
    return loaded


@pytest.fixture(scope="module")
def clip() -> torch.Tensor:
    """[5, 3, 128, 128] in −1…1."""
    spec = ClipSpec("meadow", "dog", "red", "realistic", "day", "right", "slowly", "static", 3)
    return render_specs([spec], 5).rgb[0] * 2 - 1


@pytest.fixture(scope="module")
def shards() -> dict[str, Shard]:
    """One tiny shard of clips, made as the real ones are."""
    whole = render_shard(77, 5, (32, 32))
    few = slice(0, 8)
    return {"t": Shard(whole.rgb[few], whole.disparity[few], whole.mask[few], whole.flow[few], whole.specs[few])}


def _sample(pipeline: Any, prompt: str, seed: int = 0, steps: int = 4, guidance: float = 3.0) -> np.ndarray:
    made = pipeline(
        prompt=prompt, height=128, width=128, num_frames=0, num_inference_steps=steps, guidance_scale=guidance,
        max_sequence_length=32, generator=torch.Generator().manual_seed(seed), output_type="np",
    )  # fmt: skip
    return made.frames[0]


def test_the_checkpoint_is_small_and_in_the_standard_layout() -> None:
    files = [path for path in MODEL.rglob("*") if path.is_file()]
    weights = [path for path in files if path.suffix == ".safetensors"]
    assert {path.parent.name for path in weights} == {"transformer", "vae", "text_encoder"}
    assert max(path.stat().st_size for path in weights) <= 16 * 10**6
    assert sum(path.stat().st_size for path in files) <= 60 * 10**6
    index = json.loads((MODEL / "model_index.json").read_text())
    assert index["_class_name"] == "WanVACEPipeline"
    assert index["tokenizer"] == ["transformers", "PreTrainedTokenizerFast"]
    assert not any(path.suffix in {".bin", ".pt", ".pkl", ".ckpt", ".py"} for path in files)


def test_the_manifest_says_what_the_weights_are(pipeline: Any) -> None:
    facts = json.loads((MODEL / "gen2studio.json").read_text())
    assert facts["id"] == "mini" and facts["title"] == "Built-in mini (demo world)"
    assert facts["temporal_scale"] == pipeline.vae_scale_factor_temporal
    assert facts["spatial_scale"] == pipeline.vae_scale_factor_spatial
    assert facts["flow_shift"] == pipeline.scheduler.config.shift
    assert len(facts["latent_rgb"]["weight"]) == pipeline.transformer.config.in_channels
    step = facts["spatial_scale"] * pipeline.transformer.config.patch_size[1]
    assert all(width % step == 0 and height % step == 0 for width, height in facts["sizes"])
    assert facts["frames"]["native"] % 4 == 1, "the Wan VAE takes 4k+1 frames"


def test_the_vae_reconstructs_the_world(pipeline: Any, clip: torch.Tensor) -> None:
    frames = clip.transpose(0, 1)[None]
    with torch.no_grad():
        latents = pipeline.vae.encode(frames).latent_dist.mode()
        made = pipeline.vae.decode(latents).sample
    assert latents.shape == (1, 16, 5, 16, 16)
    error = ((made - frames) / 2).square().mean()
    assert -10 * torch.log10(error) > 25
    codec = from_autoencoder(pipeline.vae)
    with torch.no_grad():
        assert torch.allclose(codec.encode(clip), latents[0].transpose(0, 1), atol=5e-3)


def test_the_preview_colours_fit_the_vae(pipeline: Any, clip: torch.Tensor) -> None:
    facts = json.loads((MODEL / "gen2studio.json").read_text())["latent_rgb"]
    latents = from_autoencoder(pipeline.vae).encode_clip(clip[None])[0]
    seen = torch.einsum("cthw,cd->tdhw", latents, torch.tensor(facts["weight"]))
    seen = seen + torch.tensor(facts["bias"]).view(1, 3, 1, 1)
    true = torch.nn.functional.avg_pool2d(clip / 2 + 0.5, 8)
    assert (seen - true).abs().mean() < 0.05


def test_sampling_is_deterministic(pipeline: Any) -> None:
    prompt = "a realistic clip of a red car drives left fast on a street by day"
    first, again = (_sample(pipeline, prompt, steps=2) for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, _sample(pipeline, prompt, seed=1, steps=2))


def test_night_comes_out_darker_than_day(pipeline: Any) -> None:
    """Text is obeyed above chance at least in its palette: same seeds, one word apart."""
    darker = 0
    for seed, place in enumerate(("in the desert", "in the snow", "on a meadow")):
        day = _sample(pipeline, f"a realistic clip of a red ball {place} by day", seed, steps=3)
        night = _sample(pipeline, f"a realistic clip of a red ball {place} at night", seed, steps=3)
        darker += int(night.mean() < 0.75 * day.mean())
    assert darker == 3


def test_trigger_words_are_tokens_and_unknown_words_are_spelled(pipeline: Any) -> None:
    tokenizer = pipeline.tokenizer
    assert len(tokenizer(f"a {TRIGGERS[0]} car").input_ids) == 4  # three words and the end
    spelled, other = (tokenizer(f"a {word} car").input_ids for word in ("zorp", "zork"))
    assert spelled != other and tokenizer.unk_token_id not in spelled
    assert tokenizer("A, Red CAR!").input_ids == tokenizer("a red car").input_ids
    assert tokenizer("").input_ids == [tokenizer.eos_token_id]
    assert tokenizer.get_vocab() == build_tokenizer().get_vocab(), "the words of the weights are the words of the code"


def test_prompts_are_embedded_as_the_pipeline_does(pipeline: Any) -> None:
    prompts = ["a red car at night", ""]
    with torch.no_grad():
        mine = embed_prompts(pipeline.tokenizer, pipeline.text_encoder, prompts, 32)
        theirs = [
            pipeline.encode_prompt(p, max_sequence_length=32, do_classifier_free_guidance=False)[0] for p in prompts
        ]
    assert torch.allclose(mine, torch.cat(theirs), atol=1e-6)


def test_training_sees_the_control_that_the_pipeline_makes(pipeline: Any, clip: torch.Tensor) -> None:
    """Kept frames, a hole and a reference, through our encoder and through the pipeline's own methods."""
    mask = torch.ones(1, 5, 128, 128)
    mask[:, 0] = 0
    mask[:, 2:, 40:90, 20:60] = 0
    reference = clip[4]
    video = clip.transpose(0, 1)[None]
    wide = mask[:, None].expand(-1, 3, -1, -1, -1).contiguous()
    with torch.no_grad():
        theirs = torch.cat(
            (
                pipeline.prepare_video_latents(video, wide, [[reference]], None, torch.device("cpu")),
                pipeline.prepare_masks(wide, [[reference]]),
            ),
            1,
        )
        mine = control_latents(from_autoencoder(pipeline.vae), clip[None], mask, reference[None, None])
    assert mine.shape == theirs.shape == (1, 96, 6, 16, 16)
    assert torch.allclose(mine, theirs, atol=0.02)


def test_patches_go_there_and_back_in_the_order_of_the_class() -> None:
    from diffusers.models.autoencoders.autoencoder_kl_wan import patchify

    frames = torch.randn(2, 3, 16, 24)
    patches = to_patches(frames)
    assert torch.equal(from_patches(patches), frames)
    assert torch.equal(patches, patchify(frames[:, :, None], 8)[:, :, 0])


def test_a_fitted_codec_beats_flat_patches_and_is_the_class() -> None:
    frames = natural_frames(24, 48, 48, 3)
    codec = fit_codec(frames, steps=20, batch=8)
    with torch.no_grad():
        made = codec.decode(codec.encode(frames))
        flat = torch.nn.functional.interpolate(torch.nn.functional.avg_pool2d(frames, 8), scale_factor=8)
        assert (made - frames).square().mean() < 0.5 * (flat - frames).square().mean()
        vae = to_autoencoder(codec)
        through = vae.decode(vae.encode(frames[:2, :, None]).latent_dist.mode()).sample[:, :, 0]
    assert torch.allclose(through, made[:2].clamp(-1, 1), atol=0.01)
    weight, bias = latent_colours(codec, frames)
    assert len(weight) == 16 and len(bias) == 3


@pytest.mark.parametrize("task", list(mini_tasks.TASKS))
def test_every_task_gives_a_true_example(task: str, shards: dict[str, Shard]) -> None:
    rng = random.Random(3)
    for index in range(4):
        example = mini_tasks.draw_example(shards["t"], index, 0, 5, rng, reference=index == 3, task=task)
        assert example.target.shape == example.video.shape == (5, 3, 32, 32)
        assert set(np.unique(example.mask)) <= {0.0, 1.0}
        assert np.abs(example.video).max() <= 1.0001
        kept = example.mask == 0
        shown = np.abs(example.video - example.target).max(1)
        assert shown[kept].size == 0 or shown[kept].max() < 1e-6, "what is kept is what has to come out"
        if task == "text":
            assert example.mask.all() and not example.video.any()
        if task in ("first", "first_last", "extend", "keys", "first_structure"):
            assert kept.any()
        assert (example.reference is not None) == (index == 3)


def test_shards_survive_the_disk(tmp_path: Path, shards: dict[str, Shard]) -> None:
    write_shard(tmp_path, "t05_0000", shards["t"])
    read = open_shards(tmp_path, {})["t05_0000"]
    assert read.specs == shards["t"].specs
    assert np.array_equal(read.rgb, shards["t"].rgb) and np.array_equal(read.flow, shards["t"].flow)
    assert read.frames == 5 and read.size == (32, 32)


def test_training_learns_and_resumes_where_it_stopped(tmp_path: Path, shards: dict[str, Shard]) -> None:
    from gen2studio.diffusion.training.mini_train import MiniTrainer, TrainOptions, draw_batch

    codec = PatchCodec()
    trainer = MiniTrainer(TrainOptions(tokens=40, lr=2e-3), codec)
    examples = draw_batch(shards, 40, 0.9, random.Random(1), trainer.geometry)
    losses = [trainer.train_step(examples, 0.2)[0] for _ in range(3)]
    trainer.save(tmp_path, 12.5)
    other = MiniTrainer(TrainOptions(tokens=40, lr=2e-3, seed=9), PatchCodec())
    other.load(tmp_path / "state.pt")
    assert other.step_count == 3 and other.spent == 12.5
    ahead, again = trainer.train_step(examples, 0.2)[0], other.train_step(examples, 0.2)[0]
    assert ahead == pytest.approx(again, rel=1e-5)
    assert all(np.isfinite(losses))
    for name, value in trainer.average.items():
        assert torch.allclose(value, other.average[name], atol=1e-6), name


def test_muon_makes_updates_of_equal_reach() -> None:
    from gen2studio.diffusion.training.mini_muon import orthogonalised

    skewed = torch.randn(2, 24, 40, generator=torch.Generator().manual_seed(0)) @ torch.diag(
        torch.logspace(-1.5, 0, 40)
    )
    before, after = torch.linalg.svdvals(skewed)[0], torch.linalg.svdvals(orthogonalised(skewed))[0]
    assert after.max() < 1.5
    assert after.min() / after.max() > 5 * before.min() / before.max()


def test_stage_b_vae_learns_through_time_as_the_class_decodes(shards: dict[str, Shard]) -> None:
    from gen2studio.diffusion.training.mini_vae import VaeOptions, VaeTrainer, decode_open, encode_moments

    options = VaeOptions(device="cpu", batch=1, crop=32, encoder_dim=8, decoder_dim=8)
    trainer = VaeTrainer(options)
    first = trainer.step(list(shards.values()), 0.05)
    for _ in range(4):
        last = trainer.step(list(shards.values()), 0.5)
    assert np.isfinite(first) and np.isfinite(last) and trainer.steps == 5
    clip = torch.rand(1, 3, 5, 32, 32) * 2 - 1
    vae = trainer.codec.vae.eval()
    with torch.no_grad():
        mean, _ = encode_moments(vae, clip)
        assert mean.shape == (1, 32, 2, 2, 2)
        assert torch.allclose(mean, vae.encode(clip).latent_dist.mode(), atol=1e-5)
        assert torch.allclose(decode_open(vae, mean).clamp(-1, 1), vae.decode(mean).sample, atol=1e-5)
    trainer.measure_latents(list(shards.values()), 1)
    assert (trainer.codec.std > 0).all()
