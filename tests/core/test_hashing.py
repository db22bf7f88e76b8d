"""The canonical form: one text per value, different texts for different values."""

from __future__ import annotations

import enum
import hashlib
import json
import math
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen2studio.core.hashing import (
    bytes_digest,
    canonical_digest,
    canonical_json,
    file_digest,
    file_fingerprint,
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.floats(allow_nan=False)
    | st.fractions()
    | st.binary(max_size=8)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=4)
        | st.frozensets(scalars, max_size=4)
    ),
    max_leaves=12,
)


class Kind(enum.Enum):
    ONE = "one"


@dataclass(frozen=True)
class Point:
    x: float
    y: float
    note: str = field(default="", compare=False)


@dataclass(frozen=True)
class Other:
    x: float
    y: float


@given(values)
def test_a_value_has_one_ascii_text_that_is_json(value: Any) -> None:
    text = canonical_json(value)
    assert text == canonical_json(value)
    assert text.isascii()
    json.loads(text)
    assert canonical_digest(value) == hashlib.sha256(text.encode()).hexdigest()


@given(st.dictionaries(st.text(max_size=4), st.integers(), max_size=6), st.randoms())
def test_the_order_of_a_mapping_does_not_matter(mapping: dict[str, int], random: Any) -> None:
    keys = list(mapping)
    random.shuffle(keys)
    assert canonical_json({key: mapping[key] for key in keys}) == canonical_json(mapping)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_exact(value: float) -> None:
    assert (canonical_json(value) == canonical_json(math.nextafter(value, math.inf))) is False
    assert float.fromhex(json.loads(canonical_json(value))["f"]) == value


def test_types_that_compare_equal_are_told_apart() -> None:
    texts = {
        canonical_json(v)
        for v in (
            1,
            1.0,
            Fraction(1),
            True,
            "1",
            b"1",
            (1,),
            {"1": 1},
            frozenset({1}),
            Point(1.0, 2.0),
            Other(1.0, 2.0),
        )
    }
    assert len(texts) == 11


def test_enums_paths_and_uncompared_fields() -> None:
    assert canonical_json(Kind.ONE) == '"one"'
    assert canonical_json(PurePosixPath("a/b")) == '"a/b"'
    assert canonical_json(Point(1.0, 2.0, "left")) == canonical_json(Point(1.0, 2.0, "right"))
    assert canonical_json(Point(1.0, 2.0)) != canonical_json(Point(2.0, 1.0))


def test_what_has_no_canonical_form_is_refused() -> None:
    with pytest.raises(TypeError, match="object has no canonical form"):
        canonical_json({"a": object()})


def test_digests_are_the_same_on_every_machine() -> None:
    value = {"b": (1, 2.5, Fraction(1, 3)), "a": Point(0.1, -0.0)}
    assert canonical_digest(value) == hashlib.sha256(canonical_json(value).encode()).hexdigest()
    assert canonical_json(value) == (
        '{"m":[["a",{"t":"Point","x":{"f":"0x1.999999999999ap-4"},"y":{"f":"-0x0.0p+0"}}],'
        '["b",[1,{"f":"0x1.4000000000000p+1"},{"q":"1/3"}]]]}'
    )
    assert bytes_digest(b"tile") == hashlib.blake2b(b"tile", digest_size=16).hexdigest()


def test_a_fingerprint_sees_size_start_middle_and_end(tmp_path: Path) -> None:
    data = bytearray(1 << 20)
    file = tmp_path / "clip.bin"
    prints: set[str] = set()
    for change in (None, 0, len(data) // 2, len(data) - 1):
        changed = bytearray(data)
        if change is not None:
            changed[change] = 1
        file.write_bytes(changed)
        prints.add(file_fingerprint(file))
    file.write_bytes(bytes(data) + b"\0")
    prints.add(file_fingerprint(file))
    assert len(prints) == 5
    assert file_digest(file) == hashlib.sha256(file.read_bytes()).hexdigest()
    (tmp_path / "empty").write_bytes(b"")
    assert len(file_fingerprint(tmp_path / "empty")) == 32
