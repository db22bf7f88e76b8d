"""The queue's journal: what was waiting comes back, torn lines and all."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen2studio.core.geometry import Rect
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.engine.journal import RenderJournal
from gen2studio.engine.request_codec import decode, encode
from gen2studio.engine.requests import (
    BlobRef,
    ControlValues,
    KeyRef,
    Lane,
    MaskTrackRef,
    PatternRef,
    SegmentRequest,
    SourceRef,
    request_digest,
)
from tests.fakes.fake_engine import generate_request, render_job


@given(
    seed=st.integers(0, 2**31),
    floats=st.floats(0, 7),
    rate=st.fractions(min_value=1, max_value=240),
    prompt=st.text(max_size=40),
    frames=st.none() | st.lists(st.integers(0, 99), max_size=4).map(tuple),
)
@settings(max_examples=60, deadline=None)
def test_jobs_come_back_equal_with_their_paths(seed, floats, rate, prompt, frames) -> None:
    blob = BlobRef(digest="ab" * 32, path="/home/anna/style ü.png", weight=floats)
    request = generate_request(
        seed=seed,
        prompt=prompt,
        frames=frames,
        source=SourceRef(fingerprint="f", path="/footage/a.mp4", media_id="media-000000000001", rate=rate),
        styles=(blob,),
        keys=(KeyRef(frame=3, blob=blob),),
        pattern=PatternRef(kind="swatch", base=(1, 2, 3), ink=(4, 5, 6), swatch=blob),
        masks=(MaskTrackRef(object_id="mask-1", frames=((2, MaskRaster(300, 200, ((0, 0, "x"),))),)),),
        controls=ControlValues(structure=floats, grow=-3),
    )
    job = render_job(7, request=request, priority=2)
    again = decode(json.loads(json.dumps(encode(job))))
    assert again == job and again.request.source.path == request.source.path and again.lane is Lane.RENDER
    assert again.request.styles[0].path == blob.path
    assert request_digest(again.request) == request_digest(request)


def test_selection_requests_too() -> None:
    request = SegmentRequest(
        source=SourceRef(fingerprint="f", path="a", rate=Fraction(24000, 1001)), frame=1, object_id="o",
        box=Rect(1, 2, 3, 4), include=((1.5, 2.5),),
    )  # fmt: skip
    assert decode(json.loads(json.dumps(encode(request)))) == request


def test_what_is_no_part_of_a_request_is_refused() -> None:
    with pytest.raises(TypeError):
        encode({"a": 1})
    with pytest.raises(ValueError):
        decode({"type": "Popen", "args": []})
    with pytest.raises(ValueError):
        decode({"type": "Job", "lane": 3})


def test_pending_are_those_that_never_ended(tmp_path: Path) -> None:
    journal = RenderJournal(tmp_path / "queue" / "renders.jsonl")
    assert journal.pending() == ()
    for number in (1, 2, 3):
        journal.queued(render_job(number))
    journal.ended(render_job(2).id)
    journal.queued(render_job(1, priority=4))
    journal.sync()
    journal.close()
    again = RenderJournal(journal.path)
    assert again.compact() == (render_job(1, priority=4), render_job(3))
    assert len(journal.path.read_text().splitlines()) == 2
    again.ended(render_job(1).id)
    again.ended(render_job(3).id)
    assert again.compact() == () and not journal.path.exists()


@pytest.mark.parametrize("cut", [1, 5, 40, 300])
def test_a_torn_last_line_costs_only_itself(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "renders.jsonl"
    journal = RenderJournal(path)
    journal.queued(render_job(1))
    journal.queued(render_job(2))
    journal.close()
    path.write_bytes(path.read_bytes()[:-cut])
    torn = RenderJournal(path)
    expected = (render_job(1), render_job(2)) if cut == 1 else (render_job(1),)
    assert torn.pending() == expected
    torn.queued(render_job(3))
    torn.close()
    assert RenderJournal(path).pending() == (*expected, render_job(3))


def test_garbage_in_the_middle_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "renders.jsonl"
    journal = RenderJournal(path)
    journal.queued(render_job(1))
    journal.close()
    with open(path, "ab") as stream:
        stream.write(b'\xff\xfe\x00\n{"op": "queued", "job": {"type": "SourceRef"}}\n[]\n"x"\n')
    journal.queued(render_job(2))
    journal.close()
    assert journal.pending() == (render_job(1), render_job(2))


def test_a_disk_that_takes_no_line_stops_nothing(tmp_path: Path) -> None:
    in_the_way = tmp_path / "project"
    in_the_way.write_bytes(b"a file where the folder belongs")
    journal = RenderJournal(in_the_way / "journal")
    journal.queued(render_job(1))
    journal.ended(render_job(1).id)
    journal.sync()
    in_the_way.unlink()
    journal.queued(render_job(2))
    journal.close()
    assert [job.id for job in RenderJournal(in_the_way / "journal").pending()] == [render_job(2).id]
