"""Finding the job of a request id, for one caller."""

from hailuo_mcp.core.errors import Unauthorized, UnknownRequest
from hailuo_mcp.core.job import Job, State
from hailuo_mcp.core.model_id import ModelId
from hailuo_mcp.core.request_id import UNCONFIRMED_PREFIX, RequestId
from hailuo_mcp.service.access import Access


async def known_job(access: Access, wanted: RequestId) -> Job | None:
    """A job of this caller from the ledger; no gateway is asked."""
    gateway = access.gateways.get(ModelId.parse(wanted.model).gateway)
    job = await access.ledger.find(wanted.model, wanted.remote_id, access.tenant, gateway.origin if gateway else "")
    if job is None and wanted.remote_id.startswith(UNCONFIRMED_PREFIX):
        job = await access.ledger.get(wanted.remote_id.removeprefix(UNCONFIRMED_PREFIX))
    return job if job and (job.model, job.tenant) == (wanted.model, access.tenant) else None


async def find_job(access: Access, request_id: object) -> Job:
    """The job with this id: from the ledger, or imported after asking its gateway. For a tenant only the ledger
    counts, because at a gateway the jobs of all tenants belong to one account.

    Raises:
        InvalidInput, UnknownRequest, Unauthorized: there is no such job, or its gateway cannot be asked for it.
    """
    parsed = RequestId.parse(request_id)
    if known := await known_job(access, parsed):
        return known
    if parsed.remote_id.startswith(UNCONFIRMED_PREFIX) or not access.caller.local:
        raise UnknownRequest(f"There is no job {parsed}.")
    model = access.catalog.known_model(parsed.model)
    if model is None:
        raise UnknownRequest(f"There is no job {parsed}: {parsed.model!r} is no model.")
    gateway = access.gateways[access.catalog.gateway(model).name]
    if not gateway.usable:
        raise Unauthorized(
            f"{parsed} cannot be asked for: {gateway.title} has no key here.", access.catalog.how_to_get_keys()
        )
    untracked = Job(
        model=parsed.model,
        origin=gateway.origin,
        uses_caller_key=bool(access.caller.keys),
        remote_id=parsed.remote_id,
        state=State.QUEUED,
        warnings=("This job was not in the ledger; its parameters and its time of submission are not known.",),
    )
    return await access.services.poller.import_untracked(gateway, untracked)
