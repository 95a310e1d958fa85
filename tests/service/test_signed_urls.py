"""Signed URLs: only our own are accepted, only for their purpose, and only until they expire."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from hailuo_mcp.service.signed_urls import CLIP_LINK_LIFETIME, SignedUrls

NOW = datetime(2026, 11, 21, 12, 0, 0, 250_000, tzinfo=UTC)
LINKS = SignedUrls("https://video.example", b"s" * 32, called_back=True)
OTHERS = SignedUrls("https://video.example", b"t" * 32, called_back=True)


def parts(link: str) -> tuple[str, str]:
    query = parse_qs(urlsplit(link).query)
    return query["until"][0], query["signature"][0]


def test_clip_link_is_accepted_until_it_expires() -> None:
    link, until = LINKS.clip("k1", NOW)
    assert link.startswith("https://video.example/clips/k1.mp4?")
    assert until <= NOW + CLIP_LINK_LIFETIME
    assert LINKS.is_clip("k1", *parts(link), NOW)
    assert LINKS.is_clip("k1", *parts(link), until - timedelta(seconds=1))
    assert not LINKS.is_clip("k1", *parts(link), until)


def test_clip_link_is_valid_only_for_its_own_clip_and_time() -> None:
    until, signature = parts(LINKS.clip("k1", NOW)[0])
    assert not LINKS.is_clip("k2", until, signature, NOW)
    assert not LINKS.is_clip("k1", str(int(until) + 60), signature, NOW)
    assert not OTHERS.is_clip("k1", until, signature, NOW)


@pytest.mark.parametrize("until", ["", "-1", "9" * 400, "1e9", "٣", " 1", "1.5"])
def test_invalid_time_is_refused(until: str) -> None:
    assert not LINKS.is_clip("k1", until, parts(LINKS.clip("k1", NOW)[0])[1], NOW)


@pytest.mark.parametrize("signature", ["", "0", "é", "0" * 32])
def test_invalid_signature_is_refused(signature: str) -> None:
    assert not LINKS.is_clip("k1", parts(LINKS.clip("k1", NOW)[0])[0], signature, NOW)


def test_callback_url_is_valid_only_for_its_gateway() -> None:
    address = LINKS.callback("apixo", "k1")
    assert address
    assert address.startswith("https://video.example/callbacks/apixo/")
    secret = address.rpartition("/")[2]
    assert LINKS.called_for("apixo", secret) == "k1"
    assert LINKS.called_for("minimax", secret) is None
    assert OTHERS.called_for("apixo", secret) is None
    for forged in ("", "k1", "k1.", "k2." + secret.partition(".")[2], secret[:-1], secret + "0", "é.é"):
        assert LINKS.called_for("apixo", forged) is None


def test_loopback_server_has_no_callback_url() -> None:
    assert SignedUrls("http://127.0.0.1:8000", b"s" * 32).callback("apixo", "k1") is None


def test_clip_signature_is_not_valid_for_a_callback() -> None:
    signature = parts(LINKS.clip("k1", NOW)[0])[1]
    assert LINKS.called_for("apixo", f"k1.{signature}") is None


def test_the_secret_is_not_shown() -> None:
    assert "ssss" not in repr(LINKS)
