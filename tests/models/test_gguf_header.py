"""The GGUF header reader believes nothing: every count, length, type and place is held against the file."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gen2studio.core.errors import ModelError
from gen2studio.models.gguf_header import BLOCKS, QUANTIZED, read_gguf_header

F32, Q8_0, Q4_K = 0, 8, 12


def text(value: str | bytes) -> bytes:
    raw = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(raw)) + raw


def pair(key: str, kind: int, raw: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + raw


def described(name: str | bytes, shape: tuple[int, ...], kind: int, offset: int) -> bytes:
    """A tensor as the file describes it: the innermost side comes first."""
    sides = struct.pack(f"<{len(shape)}Q", *reversed(shape))
    return text(name) + struct.pack("<I", len(shape)) + sides + struct.pack("<IQ", kind, offset)


def write(
    path: Path,
    tensors: list[bytes],
    data: int,
    *,
    pairs: list[bytes] | None = None,
    version: int = 3,
    counts: tuple[int, int] | None = None,
) -> Path:
    pairs = pairs or []
    tensor_count, pair_count = counts or (len(tensors), len(pairs))
    head = b"GGUF" + struct.pack("<IQQ", version, tensor_count, pair_count) + b"".join([*pairs, *tensors])
    padding = -len(head) % 32
    with open(path, "wb") as file:
        file.write(head + b"\0" * padding)
        file.truncate(len(head) + padding + data)
    return path


def refusal_of(path: Path) -> str:
    with pytest.raises(ModelError) as refusal:
        read_gguf_header(path)
    assert "\n" not in str(refusal.value)
    assert refusal.value.remedy, "a refusal says what to do"
    return refusal.value.sentence


def test_what_the_library_writes_is_read(tmp_path: Path) -> None:
    import gguf
    import numpy as np

    path = tmp_path / "a.gguf"
    writer = gguf.GGUFWriter(path, "wan")
    writer.add_array("some.words", ["a", "b"] * 40)
    writer.add_array("comfy.gguf.orig_shape.flat", [2, 3, 32])
    wide = np.arange(12 * 64, dtype=np.float32).reshape(12, 64)
    writer.add_tensor("wide", wide)
    writer.add_tensor("five", np.zeros((2, 3, 1, 2, 2), np.float16))
    writer.add_tensor("flat", np.zeros((3, 64), np.float32))
    packed = gguf.quants.quantize(wide, gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("packed", packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
        step()
    header = read_gguf_header(path)
    assert header.metadata["general.architecture"] == "wan"
    shapes = {name: (tensor.dtype, tensor.shape) for name, tensor in header.tensors.items()}
    assert shapes == {
        "wide": ("F32", (12, 64)), "five": ("F16", (2, 3, 1, 2, 2)), "flat": ("F32", (2, 3, 32)),
        "packed": ("Q8_0", (12, 64)),
    }  # fmt: skip
    assert (header.parameters, header.format) == (12 * 64 * 2 + 24 + 192, "gguf")
    raw = path.read_bytes()
    place = header.tensors["packed"]
    assert raw[header.data_start + place.begin : header.data_start + place.end] == packed.tobytes()


def test_the_formats_are_those_of_the_library() -> None:
    import gguf
    from diffusers.quantizers.gguf.utils import SUPPORTED_GGUF_QUANT_TYPES

    theirs = {int(kind): (kind.name, *sizes) for kind, sizes in gguf.GGML_QUANT_SIZES.items()}
    assert {number: theirs[number] for number in BLOCKS} == BLOCKS
    assert {kind.name for kind in SUPPORTED_GGUF_QUANT_TYPES} - {"BF16"} == QUANTIZED


HEAVY = 1 << 62
CASES: list[tuple[list[bytes], int, dict[str, Any], str]] = [
    ([described("a", (4, 32), F32, 0)], 500, {}, "cut off"),
    ([described("a", (4, 32), F32, 0), described("b", (32,), F32, 256)], 640, {}, "overlaps"),
    ([described("a", (4, 32), F32, 0), described("b", (32,), F32, 1024)], 4096, {}, "hole"),
    ([described("a", (4, 32), F32, 0), described("a", (32,), F32, 512)], 640, {}, "twice"),
    ([described("a", (4, 33), Q8_0, 0)], 4096, {}, "does not match its type"),
    ([described("a", (4, 32), Q4_K, 0)], 4096, {}, "does not match its type"),
    ([described("a", (4, 32), 4, 0)], 4096, {}, "does not exist"),
    ([described("a", (4, 32), 99, 0)], 4096, {}, "does not exist"),
    ([described("a", (HEAVY, HEAVY), F32, 0)], 4096, {}, "does not exist"),
    ([described("a", (1 << 39, 1 << 39, 1 << 39), F32, 0)], 4096, {}, "cut off"),
    ([described("a", (4, 32), F32, HEAVY)], 4096, {}, "does not exist"),
    ([described("a", (1,) * 40, F32, 0)], 4096, {}, "does not exist"),
    ([described(b"\xff\xfe", (4,), F32, 0)], 4096, {}, "no text"),
    ([], 0, {"counts": (HEAVY, 0)}, "more than any model has"),
    ([], 0, {"counts": (0, HEAVY)}, "more than any model has"),
    ([], 64, {"counts": (5000, 0)}, "ends inside its header"),
    ([], 0, {"version": 1}, "version 1"),
    ([], 0, {"version": 3 << 24}, "big-endian"),
    ([], 0, {"pairs": [struct.pack("<Q", HEAVY) + b"x"]}, "claims a name of"),
    ([], 0, {"pairs": [pair("k", 77, b"")]}, "unknown kind"),
    ([], 0, {"pairs": [pair("k", 9, struct.pack("<IQ", 4, HEAVY))]}, "claims a list"),
    ([], 0, {"pairs": [pair("k", 9, struct.pack("<IQ", 4, 90_000_000))]}, "more values than it has bytes"),
    ([], 0, {"pairs": [pair("k", 9, struct.pack("<IQ", 9, 1) * 60)]}, "unknown kind"),
    ([], 0, {"pairs": [pair("general.alignment", 4, struct.pack("<I", 7))]}, "alignment"),
    ([], 0, {"pairs": [pair("general.alignment", 4, struct.pack("<I", 0))]}, "alignment"),
    (
        [described("a", (64,), F32, 0)], 256,
        {"pairs": [pair("comfy.gguf.orig_shape.a", 9, struct.pack("<IQ3i", 5, 3, 5, 5, 5))]},
        "does not match its shape",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("tensors", "data", "more", "said"), CASES)
def test_a_header_that_lies_is_refused(
    tmp_path: Path, tensors: list[bytes], data: int, more: dict[str, Any], said: str
) -> None:
    path = write(tmp_path / "x.gguf", tensors, data, **more)
    tracemalloc.start()
    assert said in refusal_of(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20, "nothing is allocated for what a header claims"
    tracemalloc.stop()


def test_what_is_no_gguf_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    for raw in (b"", b"GGUF", b"GGML" + bytes(60)):
        path.write_bytes(raw)
        assert "is not a GGUF file" in refusal_of(path)
    assert "not there" in refusal_of(tmp_path / "none.gguf")
    assert "is a folder" in refusal_of(tmp_path)


def test_a_header_of_a_huge_file_is_read_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gguf", [described("a", (60_000, 64_000), Q8_0, 0)], 60_000 * 64_000 // 32 * 34)
    tracemalloc.start()
    assert read_gguf_header(path).parameters == 60_000 * 64_000
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 170), value=st.integers(0, 255), cut=st.integers(0, 300))
def test_a_damaged_file_is_read_or_refused_and_nothing_else(tmp_path: Path, at: int, value: int, cut: int) -> None:
    pairs = [pair("general.architecture", 8, text("wan")), pair("n", 4, struct.pack("<I", 3))]
    path = write(tmp_path / "x.gguf", [described("a", (2, 32), Q8_0, 0)], 68, pairs=pairs)
    raw = bytearray(path.read_bytes())
    raw[at % len(raw)] = value
    path.write_bytes(bytes(raw[: len(raw) - cut if cut < 100 else len(raw)]))
    try:
        read_gguf_header(path)
    except ModelError as refusal:
        assert "\n" not in str(refusal)
