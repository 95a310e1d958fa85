"""Sending local files to the gateways: each content is uploaded once per account."""

from functools import partial
from hashlib import sha256

import anyio
from anyio.abc import TaskGroup

from hailuo_mcp.core.errors import GatewayTimeout
from hailuo_mcp.core.job import utc_now
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.gateways import Gateway
from hailuo_mcp.ledger import Ledger
from hailuo_mcp.media.files import megabytes
from hailuo_mcp.media.given import LoadedFile
from hailuo_mcp.service.prepared import Prepared
from hailuo_mcp.service.single_flight import SingleFlight
from hailuo_mcp.telemetry import gateway_span

LARGE_FILE_BYTES = 2 * 1024 * 1024
"""A larger file is uploaded before its job is stored: it may take longer than a submission, and an interrupted upload
costs nothing."""
UPLOAD_WAIT_SECONDS = 40.0
"""How long a call waits for its large files to upload; shorter than the call timeout of hosts."""
UPLOAD_SECONDS = 600.0
"""The time limit of a large file."""


class Transfers:
    """Uploads of large files outlive the calls that wait for them, each for `wait_seconds`, so that the next
    identical call finds them done."""

    def __init__(self, ledger: Ledger, tasks: TaskGroup, wait_seconds: float = UPLOAD_WAIT_SECONDS) -> None:
        self._ledger = ledger
        self._wait_seconds = wait_seconds
        self._running = SingleFlight[str](tasks)

    async def upload_large(self, prepared: Prepared, tenant: str) -> None:
        """Upload the large files of a call.

        Raises:
            GatewayTimeout: they are not all uploaded yet; the upload continues.
            HailuoError: one was not accepted. Nothing was submitted.
        """
        large = [file for file in prepared.uploads if len(file.content) > LARGE_FILE_BYTES]
        gateway, model = prepared.gateway, prepared.spec.id
        with anyio.move_on_after(self._wait_seconds) as waiting:
            for file in large:
                key = f"{tenant} {gateway.origin} {_digest(gateway, file)}"
                await self._running.run(key, partial(self._address, gateway, tenant, model, file, UPLOAD_SECONDS))
        if waiting.cancelled_caught:
            size = megabytes(sum(len(file.content) for file in large))
            raise GatewayTimeout(
                f"{gateway.title} has not received all of {size} yet; nothing was submitted.",
                "The upload goes on: make the same call again.",
                safe_to_retry=True,
            )

    async def put(self, prepared: Prepared, tenant: str, deadline: float) -> ModelSpec:
        """The spec with every local file in the form that the gateway accepts; the time left until `deadline` must
        suffice for the submission itself.

        Raises:
            HailuoError: an upload failed; nothing was submitted.
        """
        addresses: dict[str, str] = {}
        for file in prepared.uploads:
            seconds = deadline - anyio.current_time() - 5.0
            if seconds <= 0:
                raise GatewayTimeout(f"{prepared.gateway.title} was too slow with the uploads; nothing was submitted.")
            address = await self._address(prepared.gateway, tenant, prepared.spec.id, file, seconds)
            addresses[file.digest] = address
        return prepared.with_files(lambda _, file: file.url or addresses.get(file.digest) or file.data_uri)

    async def _address(self, gateway: Gateway, tenant: str, model: str, file: LoadedFile, seconds: float) -> str:
        digest = _digest(gateway, file)
        known = await self._ledger.upload(tenant, gateway.origin, digest, utc_now() - gateway.upload_kept)
        if known:
            return known
        with gateway_span(gateway.name, "upload", model):
            address = await gateway.upload(file.media_type, file.content, seconds)
        await self._ledger.remember_upload(tenant, gateway.origin, digest, address)
        return address


def _digest(gateway: Gateway, file: LoadedFile) -> str:
    """The content's digest within an account: another account must not use the same URL."""
    key = gateway.settings.key
    return sha256(f"{file.digest} {key.get_secret_value()}".encode()).hexdigest() if key else file.digest
