"""The catalog: the bundled data is consistent, and a hostile or broken file is refused in one sentence."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from gen2studio.core.errors import ModelError
from gen2studio.core.paths import data_dir, resources_dir
from gen2studio.models.catalog import Catalog, catalog, load_catalog
from gen2studio.models.catalog_entries import CatalogEntry
from gen2studio.models.catalog_reading import MODES
from gen2studio.models.families.table import CHECKPOINT_FAMILIES
from gen2studio.models.fitting import GIB, NO, MachineFacts, fit
from gen2studio.models.model_page import BEGIN, END, page, renewed

FIRST_BLOCK = (
    "wan2.1-vace-1.3b", "wan2.1-vace-14b", "wan2.1-t2v-1.3b", "wan2.1-t2v-14b", "wan2.2-ti2v-5b", "wan2.2-t2v-a14b",
    "wan2.2-i2v-a14b", "lightx2v-wan2.2-t2v-a14b-4step", "lightx2v-wan2.2-i2v-a14b-4step", "fastwan2.1-t2v-1.3b",
    "wan2.2-vace-fun-a14b", "stable-diffusion-1.5", "animatediff-motion-v1-5-2", "animatelcm", "controlnet-sd15-depth",
    "controlnet-sd15-scribble", "controlnet-sd15-canny", "controlnet-sd15-tile", "ip-adapter-sd15", "flux.2-klein-4b",
    "qwen-image-edit-2511", "z-image-turbo", "sam2.1-hiera-tiny", "edgetam", "depth-anything-v2-small", "taew2.1",
    "taesd",
)  # fmt: skip
OPT_IN = ("ltx-video-2b", "cogvideox-5b", "svd-xt", "hunyuanvideo-1.5-480p-t2v", "sam3")
SAFE = {"Apache-2.0", "MIT", "CreativeML-OpenRAIL-M"}
ENTRY = """
[[model]]
id = "mine"
title = "Mine"
kind = "model"
repo = "lab/mine"
licence = "apache-2-0"
summary = "A model of mine."
patterns = ["*.safetensors"]
"""


@pytest.fixture(scope="module")
def bundled() -> Catalog:
    return load_catalog(resources_dir() / "models")


def own(text: str, name: str = "mine.toml", version: str = "version = 1\n") -> Catalog:
    """The catalog with a file of the artist's."""
    folder = data_dir() / "catalog"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(version + text, encoding="utf-8")
    return catalog()


def test_every_model_that_was_promised_is_there(bundled: Catalog) -> None:
    there = {entry.id: entry for entry in bundled.entries}
    assert set(FIRST_BLOCK) | set(OPT_IN) <= set(there)
    assert not any(there[name].opt_in for name in FIRST_BLOCK)
    assert all(there[name].opt_in for name in OPT_IN)


def test_the_first_block_is_commercial_safe(bundled: Catalog) -> None:
    for entry in bundled.entries:
        if not entry.opt_in:
            assert entry.licence.commercial == "yes" and entry.licence.id in SAFE, entry.id
        else:
            assert entry.licence.conditions, entry.id


def test_bundled_licence_texts_exist_and_are_the_real_ones(bundled: Catalog) -> None:
    begins = {"Apache-2.0": "Apache License", "MIT": "MIT License", "CreativeML-OpenRAIL-M": "CreativeML Open RAIL-M"}
    texts = {entry.licence.id: entry.licence for entry in bundled.entries if entry.licence.text}
    assert set(texts) == set(begins)
    for name, licence in texts.items():
        assert begins[name] in (resources_dir() / "licences" / licence.text).read_text(encoding="utf-8")[:200]
    others = [entry for entry in bundled.entries if not entry.licence.text]
    assert others and all(entry.licence.source_path for entry in others)


@pytest.mark.parametrize("part", ["memory", "pace", "draft"])
def test_every_figure_names_its_source(bundled: Catalog, part: str) -> None:
    for entry in bundled.entries:
        figures = getattr(entry, part)
        for figure in figures if isinstance(figures, tuple) else [figures] if figures else []:
            assert re.match(r"computed|model card|diffusers documentation|published|counted", figure.source), entry.id


def _billions(entry: CatalogEntry, source: str) -> tuple[float, float] | None:
    """(parameters in 10^9, bytes each) that a computed line counts with."""
    found = re.search(r"([\d.]+) B parameters × (34/32|\d+) bytes", source)
    return (float(found[1]), 34 / 32 if found[2] == "34/32" else float(found[2])) if found else None


