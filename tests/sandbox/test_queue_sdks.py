"""The clients of fal and Replicate, tested against their stand-ins over a real port."""

# The SDKs have few types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportPrivateUsage=false
from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import fal_client
import pytest
from fal_client import client as fal
from replicate.client import Client
from replicate.webhook import Webhooks

from hailuo_mcp.sandbox.jobs import Job, Shot
from hailuo_mcp.sandbox.replicate import sign

Serve = Callable[..., str]


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """Closes what the SDKs leave open."""
    with ExitStack() as stack:
        yield stack


def test_replicates_client_submits_waits_lists_and_uploads(serve: Serve, opened: ExitStack) -> None:
    client = Client(api_token="k", base_url=serve(seconds=0.3))
    opened.callback(client._client.close)
    done = client.models.predictions.create(model=("minimax", "hailuo-02"), input={"prompt": "waves", "duration": 6})
    done.wait()
    assert (done.status, done.error) == ("succeeded", None)
    assert str(done.output).endswith(".mp4")
    assert [found.id for found in client.predictions.list().results] == [done.id]
    assert client.files.create(io.BytesIO(b"x" * 9), filename="a.png").urls["get"].startswith("http")


def test_replicates_client_cancels(serve: Serve, opened: ExitStack) -> None:
    client = Client(api_token="k", base_url=serve(seconds=60))
    opened.callback(client._client.close)
    queued = client.models.predictions.create(model=("minimax", "hailuo-2.3"), input={"prompt": "waves"})
    assert queued.status == "starting"
    queued.cancel()
    assert queued.status == "canceled"


def test_replicates_client_accepts_the_signature_of_a_webhook(serve: Serve, opened: ExitStack) -> None:
    client = Client(api_token="k", base_url=serve())
    opened.callback(client._client.close)
    secret = client.webhooks.default.secret()
    job = Job("j", "replicate", "r", "o", "hailuo-02", {}, Shot("waves", 6, 768), 0.0, 1.0)
    Webhooks.validate(headers=dict(sign(job, b'{"a": 1}', 1_700_000_000.0)), body='{"a": 1}', secret=secret)


def test_fals_client_submits_waits_cancels_and_uploads(
    serve: Serve, opened: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = serve(seconds=0.3)
    monkeypatch.setattr(fal, "QUEUE_URL_FORMAT", f"{base}/")
    monkeypatch.setattr(fal, "REST_URL", base)
    client = fal_client.SyncClient(key="k")
    opened.callback(client._client.close)
    done = client.submit("fal-ai/minimax/hailuo-2.3/standard/text-to-video", {"prompt": "waves", "duration": "6"})
    assert isinstance(done.status(), fal_client.Queued | fal_client.InProgress)
    assert done.get()["video"]["url"].endswith(".mp4")
    failing = client.submit("fal-ai/minimax/hailuo-02/pro/text-to-video", {"prompt": "sandbox:fail"})
    with pytest.raises(fal_client.FalClientError):
        failing.get()
    monkeypatch.setattr(fal, "QUEUE_URL_FORMAT", f"{serve(seconds=60)}/")
    queued = client.submit("fal-ai/minimax/hailuo-02/pro/text-to-video", {"prompt": "sandbox:never"})
    queued.cancel()
    with pytest.raises(fal_client.FalClientError, match="not found"):
        queued.status()
    stored = fal._upload_via_storage(
        client._client, auth=client._auth, data=b"x" * 9, content_type="image/png", file_name="a.png"
    )
    assert stored.startswith(base)
