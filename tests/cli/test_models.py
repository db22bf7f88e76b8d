"""``gen2studio models`` from the catalog to the disk and back, against a real server of the hub's kind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backends.fail
import pytest

from gen2studio.cli.main import main
from gen2studio.core.paths import data_dir
from gen2studio.models.catalog import catalog
from tests.fakes.hub_server import HubServer
from tests.models.folder import write_weights
from tests.models.hub_entries import settings_for, weights
from tests.models.test_fetching import wait_for

ROOT = Path(__file__).resolve().parents[2]
BIG = 400_000
ENTRIES = """
version = 1
[[model]]
id = "lab-parts"
title = "Lab Parts"
kind = "shared"
repo = "lab/parts"
licence = "apache-2-0"
summary = "Parts for tests."
files = [{ path = "parts.safetensors" }]

[[model]]
id = "lab-control"
title = "Lab Control"
kind = "control"
family = "lab"
repo = "lab/control"
licence = "mit"
summary = "A control for tests."
files = [{ path = "control.safetensors" }]
needs = ["lab-parts"]
"""


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody's own token and keyring take part."""
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())
    yield
    keyring.set_keyring(before)


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """A hub with two entries of a catalog of the artist's own."""
    own = data_dir() / "catalog"
    own.mkdir()
    (own / "lab.toml").write_text(ENTRIES)
    with HubServer() as server:
        settings_for(server)
        server.put("lab/parts", "parts.safetensors", weights(BIG))
        server.put("lab/control", "control.safetensors", weights(5000))
        yield server


def said(capsys: pytest.CaptureFixture[str], *line: str, code: int = 0) -> str:
    """What the verb printed, both streams."""
    assert main(["models", *line]) == code
    found = capsys.readouterr()
    return found.out + found.err


def folder(name: str) -> Path:
    return data_dir() / "models" / "downloaded" / name


