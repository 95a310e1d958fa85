"""Translates a gateway's responses into our terms: the error, the state and what it says about a job. The gateway's own
text is quoted, cleaned and shortened."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from hailuo_mcp.core.errors import (
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
from hailuo_mcp.core.setting_values import key_variable
from hailuo_mcp.core.text import repr_short
from hailuo_mcp.gateways.answers import add_warning, link_in, mapping, number, text_in
from hailuo_mcp.gateways.definition import GatewayDefinition
from hailuo_mcp.gateways.exchange import Response
from hailuo_mcp.gateways.refusals import is_content_block

_MESSAGE_MAX, _READ_MAX = 300, 10_000
"""How many characters of a message are shown, and how many are read."""


class Interpreter(GatewayDefinition):
    """The part of a `Gateway` that puts responses into our terms."""

    def refusal(self, status: int, response: Response) -> HailuoError:
        """The error for a response, including the gateway's message."""
        body = mapping(response.body)
        kind = self.error_class(status, self.clean(self.message_in(body)), body)
        what = "has trouble" if issubclass(kind, (GatewayError, GatewayTimeout)) else "refused the request"
        message = f"{self.title} {what} ({self._quoted(response)})."
        if issubclass(kind, Unauthorized):
            return kind(f"Check {key_variable(self.name)}: {message}", self._key_hint())
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

    def _key_hint(self) -> str:
        host = urlsplit(self.settings.urls["base"]).hostname
        return (
            f"{key_variable(self.name)} must be a key of {self.title} for {host}; a key of another gateway or region "
            f"is refused here too. Restart the server after changing it. {self.key_advice}"
        ).rstrip()
