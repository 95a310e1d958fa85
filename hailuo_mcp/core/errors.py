"""Every way a call can go wrong, by who can act on it.

    HailuoError
    ├── CallerError           the caller can fix the call
    │   ├── InvalidInput          invalid_input
    │   ├── UnknownModel          unknown_model
    │   ├── UnknownRequest        unknown_request
    │   ├── InvalidImage          invalid_image
    │   ├── ContentViolation      content_violation
    │   ├── NotReady              not_ready
    │   └── Expired               expired
    ├── AccountError          the account's owner can fix it
    │   ├── Unauthorized          unauthorized
    │   ├── Forbidden             forbidden
    │   ├── InsufficientCredits   insufficient_credits
    │   ├── BudgetExceeded        budget_exceeded
    │   ├── NotConfirmed          not_confirmed
    │   └── ModelRetired          model_retired
    ├── GatewayTrouble        waiting may help, or the gateway's operator
    │   ├── RateLimited           rate_limited
    │   │   └── HeldBack              by our own rate limit
    │   ├── GatewayError          gateway_error
    │   ├── GatewayTimeout        gateway_timeout
    │   └── NetworkError          network_error
    ├── Unconfirmed           unknown: the submission was sent, but no response came
    └── InternalError         we can fix it

Errors are raised with a message and a hint; one place (`mcp/errors.py`) turns them into results. A message says what
happened and which value; the hint says the next step. Neither ever contains a key or the text of a foreign exception.
"""

from copy import copy
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict

Charged = Literal["no", "yes", "unknown"]
ErrorCode = Literal[
    "invalid_input",
    "unknown_model",
    "unknown_request",
    "unauthorized",
    "forbidden",
    "insufficient_credits",
    "rate_limited",
    "content_violation",
    "invalid_image",
    "model_retired",
    "gateway_error",
    "gateway_timeout",
    "network_error",
    "unconfirmed",
    "budget_exceeded",
    "not_confirmed",
    "expired",
    "not_ready",
    "internal_error",
]


OPERATORS_HINT = "Tell the operator of this server; its log has the details."


class Problem(BaseModel):
    """What went wrong, as stored with a job and returned as a tool error."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    code: ErrorCode
    message: str
    hint: str = ""
    charged: Charged = "no"
    """Whether money moved: `no` only where the gateway said so, or nothing was sent."""
    safe_to_retry: bool = False
    """The same call may succeed later and cannot charge twice."""


class HailuoError(Exception):
    """Base class of all errors. `request_id` is set when there is a job to ask about; `remote` is the message for
    callers on other machines, where the ordinary one names a path on this one."""

    code: ClassVar[ErrorCode] = "internal_error"
    default_hint: ClassVar[str] = ""
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        hint: str | None = None,
        *,
        charged: Charged = "no",
        safe_to_retry: bool | None = None,
        request_id: str | None = None,
        remote: str | None = None,
    ) -> None:
        super().__init__(message)
        self.request_id = request_id
        self._remote = remote
        self.problem = Problem(
            code=self.code,
            message=message,
            hint=self.default_hint if hint is None else hint,
            charged=charged,
            safe_to_retry=self.retryable if safe_to_retry is None else safe_to_retry,
        )

    def for_remote_callers(self) -> Self:
        """The same error, without paths on this machine."""
        if self._remote is None:
            return self
        other = copy(self)
        other.problem = self.problem.model_copy(update={"message": self._remote, "hint": OPERATORS_HINT})
        return other


class CallerError(HailuoError):
    """The caller can fix the call."""


class InvalidInput(CallerError):
    code = "invalid_input"
    default_hint = "Correct the argument and call again; nothing was sent."


class UnknownModel(CallerError):
    code = "unknown_model"
    default_hint = "Call list_models to see the usable models."


class UnknownRequest(CallerError):
    code = "unknown_request"
    default_hint = "Call list_jobs to find the request id."


class InvalidImage(CallerError):
    code = "invalid_image"
    default_hint = "Give a JPG or PNG that fits; nothing was sent."


class ContentViolation(CallerError):
    code = "content_violation"
    default_hint = "Change the prompt or the image; the same call will be refused again."


class NotReady(CallerError):
    code = "not_ready"
    default_hint = "Call get_status with wait_seconds until the state is completed."
    retryable = True


class Expired(CallerError):
    code = "expired"
    default_hint = "The gateway no longer keeps this clip; generate_video makes a new one, which is charged again."


class AccountError(HailuoError):
    """The account's owner can fix it."""


class Unauthorized(AccountError):
    code = "unauthorized"


class Forbidden(AccountError):
    code = "forbidden"
    default_hint = "The key is valid but not allowed to do this; check the account's permissions at the gateway."


class InsufficientCredits(AccountError):
    code = "insufficient_credits"
    default_hint = "Top up the account at the gateway, or choose a model of another gateway."


class BudgetExceeded(AccountError):
    code = "budget_exceeded"


class NotConfirmed(AccountError):
    """The user did not agree to a paid job, or could not be asked."""

    code = "not_confirmed"
    default_hint = "Do not call again unless the user asks for it."


class ModelRetired(AccountError):
    code = "model_retired"
    default_hint = (
        "Choose another model; list_models shows them. If all models of a gateway answer this, check its base URL."
    )


class GatewayTrouble(HailuoError):
    """Waiting may help, or the gateway's operator can fix it."""

    retryable = True


class RateLimited(GatewayTrouble):
    code = "rate_limited"
    default_hint = "Wait a moment, then make the same call again; nothing was charged."


class HeldBack(RateLimited):
    """Nothing was sent: our own rate limit allows no request now."""

    default_hint = "Ask again after that; jobs go on by themselves."


class GatewayError(GatewayTrouble):
    code = "gateway_error"
    default_hint = "Call again in a minute."


class GatewayTimeout(GatewayTrouble):
    code = "gateway_timeout"
    default_hint = "Call again in a minute; the job continues meanwhile."


class NetworkError(GatewayTrouble):
    code = "network_error"
    default_hint = "Check the network connection, then call again."


class Unconfirmed(HailuoError):
    """The submission was sent and no response came: the job may exist and be charged."""

    code = "unconfirmed"
    default_hint = "Do not submit again; call get_status with this request_id."

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint, charged="unknown")


class InternalError(HailuoError):
    code = "internal_error"
    default_hint = "The server's log on stderr has the details."
