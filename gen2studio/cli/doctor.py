"""``gen2studio doctor``: what is there, what is missing, and the fix, one line each."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass

_QT_LINE = (
    "sudo apt-get install libegl1 libgl1 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 "
    "libxcb-render-util0 libxcb-shape0 libdbus-1-3 libfontconfig1 libglib2.0-0 libpulse0 fonts-dejavu-core"
)
"""The packages of packaging/linux-packages.txt, for a machine without the checkout."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One checked thing. ``level``: ok, note (works without) or missing (does not)."""

    level: str
    title: str
    fact: str
    fix: str = ""


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _requires(package: str) -> list[str]:
    try:
        return importlib.metadata.requires(package) or []
    except importlib.metadata.PackageNotFoundError:
        return []


def check_python() -> Finding:
    return Finding("ok", "Python", platform.python_version())


def check_packages() -> list[Finding]:
    findings: list[Finding] = []
    for package in (
        "PySide6_Essentials",
        "PySide6_Addons",
        "av",
        "numpy",
        "opencv-python-headless",
        "OpenEXR",
        "numba",
        "platformdirs",
    ):
        version = _version(package)
        if version is None:
            findings.append(Finding("missing", package, "not installed", "pip install -c packaging/constraints.txt ."))
        else:
            findings.append(Finding("ok", package, version))
    pyside = _version("PySide6_Essentials") or ""
    if pyside.startswith("6.12.0") and sys.version_info < (3, 12):
        findings.append(
            Finding("missing", "PySide6", f"{pyside} aborts on Python 3.11", 'pip install "PySide6_Essentials<6.12"')
        )
    if _version("opencv-python") is not None:
        findings.append(
            Finding("note", "opencv-python", "its Qt plug-ins disturb the window", "pip uninstall opencv-python")
        )
    return findings


def check_extras() -> list[Finding]:
    """What some commands need and the rest does without."""
    extras = {
        "c2pa-python": ("signs Content Credentials into exports", "pip install “gen2studio[c2pa]”"),
        "openjd-cli": ("renders farm jobs on this machine", "pip install “gen2studio[farm]”"),
    }
    findings: list[Finding] = []
    for package, (what, fix) in extras.items():
        version = _version(package)
        found = Finding("ok", package, version) if version else Finding("note", package, f"not installed: {what}", fix)
        findings.append(found)
    return findings


def check_window() -> list[Finding]:
    """Load the Qt platform in a child process: a missing system library would abort this one."""
    findings: list[Finding] = []
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    needs_display = sys.platform.startswith("linux")
    if needs_display and not display:
        findings.append(
            Finding("note", "Screen", "none (no DISPLAY)", "Headless verbs work; a window needs a screen, or xvfb-run.")
        )
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen" if needs_display and not display else ""}
    if not environment["QT_QPA_PLATFORM"]:
        environment.pop("QT_QPA_PLATFORM")
    program = (
        "import json\n"
        "from PySide6.QtWidgets import QApplication\n"
        "from PySide6.QtMultimedia import QMediaDevices\n"
        "a = QApplication([])\n"
        "print(json.dumps([a.platformName(), QMediaDevices.defaultAudioOutput().description()]))\n"
    )
    try:
        result = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return [*findings, Finding("missing", "Qt window", str(error), _QT_LINE)]
    if result.returncode != 0:
        last = (result.stderr.strip().splitlines() or ["it could not start"])[-1]
        return [*findings, Finding("missing", "Qt window", last[:160], _QT_LINE)]
    name, sound = json.loads(result.stdout.strip().splitlines()[-1])
    findings.append(Finding("ok", "Qt window", f"platform {name}"))
    if sound:
        findings.append(Finding("ok", "Sound", sound))
    else:
        findings.append(Finding("note", "Sound", "no output device", "Playback runs silently on a timer."))
    return findings


def check_codecs() -> list[Finding]:
    if importlib.util.find_spec("av") is None:
        return []
    import av.codec

    wanted = {
        "libx264": "H.264 export",
        "libx265": "H.265 export",
        "prores_ks": "ProRes export",
        "png": "PNG export",
        "libvpx-vp9": "WebM export with alpha",
    }
    lacking = [what for name, what in wanted.items() if name not in av.codec.codecs_available]
    if lacking:
        return [Finding("note", "Encoders", f"without {', '.join(lacking)}", "pip install --force-reinstall av")]
    return [Finding("ok", "Encoders", "H.264, H.265, ProRes, VP9, PNG")]


