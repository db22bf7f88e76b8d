"""Loading the parts of a checked checkpoint, and nothing that is not on its list.

Every class is named here; nothing is looked up by what a file says. Weights of diffusers' classes are read tensor by
tensor from safetensors, held strictly against the built module, so that loading can say how far it is, be cancelled
between tensors, keep what must stay float32 and take a single file in Wan's original names.
"""

from __future__ import annotations

import copy
import gc
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gen2studio.core import log
from gen2studio.core.cancel import Cancelled, CancelToken
from gen2studio.core.errors import GenerationError, ModelError, OutOfBudget, StudioError
from gen2studio.diffusion.runtime import packed
from gen2studio.diffusion.runtime.ladder import MemoryPlan
from gen2studio.diffusion.runtime.torch_loading import load_diffusers, load_torch
from gen2studio.models.checkpoint import CheckedCheckpoint
from gen2studio.models.families.rules import TENSORS, TRANSFORMERS
from gen2studio.models.library import InstalledModel
from gen2studio.models.wan_layout import diffusers_name, is_original, is_weight, text_encoder_name, without_prefix
from gen2studio.models.weights_header import WeightsHeader

_log = log.topic("models")

Progress = Callable[[int, int, str], None]
"""(bytes done, bytes in all, what is loaded)."""
_TITLES = {
    "transformer": "Loading the model",
    "transformer_2": "Loading the model",
    "unet": "Loading the model",
    "vae": "Loading the VAE",
    "text_encoder": "Loading the text encoder",
    "image_encoder": "Loading the image encoder",
}


@dataclass(slots=True, kw_only=True)
class Components:
    """Loaded parts of one model, ready to build pipelines of."""

    model: InstalledModel
    plan: MemoryPlan
    parts: dict[str, Any] = field(default_factory=lambda: dict[str, Any]())
    """Name in the pipeline → object. Denoisers compute in ``plan.dtype`` with their classes' float32 exceptions, what
    the family calls precise in float32. Parts that were not asked for are not there."""

    @property
    def denoisers(self) -> tuple[Any, ...]:
        """Everything that denoises and is loaded, the one that names the model first."""
        return tuple(self.parts[name] for name in self.model.checkpoint().family.denoisers if name in self.parts)

    @property
    def transformer(self) -> Any:
        """The first denoiser, whatever the family calls it; None when it was not asked for."""
        return next(iter(self.denoisers), None)

    @property
    def vae(self) -> Any:
        return self.parts.get("vae")

    @property
    def scheduler(self) -> Any:
        return self.parts.get("scheduler")

    @property
    def text_encoder(self) -> Any:
        return self.parts.get("text_encoder")

    @property
    def tokenizer(self) -> Any:
        return self.parts.get("tokenizer")

    @property
    def modules(self) -> tuple[Any, ...]:
        """Every loaded part that has weights and a place; parts that wait in main memory for a job have none."""
        waiting = self.model.checkpoint().family.waiting
        return tuple(p for name, p in self.parts.items() if hasattr(p, "parameters") and name not in waiting)

    def pipeline(self, pipeline_class: type[Any], **more: Any) -> Any:
        """A pipeline of ``pipeline_class`` around these very parts (shared, never copied or cast).

        Parts of the family that are not loaded are None; ``more`` are further arguments of the class. The scheduler,
        which has state, is its own; the progress bar is off.
        """
        named = {name: self.parts.get(name) for name in self.model.checkpoint().family.components}
        named["scheduler"] = copy.deepcopy(self.scheduler)
        made = pipeline_class(**{**named, **more})
        made.set_progress_bar_config(disable=True)
        return made


def denoising_parts(model: InstalledModel) -> tuple[str, ...]:
    """Names of everything but what reads the prompt, in the order they are loaded."""
    checked = model.checkpoint()
    rest = [name for name in checked.classes if name not in checked.family.text_parts]
    # The biggest first: what it leaves of the memory is what the others get.
    return tuple(sorted(rest, key=lambda name: name not in checked.family.denoisers))


def text_parts(model: InstalledModel) -> tuple[str, ...]:
    """Names of what reads the prompt, tokenizers before encoders."""
    checked = model.checkpoint()
    return tuple(name for name in checked.family.text_parts if name in checked.classes)