def test_computed_memory_follows_from_the_parameters(bundled: Catalog) -> None:
    checked = 0
    for entry in bundled.entries:
        for tier in entry.memory:
            counted = _billions(entry, tier.source)
            if counted is None:
                continue
            checked += 1
            billions, each = counted
            weights = billions * each
            held = tier.ram_gb if "of memory" in tier.source or tier.gpu_gb == 0 else tier.gpu_gb
            assert held == 0 or weights < held, (entry.id, tier)
            whole = entry.parameters / 1e9
            # One expert of two, or a model with its motion module and a ControlNet.
            parts = (whole, whole / 2, whole + 0.361)
            assert any(abs(billions - part) <= 0.006 + part * 0.003 for part in parts), entry.id
    assert checked > 40


def test_files_are_safetensors_configs_and_words(bundled: Catalog) -> None:
    for entry in bundled.entries:
        for path in (*entry.patterns, *(file.path for file in entry.files)):
            assert path.endswith((".safetensors", ".json", ".txt", "/*")), (entry.id, path)


def test_relatives_are_mutual(bundled: Catalog) -> None:
    for entry in bundled.entries:
        for name in entry.few_step:
            assert entry.id in bundled.entry(name).fits_with
        for name in entry.fits_with:
            assert bundled.entry(name).kind == "model"
        assert entry.kind == "model" or entry.modes or entry.fits_with, entry.id


def test_what_is_needed_comes_first(bundled: Catalog) -> None:
    assert [entry.id for entry in bundled.with_needs("animatelcm")] == [
        "animatediff-motion-v1-5-2", "stable-diffusion-1.5", "animatelcm",
    ]  # fmt: skip
    assert bundled.belonging_to("stable-diffusion-1.5")[0].id == "animatelcm"
    with pytest.raises(ModelError, match="no model “nothing”"):
        bundled.entry("nothing")


def test_no_download_is_a_dead_end(bundled: Catalog) -> None:
    """What is offered as a model has a family that drives it, or says that it is only listed."""
    families = {family.family for family in CHECKPOINT_FAMILIES.values()} | {"wan-ti2v", "wan-i2v-ends", "wan-flf"}
    assert families >= {"wan-vace", "wan-t2v", "animatediff", "flux2-klein"}
    for entry in bundled.entries:
        if entry.kind == "model":
            assert entry.listed_only or entry.family in families, entry.id
        elif entry.fits_with:
            assert entry.family in families, entry.id


def test_a_model_promises_the_very_modes_that_its_family_serves(bundled: Catalog) -> None:
    from gen2studio.diffusion.entries import _FAMILIES

    for entry in bundled.entries:
        if entry.kind == "model" and not entry.listed_only:
            assert set(entry.modes) == set(_FAMILIES[entry.family].traits.modes), entry.id


def test_what_is_only_listed_is_not_offered(bundled: Catalog) -> None:
    machine = MachineFacts(device="cuda", name="80 GB", gpu_bytes=80 * GIB, memory_bytes=256 * 10**9)
    listed = [entry for entry in bundled.entries if entry.listed_only]
    assert all(fit(bundled, entry, machine).light == NO for entry in listed)
    assert not {entry.id for entry in listed} & {pick.entry for tier in bundled.line_up for pick in tier.picks}


def test_a_line_up_exists_for_every_kind_of_machine(bundled: Catalog) -> None:
    assert [tier.gpu_gb for tier in bundled.line_up] == [0, 6, 8, 24, 80]
    for tier in bundled.line_up:
        assert tier.picks and all(not bundled.entry(pick.entry).opt_in for pick in tier.picks)
        if tier.gpu_gb >= 8:
            served = {mode for pick in tier.picks for mode in pick.modes}
            assert served == set(MODES), tier.title


def test_an_artists_file_is_read_beside_the_programs() -> None:
    found = own(ENTRY)
    assert found.problems == ()
    assert found.entry("mine").own and found.entry("mine").licence.title == "Apache License 2.0"


