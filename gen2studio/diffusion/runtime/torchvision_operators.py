"""torchvision beside a torch of another build: its Python half works without its compiled half.

torchvision's package on PyPI is compiled against the CUDA build of torch. Beside the CPU build of the same version its
library can't be loaded, and from then on ``import torchvision`` - and with it ``import transformers`` - dies with
"operator torchvision::nms does not exist", because two operators of that library are described without being there.
Declaring their signatures lets the import pass. Transforms and networks, which are plain torch, then work; an operator
that needs the compiled half (``nms``, ``roi_align``) says torchvision's own sentence when it is called.

Remove this module when torchvision's ``_meta_registrations`` guards ``nms`` and ``qnms`` like its other operators, or
when its package on PyPI no longer needs a CUDA build of torch.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from pathlib import Path
from typing import Any

from gen2studio.diffusion.runtime.guarding import other_version

_SIGNATURES = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
"""What ``torchvision/_meta_registrations.py`` (0.28) describes whether its library was loaded or not."""


_SUFFIXES = (".so", ".pyd", ".dylib")
_kept: list[Any] = []
"""Declarations last as long as the object they were made with."""


@functools.lru_cache(maxsize=1)
def admit_torchvision() -> bool:
    """Let ``import torchvision`` pass where only its compiled half does not fit this torch. True when that was done.

    For a torchvision that :mod:`guarding` has hidden; one made for another version of torch stays hidden. Call it once
    torch is imported and before anything imports torchvision, transformers or diffusers.
    """
    # The table's values are modules as far as types go, and None for what may not be imported.
    hidden: dict[str, Any] = dict(sys.modules)
    if hidden.get("torchvision", True) is not None or other_version():
        return False
    del sys.modules["torchvision"]
    if _library_loads() or not _declared():
        sys.modules["torchvision"] = None  # type: ignore[assignment]
        return False
    return True


def _library_loads() -> bool:
    """Whether the compiled half can be loaded after all: then its package must not be told otherwise."""
    import torch

    found = importlib.util.find_spec("torchvision")
    if found is None or not found.origin:
        return True
    libraries = (path for path in sorted(Path(found.origin).parent.glob("_C*")) if path.suffix in _SUFFIXES)
    try:
        for path in libraries:
            torch.ops.load_library(str(path))
            return True
    except (OSError, RuntimeError):
        pass
    return False


def _declared() -> bool:
    import torch

    library: Any = torch.library.Library("torchvision", "FRAGMENT")
    try:
        for signature in _SIGNATURES:
            library.define(signature)
    except RuntimeError:
        # Somebody declared them already.
        return False
    _kept.append(library)
    return True
