"""How fast the empty window is on screen, and what it weighs: fresh processes, median of several.

    python -m tests.bench.bench_startup [--runs 5]

Beside it, in the same run: a bare PySide6 window, and Python itself.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

_PROBE = """
import json, os, resource, sys, time
start = float(os.environ["BENCH_START"])
{body}
from PySide6.QtCore import QCoreApplication, QTimer
def report():
    with open("/proc/self/statm") as f:
        rss = int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    usage = resource.getrusage(resource.RUSAGE_SELF)
    heavy = [m for m in ("torch", "numba", "cv2", "av", "diffusers") if m in sys.modules]
    cpu = usage.ru_utime + usage.ru_stime
    print(json.dumps({{"wall": time.time() - start, "cpu": cpu, "rss": rss, "heavy": heavy}}), flush=True)
    os._exit(0)
# The first paint has happened when a zero timer fires after the expose.
QTimer.singleShot(0, lambda: QTimer.singleShot(0, report))
QCoreApplication.exec()
"""

_STUDIO = """
sys.setswitchinterval(0.0005)
from gen2studio.launch import open_window
services, window = open_window()
"""

_BARE = """
from PySide6.QtWidgets import QApplication, QMainWindow
application = QApplication(["bare"])
window = QMainWindow()
window.resize(1440, 860)
window.show()
"""


def measure(body: str, bytecode: str) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "GEN2STUDIO_HOME": home, "BENCH_START": repr(time.time())}
        # As on an artist's machine: modules are compiled once, whatever this shell says.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment["PYTHONPYCACHEPREFIX"] = bytecode
        environment.setdefault("QT_QPA_PLATFORM", "offscreen")
        result = subprocess.run(
            [sys.executable, "-c", _PROBE.format(body=body)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
    return json.loads(result.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    rows: dict[str, list[dict[str, object]]] = {"bare PySide6 window": [], "Gen2 Studio": []}
    with tempfile.TemporaryDirectory() as bytecode:
        measure(_STUDIO, bytecode)
        for _ in range(runs):
            rows["bare PySide6 window"].append(measure(_BARE, bytecode))
            rows["Gen2 Studio"].append(measure(_STUDIO, bytecode))
    print(f"{'':22}{'wall s':>9}{'CPU s':>9}{'RSS MB':>9}  heavy modules")
    for name, results in rows.items():
        wall, cpu, rss = (statistics.median(float(str(r[k])) for r in results) for k in ("wall", "cpu", "rss"))
        print(f"{name:22}{wall:9.2f}{cpu:9.2f}{rss:9.0f}  {', '.join(map(str, results[0]['heavy'])) or 'none'}")  # type: ignore[call-overload]
    print("bars: shell on screen ≤ 0.8 s, ≤ 130 MB, no torch")


if __name__ == "__main__":
    main()
