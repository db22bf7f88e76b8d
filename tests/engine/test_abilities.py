"""Who serves which mode, what a run needs, and the real generators behind the contracts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gen2studio import compose
from gen2studio.core.errors import GenerationError, OutOfBudget
from gen2studio.core.geometry import Rect
from gen2studio.engine import budget
from gen2studio.engine.abilities import MODE_TITLES, GeneratorEntry, GeneratorRegistry
from gen2studio.engine.catalog import EmptyCatalog, PromptWord
from gen2studio.engine.events import Estimate
from gen2studio.engine.reframing import footage_rect
from tests.fakes.fake_engine import FAKE_ABILITIES, FakeGenerator, generate_request


def test_generators_are_loaded_once_and_only_when_used() -> None:
    loads: list[int] = []

    def load() -> FakeGenerator:
        loads.append(1)
        return FakeGenerator()

    registry = GeneratorRegistry([GeneratorEntry(FAKE_ABILITIES, load)])
    assert registry.serving("stylize") == (FAKE_ABILITIES,) and not loads
    assert registry.generator("fake", "stylize") is registry.generator("fake", "mask") and len(loads) == 1
    with pytest.raises(GenerationError, match="does not serve Text to Video"):
        registry.generator("fake", "text")
    with pytest.raises(GenerationError, match="not installed"):
        registry.generator("wan", "stylize")


def test_every_mode_is_served_on_a_fresh_machine() -> None:
    registry = compose.generator_registry()
    for mode in MODE_TITLES:
        assert registry.serving(mode), mode
        assert registry.why_not(mode) == ""


def test_a_mode_that_nobody_serves_says_which_generator_it_needs() -> None:
    registry = GeneratorRegistry()
    for mode, title in MODE_TITLES.items():
        assert registry.serving(mode) == ()
        assert registry.why_not(mode).startswith(title)


def test_the_estimate_before_the_start_counts_the_frames_on_disk() -> None:
    registry = compose.generator_registry()
    request = generate_request(generator="example", stop=100, width=1920, height=1080)
    need = registry.estimate(request)
    assert need.memory_bytes > 100 << 20 and need.disk_bytes > 100 * 1920 * 1080 and need.seconds
    budget.check(need, budget.Room(64 << 30, 64 << 30))
    with pytest.raises(OutOfBudget, match="of memory and only"):
        budget.check(need, budget.Room(300 << 20, 64 << 30))
    with pytest.raises(OutOfBudget, match="on disk"):
        budget.check(need, budget.Room(64 << 30, 500 << 20))


def test_what_is_free_is_known_here(tmp_path: Path) -> None:
    found = budget.room(tmp_path / "not" / "there" / "yet")
    assert found.disk is not None and found.disk > 0
    if sys.platform.startswith("linux"):
        assert found.memory is not None and 1 << 20 < found.memory < 1 << 46
    assert budget.size_text(740_000_000) == "740 MB" and budget.size_text(3_210_000_000) == "3.2 GB"
    budget.check(Estimate(memory_bytes=1 << 50, disk_bytes=1 << 50), budget.Room(None, None))


def test_files_that_were_read_are_no_memory_in_use(tmp_path: Path) -> None:
    host, container = tmp_path / "meminfo", tmp_path / "cgroup"
    container.mkdir()
    host.write_text("MemTotal: 64000000 kB\nMemAvailable: 32000000 kB\n")
    (container / "memory.max").write_text("8000000000\n")
    (container / "memory.current").write_text("7000000000\n")
    (container / "memory.stat").write_text("anon 2000000000\ninactive_file 4500000000\nactive_file 500000000\n")
    assert budget._linux_memory(host, container) == 5_500_000_000
    (container / "memory.max").write_text("max\n")
    assert budget._linux_memory(host, container) == 32_768_000_000
    assert budget._linux_memory(host, tmp_path / "none") == 32_768_000_000


def test_catalogs() -> None:
    catalog = compose.look_catalog()
    presets = catalog.presets()
    assert len(presets) >= 12 and len({p.id for p in presets}) == len(presets)
    assert all(p.title and p.swatch for p in presets)
    marks = {word.word: word.known for word in catalog.words("watercolour zeppelin")}
    assert marks.get("watercolour") is True and marks.get("zeppelin") is False
    assert EmptyCatalog().words("a b") == (PromptWord("a", False), PromptWord("b", False))


def test_composing_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom gen2studio import compose\ncompose.generator_registry(); compose.look_catalog().presets()\n"
        "print([m for m in ('cv2', 'av', 'numba', 'torch') if m in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_frames_on_disk_and_earlier_seconds_complete_an_estimate() -> None:
    request = generate_request(width=1000, height=500)
    frames = int(12 * 1000 * 500 * budget.PNG_BYTES_PER_PIXEL)
    bare = budget.with_frames(Estimate(memory_bytes=7), request, 12, 3.5)
    assert (bare.memory_bytes, bare.disk_bytes, bare.seconds) == (7, frames, 3.5)
    said = budget.with_frames(Estimate(memory_bytes=7, disk_bytes=frames + 1, seconds=2.0), request, 12, 3.5)
    assert (said.disk_bytes, said.seconds) == (frames + 1, 2.0), "the generator's own word goes first"


def test_footage_lies_inside_the_room_that_was_added() -> None:
    assert footage_rect(generate_request()) == Rect(0, 0, 64, 48)
    assert footage_rect(generate_request(outpaint=(10, 4, 6, 8))) == Rect(10, 4, 48, 36)
    assert footage_rect(generate_request(outpaint=(28, 0, 28, 40))) == Rect(28, 0, 8, 8)
    for outpaint in ((29, 0, 28, 0), (0, 20, 0, 21), (-1, 0, 0, 0)):
        with pytest.raises(GenerationError):
            footage_rect(generate_request(outpaint=outpaint))
