"""Calls that a gateway would refuse, or charge for without a useful result, each with the words of its refusal."""

from dataclasses import dataclass, field
from typing import Any

from hailuo_mcp.core.errors import ErrorCode
from tests.core.models import PICTURE
from tests.mcp.calling import APIXO, FAST_02

FAST_23 = "segmind/hailuo-2.3-fast"
HAILUO_2 = "segmind/minimax-hailuo-2"
AIMLAPI = "aimlapi/hailuo-02"
AIMLAPI_23, AIMLAPI_23_FAST = "aimlapi/hailuo-2.3", "aimlapi/hailuo-2.3-fast"
MINIMAX_23, MINIMAX_23_FAST, MINIMAX_02 = "minimax/hailuo-2.3", "minimax/hailuo-2.3-fast", "minimax/hailuo-02"
H3, H3_MAX, S2V_01 = "minimax/h3", "minimax/h3-max", "minimax/s2v-01"
FAL_23, FAL_23_FAST, FAL_02 = "fal/hailuo-2.3", "fal/hailuo-2.3-fast", "fal/hailuo-02"
REPLICATE_23, REPLICATE_23_FAST = "replicate/hailuo-2.3", "replicate/hailuo-2.3-fast"
REPLICATE_02 = "replicate/hailuo-02"
SEGMIND_23, APIXO_23 = "segmind/hailuo-2.3", "apixo/hailuo-2.3"
AIMLAPI_H3, AIMLAPI_H3_MAX, FAL_H3, FAL_H3_MAX = "aimlapi/h3", "aimlapi/h3-max", "fal/h3", "fal/h3-max"
IMAGE_CALL: dict[str, Any] = {"prompt": "a cat", "first_frame_image": PICTURE}
Words = str | tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """A wrong call, and the words that its refusal must contain."""

    id: str
    model: str
    arguments: dict[str, Any] = field(hash=False)
    named: Words
    """Of the message: the parameter, and the value given."""
    fix: Words
    """Of the hint."""
    code: ErrorCode = "invalid_input"

    def missing_words(self, message: str, hint: str) -> list[str]:
        """The words that a refusal should contain but does not, ignoring letter case."""
        return [
            word
            for text, words in ((message, self.named), (hint, self.fix))
            for word in ((words,) if isinstance(words, str) else words)
            if word.lower() not in text.lower()
        ]


def _with(**more: Any) -> dict[str, Any]:
    return {**IMAGE_CALL, **more}


