"""Settings whose defaults differ over HTTP."""

import pytest

from hailuo_mcp.app import load_settings

KEY = {"SEGMIND_API_KEY": "k"}


@pytest.mark.parametrize(
    ("environ", "on_stdio", "over_http"),
    [
        ({}, True, False),
        ({"HAILUO_MCP_SANDBOX": "1"}, True, True),
        ({"HAILUO_MCP_SANDBOX": "0"}, False, False),
        (KEY, False, False),
        ({**KEY, "HAILUO_MCP_SANDBOX": "1"}, True, True),
    ],
)
def test_sandbox_is_used_over_http_only_if_requested(environ: dict[str, str], on_stdio: bool, over_http: bool) -> None:
    assert load_settings(environ).in_sandbox is on_stdio
    assert load_settings(environ, http=True).in_sandbox is over_http


@pytest.mark.parametrize(
    ("environ", "on_stdio", "over_http"),
    [
        ({}, True, False),
        ({"HAILUO_MCP_AUTO_DOWNLOAD": ""}, True, False),
        ({"HAILUO_MCP_AUTO_DOWNLOAD": "1"}, True, True),
        ({"HAILUO_MCP_AUTO_DOWNLOAD": "0"}, False, False),
    ],
)
def test_clips_are_saved_automatically_on_stdio_and_over_http_only_if_set(
    environ: dict[str, str], on_stdio: bool, over_http: bool
) -> None:
    assert load_settings(environ).auto_download is on_stdio
    assert load_settings(environ, http=True).auto_download is over_http
