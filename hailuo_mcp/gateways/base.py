"""What all gateways share. A gateway is one file: a subclass that declares its hosts and models, builds its requests
and interprets its responses. Sending, errors and states are handled here, the same way for all.
"""

import logging
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import SecretStr

from hailuo_mcp.core.errors import (
    GatewayError,
    HailuoError,
    HeldBack,
    InvalidInput,
    Unconfirmed,
    UnknownRequest,
)
from hailuo_mcp.core.job import IN_PROCESS, Job, Observation
from hailuo_mcp.core.masking import holds_secret
from hailuo_mcp.core.request_id import checked_remote_id
from hailuo_mcp.core.setting_values import key_variable
from hailuo_mcp.core.settings import GatewaySettings
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.gateways import history
from hailuo_mcp.gateways.answers import Reading, mapping, reading
from hailuo_mcp.gateways.client import GatewayClient, Request, Response
from hailuo_mcp.gateways.interpreter import Interpreter
from hailuo_mcp.gateways.refusals import REFUSALS, is_failed_job, refusal_in_text

log = logging.getLogger(__name__)

UNUSED_JOB_ID = "00000000-0000-0000-0000-000000000000"
"""A well-formed remote id that no job has."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A job that the gateway accepted."""

    remote_id: str
    sandbox: bool


