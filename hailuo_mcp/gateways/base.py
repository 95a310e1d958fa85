"""What all gateways share. A gateway is one file: a subclass that declares its hosts and models, builds its requests
and interprets its responses. Sending, errors and states are handled here, the same way for all.
"""

import logging
from abc import abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import SecretStr

from hailuo_mcp.core.errors import (
    GatewayError,
    HailuoError,
    HeldBack,
    InternalError,
    InvalidInput,
    Unconfirmed,
    UnknownRequest,
)
from hailuo_mcp.core.job import IN_PROCESS, Job, Observation
from hailuo_mcp.core.masking import holds_secret
from hailuo_mcp.core.parameters import REFERENCE_PARAMETERS
from hailuo_mcp.core.request_id import checked_remote_id
from hailuo_mcp.core.settings import GatewaySettings
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.gateways.answers import (
    NESTING_MAX,
    collect_doubts,
    link_in,
    mapping,
    number,
    parse_json,
    sequence,
)
from hailuo_mcp.gateways.client import GatewayClient, Request, Response
from hailuo_mcp.gateways.interpreter import Interpreter
from hailuo_mcp.gateways.refusals import REFUSALS, is_content_block, is_failed_job, refused_in_words

__all__ = [
    "NESTING_MAX",
    "REFUSALS",
    "Gateway",
    "Submission",
    "is_content_block",
    "link_in",
    "mapping",
    "number",
    "parse_json",
    "sequence",
]

log = logging.getLogger(__name__)

Transfer = Literal["upload", "data", "url"]
"""How a local file gets to a gateway: uploaded first, inside the body as a `data:` URI, or not at all."""
UNUSED_JOB_ID = "00000000-0000-0000-0000-000000000000"
"""A well-formed remote id that no job has."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A job that the gateway accepted."""

    remote_id: str
    sandbox: bool


