"""The tenants of a server with several users, as the operator's file defines them."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError


def is_sendable(secret: str) -> bool:
    """Whether a key or token can be sent in a header; stray characters from copying would make it invalid."""
    return secret.isascii() and secret.isprintable() and " " not in secret


def _checked(key: SecretStr) -> SecretStr:
    value = key.get_secret_value()
    if not value or not is_sendable(value):
        raise ValueError("a key is printable ASCII without spaces")
    return key


Key = Annotated[SecretStr, AfterValidator(_checked)]


class TenantSettings(BaseModel):
    """One tenant's own limits and keys. Its keys replace all of the server's: gateways without one are not offered, so
    an empty table leaves only the gateways whose keys the tenant sends with its calls."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    max_jobs_per_day: Annotated[int, Field(ge=0)] | None = None
    max_usd_per_day: Annotated[float, Field(ge=0)] | None = None
    keys: Mapping[str, Key] | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)  # start-up time: only servers with tenants need it

    tenants: dict[str, TenantSettings]


def read_tenants(file: Path, gateways: Collection[str]) -> Mapping[str, TenantSettings]:
    """The tables `[tenants.NAME]` of a TOML file; `gateways` are the names that `keys` may have.

    Raises:
        ValueError: the message names the place, but repeats no value, because the file contains keys.
    """
    import tomllib  # start-up time: only servers with tenants need it

    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{file} cannot be read ({error.strerror})") from None
    except ValueError as error:
        position = re.search(r"\(at [^()]*\)$", str(error))
        raise ValueError(f"{file} is not TOML {position[0] if position else 'in UTF-8'}") from None
    try:
        tenants = _File.model_validate(document).tenants
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    for name, tenant in tenants.items():
        if unknown := (tenant.keys or {}).keys() - set(gateways):
            raise ValueError(
                f"{file}: tenants.{name}.keys: there is no gateway {', '.join(sorted(unknown))}; "
                f"known are {', '.join(gateways)}"
            )
    return tenants
