"""``generate --key-frames``: a film of key frames of a model, its recipe, and what is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gen2studio.app.recipes import look_of_recipe
from gen2studio.cli.main import main
from gen2studio.engine.take_store import png_size
from gen2studio.models.library import ModelLibrary
from tests.diffusion import tiny_flux2

CLIP = Path("clips") / "golden_retriever_512_3.2s.mp4"


@pytest.fixture
def editor(tmp_path_factory: pytest.TempPathFactory, isolated_home: Path) -> str:
    """A small model that edits single frames, added as an artist would."""
    return ModelLibrary().add(tiny_flux2.build(tmp_path_factory.mktemp("models") / "editor")).id


def test_a_clip_of_a_model_that_draws_single_frames(
    editor: str, media_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "frames"
    wish = ["generate", "--source", str(media_root / CLIP), "--prompt", "a red dog", "--generator", editor]
    span = ["--range", "4:9", "--size", "max", "64", "--steps", "1"]
    assert main([*wish, *span, "--key-frames", "4", "--out", str(out)]) == 0
    said = capsys.readouterr().err
    assert "Choosing key frames" in said and "Carrying key frames" in said
    pictures = sorted(out.glob("*.png"))
    assert len(pictures) == 5 and {png_size(path) for path in pictures} == {(64, 64)}
    recipe = next(json.loads(path.read_text()) for path in out.parent.rglob("*.json"))
    assert '"key_spacing":4' in json.dumps(recipe, separators=(",", ":")).replace('\\"', '"')


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--key-frames", "often"], "auto, or a number of frames"),
        (["--key-frames", "0"], "auto, or a number of frames"),
        (["--key-frames", "auto", "--outpaint", "1:1"], "leave one of them out"),
        (["--key-frames", "auto", "--part", "dog.png=noir"], "leave out --key-frames"),
        (["--carry-with", "mini"], "belongs to --key-frames"),
        (["--key-frames", "auto", "--generator", "example"], "does not honour --key-frames"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    more: list[str], said: str, media_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wish = ["generate", "--source", str(media_root / CLIP), "--out", str(tmp_path / "x.mp4")]
    assert main([*wish, *more]) == 2
    assert said in capsys.readouterr().err


def test_a_recipe_brings_the_key_frames_back(media_root: Path) -> None:
    from gen2studio.engine.requests import request_recipe
    from tests.fakes.fake_engine import generate_request

    assert look_of_recipe(request_recipe(generate_request(key_spacing=-1))).key_spacing == -1
    assert look_of_recipe(request_recipe(generate_request())).key_spacing == 0
