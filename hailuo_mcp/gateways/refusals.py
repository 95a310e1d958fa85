"""What a gateway's refusal means, by its status and text."""

import re
from collections.abc import Mapping
from typing import Any

from hailuo_mcp.core.errors import (
    Forbidden,
    GatewayTimeout,
    HailuoError,
    InsufficientCredits,
    InvalidInput,
    ModelRetired,
    RateLimited,
    Unauthorized,
)

REFUSALS: Mapping[int, type[HailuoError]] = {
    400: InvalidInput,
    401: Unauthorized,
    402: InsufficientCredits,
    403: Forbidden,
    404: ModelRetired,  # to a submission: our catalog knows the model, the gateway doesn't
    406: InsufficientCredits,
    410: ModelRetired,
    413: InvalidInput,
    415: InvalidInput,
    422: InvalidInput,
    429: RateLimited,
}
"""Statuses of a submission that prove that no job was created or charged. All others leave it open."""
ERRORS: Mapping[int, type[HailuoError]] = {**REFUSALS, 408: GatewayTimeout, 504: GatewayTimeout}
_CONTENT_WORDS = re.compile(
    r"\b(content[ _-]?(policy|violation|filter\w*|block\w*|moderation)|violat\w+|moderat\w+|safety|nsfw|rai|"
    r"(?<!case[ -])sensitive|new_sensitive|"
    r"inappropriate|prohibited)\b",
    re.IGNORECASE,
)
_OUT_OF_CREDITS_WORDS = re.compile(
    r"\b(insufficient|not enough|out of|exceed\w*|exhausted|used up|no remaining)\b.{0,30}"
    r"\b(credits?|balance|funds|quota|allowance|usage)\b|"
    r"\b(credits?|balance|funds|quota|allowance|(usage|spending|plan|billing) limits?)\b.{0,30}"
    r"\b(insufficient|not enough|exceeded|exhausted|used up|reached|too low|depleted)\b",
    re.IGNORECASE,
)
_PLAN_WORDS = re.compile(
    r"\b(plan|subscription|tier)\b.{0,30}\b(not|required)\b|\b(upgrade|requires?)\b.{0,30}\b(plan|subscription|tier)\b",
    re.IGNORECASE,
)


def is_content_block(text: str) -> bool:
    return bool(_CONTENT_WORDS.search(text))


def refusal_in_text(text: str) -> type[HailuoError] | None:
    """The error class for a submission's response with a success status but no job, if its text says that credits or a
    suitable plan are missing."""
    if _OUT_OF_CREDITS_WORDS.search(text):
        return InsufficientCredits
    return Forbidden if _PLAN_WORDS.search(text) else None


def is_failed_job(status: int, body: Mapping[str, Any]) -> bool:
    """A 422 with a state in its body is a failed job; without one, it is a refusal."""
    return status == 422 and isinstance(body.get("status"), str)
