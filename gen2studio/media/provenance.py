"""How pictures came to be: the IPTC digital source type of what a recipe makes, and of what a film shows.

The terms are those of https://cv.iptc.org/newscodes/digitalsourcetype/, chosen by what was really used:

- ``trainedAlgorithmicMedia`` where a generator with trained weights drew every pixel of every frame;
- ``compositeWithTrainedAlgorithmicMedia`` where it drew some of them: inside a mask, around the footage, or beside
  clips that it did not touch;
- ``algorithmicallyEnhanced`` for weight-free synthesis and for more frames or pixels of the same footage. Its pictures
  are the footage itself, repainted by an algorithm that learned from no sampled content; ``algorithmicMedia`` would
  deny the camera behind them, and the trained terms would claim a model that is not there;
- nothing for plain footage: where it came from is not ours to say. What a file says of itself is carried on, so that a
  take that became footage stays what it was.
"""

from __future__ import annotations

import contextlib
import html
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

_CODES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
TRAINED = f"{_CODES}trainedAlgorithmicMedia"
COMPOSITE = f"{_CODES}compositeWithTrainedAlgorithmicMedia"
ENHANCED = f"{_CODES}algorithmicallyEnhanced"
PLAIN_COMPOSITE = f"{_CODES}composite"
"""Several sources laid together without any generator."""
WEIGHT_FREE = frozenset({"example", "built-in"})
"""Generators and operators without trained weights."""
TYPE_TAG = "digital_source_type"
"""Name of the tag in MP4 and MOV files and of the attribute in EXR files."""
XMP_KEYWORD = "XML:com.adobe.xmp"
"""Keyword of the PNG text chunk that readers look for XMP in (XMP specification part 3, 1.1.5)."""
_DECLARED = re.compile(r"DigitalSourceType\s*(?:=\s*[\"']|>)\s*(http://cv\.iptc\.org/[A-Za-z/]{1,80})")


def recipe_fields(recipe: str) -> dict[str, Any]:
    """The fields of a recipe (canonical JSON of a request); empty when it is none."""
    with contextlib.suppress(ValueError, RecursionError):
        parsed: Any = json.loads(recipe)
        if isinstance(parsed, dict):
            return cast("dict[str, Any]", parsed)
    return {}


def type_of_recipe(recipe: Mapping[str, Any], *, trained: bool | None = None, of_source: str = "") -> str:
    """The digital source type of what a recipe makes.

    ``trained`` says whether its generator has trained weights (None = by its id); ``of_source`` is the type that its
    footage declares: what is made of generated pictures stays generated.
    """
    if recipe.get("t") == "OperateRequest" or "operator" in recipe:
        return of_source or ENHANCED
    parts: Any = recipe.get("parts")
    listed = cast("list[Any]", parts) if isinstance(parts, list) else []
    rows = [cast("dict[str, Any]", part) for part in listed if isinstance(part, dict)]
    if rows:
        # Looks by object don't nest: whatever a strange recipe has inside a part counts for nothing.
        found = [type_of_recipe({**row, "parts": []}) for row in rows]
        return combined([*found, of_source] if of_source else found)
    if trained is None:
        trained = str(recipe.get("generator", "")) not in WEIGHT_FREE
    if not trained:
        return of_source if of_source in (TRAINED, COMPOSITE) else ENHANCED
    rooms: Any = recipe.get("outpaint") or ()
    everything = recipe.get("region", "all") == "all" and not recipe.get("masks") and not any(rooms)
    return TRAINED if everything or of_source == TRAINED else COMPOSITE


def combined(types: Iterable[str]) -> str:
    """The type of pictures that are laid or cut together; an empty one stands for footage that says nothing."""
    found = list(types)
    if TRAINED in found or COMPOSITE in found:
        return TRAINED if all(each == TRAINED for each in found) else COMPOSITE
    return ENHANCED if ENHANCED in found else ""


def declared_type(path: Path) -> str:
    """The digital source type that a picture or film of a known kind declares; empty when it says nothing."""
    suffix = path.suffix.lower()
    text = ""
    try:
        if path.is_dir():
            path = next(iter(sorted(path.glob("*.png"))), path)
            suffix = path.suffix.lower()
        if suffix == ".png":
            from gen2studio.media.metadata import read_png_text

            text = read_png_text(path).get(XMP_KEYWORD, "")
        elif suffix == ".exr":
            from gen2studio.media.exr_header import read_headers

            held = dict(read_headers(path)[0].text).get(TYPE_TAG, "")
            text = f"DigitalSourceType>{held}"
        elif suffix in (".mp4", ".mov", ".m4v"):
            from gen2studio.media import codecs

            codecs.load()
            import av

            with av.open(str(path)) as container:
                text = f"DigitalSourceType>{container.metadata.get(TYPE_TAG, '')}"
    except Exception:  # whatever is wrong with a file, the export says so elsewhere
        return ""
    match = _DECLARED.search(text)
    return match[1] if match else ""


def xmp_packet(
    *, kind: str, tool: str, sentence: str, created: str = "", systems: str = "", versions: str = "", prompts: str = ""
) -> str:
    """An XMP packet (RDF/XML): the digital source type, the tool, a sentence, and for generated pictures the system,
    its version and the prompt (IPTC Photo Metadata Standard 2025.1). Empty values are left out."""
    lines = [("xmp:CreatorTool", tool), ("xmp:CreateDate", created), ("Iptc4xmpExt:DigitalSourceType", kind)]
    if kind in (TRAINED, COMPOSITE):
        lines += [
            ("Iptc4xmpExt:AISystemUsed", systems), ("Iptc4xmpExt:AISystemVersionUsed", versions),
            ("Iptc4xmpExt:AIPromptInformation", prompts),
        ]  # fmt: skip
    listed = "".join(f"   <{name}>{_escaped(value)}</{name}>\n" for name, value in lines if value)
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
        ' <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
        '  <rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">\n'
        f"{listed}"
        f'   <dc:description><rdf:Alt><rdf:li xml:lang="x-default">{_escaped(sentence)}</rdf:li></rdf:Alt>'
        "</dc:description>\n"
        "  </rdf:Description>\n </rdf:RDF>\n</x:xmpmeta>\n"
        '<?xpacket end="w"?>'
    )


def _escaped(text: str) -> str:
    """Text for XML 1.0, which has no control characters but three."""
    return html.escape("".join(c for c in text if c >= " " or c in "\t\n\r"))
