"""How long the window stands still while torch and diffusers are imported on another thread, beside plain imports.

    python -m tests.bench.bench_torch_import [--runs 3]

Each run is a fresh process: a 60 Hz timer notes the longest gap between two ticks. A gap of 17 ms is no freeze at all.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

_PROGRAM = """
import json, sys, time
sys.setswitchinterval(0.0005)
from PySide6.QtCore import Qt, QThread, QTimer
from PySide6.QtWidgets import QApplication, QLabel
application = QApplication(["x"])
label = QLabel("…"); label.show()
gaps, last = [], [time.perf_counter()]
def tick():
    now = time.perf_counter()
    gaps.append(now - last[0]); last[0] = now
    label.setText(str(len(gaps)))
timer = QTimer(); timer.setTimerType(Qt.TimerType.PreciseTimer); timer.timeout.connect(tick); timer.start(16)
class Loader(QThread):
    def run(self):
        time.sleep(0.5)
        begun = time.perf_counter()
        {load}
        self.took = time.perf_counter() - begun
        time.sleep(0.3)
loader = Loader(); loader.finished.connect(application.quit); loader.start()
application.exec()
gaps = sorted(gaps[5:])
print(json.dumps(dict(took=loader.took, worst=gaps[-1] * 1000, p99=gaps[int(len(gaps) * 0.99)] * 1000)))
"""
_WAYS = {
    "nothing": "time.sleep(2)",
    "import torch": "import torch",
    "load_torch()": "from gen2studio.diffusion.runtime.torch_loading import load_torch; load_torch()",
    "… and diffusers": (
        # Without the guard a torchvision of another build ends the plain import.
        "from gen2studio.diffusion.runtime.guarding import guard_imports; guard_imports(); "
        "import torch; from diffusers import WanVACEPipeline; from transformers import UMT5EncoderModel, AutoTokenizer"
    ),
    "load_diffusers()": "from gen2studio.diffusion.runtime.torch_loading import load_diffusers; load_diffusers()",
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    environment = {**os.environ, "QT_QPA_PLATFORM": os.environ.get("QT_QPA_PLATFORM", "offscreen")}
    # As on an artist's machine, where modules are compiled once.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    print(f"{'':16}{'took s':>8}{'worst gap ms':>14}{'p99 ms':>9}   (least of {runs} runs)")
    results: dict[str, list[dict[str, float]]] = {name: [] for name in _WAYS}
    for _ in range(runs):
        for name, load in _WAYS.items():
            done = subprocess.run(
                [sys.executable, "-c", _PROGRAM.replace("{load}", load)],
                env=environment, capture_output=True, text=True, check=True,
            )  # fmt: skip
            results[name].append(json.loads(done.stdout.strip().splitlines()[-1]))
    for name, rows in results.items():
        took, worst, p99 = (min(row[key] for row in rows) for key in ("took", "worst", "p99"))
        print(f"{name:16}{took:8.2f}{worst:14.1f}{p99:9.1f}")
    print("bar: worst gap ≤ 50 ms")


if __name__ == "__main__":
    main()
