"""Which key goes with whose job: the server's own, a tenant's, or one that came with the call. They are never mixed."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping

from hailuo_mcp.core.caller import Caller
from hailuo_mcp.core.job import Job
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.gateways import Gateway
from hailuo_mcp.gateways.client import GatewayClient

SENDERS_KEPT = 1000
"""So many accounts of callers are remembered, by a digest of their key, with the pauses their gateways asked for."""


def origins(gateways: Mapping[str, Gateway]) -> frozenset[str]:
    """Where jobs go now: what budgets and sums count."""
    return frozenset(gateway.origin for gateway in gateways.values())


class Accounts:
    """The gateways, each as somebody with an account of their own reaches it."""

    def __init__(self, settings: Settings, gateways: Mapping[str, Gateway]) -> None:
        self._settings = settings
        self.servers_own = gateways
        self._of_tenants: dict[str, Mapping[str, Gateway]] = {}
        self._senders: OrderedDict[tuple[str, str], GatewayClient] = OrderedDict()

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
        if not job.uses_caller_key:
            gateways = self.of_tenant(job.tenant)
        elif caller.keys and caller.tenant == job.tenant:
            gateways = self.of_caller(caller)
        else:
            return None
        gateway = gateways.get(job.model.split("/")[0])
        return gateway if gateway and gateway.usable and gateway.origin == job.origin else None

    def _with_keys(self, settings: Settings) -> Mapping[str, Gateway]:
        own: dict[str, Gateway] = {}
        for name, gateway in self.servers_own.items():
            own[name] = gateway.with_key(key := settings.gateways[name].key)
            if key:
                own[name].sender = self._sender(name, key.get_secret_value(), own[name].sender)
        return own

    def _sender(self, gateway: str, key: str, new: GatewayClient) -> GatewayClient:
        account = (gateway, hashlib.sha256(key.encode()).hexdigest())
        sender = self._senders.setdefault(account, new)
        self._senders.move_to_end(account)
        if len(self._senders) > SENDERS_KEPT:
            self._senders.popitem(last=False)
        return sender
