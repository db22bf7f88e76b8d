"""How models are fetched and where they live: mirror, proxy, folders, reuse; and the token in the system's keyring.

The settings are a small JSON file that the window and the command line share. The token never is in a file of ours: it
lies in the keyring of the system (Keychain, Credential Manager, Secret Service), or comes from ``HF_TOKEN``.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from gen2studio.core.errors import UsageError
from gen2studio.core.paths import config_dir, data_dir, write_atomic
from gen2studio.core.records import dataclass
from gen2studio.models.download_values import DownloadError

HUB = "https://huggingface.co"
SETTINGS_NAME = "hub.json"
KEYRING_SERVICE = "Gen2 Studio"
KEYRING_USER = "hub token"
DIRECT = "none"
GIB = 1 << 30
_TOKEN = re.compile(r"[\x21-\x7e]{8,512}")
"""Anything else could not be sent."""
_LOCAL = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSettings:
    """Where models come from and where they go. Values that came through :func:`checked_settings` are safe to use."""

    endpoint: str = HUB
    """The hub, or a mirror that speaks its protocol: ``https://host[:port][/path]``."""
    proxy: str = ""
    """Empty = the system's; ``none`` = no proxy; else ``http://host:port``."""
    models_folder: str = ""
    """Where downloads lie; empty = ``models`` in the data folder."""
    reserve: int = 5 * GIB
    """Bytes of that disk that a download leaves free."""
    parallel: int = 2
    """Models that are fetched at the same time, 1 to 4."""
    reuse_hub_cache: bool = True
    """Link or copy what other programs fetched from the hub. Their files are only read."""
    hub_cache: str = ""
    """That cache; empty = where ``HF_HUB_CACHE`` or ``HF_HOME`` say, else ``~/.cache/huggingface/hub``."""
    comfyui_folders: tuple[str, ...] = ()
    """ComfyUI folders (or their ``models``) whose files are offered and reused, and only read."""

    @property
    def folder(self) -> Path:
        """Where downloads lie."""
        return Path(self.models_folder).expanduser() if self.models_folder else data_dir() / "models" / "downloaded"

    @property
    def hub_cache_folder(self) -> Path:
        """The hub's cache of this user, whether it exists or not."""
        if self.hub_cache:
            return Path(self.hub_cache).expanduser()
        said = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
        if said:
            return Path(said).expanduser()
        home = os.environ.get("HF_HOME")
        cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
        return (Path(home).expanduser() if home else cache / "huggingface") / "hub"


def checked_settings(settings: HubSettings) -> HubSettings:
    """``settings`` in their plain form. Raises UsageError with one sentence for a value that can't be used."""
    endpoint = settings.endpoint.strip().rstrip("/") or HUB
    _check_address(endpoint, "mirror", ("https", "http"))
    if urlsplit(endpoint).query or urlsplit(endpoint).fragment:
        raise UsageError(f"“{endpoint}” is no address of a mirror.", f"Write it as {HUB}.")
    proxy = settings.proxy.strip().rstrip("/")
    if proxy and proxy != DIRECT:
        proxy = proxy if "://" in proxy else f"http://{proxy}"
        if urlsplit(proxy).scheme.startswith("socks"):
            raise UsageError("SOCKS proxies are not supported.", "Name an HTTP proxy: http://host:port.")
        _check_address(proxy, "proxy", ("http", "https"))
    if not 1 <= settings.parallel <= 4:
        raise UsageError("One to four models can be fetched at the same time.", "Choose a number from 1 to 4.")
    if not 0 <= settings.reserve <= 1 << 50:
        raise UsageError("The space that stays free can't be that.", "Choose some gigabytes, such as 5.")
    for folder in (settings.models_folder, settings.hub_cache, *settings.comfyui_folders):
        if folder and not Path(folder).expanduser().is_absolute():
            raise UsageError(f"“{folder}” is no whole path.", "Choose the folder from the top of its disk.")
    return HubSettings(
        endpoint=endpoint,
        proxy=proxy,
        models_folder=settings.models_folder.strip(),
        reserve=settings.reserve,
        parallel=settings.parallel,
        reuse_hub_cache=settings.reuse_hub_cache,
        hub_cache=settings.hub_cache.strip(),
        comfyui_folders=tuple(dict.fromkeys(folder.strip() for folder in settings.comfyui_folders if folder.strip())),
    )


