"""Which key is used for which job: the server's own, a tenant's, or one sent with the call. They are never mixed."""

from collections.abc import Mapping

from hailuo_mcp.core.caller import Caller
from hailuo_mcp.core.job import Job
from hailuo_mcp.core.model_id import ModelId
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.gateways import Gateway


def origins(gateways: Mapping[str, Gateway]) -> frozenset[str]:
    """The origins of the current gateways: budgets and totals count only jobs sent there."""
    return frozenset(gateway.origin for gateway in gateways.values())


class Credentials:
    """The gateways, with the keys of each account."""

    def __init__(self, settings: Settings, gateways: Mapping[str, Gateway]) -> None:
        self._settings = settings
        self._server = gateways
        self._tenants: dict[str, Mapping[str, Gateway]] = {}

    def has_own_keys(self, caller: Caller) -> bool:
        """Whether this caller's jobs use its own accounts."""
        return bool(caller.keys) or self._has_kept_keys(caller.tenant)

    def settings_for(self, caller: Caller) -> Settings:
        return self._settings.for_tenant(caller.tenant, caller.keys)

    def gateways_for(self, caller: Caller) -> Mapping[str, Gateway]:
        """The gateways for this caller's new jobs."""
        return self._with_keys(self.settings_for(caller)) if caller.keys else self._gateways_of(caller.tenant)

    def gateway_for(self, job: Job, caller: Caller) -> Gateway | None:
        """The gateway that this job was sent to, with the right key; None if that key is not available or the gateway's
        address has changed since."""
        if not job.uses_caller_key:
            gateways = self._gateways_of(job.tenant)
        elif caller.keys and caller.tenant == job.tenant:
            gateways = self.gateways_for(caller)
        else:
            return None
        gateway = gateways.get(ModelId.parse(job.model).gateway)
        return gateway if gateway and gateway.usable and gateway.origin == job.origin else None

    def _gateways_of(self, tenant: str) -> Mapping[str, Gateway]:
        """The gateways with a tenant's keys from the settings."""
        if not self._has_kept_keys(tenant):
            return self._server
        if tenant not in self._tenants:
            self._tenants[tenant] = self._with_keys(self._settings.for_tenant(tenant))
        return self._tenants[tenant]

    def _has_kept_keys(self, tenant: str) -> bool:
        kept = self._settings.tenants.get(tenant)
        return kept is not None and kept.keys is not None

    def _with_keys(self, settings: Settings) -> Mapping[str, Gateway]:
        return {name: gateway.for_key(settings.gateways[name].key) for name, gateway in self._server.items()}
