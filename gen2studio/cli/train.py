"""``gen2studio train``: teach a model a subject, a style or a motion from a folder, without a window."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2studio.core.errors import GenerationError, UsageError

if TYPE_CHECKING:
    from gen2studio.document.model import MediaItem, TrainingSet
    from gen2studio.engine.generators import Abilities
    from gen2studio.engine.requests import SourceRef, TrainRequest


def add_parser(subparsers: Any) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "train",
        help="teach a model a subject, style or motion from a few images or clips",
        description="Train an adapter (LoRA), or with --word a word of a CLIP text encoder (textual inversion), on 5 "
        "to 30 images or clips. Ctrl-C keeps what was learned: the same command goes on there. A name.txt beside "
        "name.jpg or name.mp4 is its caption.",
    )
    parser.add_argument(
        "--images", required=True, type=Path, metavar="FOLDER", help="an image or a clip, or a folder of them"
    )
    parser.add_argument("--name", required=True, help="what the adapter is called in the library")
    parser.add_argument("--trigger", required=True, metavar="WORD", help="the word that calls it in a prompt")
    parser.add_argument("--style", action="store_true", help="learn how the images are made, not what they show")
    parser.add_argument(
        "--caption", default="", metavar="TEXT", help="caption of images that have no .txt of their own"
    )
    parser.add_argument("--model", default="", metavar="ID", help="which model learns (see “gen2studio models list”)")
    parser.add_argument("--steps", type=int, default=0, metavar="N", help="training steps (default: the model's own)")
    parser.add_argument("--rank", type=int, default=0, metavar="N", help="size of the adapter")
    parser.add_argument(
        "--optimiser", default="", choices=["adamw", "adamw8bit"],
        help="what steps it: whole, or in 8 bits (default: in 8 bits where memory asks for it)",
    )  # fmt: skip
    parser.add_argument(
        "--word", action="store_true", help="learn a word (textual inversion) rather than an adapter: a few kilobytes"
    )
    parser.add_argument("--vectors", type=int, default=0, metavar="N", help="with --word: size of the word, 1 to 16")
    parser.add_argument("--begin-as", default="", metavar="WORDS", help="with --word: what it is, such as “dog”")
    parser.add_argument("--rate", type=float, default=0.0, metavar="R", help="learning rate")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="the same seed gives the same adapter")
    parser.add_argument("--prior", type=float, default=0.0, metavar="W", help="0…1: keep the subject's kind as it is")
    parser.add_argument("--prompt", default="", metavar="TEXT", help="prompt of the test frames")
    parser.add_argument("--frames", type=Path, metavar="FOLDER", help="write the test frames there as PNGs")
    parser.add_argument(
        "--clip-frames", type=int, default=0, metavar="N", help="frames of a window of a clip: 5, 9, 13, 17…"
    )
    parser.add_argument(
        "--windows", default="uniform", choices=["head", "uniform", "chunk"],
        help="windows of a clip: one from its beginning, up to four spread over it (default), or one after the other",
    )  # fmt: skip
    parser.add_argument(
        "--every-frame", action="store_true", help="windows hold every frame, not frames at the model's own rate"
    )
    parser.add_argument("--size", default="", metavar="WxH", help="the area to train at (default: the model's own)")
    parser.add_argument(
        "--experts", default="both", choices=["both", "high", "low"],
        help="of a pair of experts, which learn: for much noise, for little, or both, one after the other",
    )  # fmt: skip
    parser.add_argument(
        "--card",
        type=int,
        default=0,
        metavar="GB",
        help="size, frames and rank that a card of this memory has room for",
    )
    parser.add_argument(
        "--plan", action="store_true", help="say how it would be trained here and on cards of each size, and stop"
    )


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

    training_set, files, items = set_of(args)
    abilities = model_of(args.model, word=args.word)
    bar = ProgressBar()
    training_set = preset_of(args.card, training_set, abilities)
    footage = _check(training_set, files, items, abilities, bar)
    planned = plan_training(training_set, abilities, files.get, footage=footage.__getitem__)
    request = replace(planned, prior=args.prior, test_prompt=args.prompt)
    if args.plan:
        return show_plan(request, abilities)
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
    print(f"loss {first:.4f} → {last:.4f} in {len(losses)} steps; {ready[-1].path}")
    return 0


def set_of(args: argparse.Namespace) -> tuple[TrainingSet, dict[str, Path], dict[str, MediaItem]]:
    """The training set that the options describe, the file of each image by its SHA-256, and the footage of its clips
    by id. Raises UsageError, MediaError."""
    from dataclasses import replace

    from gen2studio.app.customization_plan import caption_beside, expanded, is_clip_file, suggested_caption
    from gen2studio.app.training_material import probed, whole_clip
    from gen2studio.core.hashing import file_digest
    from gen2studio.document.model import TrainingImage, TrainingSet
    from gen2studio.engine.requests import LORA, WORD

    if (args.vectors or args.begin_as) and not args.word:
        raise UsageError("--vectors and --begin-as say how a word is learned: they go with --word.")
    if args.word and (args.rank or args.prior or args.optimiser == "adamw8bit"):
        raise UsageError("A word has no rank and no prior, and too few numbers for an optimiser in 8 bits.")
    if not args.images.exists():
        raise UsageError(f"“{args.images}” is not there.")
    if len(args.trigger.split()) != 1:
        raise UsageError("--trigger is one word.")
    kind = "style" if args.style else "subject"
    found = TrainingSet(id="set-cli", name=args.name, trigger=args.trigger, kind=kind)
    files: dict[str, Path] = {}
    items: dict[str, MediaItem] = {}
    images: list[TrainingImage] = []
    for source, name in expanded([(args.images, args.images.name)]):
        assert isinstance(source, Path)
        if is_clip_file(source):
            item = probed(source)
            items[item.id] = item
            caption = caption_beside(source) or args.caption or suggested_caption(found)
            images.append(replace(whole_clip(item), name=name, caption=caption))
            continue
        digest = file_digest(source)
        if digest in files:
            continue
        files[digest] = source.absolute()
        caption = caption_beside(source) or args.caption or suggested_caption(found)
        images.append(TrainingImage(digest=digest, name=name, caption=caption))
    if not images:
        raise UsageError(f"There are no images and no clips in “{args.images}”.")
    settled = TrainingSet(
        id=found.id, name=args.name, trigger=args.trigger, kind=kind, images=tuple(images), steps=args.steps,
        rank=args.rank, learning_rate=args.rate, seed=args.seed, method=WORD if args.word else LORA,
        vectors=args.vectors, initial=args.begin_as, optimiser=args.optimiser, size=_size(args.size),
        clip_frames=args.clip_frames, clip_windows=args.windows, every_frame=args.every_frame, experts=args.experts,
    )  # fmt: skip
    return settled, files, items


def _size(text: str) -> tuple[int, int]:
    """``WxH``. Raises UsageError."""
    if not text:
        return 0, 0
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and 64 <= int(width) <= 4096 and 64 <= int(height) <= 4096):
        raise UsageError(f"The size “{text}” is not WIDTHxHEIGHT in pixels, such as 832x480.")
    return int(width), int(height)


def preset_of(gigabytes: int, training_set: TrainingSet, abilities: Abilities) -> TrainingSet:
    """The set with what a card's preset says where the artist said nothing. Raises UsageError, GenerationError."""
    from dataclasses import replace

    from gen2studio.compose import generator_registry

    if not gigabytes:
        return training_set
    moving = any(image.clip is not None for image in training_set.images)
    presets = generator_registry().training_presets(abilities.id, clips=moving)
    found = next((preset for preset in presets if preset.gigabytes == gigabytes), None)
    if found is None:
        known = ", ".join(str(preset.gigabytes) for preset in presets) or "none"
        raise UsageError(f"There is no preset for a card of {gigabytes} GB; there are: {known}.")
    if found.why_not:
        raise GenerationError(found.why_not, "Choose a smaller model.")
    return replace(
        training_set,
        rank=training_set.rank or found.rank,
        size=training_set.size if any(training_set.size) else found.size,
        clip_frames=training_set.clip_frames or (found.frames if moving else 0),
    )


