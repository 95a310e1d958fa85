"""The request id: what it may contain, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_mcp.core.errors import InvalidInput
from hailuo_mcp.core.request_id import REMOTE_ID_MAX, RequestId, checked_remote_id

MODEL = "segmind/hailuo-02-fast"

segments = st.text(st.characters(categories=("L", "N"), include_characters="-._"), min_size=1, max_size=20)
remote_ids = st.text(
    st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp")), min_size=1, max_size=REMOTE_ID_MAX
)
usable_ids = remote_ids.filter(lambda text: text == text.strip() and text not in (".", ".."))


@given(segments, segments, usable_ids)
def test_a_request_id_survives_a_round_trip(gateway: str, name: str, remote_id: str) -> None:
    request_id = RequestId(model=f"{gateway}/{name}", remote_id=checked_remote_id(remote_id))
    assert RequestId.parse(str(request_id)) == request_id
    assert RequestId.parse(f" {request_id}\n") == request_id


@pytest.mark.parametrize(
    "remote_id", ["a/b/c", "a:b", "//", "../x", "…é漢🎬", "a b", "%2F", "unconfirmed-1", "x" * 256]
)
def test_a_remote_id_may_contain_any_printable_characters(remote_id: str) -> None:
    parsed = RequestId.parse(f"{MODEL}/{remote_id}")
    assert (parsed.model, parsed.remote_id) == (MODEL, remote_id)


BAD_IDS = [
    "",
    ".",
    "..",
    "a\x00b",
    "a\u202eb",
    "a\u200bb",
    "a\ufeffb",
    "a\nb",
    "\x7f",
    "a\x85b",
    "a\u2028b",
    "\u2029x",
    "\ud800",
    "x" * 257,
    " a",
    "a\u3000",
]


@pytest.mark.parametrize("remote_id", BAD_IDS)
def test_an_unsafe_remote_id_is_refused(remote_id: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        checked_remote_id(remote_id)
    assert "request_id" in refused.value.problem.message
    refused.value.problem.message.encode()
    assert "list_jobs" in refused.value.problem.hint


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300), st.sampled_from("\x00\x1b\x7f\x9f\u2028"))
def test_a_control_character_anywhere_in_an_id_is_refused(text: str, control: str) -> None:
    for remote_id in (control + text + "x", "x" + text + control + "x"):
        with pytest.raises(InvalidInput):
            RequestId.parse(f"{MODEL}/{remote_id}")


@pytest.mark.parametrize(
    "text", ["", "r1", "segmind/r1", "segmind//r1", "/x/r1", f"{MODEL}/", f"{MODEL}/..", None, 7, ["x"]]
)
def test_the_refusal_of_an_invalid_request_id_says_what_to_pass(text: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        RequestId.parse(text)
    assert refused.value.problem.hint.startswith("Pass request_id exactly as generate_video returned it")
