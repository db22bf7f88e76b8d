"""Training adapters through the real engine on a small checkpoint: learning, resuming, saving, refusing."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gen2studio.core import paths
from gen2studio.core.errors import GenerationError, ModelError
from gen2studio.diffusion.training import recipe as recipes
from gen2studio.diffusion.training.lora_data import plan_views, rendered, size_for
from gen2studio.engine.events import (
    AdapterReady,
    Event,
    JobState,
    LossMeasured,
    Picture,
    Progress,
    StateChanged,
    TestFrameReady,
)
from gen2studio.engine.requests import AdapterRef, BlobRef, Job, Lane, TrainingImageRef, TrainRequest, request_digest
from gen2studio.models.adapters import Adapter, AdapterLibrary
from tests.diffusion.studio import Stage
from tests.diffusion.tiny import build

ROOT = Path(__file__).resolve().parents[2]
STEPS = 30


def dog_files(media_root: Path) -> list[Path]:
    return sorted((media_root / "subjects" / "dog").glob("*.jpg"))


def training(files: list[Path], **changes: object) -> TrainRequest:
    images = tuple(
        TrainingImageRef(
            blob=BlobRef(digest=hashlib.sha256(path.read_bytes()).hexdigest(), path=str(path)),
            caption="a sks dog in the meadow",
        )
        for path in files
    )
    values = {
        "generator": "tiny-patch", "revision": "1", "adapter_id": "adapter-000000000001", "name": "My dog",
        "trigger": "sks", "kind": "subject", "images": images, "steps": STEPS, "rank": 4, "learning_rate": 1e-2,
        "seed": 5,
    }  # fmt: skip
    return TrainRequest(**{**values, **changes})  # type: ignore[arg-type]


class Bench:
    """A stage whose home can be left and entered again, as a program that is started anew."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder, self.home = folder, home
        self.react: Callable[[Event], None] = lambda event: None
        self.stage = self._stage()
        self._jobs = 0

    def _stage(self) -> Stage:
        stage = Stage(self.folder, self.home, lambda event: self.react(event))
        stage.blob = _decoded  # type: ignore[method-assign]
        return stage

    def run(self, request: TrainRequest) -> StateChanged:
        from gen2studio.engine.workspace import Workspace

        self.stage.events.clear()
        self.stage.engine.queue.set_workspace(Workspace())
        self._jobs += 1
        return self.stage.engine.run(
            Job(id=f"train-{self._jobs}", lane=Lane.RENDER, request=request, label="Train", owner="set-1")
        )

    def restart(self) -> None:
        self.stage.close()
        self.stage = self._stage()

    def of(self, kind: type[Event]) -> list:  # type: ignore[type-arg]
        return [event for event in self.stage.events if isinstance(event, kind)]

    def losses(self) -> list[tuple[int, float]]:
        return [(event.step, event.loss) for event in self.of(LossMeasured)]

    def cancel_at(self, step: int) -> None:
        """Cancel the running job when it has done ``step`` steps, once."""
        done = False

        def react(event: Event) -> None:
            nonlocal done
            if not done and isinstance(event, LossMeasured) and event.step == step:
                done = True
                self.stage.engine.queue.cancel(event.job_id)

        self.react = react


def _decoded(ref: BlobRef) -> Picture:
    from gen2studio.engine.frames import blob_picture

    return blob_picture(ref)


@pytest.fixture
def bench(tiny_model: Path, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tiny_model, tmp_path)
    yield made
    made.stage.close()


def test_training_learns_shows_and_keeps_an_adapter(bench: Bench, media_root: Path) -> None:
    request = training(dog_files(media_root))
    end = bench.run(request)
    assert end.state is JobState.FINISHED, end.reason

    losses = [loss for _, loss in bench.losses()]
    assert len(losses) == STEPS
    assert np.mean(losses[-10:]) < 0.9 * np.mean(losses[:5])

    tests = bench.of(TestFrameReady)
    assert [t.step for t in tests] == list(recipes.settle(request, 100_000).test_steps)
    assert tests[0].step == 0 and tests[-1].step == STEPS
    assert tests[0].picture.shape == (64, 64, 3)
    assert np.abs(tests[-1].picture.astype(int) - tests[0].picture).mean() > 1.0, "the adapter changes the picture"

    ready = bench.of(AdapterReady)
    assert [event.adapter_id for event in ready] == [request.adapter_id]
    kept = AdapterLibrary().adapter(request.adapter_id)
    assert (kept.name, kept.trigger, kept.kind, kept.rank, kept.steps) == ("My dog", "sks", "subject", 4, STEPS)
    assert kept.base_digest == bench.stage.model.digest
    assert AdapterLibrary().refusal(kept, bench.stage.model) == ""
    steps = AdapterLibrary().steps(kept.id)
    assert [step.step for step in steps] == [t.step for t in tests[1:]], "every step shown can be chosen"
    assert all(step.picture is not None and step.loss is not None for step in steps)
    assert steps[-1].path.read_bytes() == kept.path.read_bytes() != steps[0].path.read_bytes()
    assert steps[-1].loss is not None and steps[0].loss is not None and steps[-1].loss < steps[0].loss
    assert not (paths.data_dir() / "training" / request_digest(request)[:32]).exists(), "nothing is left behind"
    stages = {event.stage for event in bench.of(Progress)}
    assert {"Reading captions", "Reading images", "Training"} <= stages


