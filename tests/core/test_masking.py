"""Masking secrets: a key is hidden in every encoding in which it may come back."""

import html
import json
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from string import ascii_letters, digits
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_mcp.core.masking import MASK, SECRET_MIN, holds_secret, mask

KEY = "sk-Secret/0123+456_789=&é"
FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "upper case": str.upper,
    "percent-encoded": lambda key: quote(key, safe=""),
    "form-encoded": quote_plus,
    "percent-encoded throughout": lambda key: "".join(f"%{byte:02X}" for byte in key.encode()),
    "percent-encoded in part": lambda key: key.replace("-", "%2d"),
    "percent-encoded twice": lambda key: quote(quote(key, safe=""), safe=""),
    "JSON": lambda key: json.dumps(key)[1:-1],
    "JSON with slashes escaped": lambda key: json.dumps(key)[1:-1].replace("/", "\\/"),
    "JSON throughout": lambda key: "".join(f"\\u{ord(c):04x}" for c in key),
    "JSON in JSON": lambda key: json.dumps(json.dumps(key))[3:-3],
    "Python": lambda key: repr(key.encode())[2:-1],
    "HTML": html.escape,
    "HTML throughout": lambda key: "".join(f"&#x{ord(c):X};" for c in key),
    "HTML in decimals": lambda key: "".join(f"&#{ord(c)};" for c in key),
    "base64": lambda key: b64encode(key.encode()).decode(),
    "base64 for URLs": lambda key: urlsafe_b64encode(key.encode()).decode().rstrip("="),
    "base64 of a header": lambda key: b64encode(f"Bearer {key}".encode()).decode(),
    "base64 of credentials": lambda key: b64encode(f"u:{key}".encode()).decode(),
    "percent-encoded base64": lambda key: quote(b64encode(key.encode()).decode(), safe=""),
    "hex": lambda key: key.encode().hex(),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_key_is_masked_in_every_form(form: Callable[[str], str]) -> None:
    text = f"invalid key <{form(KEY)}> given"
    masked = mask(text, ["another-key", KEY])
    assert MASK in masked
    assert holds_secret(text, [KEY])
    assert not holds_secret(masked, [KEY])
    left = masked.replace(MASK, "")
    assert left.startswith("invalid key <")
    assert left.endswith("> given")
    assert len(left) < len("invalid key <> given") + 12  # the base64 of the characters next to the key


@given(st.text(ascii_letters + digits + "-._~+/=:", min_size=SECRET_MIN, max_size=60), st.sampled_from(sorted(FORMS)))
def test_a_key_is_found_in_every_form(secret: str, form: str) -> None:
    assert holds_secret(f"<{FORMS[form](secret)}>", [secret])


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=SECRET_MIN), st.text(max_size=20))
def test_a_key_of_any_characters_is_masked(secret: str, text: str) -> None:
    if len(secret.replace("\\", "")) >= SECRET_MIN:
        assert MASK in mask(f"{text} {secret}", [secret])


@pytest.mark.parametrize("secrets", [[], [""], ["abcd"], ["sk-another-key"]])
def test_other_text_and_short_values_are_left_unchanged(secrets: list[str]) -> None:
    text = "abcd %2e \\u0041 &amp; c2stYW5vdGhlci https://cdn.example/a.mp4?x=1"
    assert mask(text, secrets) == text


def test_the_longer_of_two_overlapping_keys_is_masked_completely() -> None:
    assert mask("sk-secret-more", ["sk-secret", "sk-secret-more"]) == MASK


@pytest.mark.parametrize("text", ["\\" * 100_000, "%25" * 40_000, "&#x00" * 30_000, "sk-" * 40_000, "\\\\u" * 40_000])
def test_no_text_makes_masking_slow(text: str) -> None:
    began = time.process_time()
    mask(text, [KEY, "\\" * 20 + "x", "%25%25%25%25x"])
    assert time.process_time() - began < 2
