"""Signed exports: what the manifest says, that a changed byte is found, and certificates that can't sign."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import c2pa
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gen2studio.app.export import export_sequence
from gen2studio.app.export_orders import decode_settings, encode_settings
from gen2studio.app.export_values import ExportSettings
from gen2studio.cli.main import main
from gen2studio.core.errors import ExportError
from gen2studio.document.codec_reader import Node
from gen2studio.document.model import Document
from gen2studio.engine.take_store import TakeStore
from gen2studio.media import content_credentials
from gen2studio.media.content_credentials import RECIPE_LABEL, Identity, Source, manifest, signer_of, verdict
from gen2studio.media.metadata import ExportRecord, read_recipe
from gen2studio.media.provenance import COMPOSITE, PLAIN_COMPOSITE, TRAINED, declared_type
from tests.export.test_provenance import MASKED, film, recipe_of


def _certificate(key: Any, days: int = 30) -> bytes:
    """A certificate of its own, as an artist can make one, with what C2PA asks of signers (2.2, section 14.5.1)."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Ada Artist")])
    public, begin = key.public_key(), datetime.now(UTC) - timedelta(days=60)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(datetime.now(UTC) + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(True, False, False, False, False, False, False, False, False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
    )
    signed = built.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


def _identity(folder: Path, key: Any, days: int = 30, password: bytes = b"") -> Identity:
    folder.mkdir(parents=True, exist_ok=True)
    form = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    found = Identity(folder / "me.pem", folder / "me.key")
    found.certificate.write_bytes(_certificate(key, days))
    found.private_key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, form)
    )
    return found


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return _identity(tmp_path_factory.mktemp("me"), ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
def store(tmp_path: Path) -> TakeStore:
    return TakeStore(tmp_path / "takes")


def signed(document: Document, store: TakeStore, path: Path, preset: str, identity: Identity) -> Path:
    settings = ExportSettings(
        path=path, preset=preset, certificate=str(identity.certificate), private_key=str(identity.private_key)
    )
    return export_sequence(document, settings, take_folder=store.path).path


def read(path: Path) -> tuple[str, dict[str, Any], list[str]]:
    """(state, active manifest, codes of what is wrong) as the library's reader finds them."""
    kind = {".mp4": "video/mp4", ".mov": "video/quicktime", ".png": "image/png", ".webp": "image/webp"}[path.suffix]
    with c2pa.Reader(kind, io.BytesIO(path.read_bytes())) as reader:
        found = json.loads(reader.json())
        state = str(reader.get_validation_state())
    codes = [entry["code"] for entry in found.get("validation_status", [])]
    return state, found["manifests"][found["active_manifest"]], codes


def data_of(found: dict[str, Any], label: str) -> Any:
    return next(a["data"] for a in found["assertions"] if a["label"] == label)


def test_a_film_says_what_was_done_with_its_source(
    media_root: Path, store: TakeStore, tmp_path: Path, identity: Identity, capsys: pytest.CaptureFixture[str]
) -> None:
    document = film(media_root, store, recipe_of(**MASKED))
    path = signed(document, store, tmp_path / "film.mp4", "h264", identity)
    state, found, codes = read(path)
    # The signature holds; that nobody knows the artist is said, and nothing else is wrong.
    assert state == "Valid" and codes == ["signingCredential.untrusted"]
    assert found["signature_info"]["common_name"] == "Ada Artist"
    assert found["title"] == "film.mp4" and found["claim_generator_info"][0]["name"] == "Gen2 Studio"
    opened, edited = data_of(found, "c2pa.actions.v2")["actions"]
    assert opened["action"] == "c2pa.opened" and len(opened["parameters"]["ingredients"]) == 1
    assert edited["action"] == "c2pa.edited" and edited["digitalSourceType"] == COMPOSITE
    (source,) = found["ingredients"]
    assert source["relationship"] == "parentOf" and source["title"] == "odd_dims_161x121_vp9.webm"
    recipe = data_of(found, RECIPE_LABEL)
    assert recipe["takes"][0]["recipe"]["prompt"] == "a café & <more>"
    assert str(tmp_path).encode() not in path.read_bytes()
    assert main(["probe", str(path)]) == 0
    told = capsys.readouterr().out
    assert "origin     compositeWithTrainedAlgorithmicMedia" in told
    assert "Signed by Ada Artist, whom no trust list here knows; unchanged since." in told
    # What the file said before it was signed is still there.
    assert declared_type(path) == COMPOSITE and read_recipe(path) is not None
    assert not list(tmp_path.glob(".*")), "no half file is left"


def test_a_changed_byte_is_found(media_root: Path, store: TakeStore, tmp_path: Path, identity: Identity) -> None:
    path = signed(film(media_root, store, recipe_of()), store, tmp_path / "film.mp4", "h264", identity)
    data = bytearray(path.read_bytes())
    middle = data.index(b"mdat") + 400
    data[middle] ^= 1
    path.write_bytes(data)
    assert "do not hold: the file was changed since" in verdict(path)
    state, _, codes = read(path)
    assert state == "Invalid" and "assertion.bmffHash.mismatch" in codes


def test_every_picture_of_a_sequence_is_signed(
    media_root: Path, store: TakeStore, tmp_path: Path, identity: Identity
) -> None:
    folder = signed(film(media_root, store, recipe_of()), store, tmp_path / "png", "png_8", identity)
    pictures = sorted(folder.glob("*.png"))
    assert len(pictures) == 4
    for picture in pictures:
        state, found, _ = read(picture)
        assert state == "Valid"
        assert data_of(found, "c2pa.actions.v2")["actions"][1]["digitalSourceType"] == TRAINED


def test_damaged_credentials_are_told_in_one_line(
    media_root: Path, store: TakeStore, tmp_path: Path, identity: Identity
) -> None:
    assert content_credentials._reason(ValueError("")) == "no reason was given"
    assert content_credentials._reason(ValueError("It broke.\x1b[2J\nHere:\n")) == "It broke.[2J"
    path = signed(film(media_root, store, recipe_of()), store, tmp_path / "film.mp4", "h264", identity)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"c2pa.actions.v2", b"c2pa.actionsXv2"))
    said = verdict(path)
    assert said and "\n" not in said and said.endswith(".")


