"""Account balances: requested at most once a minute, and never required."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp_types import CallToolResult

from hailuo_mcp.core.caller import Caller
from hailuo_mcp.mcp import tools
from hailuo_mcp.mcp.player import BALANCE
from hailuo_mcp.service.balances import Balances
from hailuo_mcp.service.session import Session
from tests.gateways.wire import Step, breaks, connect, hangs, says, says_text
from tests.support import facts_of, open_session, sandbox_on_a_port, settings_for, text_of

ACCOUNT_BODY = {"available_amount": "12.50", "credit_balance": "0.00", "base_resp": {"status_code": 0}}


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_balance_is_requested_at_most_once_a_minute() -> None:
    minimax, minimax_wire = connect(
        "minimax", says(200, ACCOUNT_BODY), says(200, {**ACCOUNT_BODY, "available_amount": "3"})
    )
    segmind, segmind_wire = connect("segmind", says(404, {"error": "not found"}, {"x-remaining-credits": "98.7"}))
    fal, fal_wire = connect("fal", says(500))
    clock = Clock()
    balances = Balances(clock)
    for _ in range(3):
        assert await balances.of([minimax, segmind, fal]) == {"minimax": 12.5, "segmind": 98.7}
    assert minimax_wire.requested == ["GET /account/query_balance"]
    assert (len(segmind_wire.requested), fal_wire.requested) == (1, [])
    clock.now += 61
    assert await balances.of([minimax]) == {"minimax": 3.0}


async def test_each_account_has_its_own_balance() -> None:
    balances = Balances()
    one, _ = connect("minimax", says(200, ACCOUNT_BODY), key="one")
    other, _ = connect("minimax", says(200, {**ACCOUNT_BODY, "available_amount": "1"}), key="other")
    assert await balances.of([one]) == {"minimax": 12.5}
    assert await balances.of([other]) == {"minimax": 1.0}


@pytest.mark.parametrize(
    "step",
    [
        says(500),
        says(401, {}),
        says(200, {"available_amount": "-1"}),
        says(200, {"available_amount": {}}),
        says_text(200, "<html>"),
        breaks(httpx.ConnectError),
        hangs,
    ],
)
async def test_unavailable_balance_is_omitted_without_an_error(step: Step) -> None:
    assert await Balances().of([connect(name, step)[0] for name in ("minimax", "segmind")]) == {}


def rows(result: CallToolResult) -> list[dict[str, Any]]:
    return facts_of(result)["models"]


async def _ignore(*_: object) -> None: ...


async def test_model_list_shows_balances_only_to_the_account_owner(tmp_path: Path) -> None:
    with sandbox_on_a_port(tmp_path, render=False) as variables:
        async with open_session(settings_for(tmp_path, **variables)) as session:
            result = await tools.call("list_models", tools.Call(session, {}, _ignore))
            shown = {row["model"].partition("/")[0]: row["balance"] for row in rows(result) if "balance" in row}
            assert shown == {"segmind": 100.0, "minimax": 100.0}
            assert "segmind 100.00, minimax 100.00." in text_of(result)
            job = {"prompt": "a kite", "model": "segmind/minimax-hailuo-2"}
            submitted = await tools.call("generate_video", tools.Call(session, job, _ignore))
            assert (submitted.meta or {})[BALANCE] == 100.0

            shared = Session(session.services, Caller("ann"))
            result = await tools.call("list_models", tools.Call(shared, {}, _ignore))
            assert not any("balance" in row for row in rows(result))
            submitted = await tools.call("generate_video", tools.Call(shared, job, _ignore))
            assert BALANCE not in (submitted.meta or {})
