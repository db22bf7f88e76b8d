"""Rules of the house that a reader should be able to rely on."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "gen2studio"
SOURCES = sorted(PACKAGE.rglob("*.py"))


def _forbidden(text: str) -> list[str]:
    tree = ast.parse(text)
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "processEvents":
            found.append(f"line {node.lineno}: processEvents")
        if isinstance(node, ast.Raise) and "NotImplementedError" in ast.dump(node):
            found.append(f"line {node.lineno}: NotImplementedError")
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [a.name for a in node.names] + [getattr(node, "module", "") or ""]
            found += [f"line {node.lineno}: {n}" for n in names if "mock" in n.split(".")]
        if isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant):
            unsafe = (node.arg, node.value.value) in {("trust_remote_code", True), ("weights_only", False)}
            found += [f"line {node.value.lineno}: {node.arg}={node.value.value}"] * unsafe
    return found


@pytest.mark.parametrize(
    "path", [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))], ids=lambda p: str(p.relative_to(ROOT))
)
def test_no_forbidden_calls(path: Path) -> None:
    assert _forbidden(path.read_text(encoding="utf-8")) == []


def test_forbidden_calls_would_be_found() -> None:
    sample = "import unittest.mock\napp.processEvents()\nload(x, trust_remote_code=True)\nraise NotImplementedError\n"
    assert len(_forbidden(sample)) == 4


def test_files_stay_readable() -> None:
    long = {
        str(p.relative_to(ROOT)): n for p in SOURCES if (n := len(p.read_text(encoding="utf-8").splitlines())) > 700
    }
    assert long == {}


def test_no_grab_bag_modules() -> None:
    bad = [p.name for p in SOURCES if re.fullmatch(r"(utils?|helpers?|manager|misc|mixins?|common)\.py", p.name)]
    assert bad == []


def test_app_knows_no_widgets() -> None:
    """The import linter sees whole external packages only, so this rule is checked here."""
    guilty = [
        str(p.relative_to(ROOT))
        for p in (PACKAGE / "app").rglob("*.py")
        if "QtWidgets" in p.read_text(encoding="utf-8")
    ]
    assert guilty == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(p.relative_to(ROOT)) for p in SOURCES if not ast.get_docstring(ast.parse(p.read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_window_opens_without_heavy_imports() -> None:
    program = (
        "import sys\n"
        "import gen2studio.ui.main_window, gen2studio.compose\n"
        "print([m for m in ('torch', 'diffusers', 'transformers', 'numba', 'scipy') if m in sys.modules])\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.strip() == "[]"


def test_window_is_shown_before_numpy_is_needed() -> None:
    """It takes as long to import as Qt does to come up."""
    program = (
        "import sys, traceback\n"
        "from gen2studio.core import late_import\n"
        "load = late_import.LatePackage.__getattr__\n"
        "def told(package, name):\n"
        "    if package.__name__ == 'numpy' and name not in late_import._LOOKING:\n"
        "        traceback.print_stack()\n"
        "    return load(package, name)\n"
        "late_import.LatePackage.__getattr__ = told\n"
        "from gen2studio.launch import open_window\n"
        "open_window()\n"
        "print('numpy' in sys.modules, 'numpy._core' in sys.modules, flush=True)\n"
        "import os; os._exit(0)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.strip() == "True False", result.stderr


def test_qt_calls_do_not_eat_references() -> None:
    """PySide6 6.12.0 on CPython 3.11 drops a reference to None at every void call until the interpreter dies."""
    program = (
        "import sys\n"
        "from PySide6.QtCore import QObject\n"
        "o = QObject()\n"
        "before = sys.getrefcount(None)\n"
        "for _ in range(500): o.setObjectName('x')\n"
        "print(sys.getrefcount(None) - before)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(result.stdout) > -100


def test_icons_named_in_the_code_exist() -> None:
    icons = {p.stem for p in (ROOT / "resources" / "icons").glob("*.svg")}
    named: set[str] = set()
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        named |= set(re.findall(r"theme\.icon(?:_pixmap)?\(\s*\"([a-z0-9-]+)\"", text))
        named |= set(re.findall(r"\bicon=\"([a-z0-9-]+)\"", text))
    assert named
    assert named - icons == set()
