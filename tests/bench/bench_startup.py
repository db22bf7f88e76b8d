"""How fast the empty window is on screen, and what it weighs: fresh processes, the best and the median of several.

    python -m tests.bench.bench_startup [--runs 7]

Beside it, in the same run: a bare PySide6 window. On screen means that the window and the page in front of every dock
were painted at their final size. On a machine that does other work as well, read the seconds of CPU and the ratio.
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
from PySide6.QtCore import QCoreApplication, QEvent, QObject, QTimer
class Watch(QObject):
    # Reports in the turn after the last of them was painted.
    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Paint and watched in waiting:
            waiting.remove(watched)
            if not waiting:
                QTimer.singleShot(0, report)
        return False
watch = Watch()
for widget in waiting:
    widget.installEventFilter(watch)
def report():
    with open("/proc/self/statm") as f:
        rss = int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    usage = resource.getrusage(resource.RUSAGE_SELF)
    heavy = [m for m in ("torch", "numba", "cv2", "av", "diffusers", "numpy._core") if m in sys.modules]
    cpu = usage.ru_utime + usage.ru_stime
    print(json.dumps({{"wall": time.time() - start, "cpu": cpu, "rss": rss, "heavy": heavy}}), flush=True)
    os._exit(0)
QCoreApplication.exec()
"""

_STUDIO = """
sys.setswitchinterval(0.0005)
from gen2studio.launch import open_window
services, window = open_window()
waiting = [window, window.menuBar(), window.canvas, window.pool, window.generate.footer, window.generate.mode,
           window.timeline.view, window.takes]
"""

_BARE = """
from PySide6.QtWidgets import QApplication, QMainWindow
application = QApplication(["bare"])
window = QMainWindow()
window.resize(1440, 860)
window.show()
waiting = [window]
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
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    rows: dict[str, list[dict[str, object]]] = {"bare PySide6 window": [], "Gen2 Studio": []}
    with tempfile.TemporaryDirectory() as bytecode:
        measure(_STUDIO, bytecode)
        for _ in range(runs):
            rows["bare PySide6 window"].append(measure(_BARE, bytecode))
            rows["Gen2 Studio"].append(measure(_STUDIO, bytecode))
    print(f"{'best / median':22}{'wall s':>13}{'CPU s':>13}{'RSS MB':>8}  heavy modules")
    best: dict[str, list[float]] = {}
    for name, results in rows.items():
        wall, cpu, rss = ([float(str(r[k])) for r in results] for k in ("wall", "cpu", "rss"))
        best[name] = [min(wall), min(cpu)]
        walls, cpus = (f"{min(x):.2f} / {statistics.median(x):.2f}" for x in (wall, cpu))
        heavy = ", ".join(map(str, results[0]["heavy"])) or "none"  # type: ignore[call-overload]
        print(f"{name:22}{walls:>13}{cpus:>13}{statistics.median(rss):8.0f}  {heavy}")
    bare, ours = best.values()
    print(f"{'times the bare window':22}{ours[0] / bare[0]:13.1f}{ours[1] / bare[1]:13.1f}")
    print("bars: shell on screen ≤ 0.8 s, ≤ 130 MB, no torch")


if __name__ == "__main__":
    main()
