"""What is this file? Told from the names and shapes in its header, with what it belongs to and what it needs.

Files come with any name from anywhere. Only headers are read, each by a reader that believes no count or length;
pickles are not opened at all. The marks are those of the published files: Wan (arXiv 2503.20314) and VACE (2503.07598),
LTX-Video (2501.00103), Stable Diffusion in its makers' and in diffusers' names, AnimateDiff (2307.04725), ControlNet
(2302.05543), IP-Adapter (2308.06721), LoRA (2106.09685).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from gen2studio.core.errors import ModelError
from gen2studio.core.records import dataclass
from gen2studio.models.checkpoint import INDEX_NAME, PICKLES, read_json
from gen2studio.models.elsewhere import weight_files
from gen2studio.models.file_names import ARCHIVES, WEIGHTS
from gen2studio.models.mask_models import check_mask_model, is_mask_model
from gen2studio.models.wan_files import read_weights
from gen2studio.models.wan_layout import in_diffusers_names, without_prefix
from gen2studio.models.weights_header import WeightsHeader
from gen2studio.models.words import MOST_VECTORS

Shapes = Mapping[str, tuple[int, ...]]
_BASES = {768: "Stable Diffusion 1.5", 1024: "Stable Diffusion 2", 2048: "Stable Diffusion XL"}
"""Width of the texts that cross-attention reads → the model."""
_WAN_SIZES = {1536: "1.3B", 3072: "5B", 5120: "14B"}
_UMT5, _WAN_VAE = "the UMT5-XXL text encoder and its tokenizer", "the Wan 2.1 VAE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """What a file or folder is."""

    path: Path
    kind: str
    """model (whole), transformer, adapter, control, image_adapter, motion, vae, text_encoder, image_encoder, embedding,
    masks, or unknown."""
    title: str
    """In words: “Wan 2.1 VACE 1.3B transformer”."""
    family: str = ""
    """wan, wan-animate, ltx, sd15, sd2, sdxl, flux, hunyuan; empty = not told by the file."""
    needs: tuple[str, ...] = ()
    """What must be there besides, in words."""
    bytes: int = 0
    parameters: int = 0
    stored_as: str = ""
    """Number types of its weights, most frequent first: ``BF16``, ``Q4_K, F32``."""

    def sentence(self) -> str:
        """“A LoRA adapter for Wan 14B. It needs the model it was made for.”"""
        noun = self.noun()
        needs = f" It needs {_listed(self.needs)} beside it." if self.needs else ""
        return f"{noun[:1].upper()}{noun[1:]}.{needs}"

    def noun(self) -> str:
        """“a LoRA adapter for Wan 14B”."""
        article = "an" if self.title[:1] in "AEIOaeio" or self.title.startswith("LTX") else "a"
        return f"{article} {self.title}"


def identify(path: Path) -> Identified:
    """What ``path`` holds; only headers are read. Raises ModelError: nothing there, damaged, a pickle."""
    path = path.expanduser().absolute()
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise ModelError(f"There is nothing at {path}.", "Check the path, or connect the drive it is on.")
    if path.suffix.lower() in ARCHIVES and is_mask_model(path):
        return _archive(path)
    if path.suffix.lower() in PICKLES:
        raise _pickle(path)
    if path.suffix.lower() not in WEIGHTS:
        raise ModelError(
            f"“{path.name}” is no safetensors file and no GGUF file.", "Choose a weights file or a model folder."
        )
    return identify_header(read_weights(path))


def identify_header(header: WeightsHeader) -> Identified:
    """What a weights file is, from its header."""
    shapes = {name: tensor.shape for name, tensor in header.tensors.items()}
    kind, title, family, needs = _told(shapes)
    by_type: dict[str, int] = {}
    for tensor in header.tensors.values():
        by_type[tensor.dtype] = by_type.get(tensor.dtype, 0) + tensor.size
    types = sorted(by_type, key=lambda name: -by_type[name])[:3]
    return Identified(
        path=header.path, kind=kind, title=title, family=family, needs=needs, bytes=header.file_bytes,
        parameters=header.parameters, stored_as=", ".join(types),
    )  # fmt: skip


def identify_all(folder: Path) -> tuple[Identified, ...]:
    """Every weights file below ``folder`` that can be read; the others are left out, pickles too."""
    found: list[Identified] = []
    for path, _ in weight_files(folder):
        if path.suffix.lower() in WEIGHTS:
            try:
                found.append(identify_header(read_weights(path)))
            except ModelError:
                continue
    return tuple(found)


_Told = tuple[str, str, str, tuple[str, ...]]
"""(kind, title, family, needs)."""


def _told(shapes: Shapes) -> _Told:
    plain = {short: shapes[name] for name, short in without_prefix(shapes).items()}
    for look in _LOOKS:
        found = look(shapes, plain)
        if found is not None:
            return found
    return "unknown", "file of an unknown architecture", "", ()


def _lora(shapes: Shapes, plain: Shapes) -> _Told | None:
    marks = re.compile(r"\.lora_(A|B|down|up)(\.|$)|\.lora\.(up|down)\.|_lora\.(up|down)\.|\.hada_w1_a|\.lokr_w1")
    if not any(marks.search(name) for name in shapes):
        return None
    base, family = _lora_base(shapes)
    words = f"LoRA adapter for {base}" if base else "LoRA adapter"
    return "adapter", words, family, (base or "the model that it was made for",)


def _lora_base(shapes: Shapes) -> tuple[str, str]:
    """(what a LoRA is for, family), by the layers it names and the width they read."""
    names = "\n".join(shapes)
    if re.search(r"blocks[._]\d+[._](self_attn|cross_attn|attn1[._]to_q|attn2[._]to_q|ffn)", names) and not re.search(
        r"(down|up|transformer|double|single)_blocks|(input|output)_blocks", names
    ):
        down = next(
            (
                s
                for n, s in shapes.items()
                if re.search(r"(self_attn|attn1)[._](to_)?q\.lora_(A|down)", n) and len(s) == 2
            ),
            (0, 0),
        )
        return f"Wan {_WAN_SIZES.get(down[1], '')}".strip(), "wan"
    if re.search(r"double_blocks|single_transformer_blocks", names):
        return "FLUX or HunyuanVideo", "flux"
    if re.search(r"(down|up)_blocks|(input|output)_blocks", names):
        widths = {
            s[1] for n, s in shapes.items() if re.search(r"attn2[._]to_k\S*(lora_(A|down)|down)", n) and len(s) >= 2
        }
        return _base(max(widths, default=0))
    if re.search(r"transformer_blocks[._]\d+[._]attn1", names):
        return "LTX-Video", "ltx"
    return "", ""


def _wan(shapes: Shapes, plain: Shapes) -> _Told | None:
    embedding = plain.get("patch_embedding.weight")
    if embedding is None or len(embedding) != 5:
        return None
    size = _WAN_SIZES.get(embedding[0], f"of width {embedding[0]}")
    names = in_diffusers_names(shapes)
    if any(name.startswith("vace_") for name in names):
        return "transformer", f"Wan VACE {size} transformer", "wan", (_UMT5, _WAN_VAE)
    if any(name.startswith(("face_adapter.", "pose_patch_embedding.")) for name in plain):
        needs = (_UMT5, _WAN_VAE, "the CLIP image encoder")
        return "transformer", f"Wan Animate {size} transformer", "wan-animate", needs
    image = any(name.startswith(("img_emb.", "condition_embedder.image_embedder.")) for name in plain)
    channels = embedding[1]
    if channels == 48:
        return "transformer", f"Wan 2.2 text-and-image-to-video {size} transformer", "wan", (_UMT5, "the Wan 2.2 VAE")
    if channels == 36 and image:
        needs = (_UMT5, _WAN_VAE, "the CLIP image encoder")
        return "transformer", f"Wan 2.1 image-to-video {size} transformer", "wan", needs
    if channels == 36:
        needs = (_UMT5, _WAN_VAE, "the expert for the other half of the steps")
        return "transformer", f"Wan 2.2 image-to-video {size} expert", "wan", needs
    needs = (_UMT5, _WAN_VAE, *(("for Wan 2.2 the expert for the other half of the steps",) if size == "14B" else ()))
    return "transformer", f"Wan text-to-video {size} transformer", "wan", needs


def _ltx(shapes: Shapes, plain: Shapes) -> _Told | None:
    if not any(name.startswith(("patchify_proj.", "adaln_single.")) for name in plain):
        return None
    whole = any(".per_channel_statistics." in f".{name}" for name in shapes)
    sound = any(name.startswith("audio_") for name in plain)
    title = "LTX-2" if sound else "LTX-Video"
    needs = ("its text encoder",) if whole else ("its VAE", "its text encoder")
    return "transformer", f"{title} {'checkpoint' if whole else 'transformer'}", "ltx", needs


def _control(shapes: Shapes, plain: Shapes) -> _Told | None:
    if not any(re.search(r"\bcontrolnet_cond_embedding\.|\binput_hint_block\.", name) for name in shapes):
        return None
    base, family = _base(_context_width(shapes))
    return "control", f"ControlNet for {base or 'an unknown model'}", family, (base or "the model it was made for",)


def _image_adapter(shapes: Shapes, plain: Shapes) -> _Told | None:
    if not any(name.startswith(("image_proj.", "ip_adapter.")) for name in shapes):
        return None
    width = next((s[1] for n, s in shapes.items() if n.endswith("to_k_ip.weight") and len(s) == 2), 0)
    base, family = _base(width)
    plus = " (plus)" if "image_proj.latents" in shapes else ""
    return "image_adapter", f"IP-Adapter{plus} for {base or 'an unknown model'}", family, (
        base or "the model it was made for", "the CLIP image encoder",
    )  # fmt: skip


def _motion(shapes: Shapes, plain: Shapes) -> _Told | None:
    places = {name: shape for name, shape in shapes.items() if "motion_modules." in name}
    if not places:
        return None
    length = next((s[1] for n, s in places.items() if n.endswith("pos_encoder.pe") and len(s) == 3), 0)
    # Stable Diffusion XL has three levels, 1.5 has four.
    large = not any(re.search(r"(down|up)_blocks\.3\.", name) for name in places)
    base, family = ("Stable Diffusion XL", "sdxl") if large else ("Stable Diffusion 1.5", "sd15")
    frames = f" of up to {length} frames" if length else ""
    return "motion", f"AnimateDiff motion module{frames} for {base}", family, (base,)


def _stable_diffusion(shapes: Shapes, plain: Shapes) -> _Told | None:
    makers = any(name.startswith("input_blocks.") for name in plain)
    if not makers and not ("conv_in.weight" in plain and any(n.startswith("down_blocks.") for n in plain)):
        return None
    width = _context_width(shapes)
    if not width:
        return None
    base, family = _base(width)
    inputs = next((plain[n][1] for n in ("input_blocks.0.0.weight", "conv_in.weight") if n in plain), 4)
    role = " inpainting" if inputs == 9 else ""
    whole = any(name.startswith("first_stage_model.") for name in shapes)
    if whole:
        return "model", f"{base or 'Stable Diffusion'}{role} checkpoint", family, ()
    return "transformer", f"{base or 'Stable Diffusion'}{role} U-Net", family, ("its VAE", "its text encoder")


def _other_transformer(shapes: Shapes, plain: Shapes) -> _Told | None:
    if any(name.startswith(("double_blocks.", "single_transformer_blocks.")) for name in plain):
        hunyuan = any(name.startswith("txt_in.individual_token_refiner") for name in plain)
        title, family = ("HunyuanVideo transformer", "hunyuan") if hunyuan else ("FLUX transformer", "flux")
        return "transformer", title, family, ("its VAE", "its text encoders")
    return None


def _vae(shapes: Shapes, plain: Shapes) -> _Told | None:
    original = shapes.get("decoder.conv1.weight", ())
    if len(original) == 5 or any(name.startswith("decoder.middle.0.residual") for name in shapes):
        latent = original[1] if len(original) == 5 else 0
        return "vae", f"Wan {'2.2' if latent == 48 else '2.1'} VAE", "wan", ()
    first = shapes.get("decoder.conv_in.weight")
    if any("per_channel_statistics." in name for name in shapes):
        return "vae", "LTX-Video VAE", "ltx", ()
    if first is not None and len(first) == 5:
        return "vae", f"Wan {'2.2' if first[1] == 48 else '2.1'} VAE in diffusers' names", "wan", ()
    if first is not None and len(first) == 4:
        title, family = {4: ("Stable Diffusion VAE", "sd15"), 16: ("FLUX VAE", "flux")}.get(first[1], ("VAE", ""))
        return "vae", title, family, ()
    return None


def _text_encoder(shapes: Shapes, plain: Shapes) -> _Told | None:
    if any(re.search(r"\bencoder\.block\.0\.layer\.0\b|^blocks\.0\.ffn\.gate\b", name) for name in shapes):
        table = next((s for n, s in shapes.items() if n in ("shared.weight", "token_embedding.weight")), (0, 0))
        kind = "UMT5" if table[0] > 200_000 else "T5"
        size = "-XXL" if table[-1] == 4096 else ""
        return "text_encoder", f"{kind}{size} text encoder", "wan" if kind == "UMT5" else "", ("its tokenizer",)
    if any(re.search(r"\bvision_model\.encoder\.", name) for name in shapes):
        return "image_encoder", "CLIP image encoder", "", ()
    if any(re.search(r"\btext_model\.encoder\.layers\.0\b", name) for name in shapes):
        return "text_encoder", "CLIP text encoder", "", ("its tokenizer",)
    if any(re.search(r"\bmodel\.layers\.0\.self_attn\.q_proj\b", name) for name in shapes):
        return "text_encoder", "language model that reads prompts", "", ("its tokenizer",)
    return None


def _embedding(shapes: Shapes, plain: Shapes) -> _Told | None:
    if set(shapes) >= {"clip_l", "clip_g"}:
        return "embedding", "learned word (textual inversion) for Stable Diffusion XL", "sdxl", ("Stable Diffusion XL",)
    if len(shapes) != 1:
        return None
    shape = next(iter(shapes.values()))
    base, family = _base(shape[-1] if len(shape) in (1, 2) and shape[-1] in (768, 1024) else 0)
    if not base or (len(shape) == 2 and shape[0] > MOST_VECTORS):
        return None
    return "embedding", f"learned word (textual inversion) for {base}", family, (base,)


_LOOKS: tuple[Callable[[Shapes, Shapes], _Told | None], ...] = (
    _lora, _wan, _ltx, _control, _image_adapter, _motion, _stable_diffusion, _other_transformer, _text_encoder, _vae,
    _embedding,
)  # fmt: skip


def _context_width(shapes: Shapes) -> int:
    """Width of the texts that the first cross-attention reads."""
    return next((s[1] for n, s in shapes.items() if n.endswith("attn2.to_k.weight") and len(s) == 2), 0)


def _base(width: int) -> tuple[str, str]:
    family = {768: "sd15", 1024: "sd2", 2048: "sdxl"}.get(width, "")
    return _BASES.get(width, ""), family


def _folder(folder: Path) -> Identified:
    if (folder / INDEX_NAME).is_file():
        named = str(read_json(folder.resolve(), folder.resolve() / INDEX_NAME).get("_class_name", ""))
        title = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", named.removesuffix("Pipeline"))[:60] or "unknown"
        return Identified(path=folder, kind="model", title=f"model folder in diffusers' layout ({title})")
    if is_mask_model(folder):
        model = check_mask_model(folder)
        return Identified(path=folder, kind="masks", title=f"mask model: {model.title}", bytes=model.bytes)
    files = [path for path, _ in weight_files(folder)]
    if not files:
        raise ModelError(f"“{folder.name}” holds no weights.", "Choose a model folder, or a weights file.")
    if all(path.suffix.lower() not in WEIGHTS for path in files):
        raise _pickle(files[0])
    return Identified(path=folder, kind="unknown", title=f"folder with {len(files)} weights files")


def _archive(path: Path) -> Identified:
    try:
        model = check_mask_model(path)
    except ModelError as error:
        raise ModelError(error.sentence, error.remedy) from None
    return Identified(path=path, kind="masks", title=f"mask model: {model.title}", bytes=model.bytes)


def _pickle(path: Path) -> ModelError:
    return ModelError(
        f"“{path.name}” is a pickle, which can run any program when it is opened.",
        "Get the safetensors edition of this model.",
    )


def _listed(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
