"""Each gateway whose key is set, by questions that cost nothing: is it reached, does it take the key, and what time is
it there?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import anyio
from pydantic import SecretStr

from hailuo_mcp.cli.doctor.finding import Finding, ok, problem, warning
from hailuo_mcp.core.errors import (
    Forbidden,
    GatewayTimeout,
    HailuoError,
    InsufficientCredits,
    NetworkError,
    RateLimited,
    Unauthorized,
)
from hailuo_mcp.core.settings import GatewaySettings, Settings
from hailuo_mcp.gateways import Gateway
from hailuo_mcp.gateways.client import POLL_SECONDS, GatewayClient, Request, Response

CLOCK_TOLERANCE = timedelta(minutes=2)
NO_KEY = SecretStr("hailuo-mcp-doctor-asks-without-a-key")
"""Nobody's key: a gateway that takes this one too has said nothing of the user's."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What came of asking one gateway; `skew` is how far our clock is ahead of its."""

    host: str
    finding: Finding
    skew: timedelta | None


class RecordingClient(GatewayClient):
    """Keeps the last answer, of which `Gateway.poll` passes on only the meaning."""

    answer: Response | None = None
    at: datetime | None = None

    async def send_with_retry(
        self,
        request: Request,
        seconds: float = POLL_SECONDS,
        status_of: Callable[[Response], int] = lambda answer: answer.status,
    ) -> Response:
        self.answer = await super().send_with_retry(request, seconds, status_of)
        self.at = datetime.now(UTC)
        return self.answer


async def check(kinds: Sequence[type[Gateway]], settings: Settings) -> list[Finding]:
    """A finding for each gateway with a key, and one for the clock."""
    probes: dict[str, Probe] = {}

    async def probe(kind: type[Gateway]) -> None:
        probes[kind.name] = await _probe(kind, settings.gateways[kind.name])

    async with anyio.create_task_group() as group:
        for kind in kinds:
            if settings.gateways[kind.name].key:
                group.start_soon(probe, kind)
    in_order = [probes[kind.name] for kind in kinds if kind.name in probes]
    return [*(probe.finding for probe in in_order), _clock(in_order)]


async def _probe(kind: type[Gateway], settings: GatewaySettings) -> Probe:
    host, sender = urlsplit(settings.urls["base"]).netloc, RecordingClient(kind.title, wait_of=kind.wait_of)
    try:
        finding = await _ask(kind, settings, sender, host)
    finally:
        await sender.close()
    return Probe(host, finding, _skew(sender))


async def _ask(kind: type[Gateway], settings: GatewaySettings, sender: RecordingClient, host: str) -> Finding:
    about, variable = f"{kind.name} gateway", f"{kind.name.upper()}_BASE_URL"
    address = f"Correct {variable}, or remove it: the default is {kind.hosts['base']}."
    try:
        await kind(settings, sender).check_key()
    except (NetworkError, GatewayTimeout) as error:
        cure = f"Check the network, a proxy (HTTPS_PROXY) or firewall, and {variable}."
        return problem(about, f"{host}: {error.problem.message}", cure)
    except Unauthorized as error:
        return problem(about, f"{host} refuses the key: {error.problem.message}", error.problem.hint)
    except HailuoError as error:
        if _foreign(sender.answer):
            return problem(about, f"{host} answers, but not as {kind.title} does", address)
        if isinstance(error, Forbidden):
            return problem(about, f"{host} forbids the key what it asks: {error.problem.message}", error.problem.hint)
        if isinstance(error, InsufficientCredits):
            return warning(about, f"{host} takes the key, and has no credits for it", error.problem.hint)
        cure = error.problem.hint or "Run hailuo-mcp doctor again in a minute."
        what = "asks for a pause" if isinstance(error, RateLimited) else "does not say whether it takes the key"
        return warning(about, f"{host} {what}: {error.problem.message}", cure)
    if _foreign(sender.answer):
        return problem(about, f"{host} answers, but not as {kind.title} does", address)
    if sender.answer and sender.answer.sandbox:
        return ok(about, f"{host} is a sandbox, and takes the key: nothing real is made there")
    if await _takes_any_key(kind, settings, sender):
        what = f"{host} answers alike to any key: nothing is known of this one"
        return warning(about, what, f"{address} If it is right, the first job will show.")
    return ok(about, f"{host} takes the key")


async def _takes_any_key(kind: type[Gateway], settings: GatewaySettings, sender: RecordingClient) -> bool:
    """Some other service that knows no such path says so to everybody, in the same words as the right one."""
    try:
        await kind(settings.model_copy(update={"key": NO_KEY}), sender).check_key()
    except HailuoError:
        return False
    return True


def _foreign(answer: Response | None) -> bool:
    """Whether an answer cannot be of a gateway's API, which says everything in JSON objects; that it has trouble may
    be said by whatever stands before it."""
    if answer is None or isinstance(answer.body, dict):
        return False
    return answer.status not in (401, 429) and answer.status < 500


def _skew(sender: RecordingClient) -> timedelta | None:
    if sender.answer is None or sender.at is None:
        return None
    try:
        theirs = parsedate_to_datetime(sender.answer.headers.get("date", ""))
    except ValueError:
        return None
    return sender.at - (theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC))


def _clock(probes: Sequence[Probe]) -> Finding:
    told = [(abs(probe.skew), probe.skew, probe.host) for probe in probes if probe.skew is not None]
    if not told:
        return ok("clock", "not compared: no gateway has told the time")
    off, skew, host = min(told)  # of several, the one that agrees best: one of them may be wrong itself
    if off <= CLOCK_TOLERANCE:
        return ok("clock", f"agrees with {host} to within {max(off.total_seconds(), 1):.0f} s")
    way = "ahead of" if skew > timedelta() else "behind"
    return problem(
        "clock",
        f"this machine's clock is {off.total_seconds() / 60:.0f} min {way} that of {host}: lost submissions cannot be "
        "found by their time, links seem to end at the wrong moment, and a budget's day begins at the wrong one",
        "Let the system set its time from the network (timedatectl set-ntp true, or the date settings).",
    )
