"""The whole worker on a real clip: decoded, masked, generated, composited, stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gen2studio.core.hashing import file_fingerprint
from gen2studio.engine.abilities import GeneratorRegistry
from gen2studio.engine.job_queue import JobQueue
from gen2studio.engine.requests import ControlValues, MaskTrackRef, SourceRef
from gen2studio.engine.take_store import TakeStore
from gen2studio.engine.worker import EngineWorker
from gen2studio.engine.workspace import Workspace
from gen2studio.media.decoder import open_decoder
from gen2studio.raster.tiles import TileStore
from tests.fakes.fake_engine import EventLog, FakeGenerator, generate_request, render_job


@pytest.mark.parametrize("region", ["foreground", "background"])
def test_outside_the_mask_every_byte_is_the_sources_own(tmp_path: Path, media_root: Path, region: str) -> None:
    path = media_root / "clips" / "golden_retriever_512_3.2s.mp4"
    frames = (0, 1, 2, 17, 31)
    tiles = TileStore()
    tracks = []
    for frame in frames:
        y, x = np.mgrid[:512, :512]
        edge = np.clip(150 - np.hypot(x - 250 - frame, y - 280), 0, 255)
        tracks.append((frame, tiles.pack(np.clip(edge * 8, 0, 255).astype(np.uint8))))
    source = SourceRef(
        fingerprint=file_fingerprint(path), path=str(path), frame_count=32, width=512, height=512, media_id="m"
    )
    request = generate_request(
        source=source, stop=32, frames=frames, width=512, height=512, mode="mask", region=region,
        masks=(MaskTrackRef(object_id="dog", frames=tuple(tracks)),), controls=ControlValues(feather=6.0),
    )  # fmt: skip
    log = EventLog()
    store = TakeStore(tmp_path / "takes")
    queue = JobQueue(log, Workspace(takes=store, matte=tiles.unpack))
    worker = EngineWorker(queue, log, GeneratorRegistry.of(FakeGenerator()), threads=1)
    job = render_job(1, request=request)
    queue.submit(job)
    worker.run_until_idle()
    worker.close()
    assert log.states(job.id)[-1][1] == "finished", log.events[-1]
    decoder = open_decoder(path)
    changed = 0
    for frame, raster in tracks:
        own, made = decoder.rgb(frame), store.read(job.take_id, frame)
        matte = tiles.unpack(raster)
        outside = matte == 0 if region == "foreground" else matte == 255
        assert np.array_equal(made[outside], own[outside])
        core = matte == 255 if region == "foreground" else matte == 0
        changed += int((made[core] != own[core]).any(-1).sum())
        assert np.array_equal(log.frames(job.id)[frame], made)
    decoder.close()
    assert changed > 20_000
