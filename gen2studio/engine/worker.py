"""The worker: takes the next job, runs it, and tells what came of it. One thread runs it; that thread owns all models.

In the middle of a long job the generator's checkpoints let waiting jobs of earlier lanes run first, nested on the same
thread. A paused job keeps its place in memory until somebody else needs the engine; then it steps back into the queue
and is taken up again later, a render from its first missing frame.
"""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from gen2studio.core import paths
from gen2studio.core.cancel import Cancelled
from gen2studio.core.errors import GenerationError, StudioError, sentence_of
from gen2studio.core.log import topic
from gen2studio.engine import budget
from gen2studio.engine.abilities import GeneratorRegistry
from gen2studio.engine.contexts import (
    GenerateContext,
    JobContext,
    MaskingContext,
    OperatingContext,
    SpanDone,
    TrainingContext,
)
from gen2studio.engine.events import Estimated, JobState
from gen2studio.engine.frames import DecodingReader, FrameCache, FrameReader
from gen2studio.engine.generators import Generator
from gen2studio.engine.job_queue import JobQueue, Ticket
from gen2studio.engine.mask_engines import MaskEngines, engines_of
from gen2studio.engine.mask_tools import MaskSelector, MaskTracker
from gen2studio.engine.pace import PaceBook
from gen2studio.engine.passes import PassContext, PassFolder
from gen2studio.engine.protocol import EventSink
from gen2studio.engine.reframing import footage_rect
from gen2studio.engine.requests import (
    GenerateRequest,
    Lane,
    OperateRequest,
    PropagateRequest,
    SegmentRequest,
    TrainRequest,
    request_digest,
    request_recipe,
)
from gen2studio.engine.reuse import Lender

_log = topic("engine")


class SteppedBack(Cancelled):
    """A paused render leaves the engine to somebody else; it is not over."""


