"""The types of settings: how each value in the environment is parsed and checked."""

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator

from hailuo_mcp.core.tenants import is_sendable

PREFIX = "HAILUO_MCP_"
POSTGRES = ("postgresql://", "postgres://")


def key_variable(gateway: str) -> str:
    """The variable with the key of the gateway of this name."""
    return f"{gateway.upper()}_API_KEY"


def url_variable(gateway: str, purpose: str) -> str:
    """The variable with one of its addresses; `base` is the API itself."""
    return f"{gateway.upper()}_{purpose.upper()}_URL"


class SettingsError(Exception):
    """A wrong value in the environment: one line that begins with the variable's name and says what is valid."""

    @property
    def variable(self) -> str:
        """The variable that the message begins with; empty if there is none."""
        found = re.match(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+", str(self))
        return found[0] if found else ""


_PLACEHOLDER = re.compile(r"\$\{[^${}\x00-\x1f]*\}")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_QUOTES = ('"', "'", "`")


def is_unfilled(value: str) -> bool:
    """Whether a value is a placeholder that the host did not fill in, such as `${user_config.key}` in a bundle: it
    counts as unset."""
    return _PLACEHOLDER.fullmatch(value.strip()) is not None


def given(environ: Mapping[str, str], variable: str) -> str:
    """What the user set, or an empty string.

    Raises:
        SettingsError: the value contains something that a shell or a host should have replaced or removed. It is not
            repeated, because it may be a key.
    """
    value = environ.get(variable, "").strip()
    if is_unfilled(value):
        return ""
    if found := _PLACEHOLDER.search(value):
        raise SettingsError(
            f"{variable}: {found[0]} in it was not filled in by the host that started the server: write what it stands "
            "for (a path may begin with ~)"
        )
    if len(value) > 1 and value[0] == value[-1] and value[0] in _QUOTES:
        raise SettingsError(f"{variable}: the quotes around it are part of the value: remove them")
    return value


def _comma_separated(text: str) -> tuple[str, ...]:
    return tuple(stripped for part in text.split(",") if (stripped := part.strip()))


def expanded(text: str) -> Path:
    """The path, which may begin with `~` or `$HOME`. Raises ValueError."""
    if _URL.match(text):
        raise ValueError("this is a URL: write the path alone, like /home/me/clips or ~/clips")
    try:
        return Path(re.sub(r"^\$HOME(?=/|$)", "~", text)).expanduser()
    except RuntimeError:
        raise ValueError("the home directory it names is unknown") from None


def _directories(text: str) -> tuple[Path, ...]:
    parts = [text] if _URL.match(text) else text.split(os.pathsep)  # the colon of a URL is no separator
    return tuple(expanded(stripped) for part in parts if (stripped := part.strip()))


_TOKEN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_DIGEST = re.compile(r"sha256:([0-9a-fA-F]{64})", re.IGNORECASE)


def _tokens(text: str) -> Mapping[str, str]:
    """`name:token,…` as a mapping of name to SHA-256 digest: tokens that are not kept cannot leak."""
    digests: dict[str, str] = {}
    for number, part in enumerate(_comma_separated(text), start=1):
        name, _, token = part.partition(":")
        token = token.strip()
        if not _TOKEN_NAME.fullmatch(name) or not token:
            raise ValueError(f"entry {number} is not of the form name:token, or name:sha256:<64 hex digits>")
        if name in digests:
            raise ValueError(f"entry {number} has the same name as an earlier one")
        hashed = _DIGEST.fullmatch(token)
        if token.lower().startswith("sha256:") and not hashed:  # a digest cut short must not become a token
            raise ValueError(f"entry {number} is not a digest: sha256: must be followed by 64 hex digits")
        if not is_sendable(token):
            raise ValueError(f"entry {number} cannot be sent in a header: a token is printable ASCII without spaces")
        digest = hashed[1].lower() if hashed else hashlib.sha256(token.encode()).hexdigest()
        if digest in digests.values():
            raise ValueError(f"entry {number} has the same token as an earlier one: tokens must be unique")
        digests[name] = digest
    return digests


def _database(url: str) -> str:
    if url.startswith(POSTGRES):
        try:
            hosts = urlsplit(url).netloc.rpartition("@")[2].split(",")
            usable = all(urlsplit(f"//{host}").port != 0 for host in hosts)
        except ValueError:
            usable = False
        if not usable or not url.isprintable() or " " in url:
            raise ValueError(
                "this is not an address; use postgresql://user:password@host:5432/database, with special characters of "
                "the password percent-encoded"
            )
    elif not url.startswith("sqlite:///") or url == "sqlite:///":
        raise ValueError(
            "use sqlite:///relative/path, sqlite:////absolute/path or postgresql://user:password@host/database"
        )
    return url


def checked_address(value: str) -> str:
    """The web address without a trailing slash. Raises ValueError."""
    value = value.strip().rstrip("/")
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or not value.isprintable() or any(mark in value for mark in " @?#\\"):
        raise ValueError("an address looks like https://host or http://127.0.0.1:8080")
    return value


def shown(value: str) -> str:
    """`=` and the value, on one line; empty if the value may contain a password or a key."""
    if "@" in value or "?" in value or value.startswith(POSTGRES):
        return ""
    return f"={value[:80]!r}{'…' if len(value) > 80 else ''}"


Names = Annotated[tuple[str, ...], BeforeValidator(_comma_separated)]
Tokens = Annotated[Mapping[str, str], BeforeValidator(_tokens)]
Address = Annotated[str, BeforeValidator(checked_address)]
Database = Annotated[str, BeforeValidator(_database)]
Directory = Annotated[Path, BeforeValidator(expanded)]
Directories = Annotated[tuple[Path, ...], BeforeValidator(_directories)]
