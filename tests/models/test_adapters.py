"""Adapters are kept with what is known of them, and what does not fit a model is refused with the reason."""

from __future__ import annotations

import hashlib
import resource
from pathlib import Path

import pytest

from gen2studio.core.errors import ModelError
from gen2studio.models.adapter_steps import step_name, steps_in
from gen2studio.models.adapters import AdapterLibrary
from gen2studio.models.library import InstalledModel, ModelLibrary
from tests.models.folder import SMALL_WAN, write_checkpoint, write_json, write_weights


@pytest.fixture
def model(tmp_path: Path) -> InstalledModel:
    folder = write_checkpoint(tmp_path / "mini", manifest={"id": "mini", "title": "Mini"})
    return ModelLibrary(tmp_path / "list.json", folder).model("mini")


@pytest.fixture
def library(tmp_path: Path) -> AdapterLibrary:
    return AdapterLibrary(tmp_path / "adapters")


def lora(path: Path, layers: dict[str, tuple[int, int]], *, rank: int = 4, style: str = "peft", **about: str) -> Path:
    """A LoRA file for ``layers`` (name → (outputs, inputs)) in one of the spellings that are about."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, (outputs, inputs) in layers.items():
        if style == "peft":
            shapes[f"transformer.{layer}.lora_A.weight"] = (rank, inputs)
            shapes[f"transformer.{layer}.lora_B.weight"] = (outputs, rank)
        elif style == "comfy":
            shapes[f"diffusion_model.{layer}.lora_down.weight"] = (rank, inputs)
            shapes[f"diffusion_model.{layer}.lora_up.weight"] = (outputs, rank)
            shapes[f"diffusion_model.{layer}.alpha"] = ()
            shapes[f"diffusion_model.{layer}.diff_b"] = (outputs,)
        else:
            name = "lora_unet_" + layer.replace(".", "_")
            shapes[f"{name}.lora_down.weight"] = (rank, inputs)
            shapes[f"{name}.lora_up.weight"] = (outputs, rank)
            shapes[f"{name}.alpha"] = ()
    return write_weights(path, shapes, metadata=about or None)


FITTING = {"blocks.0.attn1.to_q": (32, 32), "blocks.2.ffn.net.0.proj": (64, 32), "blocks.1.attn2.to_out.0": (32, 32)}
ORIGINAL = {"blocks.0.self_attn.q": (32, 32), "blocks.2.ffn.0": (64, 32), "blocks.1.cross_attn.o": (32, 32)}


def test_a_file_is_copied_with_what_its_metadata_says(
    tmp_path: Path, library: AdapterLibrary, model: InstalledModel
) -> None:
    path = lora(
        tmp_path / "x.safetensors", FITTING, rank=8, name="Rex", trigger="rexdog", kind="subject", base_model="mini",
        base_digest=model.digest, steps="400",
    )  # fmt: skip
    adapter = library.import_file(path, base=model)
    path.unlink()
    assert (adapter.name, adapter.trigger, adapter.kind, adapter.rank, adapter.steps) == (
        "Rex", "rexdog", "subject", 8, 400,
    )  # fmt: skip
    assert adapter.sha256 == hashlib.sha256(adapter.path.read_bytes()).hexdigest()
    again = AdapterLibrary(library.folder)
    assert again.adapters() == (adapter,)
    assert again.adapter(adapter.id) == adapter
    assert again.refusal(adapter, model) == ""
    assert again.warning(adapter, model) == ""


@pytest.mark.parametrize(("style", "layers"), [("peft", FITTING), ("comfy", ORIGINAL), ("kohya", ORIGINAL)])
def test_the_spellings_that_are_about_are_understood(
    tmp_path: Path, library: AdapterLibrary, model: InstalledModel, style: str, layers: dict[str, tuple[int, int]]
) -> None:
    adapter = library.import_file(lora(tmp_path / "x.safetensors", layers, style=style))
    assert adapter.name == "x"
    assert library.refusal(adapter, model) == ""
    wrong = {name: (sides[0] * 2, sides[1]) for name, sides in layers.items()}
    other = library.import_file(lora(tmp_path / "y.safetensors", wrong, style=style))
    assert "does not fit" in library.refusal(other, model)


def test_what_does_not_fit_is_refused_with_the_reason(
    tmp_path: Path, library: AdapterLibrary, model: InstalledModel
) -> None:
    wide = library.import_file(lora(tmp_path / "w.safetensors", {"blocks.0.attn1.to_q": (1536, 1536)}))
    assert library.refusal(wide, model) == (
        "“w” was trained on a model of width 1536, and Mini has 32 there: it does not fit."
    )
    deep = library.import_file(lora(tmp_path / "d.safetensors", {**FITTING, "blocks.29.attn1.to_q": (32, 32)}))
    assert "1 of its 4 layers" in library.refusal(deep, model)
    foreign = lora(tmp_path / "f.safetensors", {"single_transformer_blocks.0.attn.to_q": (32, 32)})
    assert "another kind of model" in library.refusal(library.import_file(foreign), model)
    with pytest.raises(ModelError, match="another kind of model"):
        library.import_file(foreign, base=model)


def test_other_weights_of_the_same_shape_are_a_warning(
    tmp_path: Path, library: AdapterLibrary, model: InstalledModel
) -> None:
    path = lora(tmp_path / "x.safetensors", FITTING, base_digest="0" * 32, base_title="Mini, first edition")
    adapter = library.import_file(path)
    assert library.refusal(adapter, model) == ""
    assert "Mini, first edition" in library.warning(adapter, model)


def test_files_that_are_no_adapters_are_refused(tmp_path: Path, library: AdapterLibrary) -> None:
    whole = write_checkpoint(tmp_path / "wan", SMALL_WAN, dtype="BF16") / "transformer"
    with pytest.raises(ModelError, match=r"Wan VACE 1\.3B transformer, not a LoRA"):
        library.import_file(whole / "diffusion_pytorch_model.safetensors")
    with pytest.raises(ModelError, match="pickle"):
        library.import_file(tmp_path / "x.pt")
    odd = write_weights(tmp_path / "o.safetensors", {"blocks.0.lora_A.weight": (4, 4), "blocks.0.hada_w1": (4, 4)})
    with pytest.raises(ModelError, match="hada_w1"):
        library.import_file(odd)
    with pytest.raises(ModelError, match="no low-rank pairs"):
        library.import_file(write_weights(tmp_path / "e.safetensors", {}))
    assert library.adapters() == ()


def test_a_full_disk_leaves_nothing_and_is_said_in_one_sentence(tmp_path: Path, library: AdapterLibrary) -> None:
    path = lora(tmp_path / "x.safetensors", FITTING)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(ModelError, match=r"“x.safetensors” can't be copied to the adapters: .* Free some space"):
            library.import_file(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(library.folder.iterdir()) == [] and library.adapters() == ()
    assert library.import_file(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_names_change_and_entries_go(tmp_path: Path, library: AdapterLibrary, model: InstalledModel) -> None:
    adapter = library.import_file(lora(tmp_path / "x.safetensors", FITTING), name="First")
    assert library.import_file(tmp_path / "x.safetensors").id == adapter.id
    assert library.rename(adapter.id, "  Second  name ", "word").name == "Second name"
    assert library.adapter(adapter.id).trigger == "word"
    with pytest.raises(ModelError, match="needs a name"):
        library.rename(adapter.id, " ")
    library.delete(adapter.id)
    assert list(library.folder.iterdir()) == []
    with pytest.raises(ModelError, match="not in the library"):
        library.adapter(adapter.id)


@pytest.mark.parametrize("bad", ["../outside", "", "a/b", "..", "x" * 500])
def test_ids_are_no_paths(library: AdapterLibrary, bad: str) -> None:
    with pytest.raises(ModelError, match="not in the library"):
        library.adapter(bad)


def test_lost_files_and_records_are_problems_not_crashes(
    tmp_path: Path, library: AdapterLibrary, model: InstalledModel
) -> None:
    adapter = library.import_file(lora(tmp_path / "x.safetensors", FITTING))
    adapter.path.unlink()
    (lost,) = library.adapters()
    assert "is gone" in lost.problem
    assert library.refusal(lost, model) == lost.problem
    (library.folder / f"{adapter.id}.json").write_text("{")
    assert "can't be read" in library.adapters()[0].problem
    write_json(library.folder / f"{adapter.id}.json", ["x"])
    assert "can't be read" in library.adapters()[0].problem
    library.delete(adapter.id)
    assert library.adapters() == ()


def test_any_kept_step_can_be_the_adapter(tmp_path: Path, library: AdapterLibrary, model: InstalledModel) -> None:
    made = []
    for step, loss in ((10, "0.5"), (20, "oops"), (30, "0.25")):
        made.append(lora(tmp_path / step_name(step), FITTING, name="Rex", loss=loss, steps=str(step)))
    (tmp_path / "test_000010.png").write_bytes(b"png")
    (tmp_path / "step_000040.safetensors").write_bytes(b"no adapter")
    rex = library.import_file(made[-1], base=model, steps=30)
    assert library.steps(rex.id) == ()
    library.keep_steps(rex.id, steps_in(tmp_path))
    kept = library.steps(rex.id)
    assert [(s.step, s.loss) for s in kept] == [(10, 0.5), (20, None), (30, 0.25)]
    assert [s.picture is not None for s in kept] == [True, False, False]
    early = library.use_step(rex.id, 10)
    assert early.steps == 10 and early.path.read_bytes() == made[0].read_bytes()
    assert early.sha256 == hashlib.sha256(made[0].read_bytes()).hexdigest() != rex.sha256
    # Going back gives the very file of before: takes made with it are fresh again.
    assert library.use_step(rex.id, 30).sha256 == rex.sha256
    with pytest.raises(ModelError, match="Step 15 of “Rex” was not kept"):
        library.use_step(rex.id, 15)
    library.delete(rex.id)
    assert not list(library.folder.iterdir())
