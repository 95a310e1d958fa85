"""The stand-in for MiniMax's second API follows its documentation."""

from pathlib import Path
from typing import Any

import av  # pyright: ignore[reportMissingTypeStubs]
import httpx
import pytest

from tests.media.samples import film, tone
from tests.sandbox.wire import MINIMAX_QUERY, REMOTE_PICTURE, Clock, bearer, data_url, in_process, picture

SUBMIT, QUERY = "/v2/video_generation", "/v2/query/video_generation"
PURPOSE = "video_generation_input"
TEXT = {"type": "text", "text": "Waves roll in"}
BODY: dict[str, Any] = {
    "model": "MiniMax-H3",
    "content": [TEXT],
    "resolution": "768P",
    "duration": 4,
    "ratio": "9:16",
}


def image(role: str, url: str = REMOTE_PICTURE) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}, "role": role}


def reference(medium: str, url: str = "") -> dict[str, Any]:
    url = url or f"https://media.example/x.{medium}"
    return {"type": f"{medium}_url", f"{medium}_url": {"url": url}, "role": f"reference_{medium}"}


async def test_task_goes_through_its_states_and_returns_a_link_and_its_usage(tmp_path: Path) -> None:
    clock = Clock()
    content = [TEXT, image("reference_image"), reference("video"), reference("audio")]
    async with in_process(tmp_path, clock=clock, seconds=100) as client:
        submitted = await client.post(SUBMIT, json={**BODY, "content": content}, headers=bearer())
        task_id = submitted.json()["task_id"]
        states: list[str] = []
        found: dict[str, Any] = {}
        for _ in range(3):
            found = (await client.get(f"{QUERY}/{task_id}", headers=bearer())).json()["task"]
            states.append(found["status"])
            clock.now += 50
        assert states == ["queued", "running", "succeeded"]
        assert found["usage"] == {"input_seconds": 5, "output_seconds": 4, "input_image_count": 1}
        assert "prompt" not in found
        query = {"filter.model": "MiniMax-H3", "page_num": 1, "page_size": 10}
        rows = (await client.get(QUERY, params=query, headers=bearer())).json()["items"]
        assert [row["id"] for row in rows] == [task_id]
        assert (await client.get(QUERY, params=query, headers=bearer("other"))).json()["items"] == []
        assert (await client.get(f"{QUERY}/{task_id}", headers=bearer("other"))).status_code == 400


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        pytest.param({}, (768, 1366), id="768P"),
        pytest.param({"resolution": "2K", "ratio": "21:9"}, (1792, 768), id="2K is scaled", marks=pytest.mark.slow),
    ],
)
async def test_preview_has_the_requested_ratio_and_length_and_sound(
    changes: dict[str, Any], size: tuple[int, int], tmp_path: Path
) -> None:
    async with in_process(tmp_path, render=True, seconds=0) as client:
        submitted = await client.post(SUBMIT, json={**BODY, **changes}, headers=bearer())
        found = await client.get(f"{QUERY}/{submitted.json()['task_id']}", headers=bearer())
        clip = tmp_path / "clip.mp4"
        clip.write_bytes((await client.get(found.json()["task"]["content"]["url"])).content)
    with av.open(clip) as opened:
        video, audio = opened.streams.video[0], opened.streams.audio[0]
        assert (video.width, video.height) == size
        assert audio.channels == 2
        assert abs((opened.duration or 0) / 1_000_000 - 4) < 0.2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ratio": "adaptive"}, "ratio is required for text to video"),
        ({"resolution": "1080P"}, "resolution must be one of 768P, 2K"),
        ({"model": "MiniMax-H3-Max"}, "duration must be an integer from 5 to 15"),
        ({"duration": "4"}, "duration must be an integer"),
        ({"seed": 7}, "seed is not a parameter"),
        ({"content": []}, "content must be a list"),
        ({"content": [image("first_frame")]}, "content must have one text"),
        ({"content": [TEXT, image("first_frame")]}, "ratio must be adaptive with a frame"),
        ({"content": [TEXT, image("first_frame"), image("reference_image")]}, "frames and references cannot be"),
        ({"content": [TEXT, image("first_frame"), image("first_frame")]}, "more than 1 of the role first_frame"),
        ({"content": [TEXT, reference("audio")]}, "audio cannot be the only reference"),
        (
            {"content": [TEXT, *[image("reference_image")] * 9, *[reference("video")] * 3, reference("audio")]},
            "more than 12",
        ),
        ({"content": [TEXT, image("subject")]}, "role must be one of first_frame"),
        ({"extra": {"prompt_expansion_mode": "quality"}}, "extra is a parameter of MiniMax-H3-Max only"),
        (
            {"content": [TEXT, image("reference_image", data_url(picture((200, 200))))]},
            "width and height must be from 256 to 5760",
        ),
    ],
)
async def test_undocumented_input_is_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    async with in_process(tmp_path) as client:
        refused = await client.post(SUBMIT, json={**BODY, **change}, headers=bearer())
        assert refused.status_code == 400
        assert message in refused.json()["error"]["message"]