def show_plan(request: TrainRequest, abilities: Abilities) -> int:
    """Print how a training is held on this machine, and what cards of each size train."""
    from gen2studio.compose import generator_registry

    registry = generator_registry()
    print(f"{abilities.title}: {registry.training_held(request)}.")
    for preset in registry.training_presets(abilities.id, clips=bool(request.clips)):
        print(f"{preset.gigabytes:>3} GB  {preset.words}")
    return 0


def model_of(model_id: str, *, word: bool = False) -> Abilities:
    """The model that learns: the one asked for, else the first that can be trained, or taught a ``word``. Raises
    GenerationError."""
    from gen2studio.compose import generator_registry

    trainable = [a for a in generator_registry().abilities if a.trainable]
    chosen = next((a for a in trainable if a.id == model_id), None)
    if word and chosen is not None and chosen.training.word is None:
        raise GenerationError(chosen.training.word_why_not, "Leave --word out to train an adapter.")
    if word and not model_id:
        trainable = [a for a in trainable if a.training.word is not None]
        if not trainable:
            raise GenerationError(
                "No model that can be taught a word is installed: only CLIP text encoders can.",
                "Add Stable Diffusion 1.5 with a motion adapter, or leave --word out.",
            )
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


def _check(
    training_set: TrainingSet, files: dict[str, Path], items: dict[str, MediaItem], abilities: Abilities, bar: Any
) -> dict[str, SourceRef]:
    """Say what is odd about the images and clips, and refuse the ones that can't be read; the footage by media id."""
    from gen2studio.app.dataset_checks import ImageFacts, check, facts_key, learner_of, look_at
    from gen2studio.app.training_material import look_at_clip

    facts: dict[str, ImageFacts] = {}
    footage: dict[str, SourceRef] = {}
    for image in training_set.images:
        if image.clip is None:
            facts[facts_key(image)] = look_at(files[image.digest], image)
            continue
        facts[facts_key(image)], source = look_at_clip(items[image.clip.media_id], image)
        if source is not None:
            footage[image.clip.media_id] = source
    names = {i.digest: i.name for i in training_set.images}
    for finding in check(training_set, facts, learner_of(abilities, training_set)):
        where = f"{names[finding.digest]}: " if finding.digest else ""
        if finding.fatal:
            raise GenerationError(f"{where}{finding.sentence}", "Take it out of the folder, then run again.")
        bar.say(f"{where}{finding.sentence}")
    return footage
