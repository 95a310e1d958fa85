"""Finding the job of a request id, for one caller."""

from collections.abc import Mapping
from dataclasses import dataclass

from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.core.caller import Caller
from hailuo_mcp.core.errors import Unauthorized, UnknownRequest
from hailuo_mcp.core.job import Job, State
from hailuo_mcp.core.model_id import ModelId
from hailuo_mcp.core.request_id import UNCONFIRMED_PREFIX, RequestId
from hailuo_mcp.gateways import Gateway
from hailuo_mcp.ledger import Ledger
from hailuo_mcp.service.services import Services


async def known_job(ledger: Ledger, caller: Caller, gateways: Mapping[str, Gateway], request_id: object) -> Job | None:
    """A job of this caller from the ledger; no gateway is asked.

    Raises:
        InvalidInput: this is not a request id.
    """
    parsed = RequestId.parse(request_id)
    gateway = gateways.get(ModelId.parse(parsed.model).gateway)
    job = await ledger.find(parsed.model, parsed.remote_id, caller.tenant, gateway.origin if gateway else "")
    if job is None and parsed.remote_id.startswith(UNCONFIRMED_PREFIX):
        job = await ledger.get(parsed.remote_id.removeprefix(UNCONFIRMED_PREFIX))
    return job if job and (job.model, job.tenant) == (parsed.model, caller.tenant) else None


@dataclass(frozen=True)
class Lookup:
    """The jobs that one caller may see, by request id."""

    services: Services
    caller: Caller
    catalog: Catalog
    gateways: Mapping[str, Gateway]

    async def known(self, request_id: object) -> Job | None:
        """As `known_job` for this caller."""
        return await known_job(self.services.ledger, self.caller, self.gateways, request_id)

    async def job(self, request_id: object) -> Job:
        """The job with this id: from the ledger, or imported after asking its gateway. For a tenant only the ledger
        counts, because at a gateway the jobs of all tenants belong to one account."""
        if known := await self.known(request_id):
            return known
        parsed = RequestId.parse(request_id)
        if parsed.remote_id.startswith(UNCONFIRMED_PREFIX) or not self.caller.local:
            raise UnknownRequest(f"There is no job {parsed}.")
        model = self.catalog.known_model(parsed.model)
        if model is None:
            raise UnknownRequest(f"There is no job {parsed}: {parsed.model!r} is no model.")
        gateway = self.gateways[self.catalog.gateway(model).name]
        if not gateway.usable:
            raise Unauthorized(
                f"{parsed} cannot be asked for: {gateway.title} has no key here.", self.catalog.how_to_get_keys()
            )
        untracked = Job(
            model=parsed.model,
            origin=gateway.origin,
            uses_caller_key=bool(self.caller.keys),
            remote_id=parsed.remote_id,
            state=State.QUEUED,
            warnings=("This job was not in the ledger; its parameters and its time of submission are not known.",),
        )
        return await self.services.poller.import_untracked(gateway, untracked)