def check_torch() -> list[Finding]:
    """The libraries of the diffusion core, without importing any of them."""
    from gen2studio.diffusion.runtime.guarding import mismatch

    torch, vision = _version("torch"), _version("torchvision")
    if torch is None:
        return [
            Finding(
                "note",
                "torch",
                "not installed: built-in weight-free looks work",
                "pip install -c packaging/constraints.txt .",
            )
        ]
    found = [Finding("ok", "torch", torch)]
    for package in ("diffusers", "transformers"):
        version = _version(package)
        if version is None:
            fix = "pip install -c packaging/constraints.txt ."
            found.append(Finding("note", package, "not installed: no model can run, weight-free looks work", fix))
        else:
            found.append(Finding("ok", package, version))
    if vision is not None:
        wrong = mismatch(torch, vision, _requires("torchvision"))
        if wrong:
            fix = "Install both from one index. Segment Anything and RAFT flow need torchvision."
            build = "different builds" in wrong
            then = "It is used without its compiled half." if build else "It is kept out of the way."
            found.append(Finding("note", "torchvision", f"{wrong} {then}", fix))
        else:
            found.append(Finding("ok", "torchvision", vision))
    return found


def check_models() -> list[Finding]:
    """Every listed model: whole, and how it would be held on this machine."""
    from gen2studio.core.errors import StudioError
    from gen2studio.diffusion.runtime.device import quick_machine
    from gen2studio.diffusion.runtime.ladder import choose_plan
    from gen2studio.models.holding import HoldingChoices
    from gen2studio.models.library import ModelLibrary

    try:
        models = ModelLibrary().models()
    except (StudioError, OSError) as error:
        return [Finding("note", "Models", str(error), "The weight-free generator works without models.")]
    if not models:
        return [Finding("note", "Models", "none", "gen2studio models add FOLDER")]
    found: list[Finding] = []
    machine = quick_machine()
    for model in models:
        title = f"Model {model.id}"
        if model.problem:
            found.append(Finding("note", title, model.problem, f"gen2studio models remove {model.id}"))
            continue
        try:
            plan = choose_plan(model, machine, rung=HoldingChoices().rung(model.id))
            found.append(Finding("ok", title, f"{model.title}, {plan.explain()}"))
        except StudioError as error:
            found.append(Finding("note", title, str(error), "Use a smaller size, or a smaller model."))
    return found


def check_machine() -> list[Finding]:
    from gen2studio.core.paths import cache_dir, data_dir, resources_dir

    findings: list[Finding] = []
    try:
        findings.append(Finding("ok", "Resources", str(resources_dir())))
    except FileNotFoundError as error:
        findings.append(Finding("missing", "Resources", str(error), "Reinstall Gen2 Studio."))
    for title, folder in (("Data folder", data_dir), ("Cache folder", cache_dir)):
        try:
            place = folder()
            free = shutil.disk_usage(place).free / 2**30
            level = "ok" if free > 2 else "note"
            findings.append(
                Finding(level, title, f"{place}, {free:.1f} GB free", "" if free > 2 else "Free some disk space.")
            )
        except OSError as error:
            findings.append(Finding("missing", title, str(error), "Set GEN2STUDIO_HOME to a folder you can write to."))
    findings.append(Finding("ok", "Processor", f"{os.cpu_count()} cores, {platform.machine()}"))
    gpu = shutil.which("nvidia-smi")
    findings.append(
        Finding("ok", "GPU", "NVIDIA driver found")
        if gpu
        else Finding("note", "GPU", "none found", "Not needed: the built-in generator runs on the processor.")
    )
    return findings


def findings() -> list[Finding]:
    """Every check, in the order a fix should be tried."""
    return [
        check_python(),
        *check_packages(),
        *check_extras(),
        *check_codecs(),
        *check_window(),
        *check_torch(),
        *check_models(),
        *check_machine(),
    ]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser = subparsers.add_parser("doctor", help="say what is there and what is missing, with the fix")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    return parser


def run(args: argparse.Namespace) -> int:
    """Print the findings; exit code 1 when something needed is missing."""
    return show_findings(findings(), args.json)


def show_findings(found: list[Finding], as_json: bool) -> int:
    """Print findings; exit code 1 when something needed is missing."""
    if as_json:
        print(json.dumps([{"level": f.level, "title": f.title, "fact": f.fact, "fix": f.fix} for f in found], indent=1))
    else:
        marks = {"ok": "ok     ", "note": "note   ", "missing": "MISSING"}
        width = max(len(f.title) for f in found)
        for f in found:
            print(f"{marks[f.level]} {f.title:<{width}}  {f.fact}")
            if f.fix:
                print(f"{'':7} {'':<{width}}  → {f.fix}")
    return 1 if any(f.level == "missing" for f in found) else 0