class Gateway(Interpreter):
    """One gateway. Subclass it in a module of this package, and list it in `GATEWAYS`."""

    def __init__(
        self,
        settings: GatewaySettings,
        client: GatewayClient,
        *,
        in_process_sandbox: bool = False,
        own_models: tuple[type[ModelSpec], ...] = (),
    ) -> None:
        """`own_models`: the user's own, from files."""
        self.settings = settings
        self.client = client
        self.in_process_sandbox = in_process_sandbox
        self.own_models = own_models

    @classmethod
    def key_in(cls, environ: Mapping[str, str]) -> str:
        """The key from the environment; empty if there is none."""
        names = (key_variable(cls.name), *cls.key_aliases)
        return next((key for name in names if (key := environ.get(name, "").strip())), "")

    def for_key(self, key: SecretStr | None) -> Self:
        """The same gateway for another account, with the same client."""
        settings = self.settings.model_copy(update={"key": key})
        return type(self)(settings, self.client, in_process_sandbox=self.in_process_sandbox, own_models=self.own_models)

    @cached_property
    def origin(self) -> str:
        """Where jobs are sent: scheme and host, or `sandbox` for the in-process sandbox."""
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
        return self.client.rate_limit(self._secrets).retry_after

    def held_back(self, seconds: float) -> HeldBack | None:
        """Why no poll may be sent within `seconds`; None if one may."""
        return self.client.held_back(self.client.rate_limit(self._secrets), seconds)

    def model(self, model_id: str) -> type[ModelSpec] | None:
        return next((model for model in (*self.models, *self.own_models) if model.id == model_id), None)

    def url(self, purpose: str, path: str) -> str:
        return self.settings.urls[purpose] + path

    def post(self, path: str, body: Mapping[str, Any], *, host: str = "base") -> Request:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        return Request("POST", self.url(host, path), headers, body, self._secrets)

    def get(self, path: str, *, host: str = "base") -> Request:
        return Request("GET", self.url(host, path), {"Accept": "application/json"}, None, self._secrets)

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
        if response.ok and (kind := refusal_in_text(self.clean(self.message_in(body)))):
            raise kind(f"{self.title} refused the request ({self._quoted(response)}).")
        raise Unconfirmed(f"{self.title} answered the submission without a usable job id ({self._quoted(response)}).")

    async def observe(self, model: type[ModelSpec], remote_id: str) -> Observation:
        """The state of a job. Malformed responses raise GatewayError.

        Raises:
            UnknownRequest, HailuoError: as for `poll`.
        """
        with self._reading("a poll") as complete:
            return complete(await self.poll(model, remote_id))

    async def recall(self, job: Job) -> Observation | None:
        """The same from the gateway's history, for a job that can no longer be polled; None if it is not there.

        Raises:
            HailuoError: the history could not be requested or read.
        """
        with self._reading("a search in the history") as complete:
            seen = await self.look_up_expired(job)
            return complete(seen) if seen else None

    async def recover(self, job: Job, taken: frozenset[str]) -> tuple[str, Observation] | None:
        """Find a submission whose response was lost, in the gateway's history. Returns its remote id and its state;
        None unless exactly one job matches, of those that are not `taken`: the remote ids of other jobs.

        Raises:
            HailuoError: the history could not be requested or read.
        """
        model = self.model(job.model)
        if model is None:
            return None
        candidates: dict[str, Observation] = {}
        with self._reading("a search in the history") as complete, self.client.time_limit():
            async for remote_id, seen in self.find_submissions(model, job):
                if not isinstance(remote_id, str) or remote_id in taken:
                    continue
                if seen.video_url or remote_id not in candidates:
                    candidates[remote_id] = seen
            found = history.only(candidates)
            return (found[0], complete(found[1])) if found else None

    async def stop(self, job: Job) -> Observation | None:
        """As `cancel`. Malformed responses raise GatewayError.

        Raises:
            HailuoError: it was refused, or the response cannot be read.
        """
        with self._reading("a cancellation") as complete:
            seen = await self.cancel(job)
            return complete(seen) if seen else None

    @contextmanager
    def _reading(self, request: str) -> Generator[Callable[[Observation], Observation]]:
        """Wraps reading a response, which may contain anything. Yields a function that adds what was noticed to an
        observation.

        Raises:
            GatewayError: the response cannot be read, which says nothing about the job.
        """
        try:
            with reading() as noticed:
                yield lambda seen: self._completed(seen, noticed)
        except HailuoError:
            raise
        except Exception as error:  # of any kind
            log.error("%s: the response to %s cannot be read", self.title, request, exc_info=error)
            raise GatewayError(f"{self.title} answered in a way that cannot be read.") from None

    def _completed(self, seen: Observation, noticed: Reading) -> Observation:
        has_key = holds_secret(seen.video_url or "", self._keys())
        facts = {"warnings": tuple(noticed.warnings), "sandbox": noticed.sandbox, "has_secret_link": has_key}
        return seen.model_copy(update=facts)

    async def fetch_json(self, request: Request, *, also: int | None = None) -> tuple[Mapping[str, Any], Response]:
        """Send a GET, with retries. Returns the JSON object in the response, and the response itself. `also`: a status
        that is not an error here.

        Raises:
            UnknownRequest: there is no such job.
            HailuoError: the request was refused, the gateway could not be reached, or it did not respond with a JSON
                object.
        """
        response = await self.client.send_with_retry(request, status_of=self.status_of)
        status = self.status_of(response)
        body = mapping(response.body)
        if 200 <= status < 300 or status == also or is_failed_job(status, body):
            if not isinstance(response.body, dict):
                raise GatewayError(f"{self.title} answered with something that is not a JSON object.")
            return body, response
        if status in (404, 410):  # to a GET, 410 is about the job, not the model
            raise UnknownRequest(f"{self.title} does not know this request id, or no longer keeps it.")
        raise self.refusal(status, response)

    async def is_genuine(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether a callback has this gateway's signature. One that cannot be verified now counts as genuine, because
        its URL is a secret and it only triggers a poll."""
        try:
            return await self.is_signed(headers, body)
        except HailuoError as error:
            log.info("%s: a callback cannot be verified now: %s", self.title, error.problem.code)
            return True

    async def check_key(self) -> None:
        """Poll a job that does not exist, which costs nothing: only with a valid key is it reported as unknown.

        Raises:
            Unauthorized, Forbidden: the key is refused.
            HailuoError: the poll failed; this says nothing about the key.
        """
        with suppress(UnknownRequest):
            await self.observe(self.models[0], UNUSED_JOB_ID)

    @cached_property
    def _secrets(self) -> Mapping[str, str]:
        key = self.settings.key
        return self.auth(key.get_secret_value() if key else "sandbox")
