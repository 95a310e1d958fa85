"""The images that a call names: read and checked, taken from saved clips, and given to the gateway in its own way."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import anyio

from hailuo_mcp.core.caller import Caller
from hailuo_mcp.core.errors import GatewayTimeout, InvalidImage
from hailuo_mcp.core.job import Job, State, utc_now
from hailuo_mcp.core.model_id import ModelId
from hailuo_mcp.core.parameters import IMAGE_PARAMETERS, REFERENCE_PARAMETERS
from hailuo_mcp.core.request_id import RequestId
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.gateways import Gateway
from hailuo_mcp.media.frames import last_frame
from hailuo_mcp.media.images import LoadedImage, LocalImage, image_from_frame, read_image
from hailuo_mcp.service.image_uploads import is_upload
from hailuo_mcp.service.prepared import Prepared
from hailuo_mcp.service.services import Services
from hailuo_mcp.telemetry import gateway_span

LAST_FRAME = "last-frame:"
"""An image given so is the last frame of a saved clip, by its request id: shots chain."""


@dataclass(frozen=True)
class InputFiles:
    """Reads and uploads the files that one caller's calls name."""

    services: Services
    caller: Caller
    gateways: Mapping[str, Gateway]

    async def read(self, spec: ModelSpec, gateway: Gateway) -> dict[str, LoadedImage]:
        """The images of this call by parameter, checked.

        Raises:
            UploadNeeded: one of them is on the caller's machine; it has links.
            InvalidInput, InvalidImage: one of them is not as the gateway takes it.
        """
        images: dict[str, LoadedImage] = {}
        elsewhere: dict[str, str] = {}
        for name in IMAGE_PARAMETERS:
            if given := getattr(spec, name, None):
                try:
                    images[name] = await self._read(name, given, gateway)
                except LocalImage:
                    if not self._may_upload or gateway.image_transfer == "url":
                        raise
                    elsewhere[name] = given
        if elsewhere and self.services.uploads:
            raise await self.services.uploads.ask_for(self.caller.tenant, elsewhere)
        for name in REFERENCE_PARAMETERS:
            for place, given in enumerate(getattr(spec, name, None) or ()):
                if not given.strip().lower().startswith(("http://", "https://")):
                    raise InvalidImage(f"{name}[{place}] must be a URL.", "Put the file on a web address.")
        for name, image in images.items():
            if gateway.image_transfer == "url" and image.url is None:
                raise InvalidImage(
                    f"{name} must be a URL for {spec.id}.", f"{gateway.title} has no upload: use a web address."
                )
        return images

    @property
    def _may_upload(self) -> bool:
        return self.services.uploads is not None and self.caller.may_generate

    async def _read(self, name: str, given: str, gateway: Gateway) -> LoadedImage:
        rules = replace(self.services.image_rules, formats=gateway.image_formats)
        if self.services.uploads and is_upload(given):
            content = await self.services.uploads.read(self.caller.tenant, name, given)
            if content is None:
                raise LocalImage(f"{name}: nothing is uploaded as {given!r}.", "Give a URL or a data: URI.")
            return await image_from_frame(name, content, given, rules)
        if not given.startswith(LAST_FRAME):
            return await read_image(name, given, rules)
        wanted = RequestId.parse(given.removeprefix(LAST_FRAME))
        source = self.gateways.get(ModelId.parse(wanted.model).gateway)
        origin = source.origin if source else ""
        job = await self.services.ledger.find(wanted.model, wanted.remote_id, self.caller.tenant, origin)
        if job is None or not job.video_path or not await anyio.Path(job.video_path).is_file():
            raise InvalidImage(
                f"{name} asks for the last frame of {wanted}, whose clip is not saved here.", _how_to_save(wanted, job)
            )
        still = await last_frame(Path(job.video_path))
        return await image_from_frame(name, still, f"last frame of {wanted}", rules)

    async def uploaded(self, prepared: Prepared, deadline: float) -> ModelSpec:
        """The spec with every local image as this gateway takes it.

        Raises:
            HailuoError: the upload failed; nothing was submitted.
        """
        values: dict[str, str] = {}
        for name, image in prepared.images.items():
            if image.url is not None:
                values[name] = image.url
            elif prepared.gateway.image_transfer == "data":
                values[name] = image.data_uri
            else:
                values[name] = await self._upload(prepared.gateway, prepared.spec.id, image, deadline)
        return prepared.with_images(values)

    async def _upload(self, gateway: Gateway, model: str, image: LoadedImage, deadline: float) -> str:
        known = await self.services.ledger.upload(
            self.caller.tenant, gateway.origin, image.digest, utc_now() - gateway.upload_kept
        )
        if known:
            return known
        seconds = deadline - anyio.current_time() - 5.0  # what is left must do for the submission itself
        if seconds <= 0:
            raise GatewayTimeout(f"{gateway.title} was too slow with the upload of the picture; nothing was submitted.")
        with gateway_span(gateway.name, "upload", model):
            url = await gateway.upload(image.media_type, image.content, seconds)
        await self.services.ledger.remember_upload(self.caller.tenant, gateway.origin, image.digest, url)
        return url


def _how_to_save(wanted: RequestId, job: Job | None) -> str:
    """What to do for a clip that is not on disk."""
    if job is None:
        return f'Call list_jobs to see the ids there are, or download_video with "{wanted}" if it is from elsewhere.'
    if job.state is State.COMPLETED:
        return f'Call download_video with request_id "{wanted}" first.'
    if job.state.is_terminal:
        return f"That job is {job.state} and has no clip: chain from another shot, or make this one again."
    return f'That job is {job.state}: call get_status with request_id "{wanted}" until it is completed.'
