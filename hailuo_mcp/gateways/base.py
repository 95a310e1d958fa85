"""What every gateway has in common. A gateway is one file: a subclass that declares its hosts and models, and says how
its requests look and what its answers mean. Sending, errors and states are the same for all, and stand here.
"""

import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Literal, Self, cast
from urllib.parse import urlsplit

from pydantic import SecretStr

from hailuo_mcp.core.errors import (
    Charged,
    ContentViolation,
    Forbidden,
    GatewayError,
    GatewayTimeout,
    HailuoError,
    InsufficientCredits,
    InternalError,
    InvalidImage,
    InvalidInput,
    ModelRetired,
    Problem,
    RateLimited,
    Unauthorized,
    Unconfirmed,
    UnknownRequest,
)
from hailuo_mcp.core.job import IN_PROCESS, Job, Observation, State, checked_remote_id
from hailuo_mcp.core.settings import GatewaySettings
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.gateways.client import GatewayClient, Request, Response, parse_retry_after

log = logging.getLogger(__name__)

REFUSALS = frozenset({400, 401, 402, 403, 404, 406, 410, 413, 415, 422, 429})
"""Answers to a submission that say for certain: not taken, not charged. All others leave it open."""
_ERRORS: Mapping[int, type[HailuoError]] = {
    400: InvalidInput,
    401: Unauthorized,
    402: InsufficientCredits,
    403: Forbidden,
    404: ModelRetired,  # to a submission: our catalogue knows the model, the gateway doesn't
    406: InsufficientCredits,
    408: GatewayTimeout,
    410: ModelRetired,
    413: InvalidInput,
    415: InvalidInput,
    422: InvalidInput,
    429: RateLimited,
    504: GatewayTimeout,
}
_CONTENT_WORDS = re.compile(
    r"\b(content[ _-]?(policy|violation|filter\w*|block\w*|moderation)|violat\w+|moderat\w+|safety|nsfw|rai|"
    r"(?<!case[ -])sensitive|new_sensitive|"
    r"inappropriate|prohibited)\b",
    re.IGNORECASE,
)
_MESSAGE_MAX = 300
_LINK = re.compile(r"https?://[^\s\x00-\x1f\x7f-\x9f\ud800-\udfff]+", re.IGNORECASE)
NOBODYS_JOB = "00000000-0000-0000-0000-000000000000"
"""A remote id of the usual form that no job has."""
NESTING_MAX = 5
"""How deep an answer is looked into: none is known that needs more than three levels."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A job the gateway took."""

    remote_id: str
    sandbox: bool


