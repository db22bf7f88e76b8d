"""``gen2studio train``: teach a model a subject or a style from a folder of images, without a window."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2studio.core.errors import GenerationError, UsageError

if TYPE_CHECKING:
    from gen2studio.document.model import TrainingSet
    from gen2studio.engine.generators import Abilities


def add_parser(subparsers: Any) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "train",
        help="teach a model a subject or style from a few images",
        description="Train an adapter (LoRA) on 5 to 30 images. Ctrl-C keeps what was learned: the same command goes "
        "on there. A name.txt beside name.jpg is its caption.",
    )
    parser.add_argument("--images", required=True, type=Path, metavar="FOLDER", help="the images, or a folder of them")
    parser.add_argument("--name", required=True, help="what the adapter is called in the library")
    parser.add_argument("--trigger", required=True, metavar="WORD", help="the word that calls it in a prompt")
    parser.add_argument("--style", action="store_true", help="learn how the images are made, not what they show")
    parser.add_argument(
        "--caption", default="", metavar="TEXT", help="caption of images that have no .txt of their own"
    )
    parser.add_argument("--model", default="", metavar="ID", help="which model learns (see “gen2studio models list”)")
    parser.add_argument("--steps", type=int, default=0, metavar="N", help="training steps (default: the model's own)")
    parser.add_argument("--rank", type=int, default=0, metavar="N", help="size of the adapter")
    parser.add_argument("--rate", type=float, default=0.0, metavar="R", help="learning rate")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="the same seed gives the same adapter")
    parser.add_argument("--prior", type=float, default=0.0, metavar="W", help="0…1: keep the subject's kind as it is")
    parser.add_argument("--prompt", default="", metavar="TEXT", help="prompt of the test frames")
    parser.add_argument("--frames", type=Path, metavar="FOLDER", help="write the test frames there as PNGs")


def run(args: argparse.Namespace) -> int:
    """Train and put the adapter into the library. Raises StudioError; returns 0, or 130 when it was stopped."""
    from dataclasses import replace

    from gen2studio.app.customization_plan import plan_training
    from gen2studio.cli.progress_bar import ProgressBar
    from gen2studio.cli.running import run_job
    from gen2studio.core.ids import new_id
    from gen2studio.core.paths import write_atomic
    from gen2studio.engine.events import AdapterReady, Event, JobState, LossMeasured, TestFrameReady
    from gen2studio.engine.requests import Job, Lane
    from gen2studio.engine.take_store import encode_png
    from gen2studio.engine.workspace import Workspace

    training_set, files = set_of(args)
    abilities = model_of(args.model)
    bar = ProgressBar()
    _check(training_set, files, abilities, bar)
    request = replace(plan_training(training_set, abilities, files.get), prior=args.prior, test_prompt=args.prompt)
    ready: list[AdapterReady] = []
    losses: list[float] = []

    def hear(event: Event) -> None:
        if isinstance(event, AdapterReady):
            ready.append(event)
        elif isinstance(event, LossMeasured):
            losses.append(event.loss)
        elif isinstance(event, TestFrameReady) and args.frames is not None:
            write_atomic(args.frames / f"step_{event.step:06d}.png", encode_png(event.picture))

    job = Job(id=new_id("job"), lane=Lane.RENDER, request=request, label=request.name)
    state = run_job(job, Workspace(), bar, hear)
    if state is not JobState.FINISHED:
        print("gen2studio: stopped. What it learned is kept; run the same command again to go on.", file=sys.stderr)
        return 130
    tenth = max(1, len(losses) // 10)
    first, last = sum(losses[:tenth]) / tenth, sum(losses[-tenth:]) / tenth
    print(f"{ready[-1].adapter_id}: “{request.name}” for {abilities.title}, called by “{request.trigger}”.")
    print(f"loss {first:.4f} → {last:.4f} in {request.steps} steps; {ready[-1].path}")
    return 0


def set_of(args: argparse.Namespace) -> tuple[TrainingSet, dict[str, Path]]:
    """The training set that the options describe, and the file of each image by its SHA-256. Raises UsageError."""
    from gen2studio.app.customization_plan import caption_beside, expanded, suggested_caption
    from gen2studio.core.hashing import file_digest
    from gen2studio.document.model import TrainingImage, TrainingSet

    if not args.images.exists():
        raise UsageError(f"“{args.images}” is not there.")
    if len(args.trigger.split()) != 1:
        raise UsageError("--trigger is one word.")
    kind = "style" if args.style else "subject"
    found = TrainingSet(id="set-cli", name=args.name, trigger=args.trigger, kind=kind)
    files: dict[str, Path] = {}
    images: list[TrainingImage] = []
    for source, name in expanded([(args.images, args.images.name)]):
        assert isinstance(source, Path)
        digest = file_digest(source)
        if digest in files:
            continue
        files[digest] = source.absolute()
        caption = caption_beside(source) or args.caption or suggested_caption(found)
        images.append(TrainingImage(digest=digest, name=name, caption=caption))
    if not images:
        raise UsageError(f"There are no images in “{args.images}”.")
    settled = TrainingSet(
        id=found.id, name=args.name, trigger=args.trigger, kind=kind, images=tuple(images), steps=args.steps,
        rank=args.rank, learning_rate=args.rate, seed=args.seed,
    )  # fmt: skip
    return settled, files


def model_of(model_id: str) -> Abilities:
    """The model that learns: the one asked for, else the first that can be trained. Raises GenerationError."""
    from gen2studio.compose import generator_registry

    trainable = [a for a in generator_registry().abilities if a.trainable]
    if not trainable:
        raise GenerationError(
            "No model that can be trained is installed.", "Add one with “gen2studio models add FOLDER”."
        )
    found = next((a for a in trainable if a.id == model_id), None if model_id else trainable[0])
    if found is None:
        raise GenerationError(
            f"The model “{model_id}” can't be trained.", f"These can: {', '.join(a.id for a in trainable)}."
        )
    return found


def _check(training_set: TrainingSet, files: dict[str, Path], abilities: Abilities, bar: Any) -> None:
    """Say what is odd about the images; refuse the ones that can't be read."""
    from gen2studio.app.dataset_checks import check, facts_key, look_at

    facts = {facts_key(i): look_at(files[i.digest], i) for i in training_set.images}
    native = abilities.native_sizes[0] if abilities.native_sizes else (0, 0)
    names = {i.digest: i.name for i in training_set.images}
    for finding in check(training_set, facts, native):
        where = f"{names[finding.digest]}: " if finding.digest else ""
        if finding.fatal:
            raise GenerationError(f"{where}{finding.sentence}", "Take it out of the folder, then run again.")
        bar.say(f"{where}{finding.sentence}")
