"""Translates a gateway's responses into our terms: the effective status, the error and the state. The gateway's own
text is quoted, cleaned and shortened."""

from abc import ABC
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from hailuo_mcp.core.errors import (
    Charged,
    ContentViolation,
    GatewayError,
    GatewayTimeout,
    HailuoError,
    InvalidImage,
    InvalidInput,
    Problem,
    RateLimited,
    Unauthorized,
)
from hailuo_mcp.core.job import Observation, State
from hailuo_mcp.core.masking import mask
from hailuo_mcp.core.settings import GatewaySettings
from hailuo_mcp.core.text import repr_short
from hailuo_mcp.gateways.answers import add_warning, link_in, mapping, number, text_in
from hailuo_mcp.gateways.exchange import Response
from hailuo_mcp.gateways.rate_limits import parse_retry_after
from hailuo_mcp.gateways.refusals import ERRORS, is_content_block

_MESSAGE_MAX, _READ_MAX = 300, 10_000
"""How many characters of a message are shown, and how many are read."""


class Interpreter(ABC):
    """The part of a `Gateway` that reads responses. Gateways override its first methods."""

    name: ClassVar[str]
    """Prefix of its model ids; `<NAME>_API_KEY` and `<NAME>_<HOST>_URL` are its environment variables."""
    title: ClassVar[str]
    failure_charged: ClassVar[Charged] = "unknown"
    """Whether the gateway bills a job that it accepted and that then failed."""
    reset_headers: ClassVar[tuple[str, ...]] = ()
    """Headers other than `Retry-After` in which the gateway says when a rate limit ends."""

    settings: GatewaySettings

    def message_in(self, body: Mapping[str, Any]) -> object:
        """The gateway's own message in an error body."""
        return body.get("error") or body.get("message")

    def code_in(self, body: Mapping[str, Any]) -> object:
        """The gateway's own error code in a body; None or 0 if there is none."""
        error = mapping(body.get("error"))
        named = (
            body.get("code"),
            body.get("error_code"),
            body.get("status_code"),
            error.get("code"),
            error.get("name"),
        )
        return next((code for code in named if code), None)

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

    def refusal(self, status: int, response: Response) -> HailuoError:
        """The error for a response, including the gateway's message."""
        body = mapping(response.body)
        kind = self.error_class(status, self.clean(self.message_in(body)), body)
        what = "has trouble" if issubclass(kind, (GatewayError, GatewayTimeout)) else "refused the request"
        message = f"{self.title} {what} ({self._quoted(response)})."
        if issubclass(kind, Unauthorized):
            return kind(f"Check {self._key_variable}: {message}", self._key_hint())
        if issubclass(kind, RateLimited) and (wait := self.retry_after_in(response.headers)):
            return kind(message, f"Wait {wait:.0f} s, then make the same call again; nothing was charged.")
        return kind(message)

    def _quoted(self, response: Response) -> str:
        """A response as quoted in a message: its status, and the gateway's own code and message, unchanged."""
        body = mapping(response.body)
        code, message = self.code_in(body), self.clean(self.message_in(body))
        code_text = self.clean(str(code))[:60] if isinstance(code, (str, int)) and not isinstance(code, bool) else ""
        text = self.clean(
            f"{code_text} {message}" if code_text not in ("0", str(response.status), message) else message
        )
        return f"{response.status}: {text}" if text else str(response.status)

    def failure(self, reason: object, kind: type[HailuoError] | None = None) -> Problem:
        """The problem of a job that failed at the gateway; `kind`: the error class, if the gateway's error code
        determines it."""
        text = self.clean(reason) or "no reason given"
        kind = kind or (ContentViolation if is_content_block(text) else GatewayError)
        hints: dict[type[HailuoError], str] = {
            ContentViolation: ContentViolation.default_hint,
            InvalidImage: "Give another image: a JPG or PNG that anyone can fetch.",
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

    def observation(
        self,
        state: State,
        *,
        output: object = None,
        reason: object = None,
        kind: type[HailuoError] | None = None,
        cost_usd: object = None,
        took_seconds: object = None,
    ) -> Observation:
        """What a response says about a job. A link in its `output` and a cost count only once it is completed; `reason`
        and `kind` are as for `failure`, and count only if it failed."""
        completed = state is State.COMPLETED
        return Observation(
            state=state,
            video_url=link_in(output) if completed else None,
            error=self.failure(reason, kind) if state is State.FAILED else None,
            cost_usd=number(cost_usd) if completed else None,
            took_seconds=number(took_seconds),
        )

    def clean(self, message: object) -> str:
        """A gateway's message, safe to show: one short line without the key."""
        text = mask(text_in(message)[:_READ_MAX], self._keys())
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return text if len(text) <= _MESSAGE_MAX else text[: _MESSAGE_MAX - 1] + "…"

    def state(self, states: Mapping[str, State], word: object, response: Response | None = None) -> State:
        """The state for a gateway's state name, in any letter case. An undocumented one counts as `processing`, so that
        no paid job is abandoned, and adds a warning that quotes the `response`."""
        known = states.get(word.strip().lower()) if isinstance(word, str) else None
        if known is None:
            shown = repr_short(self.clean(word)) if isinstance(word, str) else self.clean(repr_short(word))
            quoted = f" ({self._quoted(response)})" if response else ""
            add_warning(f"{self.title} answered with the unknown state {shown}{quoted}; it is taken as processing.")
        return known or State.PROCESSING

    def _keys(self) -> tuple[str, ...]:
        return (self.settings.key.get_secret_value(),) if self.settings.key else ()

    @property
    def _key_variable(self) -> str:
        return f"{self.name.upper()}_API_KEY"

    def _key_hint(self) -> str:
        host = urlsplit(self.settings.urls["base"]).hostname
        return (
            f"{self._key_variable} must be a key of {self.title} for {host}; a key of another gateway or region is "
            "refused here too. Restart the server after changing it."
        )