def test_exr_says_that_it_is_not_signed(media_root: Path, store: TakeStore, tmp_path: Path, identity: Identity) -> None:
    settings = ExportSettings(
        path=tmp_path / "exr",
        preset="exr",
        certificate=str(identity.certificate),
        private_key=str(identity.private_key),
    )
    result = export_sequence(film(media_root, store, recipe_of()), settings, take_folder=store.path)
    assert any("can't hold Content Credentials" in note for note in result.notes)


def test_a_film_of_nothing_is_created_and_one_of_many_files_is_laid_together(tmp_path: Path) -> None:
    record = ExportRecord(project="P", preset="", width=1, height=1, rate="25/1", frames=1)
    actions = manifest(record, [], "film")["assertions"][0]["data"]["actions"]
    assert [a["action"] for a in actions] == ["c2pa.created"] and actions[0]["digitalSourceType"] == PLAIN_COMPOSITE
    both = [Source("a.mp4", tmp_path), Source("b.mp4", tmp_path)]
    actions = manifest(record, both, "film")["assertions"][0]["data"]["actions"]
    assert [a["action"] for a in actions] == ["c2pa.created", "c2pa.placed", "c2pa.placed", "c2pa.edited"]
    assert "digitalSourceType" not in actions[-1]


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (lambda: ec.generate_private_key(ec.SECP384R1()), "es384"),
        (ed25519.Ed25519PrivateKey.generate, "ed25519"),
        (lambda: rsa.generate_private_key(65537, 2048), "ps256"),
    ],
)
def test_the_key_says_how_it_signs(key: Callable[[], Any], algorithm: str, tmp_path: Path) -> None:
    found = signer_of(_identity(tmp_path, key()))
    assert found.algorithm == algorithm and found.own
    assert "signed by itself" in found.sentence() and "unknown" in found.sentence()


def test_who_cannot_sign_is_told_in_one_sentence_before_anything_is_encoded(
    media_root: Path, store: TakeStore, tmp_path: Path, identity: Identity
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    wrong = {
        "expired": (_identity(tmp_path / "a", key, days=-1), "is not valid now"),
        "protected": (_identity(tmp_path / "b", key, password=b"secret"), "protected by a password"),
        "another's": (
            Identity(identity.certificate, _identity(tmp_path / "c", key).private_key),
            "does not belong to the certificate",
        ),
        "gone": (Identity(tmp_path / "gone.pem", identity.private_key), "can't be read"),
        "no certificate": (Identity(identity.private_key, identity.private_key), "is no certificate"),
        "no key": (Identity(identity.certificate, identity.certificate), "is no private key"),
    }
    for name, (who, words) in wrong.items():
        with pytest.raises(ExportError, match=words):
            signer_of(who)
        assert name
    with pytest.raises(ExportError, match="is not valid now"):
        signed(film(media_root, store, recipe_of()), store, tmp_path / "out.mp4", "h264", wrong["expired"][0])
    assert not list(tmp_path.glob("*out*"))


def test_an_order_of_the_queue_remembers_who_signs() -> None:
    settings = ExportSettings(path=Path("/x/film.mp4"), certificate="/me.pem", private_key="/me.key")
    plain = encode_settings(settings)
    assert decode_settings(Node(plain, "the order")) == settings
    del plain["certificate"], plain["private_key"]  # an order of an older version
    assert decode_settings(Node(plain, "the order")) == replace(settings, certificate="", private_key="")
