"""Every setting, with its default and what it does."""

import ast
import inspect
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from hailuo_mcp.core.setting_values import POSTGRES, PREFIX, Address, Database, Directories, Directory, Names, Tokens
from hailuo_mcp.core.tenants import TenantSettings

BY_OAUTH = "oauth:"
"""Prefix of a tenant that is an OAuth subject. A token's name cannot contain a colon, so the two cannot be confused."""


class GatewaySettings(BaseModel):
    """What the user set for one gateway: its key, and the base address of each of its hosts."""

    model_config = ConfigDict(frozen=True)

    key: SecretStr | None = None
    urls: Mapping[str, str]
    """Purpose (`base`, and what else the gateway declares) to scheme and host, without a trailing slash."""


class Settings(BaseModel):
    """Every setting, with its default. Field `x` is read from `HAILUO_MCP_X`; the docstring of each says what it
    does."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    sandbox: Literal["auto", "1", "0"] = "auto"
    """Unset: the sandbox serves when no key is set, but never over HTTP; `1` forces it, `0` forbids it."""
    sandbox_seconds: float = Field(6.0, ge=0, le=3600)
    """How long a sandbox job takes, in seconds."""
    models: Names = ()
    """Comma-separated model ids to offer; unset: all usable ones."""
    catalog: Directory = Path()
    """A TOML file with models of your own, or a directory of such files; unset: `models.toml` and `models.d/*.toml` in
    the user's configuration directory."""
    database_url: Database = Field("", repr=False)
    """Where jobs are kept: `sqlite:///relative`, `sqlite:////absolute`, or for several servers
    `postgresql://user:password@host/database` (needs the `postgres` extra); unset: SQLite in the user's state
    directory."""
    output_dir: Directory = Path()
    """Where clips are saved; unset: the folder `hailuo` in the user's video directory."""
    input_dirs: Directories = ()
    """Directories that local files may come from; unset: the home directory without hidden folders, and the output
    directory."""
    callback_hosts: Names = ()
    """Comma-separated hosts that `callback_url` may name, `*` for any; unset: none."""
    duplicate_window_seconds: float = Field(600, ge=0)
    """An identical job that ended this recently, or has not ended, is returned instead of a new one; `0`: never."""
    max_jobs_per_day: int | None = Field(None, ge=0)
    """At most this many jobs a day (UTC); unset: no limit."""
    max_usd_per_day: float | None = Field(None, ge=0)
    """At most this many US dollars a day (UTC), by reported or else estimated cost; unset: no limit."""
    confirm_above_usd: float | None = Field(None, ge=0)
    """The user is asked before a job that costs more than this many US dollars, or whose price is unknown; `0`: before
    every job; unset: never. If the client cannot ask, the job is refused."""
    max_video_mb: int = Field(500, ge=1)
    """A clip larger than this many megabytes is not saved."""
    min_poll_seconds: float = Field(2, ge=0)
    """A poll within this many seconds of the last one returns its result; `0`: every call polls the gateway."""
    fix_images: bool = False
    """`1` lets the server convert, rotate or shrink an image that would be refused."""
    keep_image_metadata: bool = False
    """`true` sends local images with their location, time, camera and comments; unset: these are removed first."""
    auto_download: bool = True
    """Save a clip as soon as it is seen completed; unset: `1`, over HTTP `0`."""
    http_tokens: Tokens = Field({}, repr=False)
    """Bearer tokens that are accepted over HTTP, `name:token,…`, or their digests, `name:sha256:<hex>,…`. Each name
    sees only its own jobs."""
    http_max_connections: int = Field(4096, ge=1)
    """At most this many connections over HTTP at a time, fewer where the system allows fewer open files."""
    allowed_hosts: Names = ()
    """Comma-separated values of the `Host` header that are accepted over HTTP, `host` or `host:port`; not needed on
    loopback."""
    allowed_origins: Names = ()
    """Comma-separated origins of web pages that may call over HTTP, like `https://app.example.com`; unset: none but the
    server's own."""
    public_url: Address = ""
    """The server's public URL, like `https://video.example.com`: used in links to clips and in gateway callbacks."""
    oauth_issuer: str = ""
    """Issuer of the OAuth access tokens (JWT) that HTTP accepts, with the scopes `video:read` and `video:generate`."""
    oauth_audience: str = ""
    """The audience that such a token must have; unset: the address of the server's `/mcp`."""
    oauth_jwks_url: Address = ""
    """The URL of the issuer's signing keys."""
    tenants_file: Directory | None = None
    """A TOML file with limits and gateway keys of individual tenants: `[tenants.NAME]`, `max_jobs_per_day`,
    `max_usd_per_day`, `keys.segmind`."""
    keys_from_headers: bool = False
    """`1` lets HTTP callers send their own gateway key, as `X-Segmind-Api-Key` and so on; it is never stored."""
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(str.upper)] = "INFO"
    """Verbosity of the log on stderr."""
    log_format: Annotated[Literal["text", "json"], BeforeValidator(str.lower)] = "text"
    """Form of the log on stderr: `text`, or `json` for one object a line."""

    state_dir: Path = Path()
    """The user's state directory; not a variable of its own."""
    config_dir: Path = Path()
    """The user's configuration directory; not a variable of its own."""
    gateways: Mapping[str, GatewaySettings] = {}
    tenants: Mapping[str, TenantSettings] = {}
    """The content of `tenants_file`, by tenant."""

    def over_http(self) -> "Settings":
        """These settings for callers over HTTP: the sandbox is not used just because no key is set, and clips are saved
        automatically only if that was set."""
        return self.model_copy(
            update={
                "sandbox": "0" if self.sandbox == "auto" else self.sandbox,
                "auto_download": self.auto_download and "auto_download" in self.model_fields_set,
            }
        )

    @property
    def asks_for_tokens(self) -> bool:
        """Whether callers over HTTP must authenticate."""
        return bool(self.http_tokens or self.oauth_issuer)

    @property
    def callers_have_keys(self) -> bool:
        """Whether some callers over HTTP may have their own gateway keys, and so their own models."""
        return bool(self.tenants) or self.keys_from_headers

    def for_tenant(self, name: str, keys: Mapping[str, SecretStr] | None = None) -> "Settings":
        """These settings for one tenant: its own limits and gateway keys. `keys` are those sent with the call, and take
        precedence over those of the file. A tenant with its own keys never uses the server's."""
        if name not in self.tenants and keys is None:
            return self
        own = self.tenants.get(name, TenantSettings())
        update = own.model_dump(exclude={"keys"}, exclude_none=True)
        keys = keys or own.keys
        if keys is not None:
            update["gateways"] = {
                gateway: settings.model_copy(update={"key": keys.get(gateway)})
                for gateway, settings in self.gateways.items()
            }
            update["sandbox"] = self.sandbox if self.sandbox == "1" else "0"
        return self.model_copy(update=update)

    @property
    def in_sandbox(self) -> bool:
        """Whether the in-process sandbox replaces every gateway."""
        has_key = any(gateway.key for gateway in self.gateways.values())
        return self.sandbox == "1" or (self.sandbox == "auto" and not has_key)

    @property
    def on_postgres(self) -> bool:
        """Whether jobs are kept in PostgreSQL."""
        return self.database_url.startswith(POSTGRES)

    @property
    def database_path(self) -> Path:
        """The SQLite file of `database_url`, or the default one."""
        if not self.database_url or self.on_postgres:
            return self.state_dir / "jobs.sqlite3"
        return Path(self.database_url.removeprefix("sqlite:///"))


INTERNAL_FIELDS = frozenset({"state_dir", "config_dir", "gateways", "tenants"})
SECRET_FIELDS = frozenset({"http_tokens"})
"""Settings whose values are never shown, not even in error messages."""


def variables() -> dict[str, str]:
    """Variable name to description, in order of declaration, for the README's table and `--help`."""
    descriptions = _docstrings()
    return {
        PREFIX + name.upper(): descriptions.get(name, "")
        for name in Settings.model_fields
        if name not in INTERNAL_FIELDS
    }


def _docstrings() -> dict[str, str]:
    """Field name to docstring; empty if the source is not installed. Pydantic's `use_attribute_docstrings` would read
    the source at every start, which takes three times as long as building the class."""
    try:
        declaration = ast.parse(inspect.getsource(Settings)).body[0]
    except OSError:
        return {}
    found: dict[str, str] = {}
    for statements in pairwise(declaration.body if isinstance(declaration, ast.ClassDef) else ()):
        match statements:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = " ".join(text.split())
            case _:
                pass
    return found