async def test_a_queued_task_is_cancelled_and_a_finished_one_deleted(tmp_path: Path) -> None:
    clock = Clock()
    async with in_process(tmp_path, clock=clock, seconds=100) as client:
        first, second = [(await client.post(SUBMIT, json=BODY, headers=bearer())).json()["task_id"] for _ in "ab"]
        cancelled = (await client.delete(f"{SUBMIT}/{first}", headers=bearer())).json()
        assert (cancelled["action"], cancelled["status"]) == ("cancel", "cancelled")
        clock.now += 50
        assert (await client.delete(f"{SUBMIT}/{second}", headers=bearer())).status_code == 400
        clock.now += 100
        assert (await client.delete(f"{SUBMIT}/{second}", headers=bearer())).json()["action"] == "delete"
        assert (await client.get(f"{QUERY}/{second}", headers=bearer())).status_code == 400
        found = (await client.get(f"{QUERY}/{first}", headers=bearer())).json()["task"]
        assert found["status"] == "cancelled"


async def test_the_first_api_does_not_know_the_tasks_of_the_second(tmp_path: Path) -> None:
    async with in_process(tmp_path, seconds=0) as client:
        task_id = (await client.post(SUBMIT, json=BODY, headers=bearer())).json()["task_id"]
        answer = await client.get(MINIMAX_QUERY, params={"task_id": task_id}, headers=bearer())
        assert answer.json()["base_resp"]["status_code"] == 2013


async def uploaded(client: httpx.AsyncClient, content: bytes, key: str = "key", purpose: str = PURPOSE) -> Any:
    data, files = {"purpose": purpose}, {"file": ("x", content, "video/mp4")}
    return (await client.post("/v1/files/upload", data=data, files=files, headers=bearer(key))).json()


async def test_an_uploaded_file_is_used_by_its_id_and_measured(tmp_path: Path) -> None:
    async with in_process(tmp_path, seconds=0) as client:
        ids = [
            f"mm_file://{(await uploaded(client, content))['file']['file_id']}"
            for content in (picture((600, 400)), film(tmp_path / "a.mov", seconds=2.5), tone(tmp_path / "a.mp3"))
        ]
        content = [TEXT, image("reference_image", ids[0]), reference("video", ids[1]), reference("audio", ids[2])]
        body = {**BODY, "ratio": "adaptive", "content": content}
        task_id = (await client.post(SUBMIT, json=body, headers=bearer())).json()["task_id"]
        found = (await client.get(f"{QUERY}/{task_id}", headers=bearer())).json()["task"]
        assert found["usage"] == {"input_seconds": 3, "output_seconds": 4, "input_image_count": 1}
        for wrong in ([TEXT, image("reference_image", ids[1])], [TEXT, reference("video", "mm_file://7")]):
            refused = await client.post(SUBMIT, json={**body, "content": wrong}, headers=bearer())
            assert refused.status_code == 400
        assert (await client.post(SUBMIT, json=body, headers=bearer("other"))).status_code == 400


@pytest.mark.parametrize("wrong", ["text", "short", "slow", "tall"])
async def test_an_upload_that_breaks_a_rule_is_refused(wrong: str, tmp_path: Path) -> None:
    content = {
        "text": lambda: b"nothing",
        "short": lambda: tone(tmp_path / "a.wav", seconds=1),
        "slow": lambda: film(tmp_path / "a.mp4", rate=10),
        "tall": lambda: picture((300, 900)),
    }[wrong]()
    async with in_process(tmp_path) as client:
        assert "error" in await uploaded(client, content)
        assert "error" in await uploaded(client, picture(), purpose="t2a")


@pytest.mark.parametrize(("key", "status"), [("bad-key", 401), ("forbidden", 403), ("no-credits", 402)])
async def test_account_without_access_is_refused_with_its_status(key: str, status: int, tmp_path: Path) -> None:
    async with in_process(tmp_path) as client:
        assert (await client.post(SUBMIT, json=BODY, headers=bearer(key))).status_code == status
