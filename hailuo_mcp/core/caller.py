"""Who calls: the user of this machine, or a tenant that an HTTP server identifies by its token."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr

from hailuo_mcp.core.errors import HailuoError

log = logging.getLogger(__name__)


def key_header(gateway: str) -> str:
    """The header in which an HTTP caller sends its own key for this gateway."""
    return f"X-{gateway.title()}-Api-Key"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose jobs a call can see, and whose keys and limits it uses."""

    tenant: str = ""
    """Empty for the user of this machine."""
    may_generate: bool = True
    """Whether it may submit jobs; any authenticated caller may read its own."""
    keys: Mapping[str, SecretStr] = field(default_factory=dict[str, SecretStr], repr=False)
    """Gateway to key, for the keys that the caller sent with the call. They are kept only for that call."""

    @property
    def local(self) -> bool:
        return not self.tenant

    def redact(self, error: HailuoError) -> HailuoError:
        """The error as this caller may see it: paths on this machine are not shown to remote callers."""
        redacted = error if self.local else error.for_remote_callers()
        if redacted is not error:
            log.error("%s %s", error.problem.message, error.problem.hint)
        return redacted


LOCAL = Caller()