def load_components(
    model: InstalledModel,
    plan: MemoryPlan,
    parts: Sequence[str] | None = None,
    *,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
) -> Components:
    """Load ``parts`` of ``model`` (None = :func:`denoising_parts`) into main memory in the number formats of ``plan``;
    nothing is placed yet.

    Call it on the engine thread: the first call imports diffusers, which takes seconds. Raises ModelError (problem with
    the files), OutOfBudget (out of memory), GenerationError (libraries missing) and Cancelled.
    """
    checked = model.checkpoint()
    family = checked.family
    wanted = tuple(parts) if parts is not None else denoising_parts(model)
    with spoken_errors(model.title):
        library: Any = load_diffusers()
        torch: Any = load_torch()
        found = Components(model=model, plan=plan)
        total = sum(h.weight_bytes for name in wanted for h in checked.headers.get(name, ()))
        done = 0

        def advance(count: int, name: str) -> None:
            nonlocal done
            done += count
            if cancel is not None:
                cancel.check()
            if progress is not None:
                progress(min(done, total), total, _TITLES.get(name, ""))

        for name in wanted:
            advance(0, name)
            rule = family.components[name]
            dtype = torch.float32 if name in family.precise else getattr(torch, plan.dtype)
            if rule.library == TENSORS:
                found.parts[name] = {
                    key: tensor.to(dtype) for header in checked.headers[name] for key, tensor in _read(header)
                }
                advance(sum(h.weight_bytes for h in checked.headers[name]), name)
            elif rule.library == TRANSFORMERS and rule.weights:
                found.parts[name] = _transformers_model(torch, checked, name, dtype)
                advance(sum(h.weight_bytes for h in checked.headers[name]), name)
            elif rule.library == TRANSFORMERS:
                found.parts[name] = _words_or_pictures(checked, name)
            elif rule.weights:
                narrow = plan.stored_as if name in family.denoisers else None
                found.parts[name] = _module(
                    library, torch, checked, name, dtype, lambda count, name=name: advance(count, name), narrow
                )
            else:
                chosen = getattr(library, checked.classes[name][1])
                found.parts[name] = chosen.from_config(dict(checked.configs[name]))
        if {"unet", "motion_adapter"} <= set(found.parts):
            from gen2studio.diffusion.runtime.motion_unet import with_motion

            found.parts["unet"] = with_motion(found.parts["unet"], found.parts.pop("motion_adapter"))
        return found


_TOKENIZER_CLASSES = {
    # transformers 5 has one class for both: the fast one under the plain name.
    "T5TokenizerFast": "T5Tokenizer",
    "TokenizersBackend": "PreTrainedTokenizerFast",
}


def _words_or_pictures(checked: CheckedCheckpoint, name: str) -> Any:
    """A tokenizer or an image processor, from its own folder; the class is from the allow-list."""
    import transformers

    named = checked.classes[name][1]
    chosen: Any = getattr(transformers, _TOKENIZER_CLASSES.get(named, named))
    folder = checked.tokenizer if name == "tokenizer" else checked.folder / name
    return chosen.from_pretrained(str(folder), local_files_only=True)


def _transformers_model(torch: Any, checked: CheckedCheckpoint, name: str, dtype: Any) -> Any:
    """A text or image encoder, filled strictly by transformers' own loader."""
    import transformers

    if name in checked.parts and checked.parts[name].is_file():
        return _text_encoder_of_file(torch, checked, dtype)
    chosen: Any = getattr(transformers, checked.classes[name][1])
    loaded: Any = chosen.from_pretrained(
        str(checked.place(name)),
        local_files_only=True,
        use_safetensors=True,
        dtype=dtype,
        output_loading_info=True,
    )
    encoder, report = loaded
    # The word table may be stored once under either of its two names.
    missing = [key for key in report["missing_keys"] if not key.endswith(("embed_tokens.weight", "shared.weight"))]
    if missing or report["mismatched_keys"]:
        wrong = next(iter([*missing, *report["mismatched_keys"]]))
        raise ModelError(f"The {name.replace('_', ' ')}'s weights lack “{wrong}”.", "Download the checkpoint again.")
    return encoder.eval().requires_grad_(False)