class EngineWorker:
    """Runs the jobs of one :class:`JobQueue`. Build it, run it and close it on one thread.

    ``masks`` are the engines for mattes; a program with one tracker and one selector gives ``tracker`` and
    ``selector``, which load it when first needed. ``reader`` decodes footage; when it has a ``close`` it is called at
    the end.
    """

    def __init__(
        self,
        queue: JobQueue,
        sink: EventSink,
        generators: GeneratorRegistry,
        *,
        tracker: Callable[[], MaskTracker] | None = None,
        selector: Callable[[], MaskSelector] | None = None,
        masks: MaskEngines | None = None,
        reader: FrameReader | None = None,
        threads: int | None = None,
        room: Callable[[Path | None], budget.Room] = budget.room,
        cache_bytes: int = 256 << 20,
    ) -> None:
        self.queue = queue
        self.generators = generators
        self._sink = sink
        self._masks = masks or engines_of(tracker, selector)
        self._reader: FrameReader = reader or DecodingReader()
        self._frames = FrameCache(self._reader, cache_bytes)
        self._threads = threads or budget.compute_threads()
        self._room = room
        self._pace = PaceBook()
        self._writer = ThreadPoolExecutor(1, "take-writer")

    # -- the loop ------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Work until the queue is shut down, then close."""
        try:
            while (ticket := self.queue.wait_next()) is not None:
                self._work(ticket)
        finally:
            self.close()

    def run_until_idle(self) -> None:
        """Work until nothing that may run is left (headless programs)."""
        while (ticket := self.queue.take()) is not None:
            self._work(ticket)

    def close(self) -> None:
        """Let go of decoders and threads."""
        self._writer.shutdown(wait=True)
        self._frames.clear()
        close = getattr(self._reader, "close", None)
        if close is not None:
            close()

    def _work(self, ticket: Ticket) -> None:
        limit_threads(self._threads)
        try:
            reason = self._dispatch(ticket)
        except SteppedBack:
            self.queue.put_back(ticket)
        except Cancelled:
            self.queue.finish(ticket, JobState.CANCELLED, self._kept(ticket))
        except BaseException as error:
            # What has a sentence of its own is told in the queue; anything else is a fault of the program.
            level = logging.INFO if isinstance(error, StudioError) else logging.WARNING
            _log.log(level, "job %s failed", ticket.job.id, exc_info=True)
            self.queue.finish(ticket, JobState.FAILED, sentence_of(error))
            if not isinstance(error, Exception):
                raise
        else:
            self.queue.finish(ticket, JobState.FINISHED, reason)
        finally:
            if ticket.workspace.journal is not None:
                ticket.workspace.journal.sync()

    def _dispatch(self, ticket: Ticket) -> str:
        if ticket.workspace.journal is not None:
            ticket.workspace.journal.sync()
        ticket.token.check()
        request = ticket.job.request
        match request:
            case GenerateRequest():
                return self._generate(ticket, request)
            case PropagateRequest():
                return self._propagate(ticket, request)
            case SegmentRequest():
                return self._segment(ticket, request)
            case TrainRequest():
                return self._train(ticket, request)
            case OperateRequest():
                return self._operate(ticket, request)

    # -- generating ----------------------------------------------------------------------------------------------

    def _generate(self, ticket: Ticket, request: GenerateRequest) -> str:
        wanted = frozenset(request.wanted)
        if not wanted:
            raise GenerationError("The range holds no frames.", "Choose a range of at least one frame.")
        if request.parts:
            return self._generate_parts(ticket, request)
        generator = self.generators.generator(request.generator, request.mode)
        if any(request.outpaint):
            footage_rect(request)
            ability = generator.abilities.mode(request.mode)
            if ability is None or "outpaint" not in ability.controls:
                raise GenerationError(
                    f"{generator.abilities.title} can't draw around the footage here.",
                    "Choose a model that has Outpaint, or take the room around the footage away.",
                )
        takes = ticket.workspace.takes if ticket.resumable else None
        finished: frozenset[int] = frozenset()
        lender = Lender(takes, ticket.job.reuse)
        if takes is not None:
            lender.lend(ticket.job.take_id, (request.width, request.height))
            finished = takes.verified(ticket.job.take_id, request.width, request.height) & wanted
        span = ticket.job.span
        if span is not None:
            finished |= frozenset(frame for frame in wanted if not span[0] <= frame < span[1])
        left = len(wanted) - len(finished)
        estimate = budget.with_frames(
            generator.estimate(request), request, left if takes is not None else 0, self._pace.seconds(request, left)
        )
        self._sink(Estimated(job_id=ticket.job.id, estimate=estimate))
        budget.check(estimate, self._room(takes.root if takes is not None else None))

        digest = request_digest(request)
        if takes is not None:
            takes.begin(ticket.job.take_id, digest, request_recipe(request), _footage_of(request))
            scratch = takes.scratch(ticket.job.take_id)
        else:
            scratch = paths.cache_dir("engine") / digest[:32]
            scratch.mkdir(parents=True, exist_ok=True)
        context = GenerateContext(
            ticket, request, self._sink, self._frames, self._threads, lambda: self._give_way(context),
            finished=finished, scratch=scratch, writer=self._writer if takes is not None else None, lender=lender,
            part=wanted - finished if span is not None else None,
        )  # fmt: skip
        try:
            if finished != wanted or (span is not None and span[0] == span[1]):
                context.checkpoint()
                generator.run(request, context)
        except SpanDone:
            pass
        finally:
            context.flush()
            if takes is None:
                shutil.rmtree(scratch, ignore_errors=True)
        missing = wanted - finished - context.emitted
        if missing:
            raise GenerationError(
                f"{generator.abilities.title} ended without {len(missing)} of {len(wanted)} frames.",
                "Run the take again; finished frames are kept.",
            )
        if takes is not None:
            takes.finish(ticket.job.take_id)
        self._pace.learn(request, len(context.emitted), context.pace.seconds)
        return ""

    def _generate_parts(self, ticket: Ticket, request: GenerateRequest) -> str:
        """Several looks, each in its own region, one take."""
        if ticket.job.span is not None:
            raise GenerationError("Looks by object are made clip by clip.", "Give one machine the whole clip.")
        generators = [self.generators.generator(part.generator, part.mode) for part in request.parts]
        takes = ticket.workspace.takes if ticket.resumable else None
        wanted = frozenset(request.wanted)
        done: frozenset[int] = frozenset()
        lender = Lender(takes, ticket.job.reuse)
        if takes is not None:
            lender.lend(ticket.job.take_id, (request.width, request.height))
            done = takes.verified(ticket.job.take_id, request.width, request.height) & wanted
        stored = len(wanted - done) if takes is not None else 0
        estimate = budget.together(
            [
                budget.with_frames(maker.estimate(part), part, stored, self._pace.seconds(part, len(wanted - done)))
                for maker, part in zip(generators, request.parts, strict=True)
            ]
        )
        self._sink(Estimated(job_id=ticket.job.id, estimate=estimate))
        budget.check(estimate, self._room(takes.root if takes is not None else None))

        digest = request_digest(request)
        if takes is not None:
            takes.begin(ticket.job.take_id, digest, request_recipe(request), _footage_of(request))
            scratch = takes.scratch(ticket.job.take_id)
        else:
            scratch = paths.cache_dir("engine") / digest[:32]
        try:
            below: PassFolder | None = None
            for number, (generator, part) in enumerate(zip(generators, request.parts, strict=True)):
                last = number == len(request.parts) - 1
                keep = None if last else PassFolder(scratch / f"pass-{number}")
                workshop = scratch / f"work-{number}"
                workshop.mkdir(parents=True, exist_ok=True)
                self._run_pass(
                    ticket, generator, part, finished=done if keep is None else done | keep.frames(part),
                    scratch=workshop, writer=self._writer if last and takes is not None else None,
                    place=(number, len(request.parts)), below=below, keep=keep, lender=lender,
                )  # fmt: skip
                below = keep
        finally:
            if takes is None:
                shutil.rmtree(scratch, ignore_errors=True)
        if takes is not None:
            takes.finish(ticket.job.take_id)
        return ""

    def _run_pass(self, ticket: Ticket, generator: Generator, part: GenerateRequest, **given: Any) -> None:
        """``given`` are the keywords of :class:`~gen2studio.engine.passes.PassContext`."""
        wanted = frozenset(part.wanted)
        context = PassContext(
            ticket, part, self._sink, self._frames, self._threads, lambda: self._give_way(context), **given
        )
        try:
            if context.finished != wanted:
                context.checkpoint()
                generator.run(part, context)
        finally:
            context.flush()
        missing = wanted - context.finished - context.emitted
        if missing:
            raise GenerationError(
                f"{generator.abilities.title} ended without {len(missing)} of {len(wanted)} frames.",
                "Run the take again; finished frames are kept.",
            )
        self._pace.learn(part, len(context.emitted), context.pace.seconds)

    def _kept(self, ticket: Ticket) -> str:
        takes, request = ticket.workspace.takes, ticket.job.request
        if isinstance(request, TrainRequest):
            return "What it learned so far is kept: the same training goes on from there."
        if takes is None or not ticket.resumable or not isinstance(request, GenerateRequest):
            return ""
        count = len(takes.frames(ticket.job.take_id))
        kept = f"{count} of {len(request.wanted)} frames were kept."
        return f"{kept} It goes on at the next start." if self.queue.closed and ticket.workspace.journal else kept

    # -- training and operating --------------------------------------------------------------------------------

    def _train(self, ticket: Ticket, request: TrainRequest) -> str:
        trainer = self.generators.trainer(request.generator)
        estimate = trainer.estimate(request)
        self._sink(Estimated(job_id=ticket.job.id, estimate=estimate))
        budget.check(estimate, self._room(paths.data_dir()))
        # Named by the request: the same training, started again, goes on from its last checkpoint.
        scratch = paths.data_dir() / "training" / request_digest(request)[:32]
        scratch.mkdir(parents=True, exist_ok=True)
        context = TrainingContext(
            ticket, self._sink, self._frames, self._threads, lambda: self._give_way(context), scratch
        )
        context.checkpoint()
        trainer.train(request, context)
        if context.adapter is None:
            raise GenerationError("The training ended without an adapter.", "Run it again; it goes on from there.")
        shutil.rmtree(scratch, ignore_errors=True)
        return ""

    def _operate(self, ticket: Ticket, request: OperateRequest) -> str:
        operator = self.generators.operator(request.kind, request.operator)
        takes = ticket.workspace.takes
        if takes is None or not ticket.job.take_id:
            raise GenerationError("There is no project to keep the frames in.", "Open or save a project first.")
        estimate = operator.estimate(request)
        self._sink(Estimated(job_id=ticket.job.id, estimate=estimate))
        budget.check(estimate, self._room(takes.root))
        take_id = ticket.job.take_id
        finished = takes.verified(take_id, request.width, request.height)
        takes.begin(take_id, request_digest(request), request_recipe(request), _footage_of(request))
        context = OperatingContext(
            ticket, request, self._sink, self._frames, self._threads, lambda: self._give_way(context),
            finished=finished, store=lambda frame, picture: takes.write(take_id, frame, picture),
        )  # fmt: skip
        context.checkpoint()
        operator.operate(request, context)
        takes.finish(take_id)
        return ""

    # -- masks ---------------------------------------------------------------------------------------------------

    def _propagate(self, ticket: Ticket, request: PropagateRequest) -> str:
        tracker = self._masks.tracker(request.engine)
        estimate = tracker.estimate(request)
        self._sink(Estimated(job_id=ticket.job.id, estimate=estimate))
        budget.check(estimate, self._room(None))
        anchors = frozenset(
            (track.object_id, frame) for track in request.objects for frame, _ in (*track.anchors, *track.settled)
        )
        context = self._masking(ticket, request, anchors)
        context.checkpoint()
        tracker.propagate(request, context)
        return ""

    def _segment(self, ticket: Ticket, request: SegmentRequest) -> str:
        selector = self._masks.selector(request.engine, text=bool(request.text))
        context = self._masking(ticket, request, frozenset())
        context.checkpoint()
        selector.segment(request, context)
        return ""

    def _masking(
        self, ticket: Ticket, request: PropagateRequest | SegmentRequest, anchors: frozenset[tuple[str, int]]
    ) -> MaskingContext:
        context = MaskingContext(
            ticket, request.source, self._sink, self._frames, self._threads, lambda: self._give_way(context), anchors
        )
        return context

    # -- giving way ----------------------------------------------------------------------------------------------

    def _give_way(self, context: JobContext) -> None:
        """At a checkpoint: run waiting jobs of earlier lanes, and wait while the job is paused."""
        ticket = context.ticket
        paused = False
        while True:
            other = self.queue.take(below=ticket.job.lane)
            if other is not None:
                context.pace.stop()
                self._work(other)
                continue
            if ticket.token.cancelled or not self.queue.is_held(ticket):
                break
            if not paused:
                paused = True
                context.pace.stop()
                self.queue.mark(ticket, JobState.PAUSED)
            if (ticket.resumable or ticket.job.lane is Lane.MASK) and self.queue.wanted_elsewhere(ticket):
                raise SteppedBack
            self.queue.wait_for_change(0.25)
        context.pace.go_on()
        if paused and not ticket.token.cancelled:
            self.queue.mark(ticket, JobState.RUNNING)


def _footage_of(request: GenerateRequest | OperateRequest) -> Path | None:
    """The footage whose word about its own origin counts for what is made of it."""
    made_up = isinstance(request, GenerateRequest) and request.from_nothing
    return Path(request.source.path) if request.source.path and not made_up else None


def limit_threads(count: int) -> None:
    """Cap the thread pools of the libraries that are loaded, so that one core stays free for the window."""
    import cv2

    cv2.setNumThreads(count)
    numba: Any = sys.modules.get("numba")
    # Another thread may be in the middle of importing it.
    if hasattr(numba, "set_num_threads"):
        numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(count)