class Gateway(Interpreter):
    """One gateway. Subclass it in a module of this package, and list it in `GATEWAYS`."""

    hosts: ClassVar[Mapping[str, str]]
    """Default address by purpose; `base` is the API itself."""
    models: ClassVar[tuple[type[ModelSpec], ...]]
    body_formats: ClassVar[Mapping[str, type[ModelSpec]]] = {"plain": ModelSpec}
    """What a model from a user's file is built on, by a name for the file: its `wire` gives the gateway's shape of a
    body. The first is the usual one."""
    image_transfer: ClassVar[Transfer]
    """How a local image gets there, where nothing else is documented; see `transfer`."""
    key_aliases: ClassVar[tuple[str, ...]] = ()
    """Other variables in which people who use this gateway have its key."""
    upload_kept: ClassVar[timedelta] = timedelta(hours=12)
    """How long the address of an uploaded file is used again; how long it lasts is seldom documented."""
    image_formats: ClassVar[tuple[str, ...]] = ("JPEG", "PNG")
    """What a local image may be, by the names of `media.formats`."""
    retention: ClassVar[timedelta | None]
    """How long results are kept after submission; None if the gateway does not say."""
    has_history: ClassVar[bool] = False
    """Whether lost submissions and expired results can be looked up."""
    can_cancel: ClassVar[bool] = False
    """Whether `cancel` can stop a queued job."""
    requests_per_minute: ClassVar[int | None] = None
    """The documented rate limit of an account; each process keeps to it by itself."""
    callbacks: ClassVar[bool] = False
    """Whether it calls `callback_url` when the state of a job changes."""
    signs_callbacks: ClassVar[bool] = False
    """Whether `is_genuine` can tell its callbacks from those of others."""
    check_hint: ClassVar[str] = "Look at the usage page of the account to see whether the job was taken."
    """Where a person can look for a submission whose response was lost."""

    def __init__(
        self,
        settings: GatewaySettings,
        client: GatewayClient,
        *,
        in_process_sandbox: bool = False,
        own_models: tuple[type[ModelSpec], ...] = (),
    ) -> None:
        self.settings = settings
        self.client = client
        self.in_process_sandbox = in_process_sandbox
        self.own_models = own_models
        """The user's, from files."""

    @classmethod
    def key_in(cls, environ: Mapping[str, str]) -> str:
        """The key as the environment has it, empty if there is none."""
        names = (f"{cls.name.upper()}_API_KEY", *cls.key_aliases)
        return next((key for name in names if (key := environ.get(name, "").strip())), "")

    def for_key(self, key: SecretStr | None) -> Self:
        """The same gateway for another account, with the same client."""
        settings = self.settings.model_copy(update={"key": key})
        return type(self)(settings, self.client, in_process_sandbox=self.in_process_sandbox, own_models=self.own_models)

    # --- what each gateway defines --------------------------------------------------------------------------------

    @abstractmethod
    def submit_request(self, spec: ModelSpec) -> Request:
        """The exact submission. Images in `spec` are already in the form that this gateway accepts."""

    @abstractmethod
    def remote_id_in(self, body: Mapping[str, Any]) -> object:
        """The job's id in the response to a submission; anything but a string or an integer is no id."""

    @abstractmethod
    async def poll(self, model: type[ModelSpec], remote_id: str) -> Observation:
        """Get the state of a job.

        Raises:
            UnknownRequest: the gateway does not know the job, or no longer keeps it.
            HailuoError: the poll failed; this says nothing about the job.
        """

    @abstractmethod
    def auth(self, key: str) -> Mapping[str, str]:
        """The header that carries the key."""

    @classmethod
    def transfer(cls, model: type[ModelSpec], parameter: str, size: int) -> Transfer:
        """How a local file of so many bytes gets there for a parameter. Lists of references as `data:` URIs are
        documented by none."""
        inline = cls.image_transfer == "data" and parameter in REFERENCE_PARAMETERS
        return "url" if inline else cls.image_transfer

    async def upload(self, media_type: str, content: bytes, seconds: float) -> str:
        """Upload a file and return its address; only where `transfer` says so. It costs nothing.

        Raises:
            HailuoError: it was not taken; `charged` is "no".
        """
        raise InternalError(f"{self.title} has no upload.")

    def keeps_history(self, model_id: str) -> bool:
        """Whether the history has this model's jobs."""
        return self.has_history

    def cancels(self, model_id: str) -> bool:
        """Whether this model's jobs can be cancelled."""
        return self.can_cancel

    async def find_lost_submission(self, job: Job, taken: frozenset[str]) -> tuple[str, Observation] | None:
        """Find a submission whose response was lost, in the gateway's history: its remote id and its state. `taken` are
        remote ids of other jobs. None unless the match is certain."""
        return None

    async def look_up_expired(self, job: Job) -> Observation | None:
        """The state of a job that can no longer be polled, from the gateway's history; None if it is not there."""
        return None

    async def cancel(self, job: Job) -> Observation | None:
        """Cancel a job that the last poll saw queued, and return its state; None if it cannot be cancelled any more.
        Where the same request would delete the record of an ended job, it is sent only once, and at once."""
        return None

    async def balance(self) -> float | None:
        """What is left in the account, in its own unit; None if the gateway does not say. Raises HailuoError."""
        return None

    async def is_genuine(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether a callback has this gateway's signature. Its address is a secret already, and it only causes a poll:
        one that cannot be checked now counts as genuine."""
        return True

    def no_history(self) -> GatewayError:
        """A response that is no page of a history, and so does not say that a job is not in it."""
        return GatewayError(f"{self.title}'s history answered in a form that is not known.")

    def callback_answer(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The body to answer a callback with. A callback is never trusted: it only causes a poll."""
        return {}

    # --- shared by all --------------------------------------------------------------------------------------------

    @property
    def origin(self) -> str:
        """Where jobs go: scheme and host, or `sandbox` for the sandbox in this process."""
        if self.in_process_sandbox:
            return IN_PROCESS
        parts = urlsplit(self.settings.urls["base"])
        return f"{parts.scheme}://{parts.netloc}".lower()

    @property
    def usable(self) -> bool:
        """Whether there is a key, or none is needed."""
        return self.in_process_sandbox or self.settings.key is not None

    @property
    def retry_after(self) -> float:
        """Seconds until this account's rate limit allows the next poll."""
        return self.client.rate_limit(self._secrets()).retry_after

    def held_back(self, seconds: float) -> HeldBack | None:
        """Why no poll may be sent within `seconds`; None if one may."""
        return self.client.held_back(self._secrets(), seconds)

    def model(self, model_id: str) -> type[ModelSpec] | None:
        return next((model for model in (*self.models, *self.own_models) if model.id == model_id), None)

    def url(self, purpose: str, path: str) -> str:
        return self.settings.urls[purpose] + path

    def post(self, path: str, body: Mapping[str, Any], *, host: str = "base") -> Request:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        return Request("POST", self.url(host, path), headers, body, self._secrets())

    def get(self, path: str, *, host: str = "base") -> Request:
        return Request("GET", self.url(host, path), {"Accept": "application/json"}, None, self._secrets())

    async def submit(self, spec: ModelSpec, seconds: float) -> Submission:
        """Send the paid POST, once.

        Raises:
            HailuoError: it was certainly refused, or never sent: `charged` is "no".
            Unconfirmed: the job may have been created.
        """
        request = self.submit_request(spec)
        try:
            response = await self.client.send_once(request, seconds, self.submission_status_of)
            return self._submission(response)
        except HailuoError:
            raise
        except Exception as error:  # of any kind: a submission that was sent must not look refused
            log.error("%s: the response to a submission cannot be read", self.title, exc_info=error)
            raise Unconfirmed(f"{self.title} answered the submission in a way that cannot be read.") from None

    def _submission(self, response: Response) -> Submission:
        status = self.submission_status_of(response)
        body = mapping(response.body)
        if status in REFUSALS and not is_failed_job(status, body):
            raise self.refusal(status, response)
        remote_id = self.remote_id_in(body) if 200 <= status < 300 or is_failed_job(status, body) else None
        if isinstance(remote_id, (str, int)) and not isinstance(remote_id, bool):
            try:
                return Submission(checked_remote_id(str(remote_id).strip()), response.sandbox)
            except InvalidInput:
                log.warning("%s answered a submission with an id that cannot be polled", self.title)
        if response.ok and (kind := refused_in_words(self.clean(self.message_in(body)))):
            raise kind(f"{self.title} refused the request ({self._quoted(response)}).")
        raise Unconfirmed(f"{self.title} answered the submission without a usable job id ({self._quoted(response)}).")

    async def observe(self, model: type[ModelSpec], remote_id: str) -> Observation:
        """The state of a job, whatever the response to the poll holds.

        Raises:
            UnknownRequest, HailuoError: as `poll`.
        """
        with self._reading("a poll") as complete:
            return complete(await self.poll(model, remote_id))

    async def recall(self, job: Job) -> Observation | None:
        """The same from the gateway's history, for a job that can no longer be polled; None if it is not there.

        Raises:
            HailuoError: the history could not be asked, or not be read.
        """
        with self._reading("a search in the history") as complete:
            seen = await self.look_up_expired(job)
            return complete(seen) if seen else None

    async def recover(self, job: Job, taken: frozenset[str]) -> tuple[str, Observation] | None:
        """As `find_lost_submission`, whatever the history holds.

        Raises:
            HailuoError: the history could not be asked, or not be read.
        """
        with self._reading("a search in the history") as complete:
            found = await self.find_lost_submission(job, taken)
            return (found[0], complete(found[1])) if found else None

    async def stop(self, job: Job) -> Observation | None:
        """As `cancel`, whatever the response holds.

        Raises:
            HailuoError: it was refused, or the response cannot be read.
        """
        with self._reading("a cancellation") as complete:
            seen = await self.cancel(job)
            return complete(seen) if seen else None

    @contextmanager
    def _reading(self, request: str) -> Generator[Callable[[Observation], Observation]]:
        """Around reading a response, which may hold anything. Yields what adds the doubts that arose to what was seen.

        Raises:
            GatewayError: it cannot be read, which says nothing about the job.
        """
        try:
            with collect_doubts() as doubts:
                yield lambda seen: self._completed(seen, doubts)
        except HailuoError:
            raise
        except Exception as error:  # of any kind
            log.error("%s: the response to %s cannot be read", self.title, request, exc_info=error)
            raise GatewayError(f"{self.title} answered in a way that cannot be read.") from None

    def _completed(self, seen: Observation, doubts: Sequence[str]) -> Observation:
        has_key = bool(seen.video_url) and holds_secret(seen.video_url or "", self._keys())
        return seen.model_copy(update={"warnings": (*seen.warnings, *doubts), "has_secret_link": has_key})

    async def fetch_json(self, request: Request) -> tuple[Mapping[str, Any], Response]:
        """Send a GET, with retries, and return the JSON object that it responds with, and the response.

        Raises:
            UnknownRequest: there is no such job.
            HailuoError: it was refused, could not be reached, or did not respond with a JSON object.
        """
        response = await self.client.send_with_retry(request, status_of=self.status_of)
        status = self.status_of(response)
        body = mapping(response.body)
        if 200 <= status < 300 or is_failed_job(status, body):
            if not isinstance(response.body, dict):
                raise GatewayError(f"{self.title} answered with something that is not a JSON object.")
            return body, response
        if status in (404, 410):  # to a GET, 410 is about the job, not the model
            raise UnknownRequest(f"{self.title} does not know this request id, or no longer keeps it.")
        raise self.refusal(status, response)

    async def check_key(self) -> None:
        """Poll a job that does not exist, which costs nothing: only a valid key gets the answer that it is unknown.

        Raises:
            Unauthorized, Forbidden: the key is refused.
            HailuoError: the poll failed; this says nothing about the key.
        """
        with suppress(UnknownRequest):
            await self.poll(self.models[0], UNUSED_JOB_ID)

    def _secrets(self) -> Mapping[str, str]:
        key = self.settings.key
        return self.auth(key.get_secret_value() if key else "sandbox")
