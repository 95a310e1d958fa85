"""The docs' pictures show today's player and what the server answers today, and are small."""

import json
from collections.abc import Sequence

import pytest
from PIL import Image

from tests.docs import chat_picture, player_pictures, staging
from tests.mcp.player.jobs import Result

DRAWN = {
    player_pictures.PLAYER: (player_pictures.PLAYER_CALLS, (), player_pictures.BYTES_MAX, "player_pictures"),
    player_pictures.GALLERY: (player_pictures.GALLERY_CALLS, (), player_pictures.BYTES_MAX, "player_pictures"),
    chat_picture.MOVING: (chat_picture.CALLS, chat_picture.WORDS, chat_picture.BYTES_MAX, "chat_picture"),
    chat_picture.STILL: (chat_picture.CALLS, chat_picture.WORDS, chat_picture.STILL_BYTES_MAX, "chat_picture"),
}


@pytest.mark.parametrize("name", DRAWN)
async def test_a_picture_shows_the_player_as_it_is(name: str) -> None:
    calls: list[Result]
    words: Sequence[str]
    calls, words, _, command = DRAWN[name]
    noted = json.loads(staging.DIGESTS.read_text())
    assert noted[name] == await staging.fresh_digest(calls, *words), f"run: uv run python -m tests.docs.{command}"


@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_is_small(name: str) -> None:
    path = staging.PICTURES / name
    assert path.stat().st_size <= DRAWN[name][2]
    with Image.open(path) as image:
        assert image.width <= 1000
        assert (getattr(image, "n_frames", 1) > 1) == (name == chat_picture.MOVING)
