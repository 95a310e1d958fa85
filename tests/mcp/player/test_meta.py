"""The metadata that leads a host to the view, checked with the SDK's own models of MCP Apps."""

import re

from mcp.server.apps import APP_MIME_TYPE, ResourceCsp

from hailuo_mcp.mcp.player import GALLERY_META, JOB_META, MIME_TYPE, PLAYER_URI, player_html, resource_meta

SIZE_MAX = 64_000


def test_tools_name_the_view_in_the_old_and_the_new_form() -> None:
    assert JOB_META == {"ui": {"resourceUri": PLAYER_URI}, "ui/resourceUri": PLAYER_URI}
    assert GALLERY_META == {"ui": {"resourceUri": PLAYER_URI}}
    assert PLAYER_URI.startswith("ui://")
    assert MIME_TYPE == APP_MIME_TYPE


def test_the_view_may_load_clips_from_the_given_origins_and_nothing_else() -> None:
    ui = resource_meta(["https://b.example", "https://a.example", "https://b.example"])["ui"]
    csp = ResourceCsp.model_validate(ui["csp"])
    assert csp.resource_domains == ["https://a.example", "https://b.example"]
    assert (csp.connect_domains, csp.frame_domains, csp.base_uri_domains) == (None, None, None)
    assert ui["prefersBorder"] is True
    assert resource_meta([])["ui"]["csp"] == {"resourceDomains": []}


def test_the_view_may_connect_to_the_origin_for_uploads() -> None:
    ui = resource_meta([], ["https://video.example"])["ui"]
    csp = ResourceCsp.model_validate(ui["csp"])
    assert (csp.resource_domains, csp.connect_domains) == ([], ["https://video.example"])


def test_the_view_is_one_small_file_that_loads_nothing() -> None:
    html = player_html()
    assert html.startswith("<!doctype html>")
    assert len(html.encode()) < SIZE_MAX
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!#)|url\(|@import|XMLHttpRequest|WebSocket""", html)
    assert re.findall(r"\bfetch\([^)]*", html) == [
        'fetch(url, { method: "PUT", body: file, credentials: "omit", referrerPolicy: "no-referrer" }'
    ], "it uploads, and loads nothing"


def test_the_view_never_turns_text_into_markup() -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", player_html())
