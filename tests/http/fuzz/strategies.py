"""The generated input: almost valid requests with some wrong fields, and bodies that are not requests."""

import json
from typing import Any, cast

from hypothesis import strategies as st

from hailuo_mcp.mcp import resources
from hailuo_mcp.mcp.player import PLAYER_URI
from tests.http.test_access import META
from tests.http.wire import TASKS
from tests.support import MODEL_IDS

VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28", "1999-01-01", "", "x" * 300)
KNOWN_IDS = ("segmind/minimax-hailuo-2/unconfirmed-0", "segmind/hailuo-02-fast/x", "a/b/c", "a\0/b/c", "a\ud800/b/c")
URIS = (
    resources.MODELS,
    resources.JOBS,
    PLAYER_URI,
    *(f"{kind}/{i}" for kind in (resources.MODELS, resources.JOBS, resources.VIDEOS) for i in KNOWN_IDS),
    f"{resources.JOBS}/%ff%00",
    "file:///etc/passwd",
)
METHODS = (
    *("initialize", "ping", "server/discover", "tools/list", "resources/list", "resources/templates/list"),
    *("prompts/list", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "roots/list"),
    *("notifications/initialized", "notifications/cancelled", "notifications/progress", "sampling/createMessage"),
)

texts = st.text(max_size=40) | st.sampled_from(("\0", "\ud800", "é" * 50, "9" * 5000, "../" * 20, "%s%n", "\u202e"))
numbers = (
    st.integers()
    | st.floats()
    | st.sampled_from((0, -1, 2**31, 2**63, 2**64, 10**400, -(10**4000), 1e308, float("nan"), float("inf")))
)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object with each field valid, invalid or missing, and perhaps unknown fields."""
    known = st.fixed_dictionaries({}, optional={name: valid | valid | values for name, valid in fields.items()})
    return st.tuples(st.dictionaries(texts, values, max_size=2), known).map(_together)


def _together(parts: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    unknown, known = parts
    return {**unknown, **known}


pictures = st.sampled_from(
    (
        "https://pictures.example/a.png",
        "data:image/png;base64,iVBORw0KGgo=",
        "data:,",
        "/etc/passwd",
        "file:///etc/passwd",
        *(f"last-frame:{i}" for i in KNOWN_IDS),
    )
)
request_ids = st.sampled_from(KNOWN_IDS)
fields: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "generate_video": {
        "prompt": st.sampled_from(("a kite", "", "x" * 3000, "sandbox:lost_answer", "sandbox:fail")),
        "model": st.sampled_from(MODEL_IDS),
        "first_frame_image": pictures,
        "last_frame_image": pictures,
        "duration": st.sampled_from((6, 10, "6", True)),
        "resolution": st.sampled_from(("768p", "1080P")),
        "mode": st.sampled_from(("standard", "pro")),
        "prompt_optimizer": st.booleans(),
        "go_fast": st.booleans(),
        "routing": st.sampled_from(("auto", "value")),
        "callback_url": st.sampled_from(("https://evil.example/x", "http://[::1", "x")),
        "dry_run": st.booleans(),
        "force_new": st.booleans(),
    },
    "get_status": {"request_id": request_ids, "wait_seconds": st.sampled_from((0, 1, "1", 46, 1.5))},
    "list_models": {"model": st.sampled_from(MODEL_IDS)},
    "list_jobs": {"state": st.sampled_from(("queued", "COMPLETED")), "limit": st.integers(-1, 60)},
    "download_video": {"request_id": request_ids},
    "cancel_job": {"request_id": request_ids},
}
"""The arguments of each tool."""


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, Any]:
    tool = draw(st.sampled_from(list(fields)))
    return "tools/call", {"name": tool, "arguments": draw(objects(**fields[tool]))}


@st.composite
def almost_valid_calls(draw: st.DrawFn) -> tuple[str, Any]:
    """Arguments of which at most one is invalid by itself; their combination may still be invalid."""
    tool = draw(st.sampled_from(("generate_video", *fields)))
    names = draw(st.sets(st.sampled_from(sorted(fields[tool])), max_size=4))
    needed = {"prompt", "dry_run"} if tool == "generate_video" else names
    given = {name: draw(fields[tool][name]) for name in sorted(names | needed)}
    if draw(st.booleans()) and given:
        given[draw(st.sampled_from(sorted(given)) | texts)] = draw(values)
    return "tools/call", {"name": tool, "arguments": given}


references = objects(type=st.sampled_from(("ref/resource", "ref/prompt")), uri=st.sampled_from(URIS), name=texts)
prompts = st.sampled_from(("animate_picture", "storyboard", "compare_models", "rescue_clips"))
own_requests: st.SearchStrategy[tuple[str, Any]] = st.one_of(
    st.tuples(st.just("tools/call"), objects(name=texts, arguments=values)),
    st.tuples(st.just("resources/read"), objects(uri=st.sampled_from(URIS))),
    st.tuples(st.just("prompts/get"), objects(name=prompts, arguments=objects(picture=texts, story=texts))),
    st.tuples(
        st.just("completion/complete"),
        objects(ref=references, argument=objects(name=texts, value=texts), context=values),
    ),
    st.tuples(
        st.sampled_from(("tasks/get", "tasks/update", "tasks/cancel")),
        objects(taskId=request_ids, inputResponses=values),
    ),
    st.tuples(
        st.just("subscriptions/listen"),
        objects(notifications=objects(resourceSubscriptions=st.lists(st.sampled_from(URIS), max_size=5))),
    ),
)
"""Requests for the server's own handlers, with valid or invalid parameters."""
others: st.SearchStrategy[tuple[str, Any]] = own_requests | st.one_of(
    st.tuples(
        st.just("initialize"),
        objects(protocolVersion=st.sampled_from(VERSIONS), capabilities=values, clientInfo=values),
    ),
    st.tuples(st.sampled_from(METHODS) | texts, values),
)
METAS: tuple[Any, ...] = (META, TASKS, None, {}, {"progressToken": 1})
metas: st.SearchStrategy[Any] = st.sampled_from(METAS) | values


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """A JSON-RPC request, or almost one."""
    method, given = draw(calls() | others)
    params: Any = given
    meta = draw(metas)
    if isinstance(given, dict) and meta is not None:
        params = {**cast("dict[str, Any]", given), "_meta": meta}
    body: dict[str, Any] = {
        "jsonrpc": "2.0",
        "id": draw(st.integers(0, 9) | values),
        "method": method,
        "params": params,
    }
    if draw(st.integers(0, 9)) == 0:
        body[draw(st.sampled_from(list(body)))] = draw(values)
    if draw(st.integers(0, 9)) == 0:
        del body[draw(st.sampled_from(list(body)))]
    return body