def _text_encoder_of_file(torch: Any, checked: CheckedCheckpoint, dtype: Any) -> Any:
    """UMT5 from a single file in Wan's own names or in transformers', filled strictly."""
    from accelerate import init_empty_weights
    from transformers import UMT5Config, UMT5EncoderModel

    with init_empty_weights():
        encoder: Any = UMT5EncoderModel(UMT5Config(**dict(checked.configs["text_encoder"])))
    wanted = encoder.state_dict()
    weights: dict[str, Any] = {}
    for header in checked.headers["text_encoder"]:
        for name, tensor in _read(header):
            key = text_encoder_name(name)
            if packed.is_packed(tensor):
                tensor = packed.widened(tensor, tuple(wanted[key].shape) if key in wanted else (-1,), dtype)
            weights[key] = tensor.to(dtype).contiguous()
    words = weights.get("shared.weight", weights.get("encoder.embed_tokens.weight"))
    weights |= {"shared.weight": words, "encoder.embed_tokens.weight": words}
    missing, unexpected = encoder.load_state_dict(weights, strict=False, assign=True)
    _refuse_misfit("text encoder", missing, [key for key in unexpected if not key.startswith("decoder.")])
    return encoder.eval().requires_grad_(False)


def _refuse_misfit(part: str, missing: Sequence[str], unexpected: Sequence[str]) -> None:
    if missing or unexpected:
        raise ModelError(
            f"The weights of the {part} don't fit: “{[*missing, *unexpected][0]}” is "
            f"{'missing' if missing else 'unknown'}.",
            "Download the checkpoint again.",
        )


def _module(
    library: Any,
    torch: Any,
    checked: CheckedCheckpoint,
    name: str,
    dtype: Any,
    advance: Callable[[int], None],
    narrow: str | None = None,
) -> Any:
    """Build a diffusers module without weights and fill it, strictly, from its files.

    ``narrow`` is what the matrices inside the blocks are stored as while they rest: int8, or a float8 type of torch.
    """
    from accelerate import init_empty_weights

    chosen = getattr(library, checked.classes[name][1])
    with init_empty_weights():
        module = chosen.from_config(dict(checked.configs[name]))
    # As the class's own loading does: these must not lose precision, whatever the rest is stored in.
    kept = tuple(chosen._keep_in_fp32_modules or ())
    packable = packed.packable(module, kept)
    shapes = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    weights: dict[str, Any] = {}
    held: dict[str, Any] = {}
    for header in checked.headers[name]:
        for key, tensor in _tensors(header, name, checked.family.single_files):
            advance(tensor.numel() * tensor.element_size())
            precise = dtype != torch.float32 and any(part in key.split(".") for part in kept)
            wide = torch.float32 if precise else dtype
            if packed.is_packed(tensor):
                if key in packable:
                    held[key] = tensor
                    continue
                tensor = packed.widened(tensor, shapes.get(key, tuple(tensor.shape)), wide)
            elif narrow is not None and key in packable and packed.worth_packing(key, tuple(tensor.shape)):
                # One by one, so that the wide weights are never there all at once.
                if narrow == "int8":
                    held[key] = packed.to_int8(tensor)
                elif packed.stays_wide(module, key):
                    weights[key] = tensor.to(wide).contiguous()
                else:
                    weights[key] = packed.to_float8(tensor, dtype, getattr(torch, narrow))
                continue
            weights[key] = tensor.to(wide).contiguous()
    missing, unexpected = module.load_state_dict(weights, strict=False, assign=True)
    # The places of frames in time are the same in every file, and some leave them out.
    missing = [key for key in missing if key not in held and not key.endswith("pos_embed.pe")]
    unexpected = [*unexpected, *(key for key in held if key not in shapes)]
    ignored = tuple(chosen._keys_to_ignore_on_load_unexpected or ())
    unexpected = [key for key in unexpected if not any(re.search(part, key) for part in ignored)]
    _refuse_misfit(name, missing, unexpected)
    if held:
        packed.install(module, held, dtype)
    return module.eval().requires_grad_(False)


