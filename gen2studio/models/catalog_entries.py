"""What the catalog says of one open model: values that the catalog files, the downloads and the window share.

The data itself lies in ``resources/models/*.toml`` and is read by :mod:`gen2studio.models.catalog`.
"""

from __future__ import annotations

from dataclasses import field

from gen2studio.core.records import dataclass

KINDS = (
    "model",
    "adapter",
    "control",
    "image_adapter",
    "motion",
    "masks",
    "depth",
    "preview",
    "shared",
)
"""What an entry is: a checkpoint that makes pictures by itself, a LoRA, a ControlNet, an IP-Adapter, a motion module, a
model that selects masks, a depth estimator, a small decoder for previews, or parts that several models share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogFile:
    """One file of an entry."""

    path: str
    """Where it lies inside the entry's folder, with forward slashes; never absolute, never with ``..``."""
    repo: str = ""
    """``owner/name`` on the hub where it is not the entry's own."""
    source: str = ""
    """Its path in the repository where that differs from ``path``."""
    revision: str = ""
    """Commit or tag where it is not the entry's own."""
    size: int = 0
    """Bytes; 0 = not known before the hub is asked."""
    sha256: str = ""
    """Lower-case hex; empty = not known before the hub is asked (it tells it for large files)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """Terms that were written down for artists; the licence's own text is shown before a download."""

    id: str
    """SPDX name, or the catalog's own for custom terms."""
    title: str
    text: str
    """Name of the text's file in ``resources/licences``; empty = the text comes from the repository at
    ``source_path``."""
    url: str = ""
    source_path: str = ""
    source_repo: str = ""
    """``owner/name`` that ``source_path`` lies in where it is not the entry's own."""
    commercial: str = "yes"
    """yes, no, or limited: by revenue, territory or registration, as ``conditions`` say."""
    conditions: tuple[str, ...] = ()
    """Sentences for artists: revenue gates, territories, uses that are excluded, what passes on to results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryTier:
    """One line of a model's memory ladder, before the files are there; what is there is counted exactly."""

    gpu_gb: float
    """GPU memory from which this way works; 0 = without a GPU."""
    how: str
    """In an artist's words: whole in bf16, block by block, kept as 8 bits."""
    source: str
    """Where the figure comes from: a model card, a document, or ``computed`` from parameter counts."""
    ram_gb: float = 0.0
    """Main memory it needs beside it; 0 = not stated."""
    slow: bool = False
    """It works, and an artist waits for it: weights come and go while it computes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceFigure:
    """How long a clip took somebody, as it was published or measured."""

    clip: str
    """What was made: ``480p, 81 frames, 50 steps``."""
    device: str
    """On what: ``RTX 4090``."""
    seconds: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftClip:
    """The smallest clip worth making without a GPU, and the work it is: what an estimate for a processor is made of."""

    width: int
    height: int
    frames: int
    steps: int
    teraflops: float
    """Floating-point operations of the whole clip, denoising and decoding, in units of 10^12."""
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """One thing that can be installed."""

    id: str
    """Also the name of its folder: lower-case letters, digits and hyphens."""
    title: str
    kind: str
    """Of :data:`KINDS`."""
    family: str = ""
    """The family adapter that drives it, or for what is no model itself, the family it belongs to."""
    repo: str
    revision: str = "main"
    gated: bool = False
    """The hub gives it only to who accepted its terms there: needs a token."""
    licence: Licence
    files: tuple[CatalogFile, ...] = ()
    """Every file that is fetched; empty = all that match ``patterns`` in the repository's listing."""
    patterns: tuple[str, ...] = ()
    """Glob patterns of paths in the repository, where the files are not listed one by one."""
    needs: tuple[str, ...] = ()
    """Ids of entries that must be there too: a shared text encoder, the model an adapter is for."""
    fits_with: tuple[str, ...] = ()
    """Ids of models that an adapter, control or motion module belongs to."""
    modes: tuple[str, ...] = ()
    """Of the eight modes, those it serves."""
    conditions: tuple[str, ...] = ()
    memory: tuple[MemoryTier, ...] = ()
    parameters: int = 0
    """Of the part that denoises; 0 = not stated."""
    download_bytes: int = 0
    """About; the exact sum where the sizes of all files are known."""
    opt_in: bool = False
    """Its terms are not plainly commercial-safe: shown in a block of its own."""
    summary: str = ""
    """One sentence for artists: what it is good for."""
    few_step: tuple[str, ...] = field(default=())
    """Ids of few-step adapters that belong to it."""
    pace: tuple[PaceFigure, ...] = ()
    draft: DraftClip | None = None
    """None = nothing worth waiting for can be made with it on a processor."""
    listed_only: bool = False
    """This version of the program can't drive it: shown to compare, not offered for download."""
    own: bool = False
    """It comes from a catalog file of the artist's."""
