"""What every driver does around a call of diffusers' pipeline: a pipeline of its own, stopping between blocks, noise.

A job gets a pipeline object around the shared weights with its own scheduler. Whatever happens to it, nothing of it
stays on the shared modules.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gen2studio.diffusion.sampling import motion, seeds

if TYPE_CHECKING:
    from gen2studio.diffusion.families.contract import LatentGeometry, PipelineInputs
    from gen2studio.diffusion.families.driving import Sampling

Tensor = torch.Tensor


def own_pipeline(pipe: Any, kind: type[Any] | None = None, **options: Any) -> Any:
    """A pipeline of ``kind`` (None = that of ``pipe``) around the components of ``pipe``, with its own scheduler.

    Made by construction, which casts and copies nothing. ``options`` are further arguments of the constructor.
    """
    parts = dict(pipe.components)
    parts["scheduler"] = copy.deepcopy(pipe.scheduler)
    made = (kind or type(pipe))(**parts, **options)
    made.set_progress_bar_config(disable=True)
    return made


def stand_in(job: Any, name: str, module: Any) -> None:
    """Let one job's pipeline see ``module`` as its part ``name``.

    Past ``DiffusionPipeline.__setattr__``, which would write the stand-in's class into the pipeline's configuration.
    """
    job.__dict__[name] = module


@contextmanager
def stopping(modules: Iterable[Any], check: Callable[[], None]) -> Generator[None]:
    """Call ``check``, which raises to stop, before each of ``modules`` runs; the hooks are gone at the end."""
    with ExitStack() as hooks:
        for module in modules:
            hooks.callback(module.register_forward_pre_hook(lambda *_: check()).remove)
        yield


@contextmanager
def global_noise(seed: int, device: Any = None) -> Generator[None]:
    """Torch's own generators begin at ``seed`` inside and are as they were afterwards.

    For code that draws from them and takes no generator: schedulers and decoders that add noise.
    """
    place = torch.device(device or "cpu")
    with torch.random.fork_rng([place] if place.type == "cuda" else [], device_type="cuda"):
        torch.manual_seed(seed % (1 << 63))
        yield


def latent_shape(inputs: PipelineInputs, geometry: LatentGeometry) -> tuple[int, ...]:
    """(1, C, T, h, w) of a run's latents."""
    width, height = geometry.size(inputs.width, inputs.height)
    return 1, geometry.channels, geometry.frames.latent(inputs.frames), height, width


def clip_noise(shape: tuple[int, ...], sampling: Sampling, device: Any, share: float | None = None) -> Tensor:
    """Unit noise (1, C, T, h, w) float32 of a run: of the seed, a part of a longer clip's where asked, and with the
    common part that a low motion wants (``share`` = that of another motion, for families with a control of theirs)."""
    if sampling.noise_frames is None:
        drawn = seeds.noise(shape, sampling.seed, device)
    else:
        first, count = sampling.noise_frames
        whole = seeds.noise((*shape[:2], count, *shape[3:]), sampling.seed, device)
        drawn = whole[:, :, first : first + shape[2]]
    return motion.share_noise(drawn, motion.shared_part(sampling.motion if share is None else share))


def video_tensor(frames: Iterable[Any]) -> Tensor:
    """(1, 3, F, H, W) float32 in −1…1 of frames (H, W, 3) uint8."""
    stacked = torch.from_numpy(np.stack(list(frames)))
    return stacked.permute(3, 0, 1, 2)[None].float() / 127.5 - 1


def device_of(module: Any) -> Any:
    """Where ``module`` computes: what comes and goes (offloading) says so in its hook."""
    hook = getattr(module, "_hf_hook", None)
    return getattr(hook, "execution_device", None) or module.device