_TRAIN = """
import sys
from pathlib import Path
from tests.diffusion.test_training_lora import Bench, dog_files, training
bench = Bench(Path(sys.argv[1]), Path(sys.argv[2]))
from gen2studio.engine.events import LossMeasured
def react(event):
    if isinstance(event, LossMeasured):
        print("step", event.step, flush=True)
bench.react = react
print(bench.run(training(dog_files(Path(sys.argv[3])), steps=16)).state.value, flush=True)
"""


def test_a_killed_and_cancelled_training_ends_with_the_same_adapter(
    bench: Bench, media_root: Path, tmp_path: Path
) -> None:
    request = training(dog_files(media_root), steps=16)
    command = [sys.executable, "-c", _TRAIN, str(bench.folder), str(tmp_path / "other"), str(media_root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == "step 7":
                process.kill()
        process.wait()
    scratch = paths.data_dir() / "training" / request_digest(request)[:32]
    assert (scratch / "checkpoint.safetensors").is_file()
    with pytest.raises(ModelError):
        AdapterLibrary().adapter(request.adapter_id)

    bench.cancel_at(11)
    end = bench.run(request)
    assert end.state is JobState.CANCELLED and "kept" in end.reason
    bench.restart()
    assert bench.run(request).state is JobState.FINISHED
    resumed, curve = AdapterLibrary().adapter(request.adapter_id), bench.losses()
    frames = [(t.step, t.picture) for t in bench.of(TestFrameReady)]

    whole = replace(request, adapter_id="adapter-000000000002")
    assert bench.run(whole).state is JobState.FINISHED
    assert AdapterLibrary().adapter(whole.adapter_id).sha256 == resumed.sha256, "bit for bit"
    assert curve == bench.losses(), "the curve is told again from the start"
    told = [(t.step, t.picture) for t in bench.of(TestFrameReady)]
    assert [step for step, _ in told] == [step for step, _ in frames]
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(told, frames, strict=True))


_GENERATE = """
import sys
from pathlib import Path
import numpy as np
from tests.diffusion.studio import Stage
from tests.diffusion.test_training_lora import used
from gen2studio.models.adapters import AdapterLibrary
stage = Stage(Path(sys.argv[1]), Path(sys.argv[2]))
kept = AdapterLibrary().adapter(sys.argv[3])
np.save(sys.argv[4], np.stack(stage.made(stage.request("text", stop=1, adapters=(used(kept),)))))
stage.close()
"""


def used(adapter: Adapter, strength: float = 1.0) -> AdapterRef:
    return AdapterRef(digest=adapter.sha256, adapter_id=adapter.id, path=str(adapter.path), strength=strength)


def test_a_saved_adapter_gives_the_same_frames_in_another_process(
    bench: Bench, media_root: Path, tmp_path: Path
) -> None:
    request = training(dog_files(media_root)[:2], steps=6)
    assert bench.run(request).state is JobState.FINISHED
    kept = AdapterLibrary().adapter(request.adapter_id)
    stage = bench.stage
    with_it = stage.made(stage.request("text", stop=1, adapters=(used(kept),)))
    base = stage.made(stage.request("text", stop=1))
    nothing = stage.made(stage.request("text", stop=1, adapters=(used(kept, 0.0),)))
    assert np.array_equal(nothing[0], base[0]), "weight 0 is the base model"
    assert not np.array_equal(with_it[0], base[0])

    out = tmp_path / "frames.npy"
    subprocess.run(
        [sys.executable, "-c", _GENERATE, str(bench.folder), str(tmp_path / "new"), kept.id, str(out)],
        check=True, cwd=ROOT,
    )  # fmt: skip
    assert np.array_equal(np.load(out), np.stack(with_it))


def test_an_adapter_of_another_model_is_refused(
    bench: Bench, media_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    import diffusers

    from gen2studio.models.library import ModelLibrary

    request = training(dog_files(media_root)[:2], steps=2)
    assert bench.run(request).state is JobState.FINISHED
    kept = AdapterLibrary().adapter(request.adapter_id)
    folder = tmp_path_factory.mktemp("other")
    wider = diffusers.WanVACETransformer3DModel(
        patch_size=(1, 1, 1), num_attention_heads=3, attention_head_dim=16, in_channels=16, out_channels=16,
        text_dim=32, freq_dim=32, ffn_dim=64, num_layers=3, vace_layers=[0, 2], vace_in_channels=96,
        rope_max_seq_len=128,
    )  # fmt: skip
    build(folder, "patch")
    wider.save_pretrained(folder / "transformer")
    other = ModelLibrary(registry_file=folder / "models.json", builtin=folder).models()[0]
    assert other.problem == ""
    assert "width 32" in AdapterLibrary().refusal(kept, other)


def test_prior_preservation_trains_on_the_models_own_pictures(bench: Bench, media_root: Path) -> None:
    request = training(dog_files(media_root)[:1], steps=2, prior=1.0)
    assert bench.run(request).state is JobState.FINISHED
    assert "Picturing the kind" in {event.stage for event in bench.of(Progress)}
    with_prior = AdapterLibrary().adapter(request.adapter_id)
    plain = replace(request, adapter_id="adapter-000000000002", prior=0.0)
    assert bench.run(plain).state is JobState.FINISHED
    assert AdapterLibrary().adapter(plain.adapter_id).sha256 != with_prior.sha256


def test_what_cannot_be_trained_is_said_in_one_sentence(bench: Bench, media_root: Path, tmp_path: Path) -> None:
    files = dog_files(media_root)[:2]
    assert "no images" in bench.run(training([])).reason
    assert "rank" in bench.run(training(files, rank=4000)).reason
    assert "steps" in bench.run(training(files, steps=10**6)).reason
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"not a picture")
    end = bench.run(training([*files, broken]))
    assert end.state is JobState.FAILED and "broken.png" in end.reason
    assert bench.run(training(files, steps=2)).state is JobState.FINISHED, "the engine is alive"


def test_views_keep_the_subject_and_use_allowed_sizes(bench: Bench) -> None:
    manifest = bench.stage.model.manifest
    settled = recipes.settle(_request(), 1_000)
    for width, height in ((780, 780), (1600, 900), (300, 2000), (40, 30)):
        size = size_for(width, height, manifest)
        assert size[0] % manifest.size_multiple == 0 and size[1] % manifest.size_multiple == 0
        assert 0.45 <= size[0] / size[1] <= 2.2
        views = plan_views(width, height, manifest, settled, 0, "subject")
        assert views == plan_views(width, height, manifest, settled, 0, "subject")
        assert views[0].mirrored is False and views[1].mirrored is True
        picture = np.zeros((height, width, 3), np.uint8)
        for view in views:
            assert view.x >= 0 and view.y >= 0
            assert view.x + view.width <= width + 1e-6 and view.y + view.height <= height + 1e-6
            assert rendered(picture, view).shape == (size[1], size[0], 3)


def _request() -> TrainRequest:
    return training([], images=(TrainingImageRef(blob=BlobRef(digest="0" * 64), caption="a sks dog"),))


def test_the_recipe_settles_defaults_and_draws_by_step_alone() -> None:
    zeros = replace(_request(), steps=0, rank=0, learning_rate=0.0)
    small, big = recipes.settle(zeros, 20_000_000), recipes.settle(zeros, 14_000_000_000)
    assert small.learning_rate > big.learning_rate and small.steps < big.steps
    assert big.batch < small.batch
    assert small.draw_seed(3) == recipes.settle(zeros, 20_000_000).draw_seed(3) != small.draw_seed(4)
    rates = [small.rate_at(step) for step in range(small.steps)]
    assert max(rates) == pytest.approx(small.learning_rate)
    assert rates[0] < rates[30] and rates[-1] < 0.15 * small.learning_rate
    with pytest.raises(GenerationError):
        recipes.settle(replace(_request(), learning_rate=3.0), 1000)
    assert recipes.plain_caption("a sks dog, sks!", "sks") == "a dog,"
    assert recipes.test_prompt_of(replace(_request(), test_prompt=" a boat ")) == "a boat"
