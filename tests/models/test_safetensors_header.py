"""The header reader refuses every file whose header does not describe it, and reads nothing else."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gen2studio.core.errors import ModelError
from gen2studio.models.safetensors_header import HEADER_LIMIT, read_header
from tests.models.folder import write_header, write_weights


def test_names_shapes_and_sizes_are_read(tmp_path: Path) -> None:
    path = write_weights(tmp_path / "a.safetensors", {"a": (3, 5), "b": (), "c": (0, 4)}, "BF16", {"who": "me"})
    header = read_header(path)
    assert header.shape("a") == (3, 5)
    assert header.shape("nothing") is None
    assert (header.parameters, header.weight_bytes) == (16, 32)
    assert header.metadata == {"who": "me"}


def test_a_header_of_a_huge_file_is_read_at_once(tmp_path: Path) -> None:
    path = write_weights(tmp_path / "a.safetensors", {"a": (60_000, 100_000)}, "F32")
    tracemalloc.start()
    assert read_header(path).weight_bytes == 24_000_000_000
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def entry(dtype: Any = "F32", shape: Any = (2, 2), span: Any = (0, 16)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(span)}


@pytest.mark.parametrize(
    ("header", "data", "said"),
    [
        ({"a": entry()}, 12, "cut off"),
        ({"a": entry()}, 20, "belong to no tensor"),
        ({"a": entry(), "b": entry(span=(8, 24))}, 24, "overlaps"),
        ({"a": entry(), "b": entry(span=(20, 36))}, 36, "hole"),
        ({"a": entry(shape=(2, 3))}, 16, "does not match its shape"),
        ({"a": entry(dtype="PICKLE")}, 16, "does not exist"),
        ({"a": entry(shape=(-2, -2))}, 16, "does not exist"),
        ({"a": entry(shape=(True, 4))}, 16, "does not exist"),
        ({"a": entry(span=(16, 0))}, 16, "does not match its shape"),
        ({"a": entry(shape=(1 << 62, 1 << 62))}, 16, "does not match its shape"),
        ({"a": entry(shape=(1,) * 40, span=(0, 4))}, 4, "does not exist"),
        ({"a": 7}, 16, "does not exist"),
        ({"a": entry(), "__metadata__": {"x": 1}}, 16, "metadata"),
        ([1, 2], 0, "no table"),
        (b"{" * 5000, 0, "can't be read"),
        (b"[" * 5000, 0, "can't be read"),
        (b'{"a": 1, "a": 2}', 0, "can't be read"),
        (b"\xff\xfe{}", 0, "can't be read"),
    ],
)
def test_a_header_that_lies_is_refused_in_one_sentence(tmp_path: Path, header: Any, data: int, said: str) -> None:
    path = write_header(tmp_path / "bad.safetensors", header, data)
    with pytest.raises(ModelError) as refusal:
        read_header(path)
    assert said in refusal.value.sentence
    assert "bad.safetensors" in refusal.value.sentence
    assert refusal.value.remedy


def test_an_oversized_header_is_refused_without_being_read(tmp_path: Path) -> None:
    path = write_header(tmp_path / "big.safetensors", b"{}", HEADER_LIMIT + 1000, claimed=HEADER_LIMIT + 1)
    tracemalloc.start()
    with pytest.raises(ModelError, match="100 MB"):
        read_header(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    write_header(path, b"{}", 0, claimed=(1 << 64) - 1)
    with pytest.raises(ModelError, match="more than the format allows"):
        read_header(path)
    write_header(path, b"{}", 0, claimed=50_000_000)
    with pytest.raises(ModelError, match="ends inside its header"):
        read_header(path)


def test_what_is_not_there_or_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not there"):
        read_header(tmp_path / "none.safetensors")
    with pytest.raises(ModelError, match="is a folder"):
        read_header(tmp_path)
    (tmp_path / "short.safetensors").write_bytes(b"abc")
    with pytest.raises(ModelError, match="too short"):
        read_header(tmp_path / "short.safetensors")


_GOOD = json.dumps({"a": entry(), "b": entry(span=(16, 32))}).encode()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 8 + len(_GOOD) - 1), value=st.integers(0, 255), cut=st.integers(0, 40))
def test_damaged_files_are_refused_or_still_consistent(tmp_path: Path, at: int, value: int, cut: int) -> None:
    """Whatever byte is flipped and wherever the file ends: a ModelError, or tensors that lie inside the file."""
    data = bytearray(len(_GOOD).to_bytes(8, "little") + _GOOD + bytes(32))
    data[at] = value
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(bytes(data[: len(data) - cut]))
    try:
        header = read_header(path)
    except ModelError as refusal:
        assert "\n" not in str(refusal)
    else:
        assert cut == 0
        assert header.weight_bytes == 32
        assert all(0 <= tensor.begin <= tensor.end <= 32 for tensor in header.tensors.values())
