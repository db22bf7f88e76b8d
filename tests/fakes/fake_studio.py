"""The program's services over an engine whose jobs advance only when a test says so."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from pytestqt.qtbot import QtBot

from gen2studio.app.engine_host import EngineHost
from gen2studio.app.preferences import Preferences
from gen2studio.app.studio import Studio
from gen2studio.document.model import Clip
from gen2studio.engine.abilities import GeneratorRegistry
from gen2studio.engine.catalog import PresetInfo, PromptWord
from tests.fakes.fake_engine import FakeGenerator
from tests.fakes.fake_host import FakeHost

CLIP = Path("clips") / "golden_retriever_512_3.2s.mp4"
"""32 frames at 10 a second, 512 × 512, without sound; below the shared media."""


class FakeCatalog:
    """Two looks; every word with an ``o`` is understood."""

    def presets(self) -> tuple[PresetInfo, ...]:
        return (
            PresetInfo(id="wet", title="Watercolour", swatch=((240, 240, 240), (90, 130, 170))),
            PresetInfo(id="oil", title="Oil", swatch=((60, 80, 120), (210, 150, 60))),
        )

    def words(self, prompt: str, generator: str = "example") -> tuple[PromptWord, ...]:
        return tuple(PromptWord(word, "o" in word) for word in prompt.split())


def fake_studio(registry: GeneratorRegistry | None = None) -> tuple[Studio, FakeHost]:
    """A studio whose engine is the fake; live preview is off, so that only what a test asks for is queued.

    ``registry`` says what is installed; None = the fake generator alone.
    """
    preferences = Preferences()
    preferences.set("live_preview", False)
    host = FakeHost()
    installed = registry or GeneratorRegistry.of(FakeGenerator())
    studio = Studio(preferences, cast(EngineHost, host), installed, FakeCatalog(), sound=False)
    return studio, host


def with_clip(studio: Studio, media_root: Path, qtbot: QtBot, path: Path | None = None) -> Clip:
    """Import the test clip as an artist would; returns it on the timeline."""
    with qtbot.waitSignal(studio.importer.finished, timeout=15000):
        studio.import_files([path or media_root / CLIP])
    clip = studio.session.target_clip()
    assert clip is not None
    return clip
