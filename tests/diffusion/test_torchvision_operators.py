"""torchvision beside torch: whatever the pair, the model libraries and Segment Anything import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import sys
from gen2studio.diffusion.runtime.torch_loading import load_torch
load_torch()
load_torch()
from gen2studio.diffusion.runtime.guarding import other_version
if not other_version():
    import torchvision, torch
    from segment_anything import SamPredictor
    from torchvision.models import optical_flow
    optical_flow.raft_small(weights=None)
    from transformers.image_utils import ImageInput
    boxes, scores = torch.tensor([[0.0, 0, 4, 4], [0, 0, 4, 4]]), torch.tensor([0.9, 0.8])
    try:
        print(torchvision.ops.nms(boxes, scores, 0.5).tolist())
    except RuntimeError as error:
        print("custom C++ ops" in str(error))
else:
    assert sys.modules["torchvision"] is None
    print("hidden")
"""


def test_a_pair_of_different_builds_imports_and_works_without_the_compiled_half() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, cwd=root, check=False)
    assert done.stdout.strip() in ("[0]", "True", "hidden"), done.stderr[-2000:]