CASES: list[Case] = [
    # the newest models
    Case("10 s at 1080p of 2.3", SEGMIND_23, _with(duration=10, resolution="1080p"), "duration=10", '"768p"'),
    Case("length of pro", APIXO_23, {"prompt": "x", "mode": "pro", "duration": 6}, "mode=pro", "fixed at 5 s"),
    Case("another size", AIMLAPI_H3, {"prompt": "x", "resolution": "768p"}, ("resolution", "768p"), "2k"),
    Case("4 s of H3 Max", AIMLAPI_H3_MAX, {"prompt": "x", "duration": 4}, ("duration", "4"), "duration"),
    Case("no rewriting", AIMLAPI_H3_MAX, {"prompt": "x", "prompt_expansion": "disabled"}, "disabled", "balanced"),
    Case("a seed in words", FAL_H3, {"prompt": "x", "seed": "seven"}, ("seed", "seven"), "seed"),
    Case("last alone", FAL_H3, {"prompt": "x", "last_frame_image": PICTURE}, "last_frame_image", "first_frame"),
    Case("2k of H3 Max", FAL_H3_MAX, {"prompt": "x", "resolution": "2k"}, ("resolution", "2k"), "768p"),
    # prompts
    Case("no arguments at all", HAILUO_2, {}, "prompt is missing", "pass prompt"),
    Case("no prompt", FAST_02, {"first_frame_image": PICTURE}, ("prompt is missing", FAST_02), "pass prompt"),
    Case("null prompt", AIMLAPI, {"prompt": None}, ("prompt must be a string", "null"), "pass prompt"),
    Case("empty prompt", HAILUO_2, {"prompt": ""}, "prompt is empty", "say in the prompt"),
    Case("prompt of spaces", AIMLAPI, {"prompt": " \n\t "}, "prompt is empty", "what should happen"),
    Case("prompt too long", FAST_23, _with(prompt="x" * 2001), ("2001 characters", "2000"), "shorten the prompt"),
    Case("prompt a number", APIXO, _with(prompt=7), ("prompt must be a string", "7"), "prompt as a string"),
    Case("prompt a list", HAILUO_2, {"prompt": ["a"]}, ("prompt must be a string", "['a']"), "prompt as a string"),
    Case("half a surrogate as a name", HAILUO_2, {**IMAGE_CALL, "\ud800": 1}, "\\ud800", "leave \\ud800 out"),
    # images
    Case("02-fast without picture", FAST_02, {"prompt": "x"}, "first_frame_image is missing", "first_frame_image"),
    Case("2.3-fast without picture", FAST_23, {"prompt": "x"}, "first_frame_image is missing", "first_frame_image"),
    Case("APIXO without picture", APIXO, {"prompt": "x"}, "first_frame_image is missing", "first_frame_image"),
    Case("null picture", FAST_02, _with(first_frame_image=None), "first_frame_image is missing", "pass first"),
    Case("empty picture", FAST_23, _with(first_frame_image=""), "first_frame_image is missing", "pass first"),
    Case("picture an object", FAST_02, _with(first_frame_image={"url": "x"}), ("must be a string", "url"), "a string"),
    Case(
        "last frame on 2.3-fast",
        FAST_23,
        _with(last_frame_image=PICTURE),
        ("last_frame_image", PICTURE),
        "a model that takes",
    ),
    Case(
        "last frame on APIXO",
        APIXO,
        _with(last_frame_image=PICTURE),
        "does not take last_frame_image",
        "a model that takes",
    ),
    Case("APIXO data URI", APIXO, _with(first_frame_image="data:image/png;base64,AA"), "http(s) URL", "web address"),
    Case("APIXO file path", APIXO, _with(first_frame_image="/home/me/x.png"), "/home/me/x.png", "web address"),
    Case("APIXO earlier clip", APIXO, _with(first_frame_image="last-frame:a/b/c"), "last-frame:a/b/c", "web address"),
    Case("APIXO URL with a space", APIXO, _with(first_frame_image="https://h/a b.png"), "a b.png", "web address"),
    Case("APIXO URL and newline", APIXO, _with(first_frame_image=PICTURE + "\n"), "http(s) URL", "web address"),
    Case(
        "wire name of the picture",
        HAILUO_2,
        {"prompt": "x", "image_url": PICTURE},
        ("take image_url", "first_frame_image"),
        "instead of image_url, pass it as first_frame_image",
    ),
    Case("wire name of the pictures", APIXO, _with(image_urls=[PICTURE]), ("image_urls", PICTURE), "first_frame_image"),
    # durations
    Case("duration 8", FAST_02, _with(duration=8), ("duration must be 6 or 10", "8"), "duration as 6 or 10"),
    Case("duration 0", FAST_23, _with(duration=0), ("duration must be 6 or 10", "0"), "6 or 10"),
    Case("duration negative", AIMLAPI, _with(duration=-6), ("duration", "-6"), "6 or 10"),
    Case("duration true", APIXO, _with(duration=True), ("duration", "true"), "6 or 10"),
    Case("duration in words", FAST_02, _with(duration="6s"), ("duration", '"6s"'), "6 or 10"),
    Case("duration a fraction", FAST_02, _with(duration=6.5), ("duration", "6.5"), "6 or 10"),
    Case("duration endless", AIMLAPI, _with(duration="9" * 5000), ("duration must be 6 or 10", "999"), "6 or 10"),
    Case("duration on hailuo-2", HAILUO_2, _with(duration=10), ("does not take duration", "10"), "leave duration out"),
    # resolutions
    Case("resolution 720p", FAST_23, _with(resolution="720p"), ("768p or 1080p", "720p"), "768p or 1080p"),
    Case("resolution a number", AIMLAPI, _with(resolution=1080), ("768p or 1080p", "1080"), "768p or 1080p"),
    Case("resolution 512p", AIMLAPI, _with(resolution="512p"), ("resolution", "512p"), "768p or 1080p"),
    Case("resolution on 02-fast", FAST_02, _with(resolution="768p"), "does not take resolution", "resolution out"),
    Case("resolution on hailuo-2", HAILUO_2, _with(resolution="1080p"), ("resolution", "1080p"), "resolution out"),
    # modes, routing, flags
    Case("mode fast", HAILUO_2, _with(mode="fast"), ("standard or pro", '"fast"'), "standard or pro"),
    Case("text mode on APIXO", APIXO, _with(mode="standard-text-to-video"), "standard or pro", "standard or pro"),
    Case("mode on 02-fast", FAST_02, _with(mode="pro"), ("does not take mode", '"pro"'), "leave mode out"),
    Case("mode on AI/ML API", AIMLAPI, _with(mode="pro"), ("does not take mode", AIMLAPI), "leave mode out"),
    Case("routing cheapest", APIXO, _with(routing="cheapest"), ("auto or value or official", "cheapest"), "auto or"),
    Case("routing on Segmind", FAST_23, _with(routing="value"), "does not take routing", "leave routing out"),
    Case("optimizer as a word", FAST_02, _with(prompt_optimizer="yes"), ("true or false", '"yes"'), "true or false"),
    Case("optimizer as 1", AIMLAPI, _with(prompt_optimizer=1), ("prompt_optimizer", "1"), "true or false"),
    Case("optimizer on APIXO", APIXO, _with(prompt_optimizer=1), "does not take prompt_optimizer", "leave"),
    Case("go_fast on 2.3-fast", FAST_23, _with(go_fast=True), ("does not take go_fast", "true"), "leave go_fast out"),
    # callbacks
    Case(
        "callback over http", APIXO, _with(callback_url="http://h/x"), ("https URL", "http://h/x"), "https://host/path"
    ),
    Case("callback with password", APIXO, _with(callback_url="https://u:p@h/x"), "callback_url", "https://host/path"),
    Case("callback of two hosts", APIXO, _with(callback_url="https://a\\@b/"), "callback_url", "https://host/path"),
    Case("callback and newline", APIXO, _with(callback_url="https://h/x\n"), "callback_url", "https://host/path"),
    Case(
        "callback too long", APIXO, _with(callback_url="https://h/" + "x" * 2048), "2058 char", "shorter callback_url"
    ),
    Case("callback on AI/ML API", AIMLAPI, _with(callback_url="https://h/x"), "does not take callback_url", "leave"),
    # combinations that do not exist
    Case(
        "10 s at 1080p", FAST_23, _with(duration=10, resolution="1080p"), ("duration=10", "1080p"), 'resolution "768p"'
    ),
    Case("10 s at the default 1080p", FAST_23, _with(duration=10), ("duration=10", "1080p"), 'resolution "768p"'),
    Case("10 s at 1080P in capitals", AIMLAPI, _with(duration="10", resolution="1080P"), "duration=10", '"768p"'),
    Case("pro for 10 s", APIXO, _with(mode="pro", duration=10), ("mode=pro", "duration=10"), 'mode "standard"'),
    Case("1080p for 10 s", APIXO, _with(resolution="1080p", duration=10), "resolution=1080p", 'resolution "768p"'),
    Case("standard at 1080p", APIXO, _with(mode="standard", resolution="1080p"), "mode=standard", 'mode "pro"'),
    Case("pro at 768p", APIXO, _with(mode="pro", resolution="768p"), ("mode=pro", "768p"), 'mode "standard"'),
    Case("10 s at 1080p on the unified route", AIMLAPI_23, _with(duration=10, resolution="1080p"), (), '"768p"'),
    Case(
        "unified wire name",
        AIMLAPI_23,
        {"prompt": "x", "image_url": PICTURE},
        "take image_url",
        "pass it as first_frame_image",
    ),
    Case(
        "last frame on unified",
        AIMLAPI_23_FAST,
        _with(last_frame_image=PICTURE),
        "last_frame_image",
        "a model that takes",
    ),
    Case("unified fast from text", AIMLAPI_23_FAST, {"prompt": "x"}, "first_frame_image is missing", "pass first"),
    Case("MiniMax fast from text", MINIMAX_23_FAST, {"prompt": "x"}, "first_frame_image is missing", "pass first"),
    Case("10 s at 1080p, MiniMax", MINIMAX_23, _with(duration=10, resolution="1080p"), "1080p", '"768p"'),
    Case("512p on MiniMax 2.3", MINIMAX_23, _with(resolution="512p"), ("512p", "768p or 1080p"), "768p or 1080p"),
    Case(
        "last frame on MiniMax 2.3",
        MINIMAX_23,
        _with(last_frame_image=PICTURE),
        "last_frame_image",
        "a model that takes",
    ),
    Case("512p from text", MINIMAX_02, {"prompt": "x", "resolution": "512p"}, ("512p", "without"), "first_frame_image"),
    Case(
        "512p with a last frame",
        MINIMAX_02,
        _with(resolution="512p", last_frame_image=PICTURE),
        "resolution=512p with last_frame_image",
        'resolution "768p"',
    ),
    Case(
        "only a last frame",
        MINIMAX_02,
        {"prompt": "x", "last_frame_image": PICTURE},
        "without first_frame_image",
        "first_frame_image",
    ),
    Case(
        "pretreatment with a last frame",
        MINIMAX_02,
        _with(fast_pretreatment=True, last_frame_image=PICTURE),
        "fast_pretreatment=true",
        "leave fast_pretreatment out",
    ),
    Case("pretreatment as a word", MINIMAX_23, _with(fast_pretreatment="no"), ("true or false", '"no"'), "true or"),
    Case("pretreatment on Segmind", FAST_02, _with(fast_pretreatment=True), "fast_pretreatment", "leave"),
    Case("MiniMax callback over http", MINIMAX_23, _with(callback_url="http://h/x"), "https URL", "https://host"),
    # H3: ranges, references and ratios
    Case("3 s on H3", H3, _with(duration=3), ("whole number from 4 to 15", "3"), "from 4 to 15"),
    Case("4 s on H3-Max", H3_MAX, {"prompt": "x", "duration": 4}, ("from 5 to 15", "4"), "from 5 to 15"),
    Case("480p on H3", H3, _with(resolution="480p"), ("768p or 2k", "480p"), "768p or 2k"),
    Case("2k on H3-Max", H3_MAX, _with(resolution="2k"), ("480p or 768p", "2k"), "480p or 768p"),
    Case("H3 prompt too long", H3, {"prompt": "x" * 7001}, ("7001 characters", "7000"), "shorten the prompt"),
    Case(
        "frame and references",
        H3,
        _with(reference_images=[PICTURE]),
        ("first_frame_image", "reference_images"),
        "not both",
    ),
    Case("audio alone", H3, {"prompt": "x", "reference_audios": [PICTURE]}, "reference_audios", "to the audio"),
    Case(
        "ten reference images",
        H3,
        {"prompt": "x", "reference_images": [PICTURE] * 10},
        ("reference_images has 10", "9"),
        "fewer reference_images",
    ),
    Case(
        "one video not in a list",
        H3,
        {"prompt": "x", "reference_videos": PICTURE},
        ("reference_videos must be a list", PICTURE),
        "as a list",
    ),
    Case(
        "thirteen references",
        H3_MAX,
        {
            "prompt": "x",
            "reference_images": [PICTURE] * 9,
            "reference_videos": [PICTURE] * 3,
            "reference_audios": ["x"],
        },
        "more than 12",
        "at most 12",
    ),
    Case("ratio with a frame", H3, _with(aspect_ratio="16:9"), "first_frame_image", "leave aspect_ratio out"),
    Case("adaptive from text", H3_MAX, {"prompt": "x", "aspect_ratio": "adaptive"}, "aspect_ratio=adaptive", "16:9"),
    Case(
        "expansion unknown",
        H3_MAX,
        {"prompt": "x", "prompt_expansion": "best"},
        ("disabled or balanced or quality", "best"),
        "disabled or",
    ),
    # a character
    Case("no character", S2V_01, {"prompt": "x"}, "subject_reference is missing", "pass subject_reference"),
    Case("a frame for a character", S2V_01, IMAGE_CALL, "does not take first_frame_image", "pass subject_reference"),
    Case(
        "a character for 10 s",
        S2V_01,
        {"prompt": "x", "subject_reference": PICTURE, "duration": 10},
        ("does not take duration", "10"),
        "leave duration out",
    ),
    # the same models at other gateways
    Case("10 s at 1080p, fal", FAL_23, _with(duration=10, resolution="1080p"), ("duration=10", "1080p"), '"768p"'),
    Case("fal fast from text", FAL_23_FAST, {"prompt": "x"}, "first_frame_image is missing", "pass first"),
    Case(
        "last frame at 1080p, fal",
        FAL_02,
        _with(last_frame_image=PICTURE, resolution="1080p"),
        "resolution=1080p with last_frame_image",
        'resolution "768p"',
    ),
    Case("512p on Replicate 2.3", REPLICATE_23, _with(resolution="512p"), "512p", "768p or 1080p"),
    Case("Replicate fast from text", REPLICATE_23_FAST, {"prompt": "x"}, "first_frame_image is missing", "pass first"),
    Case("10 s at the default, Replicate", REPLICATE_02, _with(duration=10), ("duration=10", "1080p"), '"768p"'),
    # unknown names
    Case("an invented parameter", FAST_02, _with(seed=42), ("does not take seed", "42"), "leave seed out"),
    Case("another spelling", FAST_23, _with(Duration=6), "does not take Duration", "pass it as duration"),
    Case(
        "the remote name",
        AIMLAPI,
        _with(enhance_prompt=True),
        "does not take enhance_prompt",
        "pass it as prompt_optimizer",
    ),
    Case("a key among the arguments", FAST_02, _with(api_key="sk-1"), ("does not take api_key", "not shown"), "leave"),
    Case("a name with a newline", FAST_02, _with(**{"a\nb": 1}), "does not take a b", "leave a b out"),
    # several at once
    Case(
        "two wrong values",
        FAST_02,
        _with(duration=7, go_fast=3),
        ("duration", "7", "go_fast", "3"),
        ("6 or 10", "true"),
    ),
    Case("missing and unknown", FAST_23, {"prompt": "x", "fps": 24}, ("first_frame_image", "fps"), "fps out"),
]
