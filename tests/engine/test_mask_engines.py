"""Which mask engine answers, and what it says when it can't."""

from __future__ import annotations

import pytest

from gen2studio.core.errors import GenerationError
from gen2studio.engine.abilities import GeneratorRegistry
from gen2studio.engine.events import JobState, SelectionPreviewed, StateChanged
from gen2studio.engine.job_queue import JobQueue
from gen2studio.engine.mask_engines import MaskEngineEntry, MaskEngineInfo, MaskEngines
from gen2studio.engine.mask_tools import MaskContext, MaskSelector
from gen2studio.engine.requests import Job, Lane, SegmentRequest
from gen2studio.engine.worker import EngineWorker
from tests.fakes.fake_engine import EventLog, ramp_reader, source_ref


class Naming:
    """Selects everything, under its own name."""

    def __init__(self, title: str, made: list[str]) -> None:
        self.title = title
        made.append(title)

    def segment(self, request: SegmentRequest, context: MaskContext) -> None:
        import numpy as np

        mask = np.full((request.source.height, request.source.width), 255, np.uint8)
        if request.purpose == "preview":
            context.preview(request.object_id, request.frame, mask[::4, ::4], self.title)
        else:
            context.emit(request.object_id, request.frame, mask, 1.0, self.title)


class Made:
    """Engines by id, and what was loaded."""

    def __init__(self, *infos: MaskEngineInfo) -> None:
        self.loaded: list[str] = []
        self.identity = "one"
        self.infos = list(infos)
        self.engines = MaskEngines(self.entries)

    def entries(self) -> list[MaskEngineEntry]:
        def loader(info: MaskEngineInfo) -> MaskSelector:
            return Naming(info.title, self.loaded)

        return [
            MaskEngineEntry(info=info, identity=self.identity, selector=lambda i=info: loader(i)) for info in self.infos
        ]


def info(name: str, **changes: object) -> MaskEngineInfo:
    return MaskEngineInfo(id=name, title=name.title(), **{"selects": True, **changes})  # type: ignore[arg-type]


def test_the_first_whole_engine_answers_unasked() -> None:
    made = Made(
        info("gone", problem="Its file is gone."), info("words", selects=False, text=True), info("best"), info("cut")
    )
    assert made.engines.automatic("select") == made.infos[2]
    assert made.engines.automatic("text") == made.infos[1]
    assert made.engines.automatic("track") is None
    assert made.engines.selector().title == "Best"
    assert made.engines.selector("", text=True).title == "Words"
    slow, flow = info("slow", tracks=True, tracks_unasked=False), info("flow", tracks=True)
    assert Made(slow, flow).engines.automatic("track") == flow


def test_only_the_last_engine_stays_loaded_and_a_changed_file_is_loaded_again() -> None:
    made = Made(info("best"), info("cut"))
    for name in ("best", "best", "cut", "best"):
        made.engines.selector(name)
    assert made.loaded == ["Best", "Cut", "Best"]
    made.identity = "two"
    made.engines.selector("best")
    assert made.loaded[-1] == "Best" and len(made.loaded) == 4


@pytest.mark.parametrize(
    ("engine", "text", "said"),
    [
        ("none", False, "“none” is not installed"),
        ("gone", False, "Its file is gone."),
        ("best", True, "can't find things by their name"),
        ("", True, "No installed engine finds things by their name"),
    ],
)
def test_an_engine_that_can_t_answer_is_one_sentence_and_no_other_steps_in(engine: str, text: bool, said: str) -> None:
    made = Made(info("gone", problem="Its file is gone."), info("best"))
    with pytest.raises(GenerationError, match=said) as refused:
        made.engines.selector(engine, text=text)
    assert refused.value.remedy and made.loaded == []
    with pytest.raises(GenerationError, match="can't carry masks"):
        made.engines.tracker("best")


def test_requests_name_their_engine_and_previews_are_events_of_their_own() -> None:
    made = Made(info("best"), info("cut"))
    sink = EventLog()
    queue = JobQueue(sink)
    worker = EngineWorker(queue, sink, GeneratorRegistry([]), masks=made.engines, reader=ramp_reader)
    ask = dict(source=source_ref(), frame=0, object_id="it", include=((3.0, 3.0),))
    queue.submit(Job(id="job-1", lane=Lane.MASK, request=SegmentRequest(**ask, engine="cut"), label=""))
    queue.submit(Job(id="job-2", lane=Lane.PREVIEW, request=SegmentRequest(**ask, purpose="preview"), label=""))
    queue.submit(Job(id="job-3", lane=Lane.MASK, request=SegmentRequest(**ask, engine="gone"), label=""))
    worker.run_until_idle()
    worker.close()
    shown = [event for event in sink.of("job-2") if isinstance(event, SelectionPreviewed)]
    assert shown[0].mask.shape == (12, 16) and shown[0].engine == "Best" and not shown[0].mask.flags.writeable
    ready = [event for event in sink.of("job-1") if type(event).__name__ == "MaskReady"]
    assert ready[0].engine == "Cut"
    ends = [event for event in sink.of("job-3") if isinstance(event, StateChanged) and event.state is JobState.FAILED]
    assert "“gone” is not installed" in ends[0].reason
