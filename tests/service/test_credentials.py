"""Which key is used for which job: the server's, a tenant's, or one sent with the call; pauses are per account."""

from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from hailuo_mcp.core.caller import LOCAL, Caller
from hailuo_mcp.core.errors import CallerError, RateLimited, UnknownModel
from hailuo_mcp.service.session import Session
from tests.support import Opened, Wire, arguments_for, settings_for, wired

SEGMIND, APIXO = "segmind/minimax-hailuo-2", "apixo/hailuo-2.3-fast"


class Gateways:
    """Accept every job; answer 429 to the paused keys."""

    def __init__(self) -> None:
        self.paused: set[str] = set()
        self.jobs = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if key_of(request) in self.paused:
            return httpx.Response(429, headers={"Retry-After": "60"}, json={"error": "slow down"})
        if request.method == "POST":
            self.jobs += 1
            accepted = {"code": 200, "data": {"taskId": f"t-{self.jobs}"}, "request_id": f"r-{self.jobs}"}
            return httpx.Response(200, json=accepted)
        return httpx.Response(200, json={"status": "PROCESSING", "code": 200, "data": {"state": "processing"}})


def key_of(request: httpx.Request) -> str:
    return request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")


def with_keys(tenant: str, **keys: str) -> Caller:
    return Caller(tenant, keys={name: SecretStr(key) for name, key in keys.items()})


def session_with(directory: Path, *, tenants: str = "") -> tuple[Opened, Wire, Gateways]:
    file = directory / "tenants.toml"
    file.write_text(tenants)
    variables = {
        "SEGMIND_API_KEY": "server-segmind",
        "APIXO_API_KEY": "server-apixo",
        "HAILUO_MCP_HTTP_TOKENS": "ann:a-token,ben:b-token",
        **({"HAILUO_MCP_TENANTS_FILE": str(file)} if tenants else {}),
    }
    gateways = Gateways()
    opened, wire = wired(settings_for(directory, **variables), gateways)
    return opened, wire, gateways


TENANTS = '[tenants.ann]\nkeys.segmind = "ann-segmind"\n'


async def test_tenants_own_key_is_used_for_all_its_requests_and_no_others(tmp_path: Path) -> None:
    opened, wire, _ = session_with(tmp_path, tenants=TENANTS)
    async with opened as session:
        own_keys = ((Caller("ann"), "ann-segmind"), (Caller("ben"), "server-segmind"), (LOCAL, "server-segmind"))
        for caller, key in own_keys:
            wire.requests.clear()
            own = Session(session.services, caller)
            job = (await own.generate(arguments_for(SEGMIND, prompt=f"a kite of {caller.tenant}"))).job
            await own.status(job.request_id)
            assert {key_of(request) for request in wire.requests} == {key}


async def test_gateway_without_the_tenants_own_key_is_not_offered(tmp_path: Path) -> None:
    opened, wire, _ = session_with(tmp_path, tenants=TENANTS)
    async with opened as session:
        ann = Session(session.services, Caller("ann"))
        assert {model.id.split("/")[0] for model in ann.catalog.usable} == {"segmind"}
        assert {model.id.split("/")[0] for model in session.catalog.usable} == {"segmind", "apixo"}
        with pytest.raises(UnknownModel):
            await ann.generate(arguments_for(APIXO))
        sender = Session(session.services, with_keys("ann", apixo="header-apixo"))
        assert {model.id.split("/")[0] for model in sender.catalog.usable} == {"apixo"}
        with pytest.raises(UnknownModel):
            await sender.generate(arguments_for(SEGMIND))
        assert wire.requests == []


async def test_job_with_a_callers_key_is_polled_only_with_that_key(tmp_path: Path) -> None:
    opened, wire, _ = session_with(tmp_path, tenants=TENANTS)
    async with opened as session:
        ann, sender = (
            Session(session.services, Caller("ann")),
            Session(session.services, with_keys("ann", segmind="header-key")),
        )
        job = (await sender.generate(arguments_for(SEGMIND))).job
        assert job.uses_caller_key
        before = len(wire.requests)
        status = await ann.status(job.request_id, 5)
        assert any("X-Segmind-Api-Key" in warning for warning in status.warnings)
        with pytest.raises(CallerError):
            await ann.download(job.request_id)
        with pytest.raises(CallerError):
            await Session(session.services, with_keys("ben", segmind="header-key")).status(job.request_id)
        session.services.poller.on_webhook(job.id)
        other_gateway = Session(session.services, with_keys("ann", apixo="header-apixo"))
        assert any("X-Segmind-Api-Key" in w for w in (await other_gateway.status(job.request_id)).warnings)
        assert len(wire.requests) == before
        much_later = job.created_at + timedelta(days=1)
        due = await session.ledger.lease("watcher", much_later, timedelta(seconds=1), 9, frozenset({job.origin}))
        assert due == ()
        await sender.status(job.request_id)
        assert {key_of(request) for request in wire.requests} == {"header-key"}


async def test_imported_job_is_polled_only_with_the_key_that_found_it(tmp_path: Path) -> None:
    opened, wire, _ = session_with(tmp_path)
    async with opened as session:
        sender = Session(session.services, with_keys("", segmind="header-key"))
        job = await sender.status(f"{SEGMIND}/from-elsewhere")
        assert job.uses_caller_key
        await session.status(job.request_id)
        assert {key_of(request) for request in wire.requests} == {"header-key"}


async def test_rate_limit_applies_only_to_its_account(tmp_path: Path) -> None:
    opened, wire, gateways = session_with(tmp_path, tenants=TENANTS)
    async with opened as session:
        sessions = {name: Session(session.services, Caller(name)) for name in ("ann", "ben")}
        jobs = {name: (await one.generate(arguments_for(SEGMIND))).job for name, one in sessions.items()}
        gateways.paused = {"ann-segmind"}
        with pytest.raises(RateLimited, match="Segmind"):
            await sessions["ann"].status(jobs["ann"].request_id)
        assert (await sessions["ben"].status(jobs["ben"].request_id)).state == "processing"
        before = len(wire.requests)
        (warning,) = (await sessions["ann"].status(jobs["ann"].request_id)).warnings
        assert "too many requests, and asks again in 60 s" in warning
        assert len(wire.requests) == before, "the pause is respected"
        same_account = Session(session.services, with_keys("ben", segmind="ann-segmind"))
        gateway = same_account.gateways["segmind"]
        assert gateway.retry_after > 20, "the account is the same, regardless of who sends its key"


def test_repr_of_a_caller_shows_no_key() -> None:
    assert "hush" not in repr(with_keys("ann", segmind="hush-hush"))
