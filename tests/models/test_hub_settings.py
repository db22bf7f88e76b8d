"""Where models come from and where they go; and the token, which is in no file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keyring
import keyring.backend
import keyring.backends.fail
import pytest

from gen2studio.core.errors import StudioError, UsageError
from gen2studio.core.paths import config_dir, data_dir
from gen2studio.models import hub_settings
from gen2studio.models.elsewhere import comfyui_models, find_comfyui
from gen2studio.models.hub_settings import HUB, HubSettings, HubSettingsFile, checked_settings


class Memory(keyring.backend.KeyringBackend):
    """A keyring of the system's kind that keeps its passwords in memory."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Iterator[Memory]:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    before = keyring.get_keyring()
    made = Memory()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


def test_settings_are_kept_and_plain() -> None:
    file = HubSettingsFile()
    assert file.load() == HubSettings()
    saved = file.save(HubSettings(endpoint=" https://hf-mirror.example/ ", proxy="proxy.example:8080", parallel=3))
    assert saved.endpoint == "https://hf-mirror.example" and saved.proxy == "http://proxy.example:8080"
    assert HubSettingsFile().load() == saved
    assert saved.folder == data_dir() / "models" / "downloaded"


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint": "ftp://x"}, {"endpoint": "huggingface.co"}, {"endpoint": "https://me:secret@x.example"},
        {"endpoint": "https://x.example?a=b"}, {"endpoint": "https://x.example:port"}, {"endpoint": "https://x y"},
        {"proxy": "socks5://x:1"}, {"proxy": "http://me:secret@x:1"}, {"parallel": 0}, {"parallel": 9}, {"reserve": -1},
        {"models_folder": "models"}, {"comfyui_folders": ("here",)},
    ],
)  # fmt: skip
def test_settings_that_cannot_be_used_are_refused_and_never_loaded(change: dict[str, object]) -> None:
    with pytest.raises(UsageError) as caught:
        checked_settings(replace(HubSettings(), **change))  # type: ignore[arg-type]
    assert caught.value.sentence.endswith(".") and caught.value.remedy.endswith(".")
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in change.items()}
    HubSettingsFile().path.write_text(json.dumps({**values, "proxy" if "endpoint" in change else "endpoint": ""}))
    loaded = HubSettingsFile().load()
    assert replace(loaded, endpoint=HUB) == HubSettings()


def test_a_damaged_file_means_defaults() -> None:
    for text in ("", "[]", "{", '{"endpoint": 7, "parallel": "x", "unknown": 1, "reuse_hub_cache": 3}', "[" * 100_000):
        HubSettingsFile().path.write_text(text)
        assert HubSettingsFile().load() == HubSettings()


def test_the_token_lies_in_the_keyring_alone(ring: Memory, isolated_home: Path) -> None:
    assert hub_settings.token() == "" and hub_settings.token_place() == "none"
    hub_settings.set_token(" hf_abcdefghijkl\n")
    HubSettingsFile().save(HubSettings())
    assert hub_settings.token() == "hf_abcdefghijkl" and hub_settings.token_place() == "keyring"
    assert list(ring.kept.values()) == ["hf_abcdefghijkl"]
    for path in isolated_home.rglob("*"):
        assert path.is_dir() or b"hf_abcdefghijkl" not in path.read_bytes()
    hub_settings.set_token("")
    hub_settings.set_token("")
    assert ring.kept == {} and hub_settings.token() == ""


def test_the_environment_goes_first(ring: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    hub_settings.set_token("hf_of_the_keyring")
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_environment")
    assert hub_settings.token() == "hf_of_the_environment" and hub_settings.token_place() == "environment"


@pytest.mark.parametrize(
    "value", ["short", "two words in it", "hf_with\nnewline", "hf_" + "x" * 600, "hf_ümlaut_token"]
)
def test_what_is_no_token_is_refused(ring: Memory, value: str) -> None:
    with pytest.raises(UsageError):
        hub_settings.set_token(value)
    assert ring.kept == {}


def test_a_system_without_a_keyring_says_so(ring: Memory, isolated_home: Path) -> None:
    keyring.set_keyring(keyring.backends.fail.Keyring())
    assert hub_settings.token() == "" and hub_settings.token_place() == "unavailable"
    with pytest.raises(StudioError) as caught:
        hub_settings.set_token("hf_abcdefghijkl")
    assert "keyring" in caught.value.sentence and "HF_TOKEN" in caught.value.remedy
    assert not any(path.is_file() for path in isolated_home.rglob("*"))
    assert config_dir().is_dir()


def test_the_hub_cache_is_where_the_hub_keeps_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert HubSettings().hub_cache_folder == tmp_path / "xdg" / "huggingface" / "hub"
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    assert HubSettings().hub_cache_folder == tmp_path / "home" / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    assert HubSettings().hub_cache_folder == tmp_path / "cache"
    assert HubSettings(hub_cache=str(tmp_path)).hub_cache_folder == tmp_path


def test_comfyui_is_found_where_it_usually_lies(tmp_path: Path) -> None:
    assert find_comfyui(tmp_path) == () and comfyui_models(tmp_path) is None
    models = tmp_path / "Documents" / "ComfyUI" / "models"
    for name in ("checkpoints", "vae", "loras"):
        (models / name).mkdir(parents=True)
    assert find_comfyui(tmp_path) == (models.resolve(),)
    assert comfyui_models(models) == models and comfyui_models(models.parent) == models
