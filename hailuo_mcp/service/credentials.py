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
        self._tenants = {
            tenant: self._with_keys(settings.for_tenant(tenant))
            for tenant, own in settings.tenants.items()
            if own.keys is not None
        }
        """The gateways of the tenants that have keys in the settings."""

    def has_own_keys(self, caller: Caller) -> bool:
        """Whether this caller's jobs use its own accounts."""
        return bool(caller.keys) or caller.tenant in self._tenants

    def settings_for(self, caller: Caller) -> Settings:
        return self._settings.for_tenant(caller.tenant, caller.keys)

    def gateways_for(self, caller: Caller) -> Mapping[str, Gateway]:
        """The gateways for this caller's new jobs."""
        if caller.keys:
            return self._with_keys(self.settings_for(caller))
        return self._tenants.get(caller.tenant, self._server)

    def gateway_for(self, job: Job, caller: Caller) -> Gateway | None:
        """The gateway that this job was sent to, with the right key; None if that key is not available or the gateway's
        address has changed since."""
        if not job.uses_caller_key:
            gateways = self._tenants.get(job.tenant, self._server)
        elif caller.keys and caller.tenant == job.tenant:
            gateways = self.gateways_for(caller)
        else:
            return None
        gateway = gateways.get(ModelId.parse(job.model).gateway)
        return gateway if gateway and gateway.usable and gateway.origin == job.origin else None

    def _with_keys(self, settings: Settings) -> Mapping[str, Gateway]:
        return {name: gateway.for_key(settings.gateways[name].key) for name, gateway in self._server.items()}
