"""Adapters (LoRA) on the shared denoiser for the length of one job, and not a moment longer."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2studio.core.errors import GenerationError
from gen2studio.diffusion.runtime.applying import layers_widened
from gen2studio.diffusion.runtime.loading import is_out_of_memory
from gen2studio.engine.requests import AdapterRef
from gen2studio.models.adapters import AdapterLibrary
from gen2studio.models.safetensors_header import read_header

if TYPE_CHECKING:
    from gen2studio.models.library import InstalledModel


_OWN_STRENGTH = 0.8
"""Of the LoRA that belongs to AnimateLCM, as its model card sets it."""


@contextmanager
def adapters_loaded(pipe: Any, adapters: Sequence[AdapterRef], model: InstalledModel) -> Generator[None]:
    """Load ``adapters`` into the denoiser of ``pipe`` with their strengths; take all of them out at the end.

    A job that runs at a step of another one puts that one's adapters to sleep and wakes them afterwards. A strength of
    0 leaves the model exactly as it is. An adapter that belongs to a distilled model is always on. Raises
    GenerationError when one is missing or was made for another model.
    """
    transformer = _denoiser(pipe)
    before = _active(transformer)
    if before:
        transformer.disable_adapters()
    used = [ref for ref in adapters if ref.strength != 0]
    names: list[str] = []
    strengths = [ref.strength for ref in used]
    own = model.checkpoint().parts.get("few_step_lora")
    try:
        if own is not None:
            names.append(f"job{len(_loaded(transformer))}")
            strengths.insert(0, _OWN_STRENGTH)
            _load_file(pipe, own, names[0], model)
        for ref in used:
            name = f"job{len(_loaded(transformer))}"
            _load(pipe, ref, name, model)
            names.append(name)
        if names:
            transformer.enable_adapters()
            transformer.set_adapters(names, strengths)
        yield
    finally:
        if names:
            transformer.delete_adapters(names)
        if before:
            transformer.enable_adapters()
            transformer.set_adapters(list(before), [before[name] for name in before])
        elif names and not _loaded(transformer):
            pipe.unload_lora_weights()


def _load(pipe: Any, ref: AdapterRef, name: str, model: InstalledModel) -> None:
    path = Path(ref.path)
    if not ref.path or not path.is_file():
        raise GenerationError(
            f"The adapter {path.name or ref.adapter_id or ref.digest[:12]} is not there.",
            "Take it off the list, or put its file back.",
        )
    # A LoRA of another architecture loads with a warning and then does nothing: it is refused by its header.
    reason = AdapterLibrary().refusal(read_header(path), model)
    if reason:
        raise GenerationError(reason, f"Choose an adapter that was trained on {model.title}.")
    _load_file(pipe, path, name, model)


def _load_file(pipe: Any, path: Path, name: str, model: InstalledModel) -> None:
    place: dict[str, Any] = {"weight_name": path.name, "local_files_only": True, "use_safetensors": True}
    try:
        with layers_widened(_denoiser(pipe)):
            if hasattr(pipe, "unet"):
                # What a LoRA has for the text encoder stays out: that one is gone when the UNet comes.
                table, alphas, said = pipe.lora_state_dict(str(path.parent), return_lora_metadata=True, **place)
                pipe.load_lora_into_unet(
                    table, network_alphas=alphas, unet=pipe.unet, adapter_name=name, metadata=said, _pipeline=pipe
                )
            else:
                pipe.load_lora_weights(str(path.parent), adapter_name=name, **place)
    except (ValueError, KeyError, RuntimeError, OSError) as error:
        if is_out_of_memory(error):
            raise
        raise GenerationError(
            f"The adapter {path.stem} can't be used with {model.title}.",
            f"It was made for another model, or its file is damaged ({type(error).__name__}).",
        ) from None


def _denoiser(pipe: Any) -> Any:
    return pipe.unet if hasattr(pipe, "unet") else pipe.transformer


def _loaded(transformer: Any) -> tuple[str, ...]:
    return tuple(getattr(transformer, "peft_config", None) or ())


def _active(transformer: Any) -> dict[str, float]:
    """Names and strengths of the adapters that act now."""
    if not _loaded(transformer):
        return {}
    names = list(transformer.active_adapters())
    found: dict[str, float] = {}
    for module in transformer.modules():
        scaling = getattr(module, "scaling", None)
        if isinstance(scaling, dict) and hasattr(module, "lora_alpha"):
            for name in names:
                if name in scaling:
                    found[name] = _strength(module, name)
            break
    return found


def _strength(module: Any, name: str) -> float:
    base = module.lora_alpha[name] / module.r[name]
    return float(module.scaling[name] / base) if base else 1.0
