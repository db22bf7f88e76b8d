"""Content Credentials: a signed C2PA manifest inside an exported file (https://spec.c2pa.org, version 2.2).

The manifest says what was done (``c2pa.actions``), what kind of source the pictures are, which files they were made
from (ingredients), and the recipe as an assertion of our own. It is signed with the artist's certificate and key, which
stay where they are; nothing is asked of the network, no time stamp either. Both libraries come with the extra ``c2pa``
and are imported when something is signed.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2studio import __version__
from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import ExportError
from gen2studio.core.records import dataclass
from gen2studio.media.metadata import ExportRecord, record_json
from gen2studio.media.provenance import PLAIN_COMPOSITE

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

MISSING = "Signing needs two more libraries: pip install 'gen2studio[c2pa]'."
FORMATS = {
    ".mp4": "video/mp4", ".mov": "video/quicktime", ".png": "image/png", ".gif": "image/gif", ".webp": "image/webp",
}  # fmt: skip
"""Suffixes of files that can be signed."""
RECIPE_LABEL = "gen2studio.recipe"
"""Label of the assertion that holds what the file's record holds."""
_INGREDIENTS = {
    **FORMATS, ".m4v": "video/x-m4v", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".tif": "image/tiff",
    ".tiff": "image/tiff", ".avi": "video/x-msvideo", ".mkv": "video/x-matroska", ".webm": "video/webm",
}  # fmt: skip
_MOST_PEM = 1 << 20
_QUIET = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    "builder": {"thumbnail": {"enabled": False}},
}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signs: files of the artist's."""

    certificate: Path
    """PEM: the certificate, and those between it and its root."""
    private_key: Path
    """PEM, without a password."""


@dataclass(frozen=True, slots=True)
class Signer:
    """What a certificate says of its holder."""

    name: str
    issuer: str
    until: datetime
    algorithm: str
    """As C2PA names it: es256, ps256, ed25519…"""

    @property
    def own(self) -> bool:
        """The certificate vouches for itself."""
        return self.name == self.issuer

    def sentence(self) -> str:
        """What readers will make of it."""
        who = "signed by itself" if self.own else f"issued by {self.issuer}"
        return (
            f"Signs as {self.name}, {who}, valid until {self.until:%Y-%m-%d}. Readers show a signer that is on no "
            "trust list of theirs as unknown."
        )


@dataclass(frozen=True, slots=True)
class Source:
    """A file that an export was made from."""

    name: str
    path: Path


def available() -> bool:
    """Whether the libraries of the extra are installed. Imports nothing."""
    return all(importlib.util.find_spec(name) is not None for name in ("c2pa", "cryptography"))


def can_sign(path: Path) -> bool:
    """Whether files of this suffix can hold a manifest."""
    return path.suffix.lower() in FORMATS


def signer_of(identity: Identity) -> Signer:
    """Who an identity signs as, if it can. Raises ExportError with what is wrong with it."""
    return _loaded(identity)[0]


def sign(
    files: Sequence[Path],
    record: ExportRecord,
    sources: Sequence[Source],
    identity: Identity,
    title: str,
    cancel: CancelToken | None = None,
) -> None:
    """Sign files in place, each whole or not at all. All of them say ``record`` and name ``sources``.

    ``title`` is what they are called. Raises ExportError, OSError, Cancelled.
    """
    signer, chain, key = _loaded(identity)
    cancel = cancel or CancelToken()
    import c2pa

    library: Any = c2pa
    try:
        context = library.Context.from_dict(_QUIET)
        info = library.C2paSignerInfo(signer.algorithm.encode(), chain, key, None)
        with library.Signer.from_info(info) as pen:
            packed = io.BytesIO()
            _builder(library, context, record, sources, title, cancel).to_archive(packed)
            for path in files:
                cancel.check()
                _sign_one(library, context, pen, packed, path)
    except library.C2paError as error:
        raise ExportError(
            f"The Content Credentials could not be signed: {_reason(error)}.",
            "Check the certificate, or export without them.",
        ) from error


def verdict(path: Path) -> str:
    """What a file's Content Credentials are worth, in a sentence; empty when it has none, or when the libraries are not
    installed. Asks nothing of the network."""
    if not available() or not can_sign(path):
        return ""
    import c2pa

    library: Any = c2pa
    try:
        context = library.Context.from_dict(_QUIET)
        with open(path, "rb") as stream:
            reader = library.Reader.try_create(FORMATS[path.suffix.lower()], stream, context=context)
            if reader is None:
                return ""
            with reader:
                found, state = json.loads(reader.json()), str(reader.get_validation_state())
    except library.C2paError as error:
        return f"Content Credentials are there and can't be read: {_reason(error)}."
    held = found.get("manifests", {}).get(found.get("active_manifest"), {})
    # A name that strangers chose, on one line and short.
    name = _plain(str(held.get("signature_info", {}).get("common_name") or "somebody"))[:120]
    if state == "Invalid":
        return f"Content Credentials of {name} do not hold: the file was changed since."
    known = "" if state == "Trusted" else ", whom no trust list here knows"
    return f"Signed by {name}{known}; unchanged since."


def _reason(error: Exception) -> str:
    """The first line of what the library says, without its full stop."""
    said = _plain(str(error))
    return said.rstrip(".") or "no reason was given"


