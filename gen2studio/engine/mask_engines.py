"""Which engines can select a subject and carry mattes on this machine, and which one answers when nobody chose.

The list is made by the composition root: the built-in ones, and one entry per mask model that an artist added. Listing
imports nothing heavy; an engine is loaded when a job first needs it, and only the last one used stays in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gen2studio.core.errors import GenerationError
from gen2studio.core.records import dataclass
from gen2studio.engine.mask_tools import MaskSelector, MaskTracker


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskEngineInfo:
    """An engine as the artist chooses it."""

    id: str
    title: str
    selects: bool = False
    """Answers a box, clicks and scribbles on one frame."""
    tracks: bool = False
    """Carries mattes through a clip."""
    text: bool = False
    """Finds what words name."""
    previews: bool = False
    """Shows what a click would select while the pointer moves (at most 50 ms an answer)."""
    prepares: bool = False
    """Reads a frame once before it can preview there."""
    tracks_unasked: bool = True
    """Quick enough on this machine to carry mattes when nobody chose an engine."""
    problem: str = ""
    """One sentence: why it can't be used now."""
    built_in: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskEngineEntry:
    """An engine and how to load it; the loaders run on the engine thread."""

    info: MaskEngineInfo
    identity: str = ""
    """Changes when its files do: then it is loaded again."""
    selector: Callable[[], MaskSelector] | None = None
    tracker: Callable[[], MaskTracker] | None = None


class MaskEngines:
    """The engines of one program, best first. Listing works on any thread; loading only on the engine's."""

    def __init__(self, entries: Callable[[], Sequence[MaskEngineEntry]]) -> None:
        """``entries`` is asked every time, so that a model added meanwhile is there at once; it must be quick."""
        self._entries = entries
        self._selector: tuple[str, str, MaskSelector] | None = None
        self._tracker: tuple[str, str, MaskTracker] | None = None

    def infos(self) -> tuple[MaskEngineInfo, ...]:
        """Every engine, also those with a problem."""
        return tuple(entry.info for entry in self._entries())

    def automatic(self, task: str) -> MaskEngineInfo | None:
        """Who answers when nobody chose: the first that can ``select``, ``track`` or find a ``text`` and is whole.

        A model that the artist added goes before the built-in cut; it carries mattes only where it is quick enough.
        """
        return next((info for info in self.infos() if not info.problem and _serves(info, task)), None)

    def selector(self, engine_id: str = "", *, text: bool = False) -> MaskSelector:
        """The selector by its id, or the automatic one. Raises GenerationError with one sentence."""
        entry = self._entry(engine_id, "text" if text else "select")
        if entry.selector is None or (text and not entry.info.text):
            raise GenerationError(
                f"{entry.info.title} can't {'find things by their name' if text else 'select on a single frame'}.",
                "Choose another engine in the mask panel.",
            )
        if self._selector is None or self._selector[:2] != (entry.info.id, entry.identity):
            self._selector = None
            self._selector = (entry.info.id, entry.identity, entry.selector())
        return self._selector[2]

    def tracker(self, engine_id: str = "") -> MaskTracker:
        """The tracker by its id, or the automatic one. Raises GenerationError with one sentence."""
        entry = self._entry(engine_id, "track")
        if entry.tracker is None:
            raise GenerationError(
                f"{entry.info.title} can't carry masks through a clip.", "Choose another engine in the mask panel."
            )
        if self._tracker is None or self._tracker[:2] != (entry.info.id, entry.identity):
            self._tracker = None
            self._tracker = (entry.info.id, entry.identity, entry.tracker())
        return self._tracker[2]

    def _entry(self, engine_id: str, task: str) -> MaskEngineEntry:
        entries = self._entries()
        if engine_id:
            found = next((entry for entry in entries if entry.info.id == engine_id), None)
            if found is None:
                raise GenerationError(
                    f"The mask engine “{engine_id}” is not installed.", "Choose another engine in the mask panel."
                )
            if found.info.problem:
                raise GenerationError(found.info.problem, "Choose another engine in the mask panel.")
            return found
        found = next((e for e in entries if not e.info.problem and _serves(e.info, task)), None)
        if found is None:
            if task == "text":
                raise GenerationError(
                    "No installed engine finds things by their name.",
                    "Add a SAM 3 model folder, or click on the subject instead.",
                )
            what = "mask tracker" if task == "track" else "smart selection"
            raise GenerationError(f"No {what} is installed.", "Reinstall Gen2 Studio.")
        return found


def _serves(info: MaskEngineInfo, task: str) -> bool:
    if task == "track":
        return info.tracks and info.tracks_unasked
    return info.text if task == "text" else info.selects


def engines_of(
    tracker: Callable[[], MaskTracker] | None = None, selector: Callable[[], MaskSelector] | None = None
) -> MaskEngines:
    """Engines for a program with one tracker and one selector, or none."""
    entries: list[MaskEngineEntry] = []
    if selector is not None:
        info = MaskEngineInfo(id="selector", title="Smart selection", selects=True, built_in=True)
        entries.append(MaskEngineEntry(info=info, selector=selector))
    if tracker is not None:
        info = MaskEngineInfo(id="tracker", title="Mask tracker", tracks=True, built_in=True)
        entries.append(MaskEngineEntry(info=info, tracker=tracker))
    return MaskEngines(lambda: entries)
