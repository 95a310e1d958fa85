"""The docs' pictures show the current player with current answers of the server, and are small."""

import json
from collections.abc import Sequence

import pytest
from PIL import Image

from tests.docs import chat_picture, player_pictures, staging
from tests.mcp.player.jobs import Result

PICTURES = {
    player_pictures.PLAYER: (player_pictures.PLAYER_CALLS, (), player_pictures.BYTES_MAX, "player_pictures"),
    player_pictures.GALLERY: (player_pictures.GALLERY_CALLS, (), player_pictures.BYTES_MAX, "player_pictures"),
    chat_picture.MOVING: (chat_picture.CALLS, chat_picture.WORDS, chat_picture.BYTES_MAX, "chat_picture"),
    chat_picture.STILL: (chat_picture.CALLS, chat_picture.WORDS, chat_picture.STILL_BYTES_MAX, "chat_picture"),
}


@pytest.mark.parametrize("name", PICTURES)
async def test_a_picture_is_up_to_date(name: str) -> None:
    calls: list[Result]
    words: Sequence[str]
    calls, words, _, command = PICTURES[name]
    digests = json.loads(staging.DIGESTS.read_text())
    assert digests[name] == await staging.fresh_digest(calls, *words), f"run: uv run python -m tests.docs.{command}"


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_small(name: str) -> None:
    path = staging.PICTURES / name
    assert path.stat().st_size <= PICTURES[name][2]
    with Image.open(path) as image:
        assert image.width <= 1000
        assert (getattr(image, "n_frames", 1) > 1) == (name == chat_picture.MOVING)
