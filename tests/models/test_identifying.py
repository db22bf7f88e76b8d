"""Files with any name: what they are, told from the names and shapes that the published ones have."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from gen2studio.core.errors import ModelError
from gen2studio.models.adapters import AdapterLibrary
from gen2studio.models.adding import add_path
from gen2studio.models.hub_settings import HubSettings
from gen2studio.models.identifying import identify, identify_all
from gen2studio.models.library import ModelLibrary
from gen2studio.models.mask_models import MaskModelLibrary
from gen2studio.models.offers import offers
from tests.models.folder import write_checkpoint, write_header, write_json, write_weights

Shapes = dict[str, tuple[int, ...]]
_WAN = "model.diffusion_model."


def wan(width: int, channels: int, **more: tuple[int, ...]) -> Shapes:
    return {
        "patch_embedding.weight": (width, channels, 1, 2, 2), "blocks.0.self_attn.q.weight": (width, width),
        "text_embedding.0.weight": (width, 4096), **more,
    }  # fmt: skip


def prefixed(shapes: Shapes, prefix: str) -> Shapes:
    return {prefix + name: shape for name, shape in shapes.items()}


def unet(width: int, inputs: int = 4) -> Shapes:
    block = "input_blocks.1.1.transformer_blocks.0"
    return prefixed({"input_blocks.0.0.weight": (320, inputs, 3, 3), f"{block}.attn2.to_k.weight": (320, width)}, _WAN)


_CONTROL = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight"
_MOTION = "motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks.0.pos_encoder.pe"
FILES: dict[str, tuple[Shapes, str, str, str]] = {
    "vace": (
        wan(1536, 16, **{"vace_patch_embedding.weight": (1536, 96, 1, 2, 2)}),
        "transformer", "wan", "Wan VACE 1.3B transformer",
    ),
    "comfy vace": (
        prefixed(wan(5120, 16, **{"vace_patch_embedding.weight": (5120, 96, 1, 2, 2)}), _WAN),
        "transformer", "wan", "Wan VACE 14B transformer",
    ),
    "t2v": (wan(5120, 16), "transformer", "wan", "Wan text-to-video 14B transformer"),
    "t2v in diffusers' names": (
        {"patch_embedding.weight": (1536, 16, 1, 2, 2), "blocks.0.attn1.to_q.weight": (1536, 1536)},
        "transformer", "wan", "Wan text-to-video 1.3B transformer",
    ),
    "i2v 2.1": (
        wan(5120, 36, **{"img_emb.proj.0.weight": (1280,)}),
        "transformer", "wan", "Wan 2.1 image-to-video 14B transformer",
    ),
    "i2v 2.2": (wan(5120, 36), "transformer", "wan", "Wan 2.2 image-to-video 14B expert"),
    "ti2v": (wan(3072, 48), "transformer", "wan", "Wan 2.2 text-and-image-to-video 5B transformer"),
    "animate": (
        wan(5120, 36, **{"face_adapter.fuser_blocks.0.k_norm.weight": (128,)}),
        "transformer", "wan-animate", "Wan Animate 14B transformer",
    ),
    "ltx": (
        {"model.diffusion_model.patchify_proj.weight": (2048, 128), "vae.per_channel_statistics.mean-of-means": (128,)},
        "transformer", "ltx", "LTX-Video checkpoint",
    ),
    "ltx 2": (
        {"patchify_proj.weight": (64, 32), "audio_patchify_proj.weight": (64, 32)},
        "transformer", "ltx", "LTX-2 transformer",
    ),
    "sd 1.5": (
        {**unet(768), "first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3)},
        "model", "sd15", "Stable Diffusion 1.5 checkpoint",
    ),
    "sd 1.5 inpainting": (unet(768, 9), "transformer", "sd15", "Stable Diffusion 1.5 inpainting U-Net"),
    "sdxl": (unet(2048), "transformer", "sdxl", "Stable Diffusion XL U-Net"),
    "diffusers' unet": (
        {"conv_in.weight": (320, 4, 3, 3), _CONTROL: (320, 768)}, "transformer", "sd15", "Stable Diffusion 1.5 U-Net",
    ),
    "control": (
        {"controlnet_cond_embedding.conv_in.weight": (16, 3, 3, 3), _CONTROL: (320, 768)},
        "control", "sd15", "ControlNet for Stable Diffusion 1.5",
    ),
    "control of its makers": (
        {"control_model.input_hint_block.0.weight": (16, 3, 3, 3), "control_model.attn2.to_k.weight": (320, 2048)},
        "control", "sdxl", "ControlNet for Stable Diffusion XL",
    ),
    "ip-adapter": (
        {"image_proj.proj.weight": (3072, 1024), "ip_adapter.1.to_k_ip.weight": (320, 768)},
        "image_adapter", "sd15", "IP-Adapter for Stable Diffusion 1.5",
    ),
    "ip-adapter plus": (
        {"image_proj.latents": (1, 16, 768), "ip_adapter.1.to_k_ip.weight": (320, 768)},
        "image_adapter", "sd15", "IP-Adapter (plus) for Stable Diffusion 1.5",
    ),
    "motion": (
        {f"down_blocks.3.{_MOTION}": (1, 32, 1280)},
        "motion", "sd15", "AnimateDiff motion module of up to 32 frames for Stable Diffusion 1.5",
    ),
    "flux": ({"double_blocks.0.img_attn.qkv.weight": (9216, 3072)}, "transformer", "flux", "FLUX transformer"),
    "wan vae": ({"decoder.conv1.weight": (384, 16, 3, 3, 3)}, "vae", "wan", "Wan 2.1 VAE"),
    "wan 2.2 vae": ({"decoder.conv1.weight": (1024, 48, 3, 3, 3)}, "vae", "wan", "Wan 2.2 VAE"),
    "sd vae": ({"decoder.conv_in.weight": (512, 4, 3, 3)}, "vae", "sd15", "Stable Diffusion VAE"),
    "umt5": (
        {"shared.weight": (256384, 4096), "encoder.block.0.layer.0.SelfAttention.q.weight": (4096, 4096)},
        "text_encoder", "wan", "UMT5-XXL text encoder",
    ),
    "t5": (
        {"shared.weight": (32128, 4096), "encoder.block.0.layer.0.SelfAttention.q.weight": (4096, 4096)},
        "text_encoder", "", "T5-XXL text encoder",
    ),
    "clip vision": (
        {"vision_model.encoder.layers.0.mlp.fc1.weight": (8, 8)}, "image_encoder", "", "CLIP image encoder",
    ),
    "lora for wan": (
        {"diffusion_model.blocks.0.self_attn.q.lora_A.weight": (16, 5120),
         "diffusion_model.blocks.0.self_attn.q.lora_B.weight": (5120, 16)},
        "adapter", "wan", "LoRA adapter for Wan 14B",
    ),
    "lora of kohya's for sd 1.5": (
        {"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight": (8, 768),
         "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_up.weight": (320, 8)},
        "adapter", "sd15", "LoRA adapter for Stable Diffusion 1.5",
    ),
    "lora for ltx": (
        {"transformer.transformer_blocks.0.attn1.to_q.lora_A.weight": (16, 2048)},
        "adapter", "ltx", "LoRA adapter for LTX-Video",
    ),
    "embedding": (
        {"emb_params": (4, 768)}, "embedding", "sd15", "learned word (textual inversion) for Stable Diffusion 1.5",
    ),
    "anything": ({"a.b.c": (4, 4, 4)}, "unknown", "", "file of an unknown architecture"),
}  # fmt: skip


def test_files_are_known_by_their_tensors(tmp_path: Path) -> None:
    for name, (shapes, kind, family, title) in FILES.items():
        found = identify(write_weights(tmp_path / "downloaded (1).safetensors", shapes, "BF16"))
        assert (found.kind, found.family, found.title) == (kind, family, title), name
        assert found.bytes == (tmp_path / "downloaded (1).safetensors").stat().st_size and found.stored_as == "BF16"
        assert found.sentence().startswith(("A ", "An "))


def test_what_a_file_needs_is_said(tmp_path: Path) -> None:
    found = identify(write_weights(tmp_path / "a.safetensors", FILES["i2v 2.1"][0]))
    assert found.sentence() == (
        "A Wan 2.1 image-to-video 14B transformer. It needs the UMT5-XXL text encoder and its tokenizer, the Wan 2.1 "
        "VAE and the CLIP image encoder beside it."
    )
    assert identify(write_weights(tmp_path / "c.safetensors", FILES["ltx"][0])).sentence().startswith("An LTX")
    assert "It needs" not in identify(write_weights(tmp_path / "b.safetensors", FILES["wan vae"][0])).sentence()


def test_folders(tmp_path: Path) -> None:
    found = identify(write_checkpoint(tmp_path / "wan"))
    assert (found.kind, found.title) == ("model", "model folder in diffusers' layout (Wan VACE)")
    write_json(tmp_path / "sam" / "config.json", {"model_type": "sam2_video"})
    write_weights(tmp_path / "sam" / "model.safetensors", {"a": (4,)})
    assert identify(tmp_path / "sam").kind == "masks"
    files = {found.path.name: found.kind for found in identify_all(tmp_path)}
    assert files["diffusion_pytorch_model.safetensors"] in ("transformer", "vae")


def test_hostile_files_are_refused_and_nothing_runs(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "pwned",))

    for name in ("a.pth", "a.ckpt", "a.bin", "a.pt", "a.safetensors", "a.gguf"):
        (tmp_path / name).write_bytes(pickle.dumps(Evil()))
        with pytest.raises(ModelError) as caught:
            identify(tmp_path / name)
        assert caught.value.sentence.endswith(".") and "\n" not in caught.value.sentence
    write_header(tmp_path / "huge.safetensors", b"{}", 100, claimed=100 << 30)
    with pytest.raises(ModelError):
        identify(tmp_path / "huge.safetensors")
    only_pickles = tmp_path / "folder"
    only_pickles.mkdir()
    (only_pickles / "pytorch_model.pt").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ModelError):
        identify(only_pickles)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError):
        identify(tmp_path / "empty")
    with pytest.raises(ModelError):
        identify(tmp_path / "nothing.safetensors")
    assert identify_all(tmp_path) == () and not (tmp_path / "pwned").exists()


def test_a_folder_with_links_to_itself_is_read_once(tmp_path: Path) -> None:
    write_weights(tmp_path / "a.safetensors", FILES["wan vae"][0])
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    assert len(identify_all(tmp_path)) == 1


def test_what_other_programs_left_is_offered_and_only_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    cache = tmp_path / "cache"
    commit = "a" * 40
    repository = cache / "models--lab--tiny-model"
    source = write_checkpoint(tmp_path / "source")
    for path in (path for path in sorted(source.rglob("*")) if path.is_file()):
        blob = repository / "blobs" / path.relative_to(source).as_posix().replace("/", "-")
        link = repository / "snapshots" / commit / path.relative_to(source)
        blob.parent.mkdir(parents=True, exist_ok=True)
        link.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(path.read_bytes())
        link.symlink_to(blob)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    (cache / "models--lab--nothing" / "snapshots").mkdir(parents=True)
    comfy = tmp_path / "comfy" / "models"
    write_weights(comfy / "vae" / "wan vae.safetensors", FILES["wan vae"][0])
    (comfy / "loras").mkdir()
    (comfy / "loras" / "evil.safetensors").write_bytes(b"\x80\x04.")
    before = sorted((str(path), path.lstat().st_mtime_ns) for path in tmp_path.rglob("*"))
    settings = HubSettings(hub_cache=str(cache), comfyui_folders=(str(comfy.parent),))
    found = {offer.place: offer for offer in offers(settings, [("lab/tiny-model", "Tiny Model")])}
    assert set(found) == {"hub cache", "ComfyUI"}
    assert (found["hub cache"].title, found["hub cache"].kind) == ("Tiny Model", "model")
    assert found["ComfyUI"].title == "Wan 2.1 VAE"
    assert sorted((str(path), path.lstat().st_mtime_ns) for path in tmp_path.rglob("*")) == before
    # And it can be added where it lies.
    assert ModelLibrary(tmp_path / "models.json").add(found["hub cache"].path).usable
    assert offers(HubSettings(reuse_hub_cache=False, hub_cache=str(cache))) == ()


def _cached_file(
    cache: Path, repo: str, name: str, data: bytes = b"", weights: dict[str, tuple[int, ...]] | None = None
) -> None:
    """A file of a repository in the hub's cache."""
    path = cache / f"models--{repo.replace('/', '--')}" / "snapshots" / ("b" * 40) / name
    if weights is not None:
        write_weights(path, weights)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def test_only_what_can_be_used_of_the_hubs_cache_is_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other programs keep language models and pipelines of all kinds there."""
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    cache = tmp_path / "cache"
    words = {"model.layers.0.self_attn.q_proj.weight": (32, 32)}
    _cached_file(
        cache, "lab/language", "config.json", b'{"architectures": ["LlamaForCausalLM"], "model_type": "llama"}'
    )
    _cached_file(cache, "lab/language", "model.safetensors", weights=words)
    _cached_file(cache, "lab/packed-language", "model-q4.safetensors", weights=words)
    _cached_file(cache, "lab/xl", "model_index.json", b'{"_class_name": "StableDiffusionXLPipeline"}')
    _cached_file(cache, "lab/xl", "unet/model.safetensors", weights=FILES["wan vae"][0])
    _cached_file(cache, "lab/broken", "model_index.json", b"[[[")
    _cached_file(cache, "lab/broken", "unet/model.safetensors", weights=FILES["wan vae"][0])
    _cached_file(cache, "lab/depth", "config.json", b'{"model_type": "depth_anything"}')
    _cached_file(cache, "lab/depth", "model.safetensors", weights=words)
    _cached_file(cache, "lab/sam", "config.json", b'{"model_type": "sam2_video"}')
    _cached_file(cache, "lab/sam", "model.safetensors", weights=words)
    _cached_file(cache, "lab/control-canny", "config.json", b'{"_class_name": "ControlNetModel"}')
    _cached_file(cache, "lab/control-canny", "diffusion_pytorch_model.safetensors", weights=words)
    _cached_file(cache, "lab/loras", "README.md", b"Two steps.")
    _cached_file(cache, "lab/loras", "one.safetensors", weights=FILES["lora for wan"][0])
    _cached_file(cache, "lab/loras", "flux.safetensors", weights={"double_blocks.0.img_attn.qkv.weight": (96, 32)})
    found = {offer.repo: offer for offer in offers(HubSettings(hub_cache=str(cache)), [("lab/depth", "Depth")])}
    assert set(found) == {"lab/depth", "lab/sam", "lab/control-canny", "lab/loras"}
    assert {repo: offer.kind for repo, offer in found.items() if offer.usable} == {
        "lab/sam": "masks", "lab/control-canny": "control", "lab/loras": "adapter",
    }  # fmt: skip
    # A download of the catalog takes it from there: it is told, and not offered.
    assert found["lab/depth"].title == "Depth" and found["lab/depth"].part
    assert found["lab/loras"].path.name == "one.safetensors"


def test_single_files_that_nothing_here_runs_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    comfy = tmp_path / "ComfyUI"
    for folder in ("vae", "loras"):
        (comfy / "models" / folder).mkdir(parents=True)
    flux = write_weights(
        comfy / "models" / "unet" / "flux.safetensors", {"double_blocks.0.img_attn.qkv.weight": (96, 32)}
    )
    write_weights(comfy / "models" / "unet" / "odd.safetensors", {"something.weight": (3, 5, 7)})
    found = {offer.path.name: offer for offer in offers(HubSettings(comfyui_folders=(str(comfy),)))}
    assert not any(offer.usable or offer.part for offer in found.values())
    assert found["flux.safetensors"].why_not == (
        "It is a FLUX transformer; single files are run of Wan 2.1 and 2.2 alone, other models from whole folders."
    )
    assert found["odd.safetensors"].why_not == "Gen2 Studio does not know what this file holds."
    # Whoever adds it all the same hears the same.
    library = ModelLibrary(tmp_path / "models.json")
    with pytest.raises(ModelError, match=r"can't be used\. It is a FLUX transformer"):
        add_path(flux, library, MaskModelLibrary(tmp_path / "masks.json"), AdapterLibrary(tmp_path / "adapters"))
    assert not (tmp_path / "models.json").exists()
