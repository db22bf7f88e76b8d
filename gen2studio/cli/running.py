"""Running one engine job from the command line: progress on stderr, Ctrl-C as a cancel that keeps what is finished."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Generator
from types import FrameType

from gen2studio.cli.progress_bar import ProgressBar
from gen2studio.compose import headless_engine
from gen2studio.core.errors import GenerationError
from gen2studio.engine.events import Event, JobState, Noted, Progress
from gen2studio.engine.requests import Job
from gen2studio.engine.workspace import Workspace


def run_job(job: Job, workspace: Workspace, bar: ProgressBar, hear: Callable[[Event], None] | None = None) -> JobState:
    """Run ``job`` to its end, FINISHED or CANCELLED; ``hear`` gets every event. Raises GenerationError if it fails."""

    def sink(event: Event) -> None:
        if isinstance(event, Progress):
            bar.show(event.done, event.total, event.stage, event.eta_seconds)
        elif isinstance(event, Noted):
            bar.say(event.text)
        if hear is not None:
            hear(event)

    with headless_engine(sink, workspace) as engine, interrupts(lambda: engine.queue.cancel(job.id)):
        end = engine.run(job)
    bar.clear()
    if end.state is JobState.FAILED:
        raise GenerationError(end.reason)
    return end.state


@contextlib.contextmanager
def interrupts(cancel: Callable[[], None]) -> Generator[None]:
    """Ctrl-C and SIGTERM call ``cancel``; a second one interrupts at once."""
    asked = False

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        cancel()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
