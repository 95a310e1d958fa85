"""Who calls: the person on this machine, or one of the tenants that a server over HTTP knows by their tokens."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr

from hailuo_mcp.core.errors import HailuoError

log = logging.getLogger(__name__)


def key_header(gateway: str) -> str:
    """The header in which a caller over HTTP sends a key of its own for this gateway along."""
    return f"X-{gateway.title()}-Api-Key"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose jobs a call sees, and whose keys and limits it uses."""

    tenant: str = ""
    """Empty for the person whose machine this is."""
    may_generate: bool = True
    """Whether it may submit jobs; to look at its own, being known is enough."""
    keys: Mapping[str, SecretStr] = field(default_factory=dict[str, SecretStr], repr=False)
    """Gateway to key, where the caller sent its own along. They live as long as the call."""

    @property
    def local(self) -> bool:
        return not self.tenant

    def redact(self, error: HailuoError) -> HailuoError:
        """The error as this caller may hear it: where things are on this machine is the business of its people."""
        told = error if self.local else error.for_remote_callers()
        if told is not error:
            log.error("%s %s", error.problem.message, error.problem.hint)
        return told


LOCAL = Caller()
