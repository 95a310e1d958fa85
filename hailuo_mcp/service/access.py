"""What one caller may use: the shared services, with its own settings, keys and models."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.core.caller import LOCAL, Caller
from hailuo_mcp.core.job import Job
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.gateways import Gateway
from hailuo_mcp.ledger.retrying import RetryingLedger
from hailuo_mcp.service.credentials import origins
from hailuo_mcp.service.services import Services


@dataclass(frozen=True)
class Access:
    """The basis of a `Session`, and all that its parts need to know about the caller."""

    services: Services
    caller: Caller = LOCAL

    @property
    def tenant(self) -> str:
        """Whose jobs these are; empty for the user of this machine."""
        return self.caller.tenant

    @property
    def ledger(self) -> RetryingLedger:
        return self.services.ledger

    @cached_property
    def settings(self) -> Settings:
        return self.services.credentials.settings_for(self.caller)

    @cached_property
    def gateways(self) -> Mapping[str, Gateway]:
        return self.services.credentials.gateways_for(self.caller)

    @property
    def origins(self) -> frozenset[str]:
        """Where new jobs are sent: budgets and totals count only jobs sent there."""
        return origins(self.gateways)

    @property
    def has_own_keys(self) -> bool:
        """Whether this caller's own keys determine which models it can use."""
        return self.services.credentials.has_own_keys(self.caller)

    @cached_property
    def catalog(self) -> Catalog:
        return self.services.catalog.under(self.settings) if self.has_own_keys else self.services.catalog

    def gateway_for(self, job: Job) -> Gateway | None:
        """The gateway that the job was sent to; None if this caller cannot ask it."""
        return self.services.credentials.gateway_for(job, self.caller)