class HubSettingsFile:
    """The settings on disk. Every call reads or writes the file; safe from any thread."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

    @property
    def path(self) -> Path:
        return self._path or config_dir() / SETTINGS_NAME

    def load(self) -> HubSettings:
        """What was saved; what is missing or can't be used has its default."""
        try:
            table: Any = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return HubSettings()
        row: Mapping[str, Any] = cast("Mapping[str, Any]", table) if isinstance(table, dict) else {}
        settings = HubSettings()
        for item in fields(HubSettings):
            value: Any = row.get(item.name)
            default = getattr(settings, item.name)
            if item.name == "comfyui_folders" and isinstance(value, list):
                value = tuple(str(folder) for folder in cast("list[Any]", value))
            if type(value) is not type(default):
                continue
            try:
                settings = checked_settings(replace(settings, **{item.name: value}))
            except UsageError:
                continue
        return settings

    def save(self, settings: HubSettings) -> HubSettings:
        """Keep ``settings`` and return them in their plain form. Raises UsageError."""
        checked = checked_settings(settings)
        write_atomic(self.path, json.dumps(asdict(checked), indent=1, ensure_ascii=False).encode())
        return checked


def _check_address(address: str, what: str, schemes: tuple[str, ...]) -> None:
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if not host or parts.scheme not in schemes or re.search(r"[\s\x00-\x1f\\]", address):
        raise UsageError(f"“{address[:80]}” is no address of a {what}.", f"Write it as {schemes[0]}://host:port.")
    if parts.username or parts.password:
        raise UsageError(
            f"The address of the {what} holds a password, which would lie in a file that anybody can read.",
            "Leave it out here and set HTTPS_PROXY in the environment." if what == "proxy" else "Leave it out.",
        )


def may_carry_token(endpoint: str) -> bool:
    """Whether the token may be sent there: encrypted, or to this very machine."""
    parts = urlsplit(endpoint)
    return parts.scheme == "https" or parts.hostname in _LOCAL


def token() -> str:
    """The token for gated models: ``HF_TOKEN`` where it is set, else the keyring's; empty = none.

    A keyring that can't be opened counts as empty here; :func:`token_place` says so.
    """
    named = os.environ.get("HF_TOKEN", "").strip()
    if named:
        return named if _TOKEN.fullmatch(named) else ""
    # Imported here: asks the system's services, and nothing at the window's start needs it.
    import keyring
    import keyring.errors

    try:
        return (keyring.get_password(KEYRING_SERVICE, KEYRING_USER) or "").strip()
    except (keyring.errors.KeyringError, RuntimeError, OSError):
        return ""


def token_place() -> str:
    """Where a token comes from: ``environment``, ``keyring``, ``none``, or ``unavailable`` (no keyring to ask)."""
    if os.environ.get("HF_TOKEN", "").strip():
        return "environment"
    import keyring
    import keyring.errors

    try:
        return "keyring" if keyring.get_password(KEYRING_SERVICE, KEYRING_USER) else "none"
    except (keyring.errors.KeyringError, RuntimeError, OSError):
        return "unavailable"


def set_token(value: str) -> None:
    """Put the token into the keyring; empty forgets it. Raises DownloadError when there is no keyring to open."""
    import keyring
    import keyring.errors

    plain = value.strip()
    if plain and not _TOKEN.fullmatch(plain):
        raise UsageError("That is no access token.", "Copy it whole from the hub's settings, Access Tokens.")
    try:
        if plain:
            keyring.set_password(KEYRING_SERVICE, KEYRING_USER, plain)
        elif keyring.get_password(KEYRING_SERVICE, KEYRING_USER):
            keyring.delete_password(KEYRING_SERVICE, KEYRING_USER)
    except (keyring.errors.KeyringError, RuntimeError, OSError):
        raise DownloadError(
            "This system has no keyring that can be opened, and the token is kept nowhere else.",
            "Unlock or install one (GNOME Keyring, KWallet), or start the program with HF_TOKEN set.",
            "keyring",
        ) from None