def _plain(text: str) -> str:
    """The first line of a text, without characters that do something to a terminal."""
    first = next(iter(text.strip().splitlines()), "")
    return "".join(c for c in first if c.isprintable())


def _sign_one(library: Any, context: Any, pen: Any, packed: io.BytesIO, path: Path) -> None:
    packed.seek(0)
    part = path.with_name(f".{path.stem}.signed{path.suffix}")
    try:
        with (
            library.Builder({}, context).with_archive(packed) as builder,
            open(path, "rb") as plain,
            open(part, "w+b") as signed,
        ):
            builder.sign(pen, FORMATS[path.suffix.lower()], plain, signed)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _builder(
    library: Any, context: Any, record: ExportRecord, sources: Sequence[Source], title: str, cancel: CancelToken
) -> Any:
    builder = library.Builder(json.dumps(manifest(record, sources, title)), context)
    for label, source in _labelled(sources):
        cancel.check()
        kind = "parentOf" if len(sources) == 1 else "componentOf"
        told = json.dumps({"title": source.name, "relationship": kind, "label": label})
        with open(source.path, "rb") as stream:
            builder.add_ingredient(
                told, _INGREDIENTS.get(source.path.suffix.lower(), "application/octet-stream"), stream
            )
    return builder


def manifest(record: ExportRecord, sources: Sequence[Source], title: str) -> dict[str, Any]:
    """The manifest's definition. A film of one file opens that file and edits it; any other is created and has its
    files placed in it; what was made of nothing is only created."""
    kind = record.source_type
    agent = {"name": "Gen2 Studio", "version": __version__}
    edit: dict[str, Any] = {"action": "c2pa.edited", "softwareAgent": agent, "description": record.sentence()}
    if kind:
        edit["digitalSourceType"] = kind
    labels = [label for label, _ in _labelled(sources)]
    actions: list[dict[str, Any]]
    if len(sources) == 1:
        actions = [{"action": "c2pa.opened", "parameters": {"ingredientIds": labels}}, edit]
    else:
        actions = [{"action": "c2pa.created", "softwareAgent": agent, "digitalSourceType": kind or PLAIN_COMPOSITE}]
        actions += [{"action": "c2pa.placed", "parameters": {"ingredientIds": [label]}} for label in labels]
        if sources:
            actions.append(edit)
    return {
        "claim_generator_info": [agent],
        "title": title,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": actions}},
            {"label": RECIPE_LABEL, "data": json.loads(record_json(record))},
        ],
    }


def _labelled(sources: Sequence[Source]) -> list[tuple[str, Source]]:
    return [(f"source-{number}", source) for number, source in enumerate(sources, 1)]


# -- certificates ------------------------------------------------------------------------------------------------------


def _loaded(identity: Identity) -> tuple[Signer, bytes, bytes]:
    """(who, certificates, key) of an identity that can sign. Raises ExportError."""
    if not available():
        raise ExportError("Content Credentials can't be signed here.", MISSING)
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    chain, key = _read(identity.certificate, "certificate"), _read(identity.private_key, "key")
    try:
        certificates = x509.load_pem_x509_certificates(chain)
    except ValueError as error:
        raise _bad(identity.certificate, "is no certificate in PEM form") from error
    try:
        private: Any = serialization.load_pem_private_key(key, None)
    except TypeError as error:
        raise _bad(identity.private_key, "is protected by a password") from error
    except Exception as error:  # cryptography raises kinds of its own for keys it does not know
        raise _bad(identity.private_key, "is no private key in PEM form") from error
    mine = certificates[0]
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) != mine.public_key().public_bytes(*form):
        raise _bad(identity.private_key, f"does not belong to the certificate “{identity.certificate.name}”")
    now = datetime.now(UTC)
    if not mine.not_valid_before_utc <= now <= mine.not_valid_after_utc:
        raise _bad(identity.certificate, f"is not valid now, only until {mine.not_valid_after_utc:%Y-%m-%d}")
    algorithm = _algorithm(private)
    if not algorithm:
        raise _bad(identity.private_key, "is of a kind that C2PA does not know")
    return Signer(_name(mine, "subject"), _name(mine, "issuer"), mine.not_valid_after_utc, algorithm), chain, key


def _algorithm(key: Any) -> str:
    """The signature algorithm of a private key (C2PA 2.2, section 13.2.1); empty when there is none."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, ec.EllipticCurvePrivateKey):
        return {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}.get(key.curve.name, "")
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    return "ps256" if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 2048 else ""


def _name(certificate: Certificate, side: str) -> str:
    from cryptography.x509.oid import NameOID

    name = certificate.subject if side == "subject" else certificate.issuer
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        if found := name.get_attributes_for_oid(kind):
            return str(found[0].value)
    return name.rfc4514_string() or "nobody"


def _read(path: Path, what: str) -> bytes:
    try:
        if path.stat().st_size > _MOST_PEM:
            raise _bad(path, f"is too big to be a {what}")
        return path.read_bytes()
    except OSError as error:
        raise ExportError(f"The {what} “{path.name}” can't be read.", "Choose it again.") from error


def _bad(path: Path, what: str) -> ExportError:
    return ExportError(f"“{path.name}” {what}.", "Choose another one, or export without Content Credentials.")
