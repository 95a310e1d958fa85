"""A caller's accounts: their balances, and what was spent."""

from collections.abc import Mapping
from dataclasses import dataclass

from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.core.caller import Caller
from hailuo_mcp.core.job import Job, utc_now
from hailuo_mcp.core.model_id import ModelId
from hailuo_mcp.gateways import Gateway
from hailuo_mcp.ledger.base import day_start
from hailuo_mcp.service.credentials import origins
from hailuo_mcp.service.services import Services


@dataclass(frozen=True, slots=True)
class Spent:
    """What a budget counts."""

    jobs: int
    usd: float


@dataclass(frozen=True)
class Account:
    """The accounts at all gateways that one caller uses."""

    services: Services
    caller: Caller
    catalog: Catalog
    gateways: Mapping[str, Gateway]

    async def spent_today(self) -> Spent:
        """What counts against the limits of the day, which begins at midnight UTC."""
        return Spent(
            *await self.services.ledger.spent_since(self.caller.tenant, day_start(utc_now()), origins(self.gateways))
        )

    def last_balance(self, job: Job) -> float | None:
        """The last known balance of the job's account, in its own unit; None if the caller may not see it."""
        gateway = self.services.credentials.gateway_for(job, self.caller)
        if gateway is None or (self.caller.tenant and not job.uses_caller_key):
            return None
        return self.services.balances.last_known(gateway)

    async def balances(self) -> dict[str, float]:
        """The balances of the caller's own accounts, by gateway, if reported. A caller that shares the server's keys
        does not see its accounts."""
        if self.caller.tenant and not self.services.credentials.has_own_keys(self.caller):
            return {}
        used = {ModelId.parse(model.id).gateway for model in self.catalog.usable}
        real = [gateway for gateway in self.gateways.values() if gateway.usable and not gateway.in_process_sandbox]
        return await self.services.balances.of([gateway for gateway in real if gateway.name in used])
