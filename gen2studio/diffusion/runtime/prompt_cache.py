"""Prompt embeddings on disk: a text encoder of gigabytes is loaded once for a prompt, not once for a run.

An entry is keyed by everything the embedding depends on, the encoder's own weights included. It may be deleted at any
time; a damaged one is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gen2studio.core.cancel import CancelToken
from gen2studio.core.paths import cache_dir, write_atomic
from gen2studio.diffusion.runtime.ladder import MemoryPlan
from gen2studio.diffusion.runtime.loading import Progress, spoken_errors
from gen2studio.diffusion.runtime.residency import Residency
from gen2studio.diffusion.runtime.torch_loading import load_diffusers, load_torch
from gen2studio.models.library import InstalledModel

_SUFFIX = ".safetensors"
_NAME = "prompt_embeds"
_VERSION = "1"


class PromptCache:
    """Embeddings by key, least recently used first to go beyond ``limit`` bytes."""

    def __init__(self, folder: Path | None = None, limit: int = 256 << 20) -> None:
        self._folder = folder
        self._limit = limit

    @property
    def folder(self) -> Path:
        return self._folder or cache_dir("prompts")

    def get(self, key: str, length: int) -> Any | None:
        """The (1, length, D) tensor stored under ``key``, on the CPU, or None."""
        from safetensors.torch import load

        torch: Any = load_torch()
        path = self._path(key)
        try:
            kept = load(path.read_bytes())[_NAME]
        except FileNotFoundError:
            return None
        except Exception:
            # Cut off by a full disk or a crash: as good as not there.
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        if kept.dim() != 2 or kept.shape[0] > length:
            return None
        self._touch(path)
        found = torch.zeros(1, length, kept.shape[1], dtype=kept.dtype)
        found[0, : kept.shape[0]] = kept
        return found

    def put(self, key: str, embedding: Any) -> None:
        """Store (1, L, D); the zero rows of its padding are not written. A full disk is no error: it is a cache."""
        from safetensors.torch import save

        rows = embedding[0].detach().cpu()
        used = int(rows.ne(0).any(dim=1).nonzero().max()) + 1 if bool(rows.ne(0).any()) else 1
        with contextlib.suppress(OSError):
            write_atomic(self._path(key), save({_NAME: rows[:used].contiguous()}))
            self._touch(self._path(key))
            self._trim()

    @staticmethod
    def _touch(path: Path) -> None:
        """Note that an entry was used. The file system's own clock ticks only every few milliseconds."""
        now = time.time_ns()
        with contextlib.suppress(OSError):
            os.utime(path, ns=(now, now))

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{_SUFFIX}"

    def _trim(self) -> None:
        entries = [(path.stat(), path) for path in self.folder.glob(f"*{_SUFFIX}")]
        total = sum(found.st_size for found, _ in entries)
        for found, path in sorted(entries, key=lambda entry: entry[0].st_mtime_ns):
            if total <= self._limit:
                return
            path.unlink(missing_ok=True)
            total -= found.st_size


def prompt_key(encoder_digest: str, prompt: str, length: int, dtype: str, device: str = "cpu") -> str:
    """SHA-256 over all an embedding depends on. Devices round differently, so each has its own entries."""
    parts = (_VERSION, encoder_digest, str(length), dtype, device, prompt)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def embed_prompts(
    model: InstalledModel,
    plan: MemoryPlan,
    prompts: Sequence[str],
    residency: Residency,
    cache: PromptCache,
    *,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
    poll: Callable[[], None] | None = None,
) -> list[Any]:
    """One (1, text_length, D) embedding on the CPU for each prompt, bit-identical to what the pipeline would make.

    The text encoder is loaded only when a prompt is not in the cache, and freed before this returns. Raises ModelError,
    GenerationError and Cancelled.
    """
    length = model.manifest.text_length
    digest = model.component_digest("text_encoder")
    keys = [prompt_key(digest, prompt, length, plan.dtype, plan.text_device) for prompt in prompts]
    found: dict[str, Any] = {}
    for key in keys:
        kept = cache.get(key, length)
        if kept is not None:
            found[key] = kept
    missing = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in found}
    if missing:
        library: Any = load_diffusers()
        torch: Any = load_torch()
        with residency.text_encoder(model, plan, progress=progress, cancel=cancel) as parts, spoken_errors(model.title):
            pipeline = parts.pipeline(library.WanVACEPipeline)
            with torch.no_grad():
                for key, prompt in missing.items():
                    if cancel is not None:
                        cancel.check()
                    if poll is not None:
                        poll()
                    embedding, _ = pipeline.encode_prompt(
                        prompt,
                        do_classifier_free_guidance=False,
                        max_sequence_length=length,
                        device=torch.device(plan.text_device),
                    )
                    found[key] = embedding.cpu()
                    cache.put(key, found[key])
                    del embedding
            del pipeline
    return [found[key] for key in keys]
