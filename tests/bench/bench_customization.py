"""What training an adapter brings on images it never saw: the built-in model, its adapter, and a foreign adapter.

    python -m tests.bench.bench_customization [--steps N] [--rate R] [--subject dog] [--other teapot] [--out FOLDER]

One image of the subject is held out, the others are trained on through the real engine. Beside the adapter stands one
that was trained, by the same recipe and under the same captions, on another subject: what both improve is only that
photographs are not the built-in model's world; what is left between them was learned from the subject.

* denoising loss: flow-matching loss on the held-out image, noise and levels fixed, lower is better;
* colour: distance of mean and spread in CIE Lab between stills of the caption and the held-out image;
* edges: difference of the mean gradient magnitude, relative to the held-out image's.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from gen2studio.core.hashing import file_digest
from gen2studio.engine.budget import Room
from gen2studio.engine.events import AdapterReady, Event, JobState, Picture
from gen2studio.engine.requests import BlobRef, Job, Lane, TrainingImageRef, TrainRequest

if TYPE_CHECKING:
    from gen2studio.models.library import ModelLibrary

MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media" / "subjects"
LEVELS = (0.1, 0.25, 0.4, 0.55, 0.7, 0.85)
NOISES, STILLS = 4, 6
CAPTION = "a realistic clip of a {trigger} dog on a meadow by day"


def models(home: Path) -> ModelLibrary:
    """The built-in model, or the checkpoint that ``--model`` put in its place."""
    from gen2studio.models.library import ModelLibrary

    chosen = home / "model"
    return ModelLibrary(registry_file=home / "models.json", builtin=chosen if chosen.exists() else None)


def train(
    files: list[Path], steps: int, rate: float, rank: int, seed: int, home: Path, name: str
) -> tuple[Path, float]:
    """Train through the engine; the adapter's file, and CPU seconds."""
    from gen2studio.diffusion.entries import generator_entries
    from gen2studio.engine.abilities import GeneratorRegistry
    from gen2studio.engine.local import LocalEngine
    from gen2studio.engine.worker import EngineWorker

    library = models(home)
    found: list[Path] = []

    def hear(event: Event) -> None:
        if isinstance(event, AdapterReady):
            found.append(Path(event.path))

    request = TrainRequest(
        generator=library.models()[0].id, revision="1", adapter_id=f"adapter-{name}", name=name, trigger="zorb",
        kind="subject", steps=steps, rank=rank, learning_rate=rate, seed=seed,
        images=tuple(
            TrainingImageRef(blob=BlobRef(digest=file_digest(f), path=str(f)), caption=CAPTION.format(trigger="zorb"))
            for f in files
        ),
    )  # fmt: skip
    began = time.process_time()
    with LocalEngine(
        lambda queue, sink: EngineWorker(
            queue, sink, GeneratorRegistry(generator_entries(library)), room=lambda _: Room(16 << 30, 100 << 30)
        ),
        hear,
    ) as engine:
        end = engine.run(Job(id=f"job-{name}", lane=Lane.RENDER, request=request, label=name))
    assert end.state is JobState.FINISHED, end.reason
    return found[0], time.process_time() - began


class Judge:
    """Measures one model, with or without an adapter, against one held-out image."""

    def __init__(self, held_out: Path, home: Path) -> None:
        import torch

        from gen2studio.core.cancel import CancelToken
        from gen2studio.diffusion.runtime.device import this_machine
        from gen2studio.diffusion.runtime.prompt_cache import PromptCache
        from gen2studio.diffusion.runtime.residency import Residency
        from gen2studio.diffusion.training.ladder import training_plan
        from gen2studio.diffusion.training.lora_data import View, rendered, size_for
        from gen2studio.diffusion.training.lora_model import LoraModel
        from gen2studio.engine.frames import blob_picture

        installed = models(home).models()[0]
        self.model = LoraModel(installed, training_plan(installed, this_machine()), Residency())
        caption = CAPTION.format(trigger="zorb")
        quiet: Any = lambda *_: None  # noqa: E731 - a progress nobody hears
        self.prompts = self.model.embed(["", caption], PromptCache(), quiet, CancelToken(), lambda: None)
        self.model.load(quiet, CancelToken())
        picture = blob_picture(BlobRef(digest="", path=str(held_out)))
        height, width = picture.shape[:2]
        self.size = size_for(width, height, installed.manifest)
        self.picture = rendered(picture, View(0, 0, width, height, self.size, False))
        self.clean = self.model.encode(self.picture)
        self.bound = self.model.decode(self.clean)
        self.control = self.model.beside(self.size)
        self.torch = torch

    def adapted(self, path: Path | None) -> None:
        pipe = self.model._pipeline()
        pipe.unload_lora_weights()
        if path is not None:
            pipe.load_lora_weights(
                str(path.parent), weight_name=path.name, adapter_name="judged", local_files_only=True
            )

    def loss(self) -> float:

        torch, losses = self.torch, []
        with torch.no_grad():
            for level in LEVELS:
                draw = torch.Generator("cpu").manual_seed(round(level * 1000))
                noise = torch.randn((NOISES, *self.clean.shape[1:]), generator=draw)
                clean = self.clean.expand(NOISES, -1, -1, -1, -1)
                prompts = self.prompts[1:2].expand(NOISES, -1, -1)
                losses.append(float(self.model.loss(clean, noise, torch.full((NOISES,), level), prompts, self.control)))
        return float(np.mean(losses))

    def stills(self) -> list[Picture]:
        return [
            self.model.decode(self.model.sample(self.prompts, self.size, 100 + number, lambda: None))
            for number in range(STILLS)
        ]

    def colour(self, stills: list[Picture]) -> float:
        wanted = lab_statistics(self.bound)
        return float(np.mean([np.linalg.norm(lab_statistics(still) - wanted) for still in stills]))

    def edges(self, stills: list[Picture]) -> float:
        wanted = edge_strength(self.bound)
        return float(np.mean([abs(edge_strength(still) - wanted) / wanted for still in stills]))


