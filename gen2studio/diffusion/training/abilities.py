"""What can be trained on a model: from pictures, from clips, one denoiser or a pair of experts. No torch.

A model that begins with a picture learns from clips alone: of a still it is shown the answer. Prior preservation needs
a model that pictures the kind from words, and all of that model at once.
"""

from __future__ import annotations

from dataclasses import replace

from gen2studio.core.errors import GenerationError
from gen2studio.diffusion.runtime.device import Machine
from gen2studio.diffusion.training.ladder import pair_numbers, told
from gen2studio.diffusion.training.lora_experts import is_pair
from gen2studio.diffusion.training.recipe import CLIP_FRAMES, training_defaults, word_defaults
from gen2studio.engine.generators import TrainingDefaults
from gen2studio.engine.optimisers import ADAMW_8BIT
from gen2studio.engine.requests import WORD, TrainRequest
from gen2studio.engine.training_clips import MOST_WINDOWS, SPREAD, window_length
from gen2studio.models.families.rules import ClipShape
from gen2studio.models.library import InstalledModel
from gen2studio.models.words import word_why_not

_CLIPS = {"wan-vace": "may", "wan-t2v": "may", "wan-ti2v": "may", "wan-i2v": "must", "wan-i2v-ends": "must"}


def training_of(model: InstalledModel, machine: Machine) -> TrainingDefaults:
    """Defaults and limits of trainings on ``model``, and how it is held meanwhile on ``machine``."""
    denoiser = model.manifest.component(model.checkpoint().family.denoisers[0])
    parameters = denoiser.parameters if denoiser is not None else 0
    word = replace(word_defaults(parameters), held=told(model, machine, word=True)) if not word_why_not(model) else None
    clips = clips_of(model)
    most = window_length(model.manifest.frames.most, model.manifest.frames.most)
    return replace(
        training_defaults(parameters),
        held=told(model, machine),
        pair_numbers=pair_numbers(model, 1),
        word=word,
        word_why_not=word_why_not(model),
        clips=clips,
        clip_frames=window_length(most, CLIP_FRAMES) if clips else 0,
        most_frames=most if clips else 0,
        experts=is_pair(model),
        prior=_pictures_the_kind(model),
    )


def work_of(model: InstalledModel, request: TrainRequest) -> ClipShape:
    """The most that a step of a training works on: a window of a clip where there are clips, else a picture."""
    width, height = request.size if all(request.size) else model.manifest.sizes[0]
    frames = window_length(model.manifest.frames.most, request.clip_frames or CLIP_FRAMES) if request.clips else 1
    return ClipShape(width=width, height=height, frames=frames)


def latents_bytes(model: InstalledModel, request: TrainRequest) -> int:
    """What the encoded pictures and windows of a training take, on the disk and in memory, at most."""
    manifest, work = model.manifest, work_of(model, request)
    cells = work.width * work.height // manifest.spatial_scale**2
    picture = 4 * manifest.latent_channels * cells
    each = {"head": 1, "uniform": SPREAD}.get(request.clip_windows, MOST_WINDOWS)
    windows = min(MOST_WINDOWS, each * len(request.clips))
    return picture * (8 * len(request.images) + windows * ((work.frames - 1) // manifest.temporal_scale + 1))


def held(model: InstalledModel, machine: Machine, request: TrainRequest) -> str:
    """How ``model`` is held on ``machine`` while ``request`` is trained, or why it can't be, as an artist reads it."""
    return told(
        model, machine, word=request.method == WORD, rank=request.rank or 16, optimiser=request.optimiser,
        clip=work_of(model, request),
    )  # fmt: skip


def clips_of(model: InstalledModel) -> str:
    """As :attr:`gen2studio.engine.generators.TrainingDefaults.clips`."""
    return _CLIPS.get(model.manifest.family, "")


def check_request(model: InstalledModel, request: TrainRequest) -> None:
    """Raises GenerationError for what ``model`` can't learn from."""
    clips, title = clips_of(model), model.title
    if request.method == WORD:
        _check_word(model, request)
    if request.clips and not clips:
        raise GenerationError(f"{title} learns from pictures only.", "Take the clips out, or choose a Wan model.")
    if request.images and clips == "must":
        raise GenerationError(
            f"{title} begins with a picture, so it learns from clips only.",
            "Take the pictures out, or choose a model that makes shots from words.",
        )
    most = model.manifest.frames.most
    if request.clips and request.clip_frames > most:
        raise GenerationError(
            f"{title} makes shots of up to {most} frames, and windows of {request.clip_frames} are asked for.",
            "Choose shorter windows.",
        )
    if request.prior and not _pictures_the_kind(model):
        raise GenerationError(f"{title} can't picture the kind from words while it is trained.", "Turn it off.")


def _check_word(model: InstalledModel, request: TrainRequest) -> None:
    reason = word_why_not(model)
    if reason:
        raise GenerationError(reason, "Train an adapter (LoRA) instead.")
    if len(request.trigger.split()) != 1 or not any(letter.isalnum() for letter in request.trigger):
        raise GenerationError("A word that is to be learned needs a name of one word.", "Make one up, such as “zorb”.")
    if request.optimiser == ADAMW_8BIT:
        raise GenerationError(
            "The vectors of a word are so few that an optimiser in 8 bits saves nothing.", "Leave it to AdamW."
        )


def _pictures_the_kind(model: InstalledModel) -> bool:
    return clips_of(model) != "must" and not is_pair(model)