class Gateway(ABC):
    """One gateway. Subclass it in a module of this package, and list it in `GATEWAYS`."""

    name: ClassVar[str]
    """Prefix of its model ids; `<NAME>_API_KEY` and `<NAME>_<HOST>_URL` are its variables."""
    title: ClassVar[str]
    hosts: ClassVar[Mapping[str, str]]
    """Purpose to default address; `base` is the API itself."""
    models: ClassVar[tuple[type[ModelSpec], ...]]
    body_formats: ClassVar[Mapping[str, type[ModelSpec]]] = {"plain": ModelSpec}
    """What a model from a user's file is built on, by a name for the file: its `wire` gives the gateway's shape of a
    body. The first is the usual one."""
    pictures: ClassVar[Literal["upload", "data", "url"]]
    """How a local picture gets there: uploaded first, inside the body as a `data:` URI, or not at all."""
    image_formats: ClassVar[tuple[str, ...]] = ("JPEG", "PNG")
    """What a local picture may be, by the names of `media.formats`."""
    retention: ClassVar[timedelta | None]
    """How long results are kept, from submission; None where the gateway does not say."""
    failure_charged: ClassVar[Charged] = "unknown"
    """Whether a job that the gateway took and failed is billed."""
    has_history: ClassVar[bool] = False
    """Whether lost submissions and expired results can be looked up."""
    requests_a_minute: ClassVar[int | None] = None
    """How many requests an account may make, where the gateway says so; held to in every process by itself."""
    callbacks: ClassVar[bool] = False
    """Whether it calls `callback_url` when a job has moved."""
    check_hint: ClassVar[str] = "Look at the usage page of the account to see whether the job was taken."
    """Where a person can look for a submission whose answer was lost."""

    def __init__(
        self,
        settings: GatewaySettings,
        sender: GatewayClient,
        *,
        in_process_sandbox: bool = False,
        own_models: tuple[type[ModelSpec], ...] = (),
    ) -> None:
        self.settings = settings
        self.sender = sender
        self.in_process_sandbox = in_process_sandbox
        self.own_models = own_models
        """The user's, from files."""
        if self.requests_a_minute and not in_process_sandbox:
            sender.limit_rate(self.requests_a_minute)

    def with_key(self, key: SecretStr | None) -> Self:
        """The same gateway for another account, over the same connections. Closing the original's sender closes
        them."""
        other = copy(self)
        other.settings = self.settings.model_copy(update={"key": key})
        other.sender = self.sender.for_another_account()
        return other

    # --- what a gateway says of itself ----------------------------------------------------------------------------

    @abstractmethod
    def submit_request(self, spec: ModelSpec) -> Request:
        """The exact submission. Pictures in `spec` are as this gateway takes them by now."""

    @abstractmethod
    def remote_id_in(self, body: Mapping[str, Any]) -> object:
        """The job's id in the answer to a submission; anything but a string or an integer is no id."""

    @abstractmethod
    async def poll(self, model: type[ModelSpec], remote_id: str) -> Observation:
        """Ask how a job stands.

        Raises:
            UnknownRequest: the gateway does not know it, or no more.
            HailuoError: the question could not be answered; nothing is said of the job.
        """

    @abstractmethod
    def auth(self, key: str) -> Mapping[str, str]:
        """The header that carries the key."""

    def message_in(self, body: Mapping[str, Any]) -> object:
        """The gateway's own words in an error body."""
        return body.get("error") or body.get("message")

    def status_of(self, answer: Response) -> int:
        """The status that counts, of an answer to a question."""
        return answer.status

    def submitted_status_of(self, answer: Response) -> int:
        """The status that counts, of an answer to a submission: it decides whether the job was taken, was refused for
        certain, or is unconfirmed."""
        return self.status_of(answer)

    @staticmethod
    def wait_of(headers: Mapping[str, str]) -> float | None:
        """How long a 429 asks to wait, in seconds."""
        return parse_retry_after(headers)

    def error_class(self, status: int, message: str, body: Mapping[str, Any]) -> type[HailuoError]:
        """The error that a refusal with this status means here; `message` is what `body` says, made fit to show."""
        if status in (400, 422) and is_content_block(message):
            return ContentViolation
        return _ERRORS.get(status, GatewayError)

    async def upload(self, data_uri: str, seconds: float) -> str:
        """Hand over a picture and return its address; only where `pictures` is "upload"."""
        raise InternalError(f"{self.title} has no upload.")

    async def find(self, job: Job, taken: frozenset[str]) -> tuple[str, Observation] | None:
        """Look for a submission whose answer was lost; `taken` are ids that other jobs have. None where nothing is
        certain."""
        return None

    def callback_answer(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a callback is answered with. Nothing in it is believed: it only makes the job be asked for."""
        return {}

    async def recall(self, job: Job) -> Observation | None:
        """Look up a job that the gateway no longer answers for; None where there is no trace of it."""
        return None

    # --- the same for all -----------------------------------------------------------------------------------------

    @property
    def origin(self) -> str:
        """Where jobs go: scheme and host, or `sandbox` for the one in this process."""
        if self.in_process_sandbox:
            return IN_PROCESS
        parts = urlsplit(self.settings.urls["base"])
        return f"{parts.scheme}://{parts.netloc}".lower()

    @property
    def usable(self) -> bool:
        """Whether there is a key, or no need of one."""
        return self.in_process_sandbox or self.settings.key is not None

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
            HailuoError: refused for certain, or never sent: `charged` is "no".
            Unconfirmed: it may have been taken.
        """
        answer = await self.sender.send_once(self.submit_request(spec), seconds, self.submitted_status_of)
        status = self.submitted_status_of(answer)
        body = mapping(answer.body)
        if status in REFUSALS and not _is_failed_job(status, body):
            raise self.refusal(status, answer)
        remote_id = self.remote_id_in(body) if 200 <= status < 300 or _is_failed_job(status, body) else None
        if isinstance(remote_id, (str, int)) and not isinstance(remote_id, bool):
            try:
                return Submission(checked_remote_id(str(remote_id).strip()), answer.sandbox)
            except InvalidInput:
                log.warning("%s answered a submission with an id that cannot be polled", self.title)
        raise Unconfirmed(f"{self.title} answered the submission with status {status} and no usable job id.")

    async def ask(self, request: Request) -> tuple[int, Mapping[str, Any], Response]:
        """A GET whose answer is a JSON object: its status, the object, and the answer.

        Raises:
            HailuoError: refused, unreachable, or no JSON object.
        """
        answer = await self.sender.send_with_retry(request, status_of=self.status_of)
        status = self.status_of(answer)
        body = mapping(answer.body)
        if 200 <= status < 300 or _is_failed_job(status, body):
            if not isinstance(answer.body, dict):
                raise GatewayError(f"{self.title} answered with something that is not a JSON object.")
            return status, body, answer
        if status in (404, 410):  # to a question, 410 speaks of the request, not of the model
            raise UnknownRequest(f"{self.title} does not know this request id, or no longer keeps it.")
        raise self.refusal(status, answer)

    async def check_key(self) -> None:
        """Ask for a job that nobody has: it costs nothing, and only one whose key is taken is told that there is none.

        Raises:
            Unauthorized, Forbidden: the key is not taken here.
            HailuoError: the question was not answered; nothing is said of the key.
        """
        with suppress(UnknownRequest):
            await self.poll(self.models[0], NOBODYS_JOB)

    def refusal(self, status: int, answer: Response) -> HailuoError:
        """The error that an answer means, in our words and the gateway's."""
        body = mapping(answer.body)
        said = self.clean(self.message_in(body))
        kind = self.error_class(status, said, body)
        what = "has trouble" if issubclass(kind, (GatewayError, GatewayTimeout)) else "refused the request"
        message = f"{self.title} {what} ({status}{': ' + said if said else ''})."
        if issubclass(kind, Unauthorized):
            return kind(message, self._key_hint())
        if issubclass(kind, RateLimited) and (wait := self.wait_of(answer.headers)):
            return kind(message, f"Wait {wait:.0f} s, then make the same call again; nothing was charged.")
        return kind(message)

    def failure(self, said: object, kind: type[HailuoError] | None = None) -> Problem:
        """What a job that the gateway took and failed carries. `kind` where a code of the gateway says it."""
        text = self.clean(said) or "no reason given"
        kind = kind or (ContentViolation if is_content_block(text) else GatewayError)
        hints: dict[type[HailuoError], str] = {
            ContentViolation: ContentViolation.default_hint,
            InvalidImage: "Give another picture: a JPG or PNG that anyone can fetch.",
            InvalidInput: "Change the arguments as the message says, then call generate_video again.",
            GatewayError: "Calling generate_video again makes a new job.",
        }
        return Problem(
            code=kind.code,
            message=f"{self.title} failed the job: {text}",
            hint=hints.get(kind, kind.default_hint),
            charged=self.failure_charged,
            safe_to_retry=kind is GatewayError and self.failure_charged == "no",
        )

    def clean(self, said: object) -> str:
        """Foreign words made fit to show: one line, short, and without the key."""
        text = _words_in(said)
        if self.settings.key and (key := self.settings.key.get_secret_value()):
            text = re.sub(re.escape(key), "***", text, flags=re.IGNORECASE)
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return text if len(text) <= _MESSAGE_MAX else text[:_MESSAGE_MAX] + "…"

    def state(self, states: Mapping[str, State], word: object) -> State:
        """Our word for the gateway's; one nobody documented is `processing`, so that no paid job is given up."""
        known = states.get(word.lower()) if isinstance(word, str) else None
        if known is None:
            log.warning("%s answered with the unknown state %.40r; taken as processing", self.title, self.clean(word))
        return known or State.PROCESSING

    def _secrets(self) -> Mapping[str, str]:
        key = self.settings.key
        return self.auth(key.get_secret_value() if key else "sandbox")

    def _key_hint(self) -> str:
        variable = f"{self.name.upper()}_API_KEY"
        return (
            f"Check {variable}: it must be a key of {self.title} for {urlsplit(self.settings.urls['base']).hostname}. "
            f"A key of another gateway or region is refused here too."
        )


def is_content_block(text: str) -> bool:
    return bool(_CONTENT_WORDS.search(text))


def number(value: object) -> float | None:
    """A finite, non-negative number, or None: gateways leave out, null and quote their figures."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        figure = float(value)
    except ValueError:
        return None
    return figure if 0 <= figure < float("inf") else None


def mapping(value: object) -> Mapping[str, Any]:
    """An object, or an empty one."""
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def sequence(value: object) -> Sequence[object]:
    """A list, or an empty one."""
    return cast("Sequence[object]", value) if isinstance(value, list) else ()


def link_in(value: object, depth: int = NESTING_MAX) -> str | None:
    """The first link in an output: a string, a list of them, or an object with `url`. A clip may come as a `data:`
    URI."""
    if depth == 0:
        return None
    if isinstance(value, str):
        inline = value[:5].lower() == "data:"
        return "data:" + value[5:] if inline else value if _LINK.fullmatch(value) else None
    for item in sequence(value):
        if link := link_in(item, depth - 1):
            return link
    return link_in(mapping(value).get("url"), depth - 1)


def _is_failed_job(status: int, body: Mapping[str, Any]) -> bool:
    """A 422 is a job that failed where the body has a state; without one it is a refusal like any other."""
    return status == 422 and isinstance(body.get("status"), str)


def _words_in(said: object, depth: int = NESTING_MAX) -> str:
    """What a message says, however it is wrapped: validation errors come as lists of objects."""
    if isinstance(said, str) or depth == 0:
        return said if isinstance(said, str) else ""
    fields = mapping(said)
    inner = [*sequence(said), *(fields[name] for name in ("message", "msg", "error", "detail") if name in fields)]
    words = [text for item in inner if (text := _words_in(item, depth - 1))]
    return "; ".join(words if isinstance(said, list) else words[:1])
