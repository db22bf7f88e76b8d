"""A late package is imported by whoever first uses it, and is an ordinary module from then on."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from gen2studio.core.late_import import LatePackage, import_late


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package that takes a moment to import and counts how often that was done."""
    folder = tmp_path / "slowpackage"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "import sys, time\nsys.slow_imports = getattr(sys, 'slow_imports', 0) + 1\n"
        "first = 1\ntime.sleep(0.1)\nfrom slowpackage import part\nlast = 2\n"
    )
    (folder / "part.py").write_text("import slowpackage\nvalue = slowpackage.first\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "slowpackage"
    for name in [n for n in sys.modules if n.split(".")[0] == "slowpackage"]:
        del sys.modules[name]
    vars(sys).pop("slow_imports", None)


def _imported() -> int:
    return getattr(sys, "slow_imports", 0)


def test_it_is_imported_when_something_is_read_from_it(slow: str) -> None:
    import_late(slow)
    import slowpackage  # type: ignore[import-not-found]

    assert _imported() == 0
    assert not hasattr(slowpackage, "__file__"), "tools that look around don't count"
    assert _imported() == 0
    assert slowpackage.last == 2
    assert _imported() == 1
    assert type(slowpackage) is ModuleType
    assert sys.modules[slow].part is slowpackage.part
    with pytest.raises(AttributeError):
        _ = slowpackage.nothing
    import_late(slow)
    assert not isinstance(sys.modules[slow], LatePackage), "what is there stays"


def test_a_part_brings_the_whole(slow: str) -> None:
    import_late(slow)
    from slowpackage.part import value  # type: ignore[import-not-found]

    assert (value, _imported()) == (1, 1)


def test_threads_that_come_at_once_all_see_it_whole(slow: str) -> None:
    import_late(slow)
    import slowpackage  # type: ignore[import-not-found]

    gate = threading.Barrier(6)
    seen: list[object] = []

    def read(by_part: bool) -> None:
        gate.wait()
        if by_part:
            from slowpackage.part import value  # type: ignore[import-not-found]

            seen.append(value + 1)
        else:
            seen.append(slowpackage.last)

    threads = [threading.Thread(target=read, args=(i % 2 == 0,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert seen == [2] * 6
    assert _imported() == 1
