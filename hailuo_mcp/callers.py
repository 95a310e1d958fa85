"""Who calls: the person on this machine, or one of the tenants that a server over HTTP knows by their tokens."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr


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


LOCAL = Caller()
