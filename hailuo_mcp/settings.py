"""The settings, read from the environment in one place and checked at start.

A gateway declares its hosts; `<GATEWAY>_API_KEY` and `<GATEWAY>_<HOST>_URL` follow from that, so that this file knows
none.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, field_validator

PREFIX = "HAILUO_MCP_"


class SettingsError(Exception):
    """A wrong value in the environment: one line, which begins with the variable's name and says what it takes."""

    @property
    def variable(self) -> str:
        """The variable that the line begins with; empty where it begins with none."""
        found = re.match(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+", str(self))
        return found[0] if found else ""


def is_unfilled(value: str) -> bool:
    """Whether a value is a placeholder of the host's that nothing was put in for, as `${user_config.key}` in a bundle:
    it counts as unset."""
    return re.fullmatch(r"\$\{[^${}]*\}", value.strip()) is not None


def _given(environ: Mapping[str, str], variable: str) -> str:
    """What the user set, or nothing."""
    value = environ.get(variable, "").strip()
    return "" if is_unfilled(value) else value


def _comma_separated(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError("the home directory it names is not known") from None


def _directory(value: Any) -> Any:
    return _expanded(value) if isinstance(value, str) else value


def _directories(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return tuple(_expanded(part.strip()) for part in value.split(os.pathsep) if part.strip())


Names = Annotated[tuple[str, ...], BeforeValidator(_comma_separated)]
Directory = Annotated[Path, BeforeValidator(_directory)]
Directories = Annotated[tuple[Path, ...], BeforeValidator(_directories)]
Switch = Literal["auto", "1", "0"]


class GatewaySettings(BaseModel):
    """What the user set for one gateway: its key, and the base address of each of its hosts."""

    model_config = ConfigDict(frozen=True)

    key: SecretStr | None = None
    urls: Mapping[str, str]
    """Purpose (`base`, and what else the gateway declares) to scheme and host, without a trailing slash."""


class Settings(BaseModel):
    """Every setting, with its default. Field `x` is read from `HAILUO_MCP_X`; the docstring of each says what it
    does."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    sandbox: Switch = "auto"
    """Unset: the sandbox serves when no key is set, but never over HTTP; `1` forces it, `0` forbids it."""
    sandbox_seconds: float = Field(6.0, ge=0, le=3600)
    """How long a sandbox job takes, in seconds."""
    models: Names = ()
    """Comma-separated model ids to offer; unset: all usable ones."""
    database_url: str = ""
    """Where jobs are kept: `sqlite:///relative`, `sqlite:////absolute`; unset: SQLite in the user's state directory."""
    output_dir: Directory = Path()
    """Where clips are saved; unset: the folder `hailuo` in the user's video directory."""
    input_dirs: Directories = ()
    """Directories that local pictures may come from; unset: the home directory without hidden folders, and the output
    directory."""
    callback_hosts: Names = ()
    """Comma-separated hosts that `callback_url` may name, `*` for any; unset: none."""
    duplicate_window_seconds: float = Field(600, ge=0)
    """An identical job submitted this recently is returned instead of a new one; `0` turns the guard off."""
    max_jobs_per_day: int | None = Field(None, ge=0)
    """At most this many jobs a day (UTC); unset: no limit."""
    max_usd_per_day: float | None = Field(None, ge=0)
    """At most this many US dollars a day (UTC), by estimate or report; unset: no limit."""
    max_video_mb: int = Field(500, ge=1)
    """A clip larger than this many megabytes is not saved."""
    min_poll_seconds: float = Field(2, ge=0)
    """A poll sooner than this after the last is answered from the last; `0`: every call asks."""
    fix_images: bool = False
    """`1` lets the server convert, rotate or shrink a picture that would be refused."""
    auto_download: bool = True
    """Save a clip as soon as it is seen completed; unset: `1`, over HTTP `0`."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Verbosity of the log on stderr."""

    state_dir: Path = Path()
    """The user's state directory; not a variable of its own."""
    gateways: Mapping[str, GatewaySettings] = {}

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    def over_http(self) -> "Settings":
        """The same, as it is meant where callers come over HTTP: the sandbox never serves merely because no key is
        set, and clips are saved by themselves only where that is asked for."""
        return self.model_copy(
            update={
                "sandbox": "0" if self.sandbox == "auto" else self.sandbox,
                "auto_download": self.auto_download and "auto_download" in self.model_fields_set,
            }
        )

    @property
    def in_sandbox(self) -> bool:
        """Whether the in-process sandbox stands in for every gateway."""
        has_key = any(gateway.key for gateway in self.gateways.values())
        return self.sandbox == "1" or (self.sandbox == "auto" and not has_key)

    @property
    def database_path(self) -> Path:
        """The SQLite file of `database_url`, or the default one."""
        if not self.database_url:
            return self.state_dir / "jobs.sqlite3"
        return Path(self.database_url.removeprefix("sqlite:///"))


INTERNAL_FIELDS = frozenset({"state_dir", "gateways"})


def variables() -> dict[str, str]:
    """Variable name to what it does, in the order they are declared: the README's table and `--help` come from here."""
    return {
        PREFIX + name.upper(): " ".join((field.description or "").split())
        for name, field in Settings.model_fields.items()
        if name not in INTERNAL_FIELDS
    }


def read_settings(environ: Mapping[str, str], gateways: Mapping[str, Mapping[str, str]]) -> Settings:
    """Read and check the environment.

    `gateways` maps each gateway's name to the default address of each of its hosts. An empty value counts as unset,
    and so does a placeholder: hosts pass on empty fields of their settings pages.

    Raises:
        SettingsError: a value is wrong; the message is one line that names the variable.
    """
    import platformdirs  # start-up time: only needed here

    values: dict[str, Any] = {}
    for name in Settings.model_fields.keys() - INTERNAL_FIELDS:
        if value := _given(environ, PREFIX + name.upper()):
            values[name] = value
    _check_database(values.get("database_url", ""))
    values.setdefault("output_dir", Path(platformdirs.user_videos_dir()) / "hailuo")
    values["state_dir"] = Path(platformdirs.user_state_dir("hailuo-mcp", appauthor=False))
    values["gateways"] = {name: _read_gateway(environ, name, hosts) for name, hosts in gateways.items()}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = PREFIX + str(first["loc"][0]).upper()
        given = _shown(str(values.get(str(first["loc"][0]))))
        raise SettingsError(f"{name}{given}: {first['msg'].removeprefix('Value error, ')}") from None


def _check_database(url: str) -> None:
    if url.startswith(("postgresql://", "postgres://")):
        raise SettingsError(f"{PREFIX}DATABASE_URL: PostgreSQL is not supported yet; use sqlite:////absolute/path")
    if url and (not url.startswith("sqlite:///") or url == "sqlite:///"):
        raise SettingsError(
            f"{PREFIX}DATABASE_URL{_shown(url)}: use sqlite:///relative/path or sqlite:////absolute/path"
        )


def _read_gateway(environ: Mapping[str, str], name: str, hosts: Mapping[str, str]) -> GatewaySettings:
    """A base address of the user's own becomes the default of the gateway's other hosts too, so that no picture or key
    goes to production from a rehearsal."""
    prefix = name.upper()
    key = _given(environ, f"{prefix}_API_KEY")
    if not key.isascii() or any(c.isspace() or not c.isprintable() for c in key):
        raise SettingsError(f"{prefix}_API_KEY: a key is printable ASCII without spaces; this one was copied wrongly")
    own_base = _read_url(environ, f"{prefix}_BASE_URL")
    urls = {
        purpose: _read_url(environ, f"{prefix}_{purpose.upper()}_URL") or own_base or default
        for purpose, default in hosts.items()
    }
    return GatewaySettings(key=SecretStr(key) if key else None, urls=urls)


def _read_url(environ: Mapping[str, str], variable: str) -> str | None:
    value = _given(environ, variable).rstrip("/")
    if not value:
        return None
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or not value.isprintable() or any(mark in value for mark in " @?#\\"):
        raise SettingsError(f"{variable}{_shown(value)}: an address looks like https://host or http://127.0.0.1:8080")
    return value


def _shown(value: str) -> str:
    """`=` and the value, on one line; nothing where it may hold a password or a key."""
    return "" if "@" in value or "?" in value else f"={value[:80]!r}{'…' if len(value) > 80 else ''}"