def _tensors(header: WeightsHeader, part: str, spelling: str) -> Iterator[tuple[str, Any]]:
    """(diffusers' name, tensor) of one file of a denoiser or a VAE, read as they are asked for.

    ``spelling`` is whose names the file may have beside diffusers' own (``CheckpointFamily.single_files``).
    """
    names = [name for name in header.tensors if is_weight(name)]
    renamed: Mapping[str, str] = {name: name for name in names}
    if spelling == "wan":
        plain = without_prefix(names)
        if part == "vae":
            renamed = _vae_names(plain)
        else:
            original = is_original(plain.values())
            renamed = {name: diffusers_name(bare) if original else bare for name, bare in plain.items()}
    elif part == "vae":
        # Stable Diffusion 1.5 was published when the layers of the attention had other names.
        renamed = {name: _OLD_ATTENTION.sub(lambda found: _ATTENTION[found[1]], name) for name in names}
    for name, tensor in _read(header):
        yield renamed[name], tensor


_ATTENTION = {"query": ".to_q.", "key": ".to_k.", "value": ".to_v.", "proj_attn": ".to_out.0."}
_OLD_ATTENTION = re.compile(r"(?<=attentions\.0)\.(query|key|value|proj_attn)\.")


def _vae_names(plain: Mapping[str, str]) -> Mapping[str, str]:
    """Name in the file → diffusers' name, by diffusers' own converter where the names are Wan's."""
    if "decoder.conv1.weight" not in plain.values():
        return plain
    from diffusers.loaders.single_file_utils import convert_wan_vae_to_diffusers

    converted = convert_wan_vae_to_diffusers({bare: name for name, bare in plain.items()})
    return {name: written for written, name in converted.items()}


def _read(header: WeightsHeader) -> Iterator[tuple[str, Any]]:
    """(name in the file, tensor) of every weight of one file, in the order of the file: a spinning disk reads it in one
    go. Scaled fp8 is multiplied by its scales; packed weights come packed."""
    if header.format == "gguf":
        yield from packed.gguf_tensors(header)
        return
    names = sorted(header.tensors, key=lambda name: header.tensors[name].begin)
    if header.format == "torch":
        torch: Any = load_torch()
        held = torch.load(header.path, map_location="cpu", weights_only=True, mmap=True)
        yield from ((name, held[name]) for name in names)
        return
    from safetensors import safe_open

    with safe_open(str(header.path), framework="pt") as file:
        for name in names:
            if not is_weight(name):
                continue
            tensor = file.get_tensor(name)
            stem = name.removesuffix("weight")
            if stem != name and f"{stem}scale_weight" in header.tensors:
                scale = file.get_tensor(f"{stem}scale_weight").float()
                tensor = tensor.float() * (scale.reshape(-1, 1) if scale.numel() > 1 else scale.reshape(()))
            yield name, tensor


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that main memory or the accelerator's memory ran out."""
    if isinstance(error, MemoryError) or type(error).__name__ in ("OutOfMemoryError", "AcceleratorError"):
        return isinstance(error, MemoryError) or "out of memory" in str(error).lower()
    text = str(error).lower()
    return isinstance(error, (RuntimeError, OSError)) and any(
        mark in text
        for mark in (
            "out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory", "os error 1455",
        )
    )  # fmt: skip


@contextmanager
def spoken_errors(title: str) -> Generator[None]:
    """Turn what model libraries raise into one sentence; keeps no reference to the failed call's tensors."""
    failure: StudioError | None = None
    try:
        yield
    except (StudioError, Cancelled):
        raise
    except Exception as error:
        _log.info("loading %s: %s: %s", title, type(error).__name__, error)
        failure = spoken(title, error)
    if failure is not None:
        gc.collect()
        raise failure


def spoken(title: str, error: Exception) -> StudioError:
    """One sentence for an exception of a model library."""
    detail = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
    if is_out_of_memory(error):
        return OutOfBudget(
            f"The memory was not enough for {title}.", "Close other programs, or choose a smaller size or model."
        )
    if isinstance(error, ImportError):
        return GenerationError(
            f"{title} needs a library that can't be loaded here ({detail}).", "Run “gen2studio doctor” for the fix."
        )
    if type(error).__name__ == "UnpicklingError":
        return ModelError(
            f"A file of {title} is a pickle and was not opened.", "Get the safetensors edition of this model."
        )
    if type(error).__name__ == "SafetensorError" or isinstance(error, (OSError, EOFError)):
        name = Path(str(getattr(error, "filename", "") or "")).name
        return ModelError(
            f"The files of {title} can't be read{f' ({name})' if name else ''}: {detail}.",
            "Run “gen2studio models check”, or download the model again.",
        )
    return ModelError(f"{title} can't be loaded: {detail}.", "Run “gen2studio models check”, or download it again.")
