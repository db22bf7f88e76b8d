"""Prompt embeddings on disk: a text encoder of gigabytes is loaded once for a prompt, not once for a run.

An entry is keyed by everything the embedding depends on, the encoder's own weights included. It may be deleted at any
time; a damaged one is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import GenerationError, OutOfBudget
from gen2studio.core.paths import cache_dir, write_atomic
from gen2studio.diffusion.families.driving import FamilyDriver, PictureReadingDriver, TextEmbedding
from gen2studio.diffusion.runtime.ladder import MemoryPlan
from gen2studio.diffusion.runtime.loading import Progress, spoken_errors
from gen2studio.diffusion.runtime.residency import Residency, text_digest
from gen2studio.diffusion.runtime.torch_loading import load_torch
from gen2studio.diffusion.words import TaughtWord, taught
from gen2studio.engine.events import Picture
from gen2studio.models.library import InstalledModel

_SUFFIX = ".safetensors"
_VERSION = "2"


class PromptCache:
    """Embeddings by key, least recently used first to go beyond ``limit`` bytes."""

    def __init__(self, folder: Path | None = None, limit: int = 256 << 20) -> None:
        self._folder = folder
        self._limit = limit

    @property
    def folder(self) -> Path:
        return self._folder or cache_dir("prompts")

    def get(self, key: str) -> dict[str, Any] | None:
        """The tensors stored under ``key``, on the CPU, or None."""
        from safetensors import safe_open

        torch: Any = load_torch()
        path = self._path(key)
        try:
            with safe_open(str(path), framework="pt") as file:
                lengths = dict(file.metadata() or {})
                kept = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
            found: dict[str, Any] = {}
            for name, rows in kept.items():
                length = int(lengths.get(name, "0"))
                if length > _MOST_ROWS or (length and (rows.dim() < 2 or rows.shape[1] > length)):
                    raise ValueError(name)
                if length:
                    found[name] = torch.zeros(rows.shape[0], length, *rows.shape[2:], dtype=rows.dtype)
                    found[name][:, : rows.shape[1]] = rows
                else:
                    found[name] = rows
        except FileNotFoundError:
            return None
        except Exception:
            # Cut off by a full disk or a crash: as good as not there.
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        self._touch(path)
        return found

    def put(self, key: str, embedding: Mapping[str, Any]) -> None:
        """Store a table of tensors; the zero rows of padding, (1, L, D), are not written. A full disk is no error: it
        is a cache."""
        from safetensors.torch import save

        kept: dict[str, Any] = {}
        lengths: dict[str, str] = {}
        for name, tensor in embedding.items():
            rows = tensor.detach().cpu()
            if rows.dim() == 3 and rows.is_floating_point():
                filled = rows.ne(0).any(dim=2).any(dim=0)
                used = int(filled.nonzero().max()) + 1 if bool(filled.any()) else 1
                lengths[name] = str(rows.shape[1])
                rows = rows[:, :used]
            kept[name] = rows.contiguous()
        with contextlib.suppress(OSError):
            write_atomic(self._path(key), save(kept, lengths))
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


_MOST_ROWS = 65536
"""Tokens of a text: no encoder has more."""


def prompt_key(
    encoder_digest: str,
    prompt: str,
    length: int,
    dtype: str,
    device: str = "cpu",
    pictures: Sequence[Picture] = (),
    words: Sequence[TaughtWord] = (),
) -> str:
    """SHA-256 over all an embedding depends on. Devices round differently, so each has its own entries.

    ``words`` are those that could be said; a prompt that says none of them is what it was before."""
    said = sorted(word.key for word in words if word.said_in(prompt))
    parts = (_VERSION, encoder_digest, str(length), dtype, device, prompt, *said)
    found = hashlib.sha256("\0".join(parts).encode())
    for picture in pictures:
        found.update(str(picture.shape).encode())
        found.update(picture.tobytes())
    return found.hexdigest()


def embed_prompts(
    model: InstalledModel,
    driver: FamilyDriver,
    plan: MemoryPlan,
    prompts: Sequence[str],
    residency: Residency,
    cache: PromptCache,
    *,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
    poll: Callable[[], None] | None = None,
    pictures: Sequence[Sequence[Picture]] = (),
    words: Sequence[TaughtWord] = (),
) -> list[TextEmbedding]:
    """One embedding on the CPU for each prompt, bit-identical to what the pipeline would make.

    ``pictures`` are what each prompt is about, for families whose text encoder sees them; empty = nothing is shown.
    ``words`` are learned ones that prompts may say.
    The text encoders are loaded only when a prompt is not in the cache, and freed before this returns. Where the
    accelerator's memory is not enough for them, the processor reads. Raises ModelError, GenerationError and Cancelled.
    """

    def embedded(how: MemoryPlan) -> list[TextEmbedding]:
        return _embedded(
            model, driver, how, prompts, residency, cache, progress=progress, cancel=cancel, poll=poll,
            pictures=pictures, words=words,
        )  # fmt: skip

    try:
        return embedded(plan)
    except OutOfBudget:
        if plan.text_device == "cpu":
            raise
    # Outside the except block: what the failed call held is free.
    return embedded(replace(plan, text_device="cpu"))


def _embedded(
    model: InstalledModel,
    driver: FamilyDriver,
    plan: MemoryPlan,
    prompts: Sequence[str],
    residency: Residency,
    cache: PromptCache,
    *,
    progress: Progress | None,
    cancel: CancelToken | None,
    poll: Callable[[], None] | None,
    pictures: Sequence[Sequence[Picture]],
    words: Sequence[TaughtWord],
) -> list[TextEmbedding]:
    """:func:`embed_prompts` where ``plan`` says."""
    length = model.manifest.text_length
    digest = text_digest(model)
    if not digest:
        return [{} for _ in prompts]
    shown = pictures or [()] * len(prompts)
    keys = [
        prompt_key(digest, prompt, length, plan.dtype, plan.text_device, seen, words)
        for prompt, seen in zip(prompts, shown, strict=True)
    ]
    found: dict[str, TextEmbedding] = {}
    for key in keys:
        kept = cache.get(key)
        if kept is not None:
            found[key] = kept
    asked = zip(keys, prompts, shown, strict=True)
    missing = {key: (prompt, seen) for key, prompt, seen in asked if key not in found}
    if missing:
        torch: Any = load_torch()
        with (
            residency.text_encoder(model, plan, progress=progress, cancel=cancel) as loaded,
            taught(loaded, words) as (parts, spelling),
            spoken_errors(model.title),
            torch.no_grad(),
        ):
            for key, (prompt, seen) in missing.items():
                if cancel is not None:
                    cancel.check()
                if poll is not None:
                    poll()
                spelt = prompt if spelling is None else spelling.text(prompt)
                if seen:
                    reading = cast("PictureReadingDriver", driver)
                    made = reading.embed_pictures(parts, spelt, seen, length, plan.text_device)
                else:
                    made = driver.embed(parts, spelt, length, plan.text_device)
                found[key] = {name: tensor.cpu() for name, tensor in made.items()}
                if not all(bool(torch.isfinite(tensor).all()) for tensor in found[key].values()):
                    raise GenerationError(
                        f"The text encoder of {model.title} made nothing of the prompt: its numbers ran over.",
                        "Verify the model's files; the prompt was not kept.",
                    )
                cache.put(key, found[key])
                del made
    return [found[key] for key in keys]