def test_an_artists_file_may_bring_its_own_terms() -> None:
    terms = '[licences.mine]\nid = "Mine"\ntitle = "My terms"\nsource_path = "LICENSE"\ncommercial = "no"\n'
    found = own(terms + ENTRY.replace("apache-2-0", "mine"))
    assert found.problems == () and found.entry("mine").licence.commercial == "no"
    # It did not say so, and is no commercial-safe model for that.
    assert found.entry("mine").opt_in


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[model]", "no TOML"),
        ("x = 1\n", "unknown “x”"),
        (ENTRY + "command = 'rm'\n", "unknown “command”"),
        (ENTRY.replace('"mine"', '"../mine"'), "no good “id”"),
        (ENTRY.replace('"mine"', '"wan2.1-vace-1.3b"'), "there already"),
        (ENTRY.replace('"mine"', '"con"'), "name of a folder"),
        (ENTRY.replace('"lab/mine"', '"https://evil.example/x"'), "no good “repo”"),
        (ENTRY.replace('"lab/mine"', '"lab/../mine"'), "no good “repo”"),
        (ENTRY.replace('"*.safetensors"', '"../*.safetensors"'), "no path inside a folder"),
        (ENTRY.replace('"*.safetensors"', '"/etc/passwd"'), "no path inside a folder"),
        (ENTRY.replace('"*.safetensors"', '"C:\\\\x"'), "no good “patterns”"),
        (ENTRY.replace('patterns = ["*.safetensors"]', "patterns = []"), "names no files"),
        (ENTRY + 'files = [{ path = "a", source = "../b" }]\n', "no path inside a folder"),
        (ENTRY + 'files = [{ path = "a" }, { path = "A" }]\n', "twice"),
        (ENTRY + 'files = [{ path = "a", sha256 = "xyz" }]\n', "no good “sha256”"),
        (ENTRY + 'files = [{ path = "a", size = -1 }]\n', "out of range"),
        (ENTRY.replace("apache-2-0", "none"), "not described"),
        (ENTRY.replace('kind = "model"', 'kind = "virus"'), "no kind of entry"),
        (ENTRY + 'needs = ["nothing"]\n', "which there is not"),
        (ENTRY + 'needs = ["mine"]\n', "needs itself"),
        (ENTRY + 'modes = ["dance"]\n', "no good “modes”"),
        (ENTRY + 'memory = [{ gpu_gb = 8, how = "whole", source = "" }]\n', "no source"),
        (ENTRY + 'parameters = "many"\n', "no good “parameters”"),
        (ENTRY.replace('"A model of mine."', '"""A\\u0007"""'), "no good “summary”"),
    ],
)
def test_a_bad_file_is_refused_and_the_rest_is_there(text: str, says: str) -> None:
    found = own(text)
    assert len(found.problems) == 1, found.problems
    assert says in found.problems[0] and found.problems[0].startswith("The catalog file “mine.toml” is refused: ")
    assert all(entry.id != "mine" for entry in found.entries)
    assert found.entry("wan2.1-vace-1.3b")


def test_one_bad_file_takes_no_good_one_along() -> None:
    own(ENTRY.replace("mine", "other"), "a.toml")
    found = own(ENTRY + "command = 'rm'\n", "b.toml")
    assert found.entry("other") and len(found.problems) == 1


def test_what_is_no_file_is_passed_over_and_too_many_are_told() -> None:
    folder = data_dir() / "catalog"
    (folder / "folder.toml").mkdir(parents=True)
    if hasattr(os, "mkfifo"):
        # Reading it would wait for ever.
        os.mkfifo(folder / "pipe.toml")
    assert own(ENTRY).problems == ()
    for number in range(65):
        (folder / f"{number:03}.toml").write_text("version = 1\n")
    assert catalog().problems == ("Of 66 catalog files the first 64 are read. Put several models into one.",)


def test_an_oversized_file_and_a_wrong_version_are_refused() -> None:
    assert "too big" in own("#" * (1 << 20)).problems[0]
    assert "version" in own(ENTRY, version="version = 2\n").problems[0]


def test_a_damaged_file_of_the_program_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "10.toml").write_text("version = 1\n" + ENTRY)
    with pytest.raises(ModelError, match="not described"):
        load_catalog(tmp_path)


def test_the_readmes_table_is_the_catalogs(bundled: Catalog) -> None:
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    assert page(bundled) in readme, "renew it: python -m gen2studio.models.model_page README.md"
    assert renewed(readme, bundled) == readme
    for entry in bundled.entries:
        if entry.listed_only:
            assert entry.title in readme
        elif entry.kind == "model":
            line = next(line for line in readme.splitlines() if line.startswith(f"| {entry.title} |"))
            assert line.count("|") == 9 and not line.endswith("| — |")


def test_a_stale_table_would_be_found(bundled: Catalog) -> None:
    stale = f"Before {BEGIN} | Wan 9 | {END} after"
    assert renewed(stale, bundled) == f"Before {page(bundled)} after"
    with pytest.raises(ValueError, match="marks"):
        renewed("no table here", bundled)