VALID_REQUEST = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}).encode()
malformed_bodies = st.one_of(
    st.binary(max_size=200),
    values.map(lambda value: json.dumps(value).encode()),
    st.lists(requests(), max_size=3).map(lambda batch: json.dumps(batch).encode()),
    st.integers(0, len(VALID_REQUEST)).map(lambda cut: VALID_REQUEST[:cut]),
    st.tuples(st.integers(0, len(VALID_REQUEST)), st.binary(min_size=1, max_size=4)).map(
        lambda put: VALID_REQUEST[: put[0]] + put[1] + VALID_REQUEST[put[0] :]
    ),
    st.sampled_from(
        (
            b"[" * 100_000,
            b'{"a":' * 100_000,
            VALID_REQUEST.replace(b'"id": 1', b'"id": ' + b"9" * 10_000),
            VALID_REQUEST.replace(b'"id": 1', b'"id": 1, "id": 2, "method": "ping", "method": []'),
            VALID_REQUEST.replace(b'"id": 1', b'"id": NaN'),
            b"\xef\xbb\xbf" + VALID_REQUEST,
            VALID_REQUEST.decode().encode("utf-16"),
            VALID_REQUEST.replace(b"tools/list", b"\xff\xfe"),
            VALID_REQUEST.replace(b"{}", b'{"deep": ' + b"[" * 400 + b"]" * 400 + b"}"),
        )
    ),
)
header_values = st.sampled_from(
    ("", "*/*", "application/json", "text/event-stream", "application/json, text/event-stream", "a" * 5000, "\xff", "0")
)
headers = st.fixed_dictionaries(
    {},
    optional={
        "MCP-Protocol-Version": st.sampled_from(VERSIONS),
        "Accept": header_values,
        "Content-Type": header_values,
        "Mcp-Method": st.sampled_from(METHODS) | header_values,
        "Mcp-Name": header_values,
        "Mcp-Session-Id": header_values,
        "Last-Event-ID": header_values,
        "Content-Encoding": st.sampled_from(("gzip", "br", "x")),
        "Origin": st.sampled_from(("http://evil.example", "null", "http://127.0.0.1:1")),
        "Authorization": st.sampled_from(("", "Bearer", "Bearer  x", "Bearer é", "Basic x", "Bearer " + "a.b.c" * 999)),
        "X-Segmind-Api-Key": header_values,
        "traceparent": header_values,
    },
)
paths = st.sampled_from(
    (
        *(
            "/clips/x.mp4",
            "/clips/%00.mp4",
            "/clips/%ff.mp4",
            "/clips/../../etc/passwd",
            "/clips/x.mp4?until=9&signature=é",
        ),
        *("/clips/x.mp4?until=99999999999999&signature=0", "/callbacks/apixo/x.y", "/callbacks/minimax/%00.%ff"),
        *("/callbacks/apixo/", "/callbacks/é/é", "/health", "/ready", "/.well-known/oauth-protected-resource/mcp"),
        *("/.well-known/%00", "/", "//", "/mcp/", "/mcp?x=%ff", "/%ff", "/mcp/../health", "/docs", "/" + "a" * 5000),
    )
)
verbs = st.sampled_from(("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"))
ranges = st.sampled_from(
    (
        *(
            "bytes=0-0",
            "bytes=-1",
            "bytes=5-1",
            "bytes=99999999999-",
            "bytes=0-0,2-3,5-",
            "bytes=",
            "bytes=a-b",
            "lines=1",
        ),
        *(
            "bytes=-0",
            "bytes=-",
            "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 9000, 2)),
            "bytes=" + "9" * 5000 + "-",
        ),
        "bytes=" + "0-," * 15_000,
    )
)
