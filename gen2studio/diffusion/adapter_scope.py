"""Adapters (LoRA) on the shared denoiser for the length of one job, and not a moment longer."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2studio.core.errors import GenerationError
from gen2studio.diffusion.runtime.applying import layers_widened
from gen2studio.diffusion.runtime.loading import is_out_of_memory
from gen2studio.engine.requests import AdapterRef, WordRef
from gen2studio.models.adapters import AdapterLibrary, experts_in
from gen2studio.models.safetensors_header import read_header
from gen2studio.models.wan_layout import expert_of

if TYPE_CHECKING:
    from gen2studio.models.library import InstalledModel


_DENOISERS = ("transformer", "transformer_2", "unet")
_OWN_STRENGTH = 0.8
"""Of the LoRA that belongs to AnimateLCM, as its model card sets it."""


@contextmanager
def adapters_loaded(pipe: Any, adapters: Sequence[AdapterRef], model: InstalledModel) -> Generator[None]:
    """Load ``adapters`` into the denoiser of ``pipe`` with their strengths; take all of them out at the end.

    Of two experts each gets the adapters made for it: its half of an adapter that was trained on both here, or a file
    whose makers named it so (high and low noise); others act on both. A job that runs at a step of another one puts
    that one's adapters to sleep and wakes them afterwards. A strength of 0 leaves the model exactly as it is. What
    belongs to a distilled model is always on. Raises GenerationError when one is missing or was made for another model.
    """
    own = model.checkpoint().parts.get("few_step_lora")
    used = [_Used(own, _OWN_STRENGTH)] if own is not None else []
    # Words are the text encoder's, which has read the prompts by now.
    used += [_used(ref, model) for ref in adapters if ref.strength != 0 and not isinstance(ref, WordRef)]
    with ExitStack() as scopes:
        for place in _DENOISERS:
            denoiser = getattr(pipe, place, None)
            if denoiser is not None:
                mine = [each for each in used if each.expert in ("", place)]
                scopes.enter_context(_loaded_into(pipe, place, denoiser, mine, model))
        yield


@dataclass(frozen=True, slots=True)
class _Used:
    """An adapter file of a job."""

    path: Path
    strength: float
    expert: str = ""
    """The denoiser it was made for; empty = every one."""
    halves: tuple[str, ...] = ()
    """The experts under whose names it keeps its weights; empty = under one name for all."""


@contextmanager
def _loaded_into(pipe: Any, place: str, denoiser: Any, used: Sequence[_Used], model: InstalledModel) -> Generator[None]:
    before = _active(denoiser)
    if before:
        denoiser.disable_adapters()
    names: list[str] = []
    try:
        for each in used:
            name = f"job{len(_loaded(denoiser))}"
            _load_file(pipe, place, each, name, model)
            names.append(name)
        if names:
            denoiser.enable_adapters()
            denoiser.set_adapters(names, [each.strength for each in used])
        yield
    finally:
        if names:
            denoiser.delete_adapters(names)
        if before:
            denoiser.enable_adapters()
            denoiser.set_adapters(list(before), [before[name] for name in before])
        elif names and not _loaded(denoiser):
            # Of this denoiser only: the pipeline's own way would take the other expert's adapters out too.
            denoiser.unload_lora()


def _used(ref: AdapterRef, model: InstalledModel) -> _Used:
    path = Path(ref.path)
    if not ref.path or not path.is_file():
        raise GenerationError(
            f"The adapter {path.name or ref.adapter_id or ref.digest[:12]} is not there.",
            "Take it off the list, or put its file back.",
        )
    # A LoRA of another architecture loads with a warning and then does nothing: it is refused by its header.
    library = AdapterLibrary()
    header = read_header(path)
    reason = library.refusal(header, model)
    if reason:
        raise GenerationError(reason, f"Choose an adapter that was trained on {model.title}.")
    experts = experts_in(header)
    if experts:
        return _Used(path, ref.strength, experts[0] if len(experts) == 1 else "", halves=experts)
    return _Used(path, ref.strength, expert_of(library.file_name(ref.adapter_id, path)))


def _load_file(pipe: Any, denoiser: str, used: _Used, name: str, model: InstalledModel) -> None:
    path = used.path
    place: dict[str, Any] = {"weight_name": path.name, "local_files_only": True, "use_safetensors": True}
    try:
        with layers_widened(getattr(pipe, denoiser)):
            if denoiser == "unet":
                # What a LoRA has for the text encoder stays out: that one is gone when the UNet comes.
                table, alphas, said = pipe.lora_state_dict(str(path.parent), return_lora_metadata=True, **place)
                pipe.load_lora_into_unet(
                    table, network_alphas=alphas, unet=pipe.unet, adapter_name=name, metadata=said, _pipeline=pipe
                )
            else:
                second = {"load_into_transformer_2": True} if denoiser == "transformer_2" else {}
                if "transformer_2" in used.halves:
                    pipe.load_lora_weights(_half(path, denoiser), adapter_name=name, **second)
                else:
                    pipe.load_lora_weights(str(path.parent), adapter_name=name, **place, **second)
    except Exception as error:
        # The loaders fail in every way there is on files that don't say what they expect.
        if is_out_of_memory(error):
            raise
        raise GenerationError(
            f"The adapter {path.stem} can't be used with {model.title}.",
            f"It was made for another model, or its file is damaged ({type(error).__name__}).",
        ) from None


def _half(path: Path, denoiser: str) -> dict[str, Any]:
    """One expert's weights out of an adapter of both, under the name that the loader knows. Their alpha is the rank."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        names = [name for name in file.keys() if name.startswith(f"{denoiser}.")]  # noqa: SIM118 - not a mapping
        return {f"transformer.{name.removeprefix(f'{denoiser}.')}": file.get_tensor(name) for name in names}


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
