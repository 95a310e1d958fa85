"""What each gateway declares: the part of `Gateway` that its own file fills in."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from typing import Any, ClassVar, Literal

from hailuo_mcp.core.errors import Charged, ContentViolation, GatewayError, HailuoError, InternalError
from hailuo_mcp.core.job import Job, Observation
from hailuo_mcp.core.parameters import REFERENCE_PARAMETERS
from hailuo_mcp.core.settings import GatewaySettings
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.gateways.answers import mapping
from hailuo_mcp.gateways.exchange import Request, Response
from hailuo_mcp.gateways.rate_limits import parse_retry_after
from hailuo_mcp.gateways.refusals import ERRORS, is_content_block

Transfer = Literal["upload", "data", "url"]
"""How a local file gets to a gateway: uploaded first, inside the body as a `data:` URI, or not at all."""


class GatewayDefinition(ABC):
    """The facts that a gateway declares, and the methods that it implements or overrides."""

    name: ClassVar[str]
    """Prefix of its model ids; `<NAME>_API_KEY` and `<NAME>_<HOST>_URL` are its environment variables."""
    title: ClassVar[str]
    hosts: ClassVar[Mapping[str, str]]
    """Default address by purpose; `base` is the API itself."""
    models: ClassVar[tuple[type[ModelSpec], ...]]
    body_formats: ClassVar[Mapping[str, type[ModelSpec]]] = {"plain": ModelSpec}
    """Body formats that models in user files can choose by name (`wire`); the first is the default."""
    image_transfer: ClassVar[Transfer]
    """How a local image is sent, unless documented otherwise; see `transfer`."""
    key_aliases: ClassVar[tuple[str, ...]] = ()
    """Other variables in which users of this gateway may have its key."""
    key_advice: ClassVar[str] = ""
    """More to say about a key that was refused."""
    upload_kept: ClassVar[timedelta] = timedelta(hours=12)
    """How long the URL of an uploaded file is reused; how long it really lasts is rarely documented."""
    image_formats: ClassVar[tuple[str, ...]] = ("JPEG", "PNG")
    """The accepted formats of a local image, by their names in `media.formats`."""
    retention: ClassVar[timedelta | None]
    """How long results are kept after submission; None if the gateway does not say."""
    has_history: ClassVar[bool] = False
    """Whether lost submissions and expired results can be looked up."""
    can_cancel: ClassVar[bool] = False
    """Whether `cancel` can stop a queued job."""
    requests_per_minute: ClassVar[int | None] = None
    """The documented rate limit of an account; each process applies it independently."""
    reset_headers: ClassVar[tuple[str, ...]] = ()
    """Headers other than `Retry-After` in which the gateway says when a rate limit ends."""
    failure_charged: ClassVar[Charged] = "unknown"
    """Whether the gateway bills a job that it accepted and that then failed."""
    callbacks: ClassVar[bool] = False
    """Whether the gateway calls `callback_url` when the state of a job changes."""
    signs_callbacks: ClassVar[bool] = False
    """Whether `is_signed` can verify its callbacks."""
    check_hint: ClassVar[str] = "Look at the usage page of the account to see whether the job was taken."
    """Where the user can look for a submission whose response was lost."""

    settings: GatewaySettings

    @abstractmethod
    def submit_request(self, spec: ModelSpec) -> Request:
        """The exact submission request. Images in `spec` are already in the form that this gateway accepts."""

    @abstractmethod
    def remote_id_in(self, body: Mapping[str, Any]) -> object:
        """The job's id in the response to a submission; anything but a string or an integer is rejected."""

    @abstractmethod
    async def poll(self, model: type[ModelSpec], remote_id: str) -> Observation:
        """Get the state of a job.

        Raises:
            UnknownRequest: the gateway does not know the job, or no longer keeps it.
            HailuoError: the poll failed; this says nothing about the job.
        """

    def auth(self, key: str) -> Mapping[str, str]:
        """The header that carries the key; a bearer token by default."""
        return {"Authorization": f"Bearer {key}"}

    @classmethod
    def transfer(cls, model: type[ModelSpec], parameter: str, size: int) -> Transfer:
        """How a local file of this size is sent for a parameter. No gateway documents lists of references as `data:`
        URIs."""
        inline = cls.image_transfer == "data" and parameter in REFERENCE_PARAMETERS
        return "url" if inline else cls.image_transfer

    async def upload(self, media_type: str, content: bytes, seconds: float) -> str:
        """Upload a file and return its URL; only used if `transfer` says so. It costs nothing.

        Raises:
            HailuoError: it was not accepted; `charged` is "no".
        """
        raise InternalError(f"{self.title} has no upload.")

    def message_in(self, body: Mapping[str, Any]) -> object:
        """The gateway's own message in an error body."""
        return body.get("error") or body.get("message")

    def code_in(self, body: Mapping[str, Any]) -> object:
        """The gateway's own error code in a body; None or 0 if there is none."""
        error = mapping(body.get("error"))
        code = body.get("code") or body.get("error_code") or body.get("status_code")
        return code or error.get("code") or error.get("name")

    def status_of(self, response: Response) -> int:
        """The effective status: some gateways report errors with HTTP 200."""
        return response.status

    def submission_status_of(self, response: Response) -> int:
        """The effective status of the response to a submission. It decides whether the job was accepted, was certainly
        refused, or is unconfirmed."""
        return self.status_of(response)

    @classmethod
    def retry_after_in(cls, headers: Mapping[str, str]) -> float | None:
        """The number of seconds that a response asks to wait before a retry; None if it does not say."""
        return parse_retry_after(headers, *cls.reset_headers)

    def error_class(self, status: int, message: str, body: Mapping[str, Any]) -> type[HailuoError]:
        """The error class for a refusal with this status; `message` is the cleaned message from `body`."""
        if status in (400, 422) and is_content_block(message):
            return ContentViolation
        return ERRORS.get(status, GatewayError)

    def keeps_history(self, model_id: str) -> bool:
        """Whether the history includes this model's jobs."""
        return self.has_history

    def cancels(self, model_id: str) -> bool:
        """Whether this model's jobs can be cancelled."""
        return self.can_cancel

    async def find_submissions(self, model: type[ModelSpec], job: Job) -> AsyncGenerator[tuple[object, Observation]]:
        """The jobs in the gateway's history that may be this one, whose response was lost: of the same model, request
        and time. Yields the remote id of each, and its state; one that comes more than once is one job.

        Raises:
            HailuoError: not all of the history in question could be searched.
        """
        return
        yield

    async def look_up_expired(self, job: Job) -> Observation | None:
        """The state of a job that can no longer be polled, from the gateway's history; None if it is not there."""
        return None

    async def cancel(self, job: Job) -> Observation | None:
        """Cancel a job that the last poll saw queued, and return its state; None if it is too late to cancel. If the
        same request would delete the record of an ended job, it is sent only once and without delay."""
        return None

    async def balance(self) -> float | None:
        """The account's balance in its own unit; None if the gateway does not report it. Raises HailuoError."""
        return None

    async def is_signed(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether a callback has this gateway's signature, if it signs them. Raises HailuoError if that cannot be
        verified now."""
        return True

    def callback_answer(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The response body for a callback. A callback is never trusted: it only triggers a poll."""
        return {}
