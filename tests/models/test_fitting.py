"""What runs on which machine: lights, reasons and estimates at the sizes that artists have."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gen2studio.core.paths import resources_dir
from gen2studio.models.catalog import Catalog, load_catalog
from gen2studio.models.catalog_entries import MemoryTier
from gen2studio.models.fitting import (
    GIB,
    NO,
    SLOW,
    WELL,
    MachineFacts,
    duration,
    fit,
    line_up_for,
    matrix_product_gigaflops,
    measured_gigaflops,
)


def card(gigabytes: float, memory: int = 64) -> MachineFacts:
    """A machine with a GPU of so many gigabytes, as its driver reports it: a little less."""
    return MachineFacts(
        device="cuda", name="A card", gpu_bytes=int((gigabytes - 0.03) * GIB), memory_bytes=memory * 10**9
    )


PROCESSOR = MachineFacts(device="cpu", name="8 processor cores", memory_bytes=32 * 10**9, gigaflops=400)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(resources_dir() / "models")


@pytest.mark.parametrize(
    ("entry", "machine", "light"),
    [
        ("wan2.1-vace-1.3b", card(8), WELL),
        ("wan2.1-vace-1.3b", card(6), SLOW),
        ("wan2.1-vace-1.3b", PROCESSOR, SLOW),
        ("wan2.1-vace-14b", card(8), NO),
        ("wan2.1-vace-14b", card(24), SLOW),
        ("wan2.1-vace-14b", card(80), WELL),
        ("wan2.1-vace-14b", PROCESSOR, NO),
        ("wan2.2-t2v-a14b", card(24), WELL),
        ("wan2.2-t2v-a14b", card(24, memory=16), NO),
        ("stable-diffusion-1.5", card(6, memory=16), WELL),
        ("stable-diffusion-1.5", PROCESSOR, SLOW),
        ("sam2.1-hiera-tiny", PROCESSOR, WELL),
        ("taew2.1", PROCESSOR, WELL),
    ],
)
def test_lights(catalog: Catalog, entry: str, machine: MachineFacts, light: str) -> None:
    found = fit(catalog, catalog.entry(entry), machine)
    assert found.light == light
    assert found.reason.endswith(".") and found.reason[0].isupper()


def test_more_memory_never_makes_it_worse(catalog: Catalog) -> None:
    order = (NO, SLOW, WELL)
    for entry in (entry for entry in catalog.entries if not entry.listed_only):
        lights = [
            order.index(fit(catalog, entry, card(size, memory=256)).light) for size in (4, 6, 8, 12, 16, 24, 48, 80)
        ]
        assert lights == sorted(lights), entry.id
        assert lights[-1] == order.index(WELL), entry.id


def test_light_and_words_never_disagree(catalog: Catalog) -> None:
    words = {WELL: "Runs well", SLOW: "Runs slowly", NO: "Does not fit"}
    for entry in catalog.entries:
        for machine in (PROCESSOR, *(card(size, memory) for size in (4, 6, 8, 12, 24, 80) for memory in (8, 16, 256))):
            found = fit(catalog, entry, machine)
            assert found.words == ("Not run here" if entry.listed_only else words[found.light]), entry.id
            assert found.reason == f"{found.words}: {found.why}" and found.why.endswith("."), entry.id


def test_a_model_whose_maker_calls_a_processor_enough_is_still_slow_there(catalog: Catalog) -> None:
    tiers = (
        MemoryTier(gpu_gb=0, how="whole", ram_gb=8, source="computed"),
        MemoryTier(gpu_gb=8, how="in bf16", ram_gb=32, source="computed"),
    )
    model = replace(catalog.entry("wan2.1-vace-1.3b"), memory=tiers)
    assert fit(catalog, model, PROCESSOR).reason == "Runs slowly: whole; quick on a GPU with 8 GB."
    small = fit(catalog, model, card(6))
    assert small.reason == "Runs slowly: the GPU's 6 GB are too few (8 GB), so the processor works."
    # The card would do, and the memory beside it does not.
    poor = fit(catalog, model, card(12, memory=16))
    assert poor.reason == (
        "Runs slowly: beside the GPU it needs 32 GB of main memory, and 16 GB is free, so the processor works."
    )


def test_reasons_say_what_is_missing(catalog: Catalog) -> None:
    small = fit(catalog, catalog.entry("wan2.1-vace-14b"), card(8))
    assert small.reason == "Does not fit: it needs a GPU with at least 12 GB, and this one has 8 GB."
    bare = fit(catalog, catalog.entry("wan2.1-vace-14b"), PROCESSOR)
    assert bare.reason == "Does not fit: it needs a GPU with at least 12 GB, and this machine has none."
    poor = fit(catalog, catalog.entry("wan2.2-t2v-a14b"), card(24, memory=16))
    assert poor.reason == "Does not fit: it needs about 48 GB of main memory beside the GPU, and 16 GB is free."


def test_without_a_gpu_the_time_is_told_from_the_machine(catalog: Catalog) -> None:
    found = fit(catalog, catalog.entry("wan2.1-vace-1.3b"), PROCESSOR)
    # 248 teraflops at 400 gigaflops a second.
    assert found.estimate == (
        "A draft of 480×272, 17 frames, 8 steps takes about 10 minutes here (400 gigaflops, measured on this machine)."
    )


def test_on_a_gpu_published_times_are_told_with_their_source(catalog: Catalog) -> None:
    found = fit(catalog, catalog.entry("wan2.1-t2v-1.3b"), card(24))
    assert found.estimate == "480p, 81 frames, 50 steps took about 4 minutes on RTX 4090 (model card)."


def test_an_adapter_runs_as_its_best_model_does(catalog: Catalog) -> None:
    adapter = catalog.entry("lightx2v-wan2.1-t2v-14b-4step")
    assert fit(catalog, adapter, card(24)).light == WELL
    assert fit(catalog, adapter, card(8)).light == NO
    assert "Wan 2.1 T2V 14B" in fit(catalog, adapter, card(24)).reason


@pytest.mark.parametrize(
    ("machine", "size"),
    [(PROCESSOR, 0), (card(4), 0), (card(6), 6), (card(8), 8), (card(12), 8), (card(24), 24), (card(80), 80)],
)
def test_the_line_up_of_a_machine_runs_on_it(catalog: Catalog, machine: MachineFacts, size: float) -> None:
    found = line_up_for(catalog, machine)
    assert found is not None and found.gpu_gb == size
    assert all(fit(catalog, catalog.entry(pick.entry), machine).light != NO for pick in found.picks)


def test_apples_memory_is_shared(catalog: Catalog) -> None:
    mac = MachineFacts(device="mps", name="Apple GPU", memory_bytes=36 * GIB)
    assert mac.gpu_gb == 25
    assert line_up_for(catalog, mac) is line_up_for(catalog, card(24))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "about 1 second"), (40, "about 40 seconds"), (240, "about 4 minutes"), (4260, "about 71 minutes"),
        (3 * 3600, "about 3 hours"), (3 * 86400, "about 3 days"),
    ],
)  # fmt: skip
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_the_processor_is_measured() -> None:
    one = matrix_product_gigaflops()
    assert one > 0.1
    assert measured_gigaflops(9, lambda: 50.0) == pytest.approx(360)
    assert measured_gigaflops(1, lambda: 50.0) == pytest.approx(45)
