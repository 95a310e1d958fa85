"""Which key goes with whose job: the server's own, a tenant's, or one that came with the call. They are never mixed."""

from collections.abc import Mapping

from hailuo_mcp.core.caller import Caller
from hailuo_mcp.core.job import Job
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.gateways import Gateway


def origins(gateways: Mapping[str, Gateway]) -> frozenset[str]:
    """Where jobs go now: what budgets and sums count."""
    return frozenset(gateway.origin for gateway in gateways.values())


class Accounts:
    """The gateways, each as somebody with an account of their own reaches it."""

    def __init__(self, settings: Settings, gateways: Mapping[str, Gateway]) -> None:
        self._settings = settings
        self.servers_own = gateways
        self._of_tenants: dict[str, Mapping[str, Gateway]] = {}

    def settings_of(self, caller: Caller) -> Settings:
        return self._settings.for_tenant(caller.tenant, caller.keys)

    def of_caller(self, caller: Caller) -> Mapping[str, Gateway]:
        """The gateways that this caller's new jobs go to."""
        return self._with_keys(self.settings_of(caller)) if caller.keys else self.of_tenant(caller.tenant)

    def of_tenant(self, tenant: str) -> Mapping[str, Gateway]:
        """The gateways with the keys that are kept for a tenant."""
        if tenant not in self._settings.tenants or self._settings.tenants[tenant].keys is None:
            return self.servers_own
        if tenant not in self._of_tenants:
            self._of_tenants[tenant] = self._with_keys(self._settings.for_tenant(tenant))
        return self._of_tenants[tenant]

    def of_job(self, job: Job, caller: Caller) -> Gateway | None:
        """The gateway that this job was sent to, with the key to ask for it; None where that key is not at hand, or the
        gateway is another one by now."""
        if not job.own_key:
            gateways = self.of_tenant(job.tenant)
        elif caller.keys and caller.tenant == job.tenant:
            gateways = self.of_caller(caller)
        else:
            return None
        gateway = gateways.get(job.model.split("/")[0])
        return gateway if gateway and gateway.usable and gateway.origin == job.origin else None

    def _with_keys(self, settings: Settings) -> Mapping[str, Gateway]:
        return {name: gateway.for_key(settings.gateways[name].key) for name, gateway in self.servers_own.items()}