def lab_statistics(picture: Picture) -> np.ndarray:
    lab = cv2.cvtColor(np.ascontiguousarray(picture).astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB).reshape(-1, 3)
    return np.concatenate([lab.mean(0), lab.std(0)])


def edge_strength(picture: Picture) -> float:
    grey = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY).astype(np.float32)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    return float(np.hypot(across, down).mean())


def sheet(rows: list[list[Picture]]) -> np.ndarray:
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


_AGAIN = """
import hashlib, sys
from pathlib import Path
from tests.bench.bench_customization import Judge
judge = Judge(Path(sys.argv[1]), Path(sys.argv[2]))
judge.torch.set_num_threads(int(sys.argv[4]))
judge.adapted(Path(sys.argv[3]))
print("stills", hashlib.sha256(b"".join(s.tobytes() for s in judge.stills()[:2])).hexdigest())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=0, help="0 = the model's default")
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--rank", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--subject", default="dog")
    parser.add_argument("--other", default="teapot", help="empty = no foreign adapter")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="a checkpoint instead of the built-in one")
    parser.add_argument("--out", type=Path, help="where a contact sheet of the stills goes")
    args = parser.parse_args()
    files = sorted((MEDIA / args.subject).glob("*.jpg"))
    held_out, rest = files[0], files[1:]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        if args.model:
            (home / "model").symlink_to(args.model.resolve())
        options = (args.steps, args.rate, args.rank, args.seed, home)
        mine, seconds = train(rest, *options, name=args.subject)
        print(f"trained on {len(rest)} images of {args.subject} in {seconds:.0f} CPU seconds; {held_out.name} held out")
        adapters: dict[str, Path | None] = {"base model": None, f"adapter ({args.subject})": mine}
        if args.other:
            others = sorted((MEDIA / args.other).glob("*.jpg"))[1 : 1 + len(rest)]
            adapters[f"foreign ({args.other})"], _ = train(others, *options, name=args.other)
        judge = Judge(held_out, home)
        rows: list[list[Picture]] = [[judge.picture, judge.bound, *[np.zeros_like(judge.picture)] * (STILLS - 2)]]
        base: tuple[float, float, float] | None = None
        print(f"\n{'':22} {'denoising loss':>20} {'colour (Lab)':>20} {'edges':>20}")
        for title, path in adapters.items():
            judge.adapted(path)
            stills = judge.stills()
            rows.append(stills)
            found = (judge.loss(), judge.colour(stills), judge.edges(stills))
            base = base or found
            cells = [f"{value:10.4f} ({value / first:5.2f}×)" for value, first in zip(found, base, strict=True)]
            print(f"{title:22} " + " ".join(f"{cell:>20}" for cell in cells))
        judge.adapted(mine)
        here = hashlib.sha256(b"".join(s.tobytes() for s in judge.stills()[:2])).hexdigest()
        # The engine works with a thread less than the machine has; sums of floats depend on how they are shared out.
        threads = str(judge.torch.get_num_threads())
        command = [sys.executable, "-c", _AGAIN, str(held_out), str(home), str(mine), threads]
        there = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]
        print(f"\nreloaded in a new process: {'identical' if here == there else 'DIFFERENT'} frames")
        if args.out:
            args.out.mkdir(parents=True, exist_ok=True)
            picture = sheet(rows)
            cv2.imwrite(str(args.out / "customization.png"), picture[..., ::-1])
            print(args.out / "customization.png")


if __name__ == "__main__":
    main()
