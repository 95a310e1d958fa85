"""Checks each gateway whose key is set, with free polls: whether it can be reached, whether it accepts the key, and
whether its clock agrees with ours."""

from collections.abc import Sequence
from contextlib import suppress
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
from hailuo_mcp.core.setting_values import url_variable
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.gateways import GATEWAYS, Gateway
from hailuo_mcp.gateways.client import GatewayClient, Response

CLOCK_TOLERANCE = timedelta(minutes=2)
NO_KEY = SecretStr("hailuo-mcp-doctor-asks-without-a-key")
"""An invalid key: if a gateway accepts this one too, its response says nothing about the user's key."""


@dataclass(slots=True)
class Recorder:
    """Keeps the last response, which `Gateway.poll` does not return, and how far our clock is ahead of the host's."""

    host: str
    response: Response | None = None
    skew: timedelta | None = None

    def record(self, response: Response) -> None:
        self.response = response
        with suppress(ValueError):
            theirs = parsedate_to_datetime(response.headers.get("date", ""))
            self.skew = datetime.now(UTC) - (theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC))


async def check(settings: Settings) -> list[Finding]:
    """A finding for each gateway with a key, and one for the clock."""
    findings: dict[str, Finding] = {}
    recorders: list[Recorder] = []

    async def probe(kind: type[Gateway]) -> None:
        own = settings.gateways[kind.name]
        recorder = Recorder(urlsplit(own.urls["base"]).netloc)
        recorders.append(recorder)
        client = GatewayClient(kind.title, retry_after_in=kind.retry_after_in, on_response=recorder.record)
        try:
            findings[kind.name] = await _check_key(kind(own, client), recorder)
        finally:
            await client.close()

    async with anyio.create_task_group() as group:
        for kind in GATEWAYS:
            if settings.gateways[kind.name].key:
                group.start_soon(probe, kind)
    return [*(findings[kind.name] for kind in GATEWAYS if kind.name in findings), _clock(recorders)]


async def _check_key(gateway: Gateway, recorder: Recorder) -> Finding:
    about, variable, host = f"{gateway.name} gateway", url_variable(gateway.name, "base"), recorder.host
    address = f"Correct {variable}, or remove it: the default is {gateway.hosts['base']}."
    error, said, hint = None, "", ""
    try:
        await gateway.check_key()
    except HailuoError as raised:
        error, said, hint = raised, raised.problem.message, raised.problem.hint
    match error:
        case NetworkError():
            return problem(about, f"{host}: {said}", f"{hint} {variable} sets the address.")
        case GatewayTimeout():
            fix = f"Check the network, a proxy (HTTPS_PROXY) or firewall, and {variable}."
            return problem(about, f"{host}: {said}", fix)
        case Unauthorized():
            return problem(about, f"{host} refuses the key: {said}", hint)
        case _ if _is_foreign(recorder.response):
            return problem(about, f"{host} answers, but not as {gateway.title} does", address)
        case Forbidden():
            return problem(about, f"{host} does not allow this key to read jobs: {said}", hint)
        case InsufficientCredits():
            return warning(about, f"{host} accepts the key, but its account has no credits", hint)
        case HailuoError():
            what = "limits the rate" if isinstance(error, RateLimited) else "does not say whether it accepts the key"
            return warning(about, f"{host} {what}: {said}", hint or "Run hailuo-mcp doctor again in a minute.")
        case None:
            pass
    if recorder.response and recorder.response.sandbox:
        return ok(about, f"{host} is a sandbox, and accepts the key: no real clips are made there")
    if await _accepts_any_key(gateway):
        what = f"{host} answers the same to any key, so this one could not be checked"
        return warning(about, what, f"{address} If it is right, the first job will show whether the key works.")
    return ok(about, f"{host} accepts the key")


async def _accepts_any_key(gateway: Gateway) -> bool:
    """Whether the key makes no difference: an unrelated service answers 404 to everyone, as a gateway does to a valid
    key."""
    try:
        await gateway.for_key(NO_KEY).check_key()
    except HailuoError:
        return False
    return True


def _is_foreign(response: Response | None) -> bool:
    """Whether a response is not from a gateway's API, which always sends JSON objects; only 401, 429 and 5xx may come
    from a proxy in front of it."""
    if response is None or isinstance(response.body, dict):
        return False
    return response.status not in (401, 429) and response.status < 500


def _clock(recorders: Sequence[Recorder]) -> Finding:
    measured = [(abs(each.skew), each.skew, each.host) for each in recorders if each.skew is not None]
    if not measured:
        return ok("clock", "not compared: no gateway sent its time")
    off, skew, host = min(measured)  # the one that agrees best: a gateway's clock may be wrong itself
    if off <= CLOCK_TOLERANCE:
        return ok("clock", f"agrees with {host} to within {max(off.total_seconds(), 1):.0f} s")
    way = "ahead of" if skew > timedelta() else "behind"
    return problem(
        "clock",
        f"this machine's clock is {off.total_seconds() / 60:.0f} min {way} that of {host}: lost submissions cannot be "
        "found by their time, and the expiry of links and the day of a budget are wrong",
        "Synchronize the clock over the network (timedatectl set-ntp true, or the date settings).",
    )