def test_from_the_catalog_to_the_disk_and_back(
    hub: HubServer, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert catalog().problems == ()
    assert "lab-control" in said(capsys, "list", "--catalog")
    shown = said(capsys, "show", "lab-control")
    assert "A control for tests." in shown and "needs" in shown and "MIT License" in shown
    assert "Permission is hereby granted" in said(capsys, "show", "lab-control", "--licence")
    facts = json.loads(said(capsys, "show", "lab-control", "--json"))
    assert (
        facts["needs"] == ["lab-parts"]
        and facts["installed"] is False
        and facts["here"]["light"] in ("well", "slow", "no")
    )
    plan = said(capsys, "download", "lab-control", "--dry-run")
    assert "Lab Parts: 1 file," in plan and "Lab Control: 1 file," in plan and not hub.seen("/resolve/")
    refused = said(capsys, "download", "lab-control", code=2)
    assert "--accept-licence" in refused and not hub.seen("/resolve/")
    done = said(capsys, "download", "lab-control", "--accept-licence")
    assert str(folder("lab-control")) in done and (folder("lab-parts") / "parts.safetensors").is_file()
    assert "Everything is on this machine already" in said(capsys, "download", "lab-control")
    listed = json.loads(said(capsys, "list", "--json"))
    assert {"lab-parts", "lab-control"} <= {row["id"] for row in listed}
    assert "● lab-parts" in said(capsys, "list", "--catalog")
    assert "is whole: 1 files read" in said(capsys, "verify", "lab-parts")
    assert "is whole" in said(capsys, "check", "lab-parts")
    assert str(tmp_path / "lab-parts") in said(capsys, "move", "lab-parts", str(tmp_path))
    assert "lab-parts" in said(capsys, "doctor")
    data = bytearray((tmp_path / "lab-parts" / "parts.safetensors").read_bytes())
    data[-1] ^= 1
    (tmp_path / "lab-parts" / "parts.safetensors").write_bytes(data)
    assert "not the file that was downloaded" in said(capsys, "verify", "lab-parts", code=1)
    assert "--delete" in said(capsys, "remove", "lab-parts", code=2)
    assert "are free again" in said(capsys, "remove", "lab-parts", "--delete")
    assert not (tmp_path / "lab-parts").exists()


def test_ctrl_c_pauses_and_the_same_call_goes_on(hub: HubServer) -> None:
    hub.hold("parts.safetensors", after=200_000)
    command = [sys.executable, "-m", "gen2studio", "models", "download", "lab-parts", "--accept-licence"]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    part = data_dir() / "models" / "downloaded" / ".incoming" / "lab-parts" / "files" / "parts.safetensors.part"
    wait_for(lambda: (part.is_file() and part.stat().st_size == 200_000) or program.poll() is not None)
    program.send_signal(signal.SIGINT)
    _, errors = program.communicate()
    assert program.returncode == 130, errors
    assert "Paused; the same call goes on" in errors and part.stat().st_size == 200_000
    left = subprocess.run([*command[:4], "list"], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert "lab-parts: Lab Parts (download)" in left
    hub.release()
    assert subprocess.run(command[:-1], capture_output=True, cwd=ROOT, check=False).returncode == 0
    assert [request.range for request in hub.seen("/cdn/")] == ["", "bytes=200000-"]
    assert (folder("lab-parts") / "parts.safetensors").stat().st_size > BIG


def test_errors_are_one_sentence_and_a_code(hub: HubServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert "catalog has no model" in said(capsys, "download", "nothing", code=1)
    hub.corrupt("parts.safetensors", times=9)
    wrong = said(capsys, "download", "lab-parts", "--accept-licence", code=1)
    assert "SHA-256" in wrong and "Traceback" not in wrong
    assert json.loads(said_out(capsys, "doctor", "--json"))
    findings = {row["title"]: row for row in json.loads(said_out(capsys, "doctor", "--json"))}
    assert "SHA-256" in findings["Download lab-parts"]["fact"]
    assert (
        "is deleted" in said(capsys, "remove", "lab-parts") and not (folder("lab-parts").parent / ".incoming").exists()
    )
    hub.repository("lab/control").gated = True
    assert "accepted its terms" in said(capsys, "download", "lab-control", "--alone", "--accept-licence", code=1)


def said_out(capsys: pytest.CaptureFixture[str], *line: str) -> str:
    main(["models", *line])
    return capsys.readouterr().out


def test_doctor_asks_the_hub_only_when_told(hub: HubServer, capsys: pytest.CaptureFixture[str]) -> None:
    said_out(capsys, "doctor")
    assert hub.requests == []
    assert "MISSING Hub" in said(capsys, "doctor", "--online", code=1)
    assert hub.requests


def test_settings_on_the_command_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    line = ["--mirror", "https://mirror.example", "--proxy", "none", "--folder", str(tmp_path), "--reserve", "2"]
    rows = json.loads(said(capsys, "settings", *line, "--comfyui", str(tmp_path), "--hub-cache", "ignore", "--json"))
    assert rows["mirror"] == "https://mirror.example" and rows["folder"] == str(tmp_path) and rows["reserve"] == "2 GB"
    assert rows["comfyui"] == str(tmp_path) and rows["hub cache"] == "ignored" and rows["proxy"] == "none"
    back = ["--mirror", "hub", "--proxy", "system", "--folder", "default", "--comfyui", "none", "--hub-cache", "use"]
    rows = json.loads(said(capsys, "settings", *back, "--json"))
    assert rows["mirror"] == "https://huggingface.co" and rows["comfyui"] == "none" and rows["proxy"] == "system"
    assert "HF_TOKEN" in rows["token"]
    assert "password" in said(capsys, "settings", "--proxy", "http://me:secret@x:1", code=2)


def test_adding_a_file_says_what_it_is(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    lora = {
        "blocks.0.attn1.to_q.lora_A.weight": (4, 1536), "blocks.0.attn1.to_q.lora_B.weight": (1536, 4),
    }  # fmt: skip
    added = said(capsys, "add", str(write_weights(tmp_path / "my look.safetensors", lora)))
    assert "A LoRA adapter for Wan 1.3B" in added and "“my look”" in added
    vae = {"decoder.conv1.weight": (4, 16, 3, 3, 3)}
    assert "Wan 2.1 VAE" in said(capsys, "add", str(write_weights(tmp_path / "vae.safetensors", vae)), code=1)
    (tmp_path / "evil.ckpt").write_bytes(b"\x80\x04.")
    assert "pickle" in said(capsys, "add", str(tmp_path / "evil.ckpt"), code=1)


def test_what_lies_elsewhere_is_listed_with_what_can_be_done(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "nothing"))
    assert main(["models", "list", "--found"]) == 0
    assert capsys.readouterr().out.startswith("Nothing that this program runs was found")
    models = tmp_path / "ComfyUI" / "models"
    write_weights(models / "vae" / "wan.safetensors", {"decoder.conv1.weight": (384, 16, 3, 3, 3)})
    write_weights(models / "unet" / "flux.safetensors", {"double_blocks.0.img_attn.qkv.weight": (96, 32)})
    (models / "loras").mkdir()
    assert main(["models", "settings", "--comfyui", str(tmp_path / "ComfyUI")]) == 0
    capsys.readouterr()
    assert main(["models", "list", "--found"]) == 0
    told = capsys.readouterr().out
    assert "Wan 2.1 VAE" in told and "Nothing by itself; a download takes it from here." in told
    assert "It is a FLUX transformer; single files are run of Wan 2.1 and 2.2 alone" in told
    assert main(["models", "list", "--found", "--json"]) == 0
    assert [row["usable"] for row in json.loads(capsys.readouterr().out)] == [False, False]
