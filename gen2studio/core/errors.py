"""The error family. Every error that can reach an artist is one sentence and one thing to do."""

from __future__ import annotations


class StudioError(Exception):
    """An error an artist may see.

    ``sentence`` says what happened in one plain sentence; ``remedy`` says what to do about it (may be empty when
    the sentence already does).
    """

    def __init__(self, sentence: str, remedy: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.sentence} {self.remedy}".strip()


class MediaError(StudioError):
    """A file can't be read, decoded or written as media."""


class EditRefused(StudioError):
    """A timeline or document edit would break a rule; nothing was changed."""


class ProjectError(StudioError):
    """A project can't be opened, saved or recovered."""


class GenerationError(StudioError):
    """A generator can't run or can't finish a request."""


class OutOfBudget(GenerationError):
    """A job would need more memory or disk than the machine has free."""


class ExportError(StudioError):
    """An export can't start or can't finish."""


class ModelError(StudioError):
    """A model checkpoint or adapter can't be used: missing, damaged, hostile or of the wrong kind."""


class FarmError(StudioError):
    """A job for a render farm, or what came back from one, can't be used: not whole, or not what was sent."""


class UsageError(StudioError):
    """A command line or dialog value is wrong."""


def sentence_of(error: BaseException) -> str:
    """One line for any exception: a StudioError speaks for itself, system errors are put into words."""
    if isinstance(error, StudioError):
        return str(error)
    if isinstance(error, MemoryError):
        return "The machine ran out of memory. Close other programs or lower the resolution, then try again."
    if isinstance(error, FileNotFoundError):
        return f"The file {error.filename or ''} is not there. Check the path or relink the media.".replace("  ", " ")
    if isinstance(error, PermissionError):
        return f"No permission to use {error.filename or 'that file'}. Choose another place or change its permissions."
    if isinstance(error, OSError) and error.errno == 28:
        return "The disk is full. Free some space or choose another folder, then try again."
    detail = str(error).strip().splitlines()
    return f"Something went wrong: {detail[0] if detail else type(error).__name__}. The log has the details."
