"""The mask engines of this machine: the built-in cut and tracker, and one for each mask model an artist added.

Listing imports no torch and reads no weights; the loaders run on the engine thread when a job first needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from gen2studio.engine.mask_engines import MaskEngineEntry, MaskEngineInfo
from gen2studio.engine.mask_tools import MaskSelector, MaskTracker
from gen2studio.models.mask_models import MaskModel

GRAPH_CUT = "graph-cut"
FLOW = "flow"

_PREFERRED = ("sam2", "sam3_tracker", "edgetam", "sam", "sam3")
"""Families, the best answers first."""


def mask_engine_entries(
    models: Sequence[MaskModel], load_torch: Callable[[], Any], has_gpu: Callable[[], bool]
) -> list[MaskEngineEntry]:
    """Every engine, best first: models of the artist's, then the built-in ones.

    Without a GPU a model takes seconds a frame: it selects, because a frame is read once, and carries mattes through a
    clip only when the artist chose it.
    """
    ordered = sorted(models, key=lambda model: _PREFERRED.index(model.family))
    quick = bool(ordered) and has_gpu()
    return [*(_entry(model, load_torch, quick) for model in ordered), *_built_in()]


def _entry(model: MaskModel, load_torch: Callable[[], Any], quick: bool) -> MaskEngineEntry:
    able = model.able
    info = MaskEngineInfo(
        id=model.id, title=model.title, selects=able.clicks, tracks=model.tracks, text=able.text,
        previews=able.clicks and (quick or model.family == "sam"), prepares=True, tracks_unasked=quick,
        problem=model.problem,
    )  # fmt: skip
    return MaskEngineEntry(
        info=info, identity=model.digest, selector=partial(_model_selector, model, load_torch),
        tracker=partial(_model_tracker, model, load_torch) if model.tracks else None,
    )  # fmt: skip


def _built_in() -> list[MaskEngineEntry]:
    cut = MaskEngineInfo(id=GRAPH_CUT, title="Graph cut (no weights)", selects=True, built_in=True)
    flow = MaskEngineInfo(id=FLOW, title="Flow and appearance (no weights)", tracks=True, built_in=True)
    return [MaskEngineEntry(info=cut, selector=_graph_cut), MaskEngineEntry(info=flow, tracker=_flow)]


def _graph_cut() -> MaskSelector:
    from gen2studio.segmentation.selector import GraphCutSelector

    return GraphCutSelector()


def _flow() -> MaskTracker:
    from gen2studio.segmentation.tracker import FlowTracker

    return FlowTracker()


def _model_selector(model: MaskModel, load_torch: Callable[[], Any]) -> MaskSelector:
    if model.family == "sam":
        from gen2studio.segmentation.sam_selector import SamSelector

        return SamSelector(model, load_torch)
    if model.family == "sam3":
        from gen2studio.segmentation.sam3_text import TextSelector

        return TextSelector(model, load_torch)
    from gen2studio.segmentation.sam2_selector import Sam2Selector

    return Sam2Selector(model, load_torch)


def _model_tracker(model: MaskModel, load_torch: Callable[[], Any]) -> MaskTracker:
    from gen2studio.segmentation.sam2_tracker import Sam2Tracker

    return Sam2Tracker(model, load_torch)
