"""The settings, read from the environment in one place and checked at start.

A gateway declares its hosts; `<GATEWAY>_API_KEY` and `<GATEWAY>_<HOST>_URL` follow from that, so this file names no
gateway.
"""

import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from hailuo_mcp.core.setting_values import (
    PREFIX,
    SettingsError,
    checked_address,
    expanded,
    given,
    key_variable,
    shown,
    url_variable,
)
from hailuo_mcp.core.settings import BY_OAUTH, INTERNAL_FIELDS, SECRET_FIELDS, GatewaySettings, Settings
from hailuo_mcp.core.tenants import is_sendable, read_tenants

OLD_CATALOG_VARIABLE = f"{PREFIX}CATALOGUE"


def with_secret_files(environ: Mapping[str, str], gateways: Iterable[str]) -> Mapping[str, str]:
    """The environment, with each secret variable also read from the file that `<VARIABLE>_FILE` names, which is how
    containers pass secrets.

    Raises:
        SettingsError: a file cannot be read, or the variable is set as well.
    """
    secret = {f"{PREFIX}DATABASE_URL", f"{PREFIX}HTTP_TOKENS", *(key_variable(name) for name in gateways)}
    read: dict[str, str] = {}
    for variable in sorted(secret):
        path = given(environ, f"{variable}_FILE")
        if not path:
            continue
        if given(environ, variable):
            raise SettingsError(f"{variable} and {variable}_FILE are both set: set only one")
        try:
            read[variable] = expanded(path).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            reason = "it is not text" if isinstance(error, UnicodeDecodeError) else getattr(error, "strerror", error)
            raise SettingsError(f"{variable}_FILE={path!r} cannot be read: {reason}") from None
    return {**environ, **read}


def read_settings(environ: Mapping[str, str], gateways: Mapping[str, Mapping[str, str]]) -> Settings:
    """Read and check the environment.

    `gateways` maps each gateway's name to the default address of each of its hosts. Empty values and placeholders count
    as unset, because MCP hosts pass on the empty fields of their settings pages.

    Raises:
        SettingsError: a value is wrong; the message is one line that names the variable.
    """
    import platformdirs  # start-up time: only needed here

    values: dict[str, Any] = {}
    for name in Settings.model_fields.keys() - INTERNAL_FIELDS:
        if value := given(environ, PREFIX + name.upper()):
            values[name] = value
    if old := given(environ, OLD_CATALOG_VARIABLE):
        _warn_of_old_name()
        values.setdefault("catalog", old)
    values.setdefault("output_dir", str(Path(platformdirs.user_videos_dir()) / "hailuo"))
    values["state_dir"] = Path(platformdirs.user_state_dir("hailuo-mcp", appauthor=False))
    values["config_dir"] = Path(platformdirs.user_config_dir("hailuo-mcp", appauthor=False))
    values["gateways"] = {name: _read_gateway(environ, name, hosts) for name, hosts in gateways.items()}
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = str(first["loc"][0])
        value = "" if field in SECRET_FIELDS else shown(str(values.get(field)))
        raise SettingsError(f"{PREFIX}{field.upper()}{value}: {first['msg'].removeprefix('Value error, ')}") from None
    _check_oauth(settings)
    if settings.tenants_file is None:
        return settings
    try:
        tenants = read_tenants(settings.tenants_file, gateways)
    except ValueError as error:
        raise SettingsError(f"{PREFIX}TENANTS_FILE: {error}") from None
    for name in tenants:
        if name not in settings.http_tokens and not name.startswith(BY_OAUTH):
            raise SettingsError(
                f"{PREFIX}TENANTS_FILE: {settings.tenants_file}: tenants.{name}: no token of {PREFIX}HTTP_TOKENS has "
                f'this name; a subject of the OAuth issuer is written [tenants."{BY_OAUTH}SUBJECT"]'
            )
    return settings.model_copy(update={"tenants": tenants})


@cache
def _warn_of_old_name() -> None:
    """Warn once per process, however often the settings are read."""
    sys.stderr.write(f"{OLD_CATALOG_VARIABLE} is now {PREFIX}CATALOG; the old name still works.\n")


def _check_oauth(settings: Settings) -> None:
    if bool(settings.oauth_issuer) != bool(settings.oauth_jwks_url):
        raise SettingsError(
            f"{PREFIX}OAUTH_ISSUER and {PREFIX}OAUTH_JWKS_URL must be set together: the issuer of the tokens, and the "
            "address of its signing keys"
        )
    if settings.oauth_issuer and not (settings.oauth_audience or settings.public_url):
        raise SettingsError(
            f"{PREFIX}OAUTH_ISSUER needs {PREFIX}OAUTH_AUDIENCE or {PREFIX}PUBLIC_URL: a token for another service "
            "must not be taken"
        )


def _read_gateway(environ: Mapping[str, str], name: str, hosts: Mapping[str, str]) -> GatewaySettings:
    """A base address set by the user is also the default for the gateway's other hosts, so that no image or key goes
    to production during a test."""
    key = given(environ, key_variable(name))
    if not is_sendable(key):
        raise SettingsError(f"{key_variable(name)}: a key is printable ASCII without spaces; copy this one again")
    own_base = _read_url(environ, url_variable(name, "base"))
    urls = {
        purpose: _read_url(environ, url_variable(name, purpose)) or own_base or default
        for purpose, default in hosts.items()
    }
    return GatewaySettings(key=SecretStr(key) if key else None, urls=urls)


def _read_url(environ: Mapping[str, str], variable: str) -> str | None:
    value = given(environ, variable)
    try:
        return checked_address(value) if value else None
    except ValueError as error:
        raise SettingsError(f"{variable}{shown(value)}: {error}") from None
