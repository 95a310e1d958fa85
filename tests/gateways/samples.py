"""Requests as the gateways' documentation prints them, each with the call that must produce it."""

from dataclasses import dataclass
from typing import Any

STILL = "https://segmind-resources.s3.amazonaws.com/input/still.jpeg"
SEGMIND = ("hailuo-02-fast", "hailuo-2.3-fast", "hailuo-2.3", "minimax-hailuo-2")
UNIFIED = ("hailuo-2.3", "hailuo-2.3-fast", "h3", "h3-max")
HAILUO = ("hailuo-02", "hailuo-2.3", "hailuo-2.3-fast")
URLS = {
    **{f"segmind/{slug}": f"https://api.segmind.com/v2/{slug}" for slug in SEGMIND},
    "apixo/hailuo-2.3-fast": "https://api.apixo.ai/api/v1/generateTask/hailuo-2-3-fast",
    "apixo/hailuo-2.3": "https://api.apixo.ai/api/v1/generateTask/hailuo-2-3",
    "aimlapi/hailuo-02": "https://api.aimlapi.com/v2/generate/video/minimax/generation",
    **{f"aimlapi/{name}": "https://api.aimlapi.com/v2/video/generations" for name in UNIFIED},
    **{f"minimax/{name}": "https://api.minimax.io/v1/video_generation" for name in HAILUO},
}


@dataclass(frozen=True)
class Sample:
    """A call, and the body of the documented request for it."""

    name: str
    model: str
    arguments: dict[str, Any]
    body: dict[str, Any]


SAMPLES = [
    Sample(
        "hailuo-02-fast as printed, with an integer duration",
        "segmind/hailuo-02-fast",
        {
            "prompt": "A boy sings.",
            "go_fast": True,
            "duration": "6",
            "prompt_optimizer": True,
            "first_frame_image": STILL,
        },
        {
            "prompt": "A boy sings.",
            "go_fast": True,
            "duration": 6,
            "prompt_optimizer": True,
            "first_frame_image": STILL,
            "last_frame_image": None,
        },
    ),
    Sample(
        "hailuo-02-fast with its defaults and a last frame",
        "segmind/hailuo-02-fast",
        {"prompt": "x", "first_frame_image": STILL, "last_frame_image": STILL + "?2", "duration": 10},
        {
            "prompt": "x",
            "go_fast": False,
            "duration": 10,
            "prompt_optimizer": True,
            "first_frame_image": STILL,
            "last_frame_image": STILL + "?2",
        },
    ),
    Sample(
        "hailuo-2.3-fast as printed",
        "segmind/hailuo-2.3-fast",
        {"prompt": "A woman, sweater’s pattern.", "first_frame_image": STILL},
        {
            "prompt": "A woman, sweater’s pattern.",
            "duration": 6,
            "resolution": "1080p",
            "prompt_optimizer": True,
            "first_frame_image": STILL,
        },
    ),
    Sample(
        "minimax-hailuo-2 as printed",
        "segmind/minimax-hailuo-2",
        {"prompt": "Man wandered into a desert canyon.", "first_frame_image": STILL},
        {
            "prompt": "Man wandered into a desert canyon.",
            "prompt_optimizer": True,
            "image_url": STILL,
            "mode": "standard",
            "last_frame_image": None,
        },
    ),
    Sample(
        "minimax-hailuo-2 from text alone injects no example picture",
        "segmind/minimax-hailuo-2",
        {"prompt": "x", "mode": "PRO", "prompt_optimizer": False},
        {"prompt": "x", "prompt_optimizer": False, "mode": "pro", "last_frame_image": None},
    ),
    Sample(
        "APIXO standard",
        "apixo/hailuo-2.3-fast",
        {"prompt": "x", "first_frame_image": STILL, "routing": "auto"},
        {
            "request_type": "async",
            "provider": "auto",
            "input": {"mode": "standard-image-to-video", "prompt": "x", "image_urls": [STILL], "duration": 6},
        },
    ),
    Sample(
        "APIXO pro sends no duration, and no provider unasked",
        "apixo/hailuo-2.3-fast",
        {"prompt": "x", "first_frame_image": STILL, "resolution": "1080p"},
        {"request_type": "async", "input": {"mode": "pro-image-to-video", "prompt": "x", "image_urls": [STILL]}},
    ),
    Sample(
        "APIXO with a callback",
        "apixo/hailuo-2.3-fast",
        {"prompt": "x", "first_frame_image": STILL, "duration": 10, "callback_url": "https://me.example/hook?a=1"},
        {
            "request_type": "callback",
            "callback_url": "https://me.example/hook?a=1",
            "input": {"mode": "standard-image-to-video", "prompt": "x", "image_urls": [STILL], "duration": 10},
        },
    ),
    Sample(
        "AI/ML API as printed",
        "aimlapi/hailuo-02",
        {"prompt": "text", "first_frame_image": "https://example.com"},
        {
            "model": "minimax/hailuo-02",
            "prompt": "text",
            "prompt_optimizer": True,
            "first_frame_image": "https://example.com",
            "duration": 6,
            "resolution": "768P",
        },
    ),
    Sample(
        "AI/ML API from text, with a last frame inside the body",
        "aimlapi/hailuo-02",
        {"prompt": "text", "last_frame_image": "data:image/png;base64,AAAA", "resolution": "1080P"},
        {
            "model": "minimax/hailuo-02",
            "prompt": "text",
            "prompt_optimizer": True,
            "last_image_url": "data:image/png;base64,AAAA",
            "duration": 6,
            "resolution": "1080P",
        },
    ),
    Sample(
        "AI/ML API, unified route, from text",
        "aimlapi/hailuo-2.3",
        {"prompt": "text"},
        {"model": "minimax/hailuo-2.3", "prompt": "text", "enhance_prompt": True, "duration": 6, "resolution": "768P"},
    ),
    Sample(
        "AI/ML API, unified route, from an image",
        "aimlapi/hailuo-2.3-fast",
        {"prompt": "text", "first_frame_image": STILL, "resolution": "1080p", "prompt_optimizer": False},
        {
            "model": "minimax/hailuo-2.3-fast",
            "prompt": "text",
            "image_url": STILL,
            "enhance_prompt": False,
            "duration": 6,
            "resolution": "1080P",
        },
    ),
    Sample(
        "AI/ML API H3 as printed",
        "aimlapi/h3",
        {"prompt": "Describe.", "first_frame_image": "https://example.com/input.jpg", "duration": 6},
        {
            "model": "minimax/h3",
            "prompt": "Describe.",
            "image_url": "https://example.com/input.jpg",
            "duration": 6,
            "resolution": "2K",
            "ratio": "adaptive",
        },
    ),
    Sample(
        "AI/ML API H3 from references",
        "aimlapi/h3",
        {
            "prompt": "x",
            "reference_images": [STILL],
            "reference_videos": [STILL + "?2"],
            "reference_audios": [STILL + "?3"],
            "aspect_ratio": "9:16",
            "duration": 15,
            "resolution": "2k",
        },
        {
            "model": "minimax/h3",
            "prompt": "x",
            "reference_image_urls": [STILL],
            "video_urls": [STILL + "?2"],
            "audio_urls": [STILL + "?3"],
            "duration": 15,
            "resolution": "2K",
            "ratio": "9:16",
        },
    ),
    Sample(
        "AI/ML API H3 Max from text, in lower case",
        "aimlapi/h3-max",
        {"prompt": "x", "resolution": "480P", "prompt_expansion": "Quality", "seed": 7},
        {
            "model": "minimax/h3-max",
            "prompt": "x",
            "duration": 5,
            "resolution": "480p",
            "ratio": "16:9",
            "prompt_expansion_mode": "quality",
            "seed": 7,
        },
    ),
    Sample(
        "hailuo-2.3 with its defaults, from text",
        "segmind/hailuo-2.3",
        {"prompt": "x"},
        {"prompt": "x", "duration": 6, "resolution": "768p", "prompt_optimizer": True},
    ),
    Sample(
        "hailuo-2.3 from an image at 1080p",
        "segmind/hailuo-2.3",
        {"prompt": "x", "first_frame_image": STILL, "resolution": "1080p", "prompt_optimizer": False},
        {"prompt": "x", "first_frame_image": STILL, "duration": 6, "resolution": "1080p", "prompt_optimizer": False},
    ),
    Sample(
        "APIXO hailuo-2.3 from text",
        "apixo/hailuo-2.3",
        {"prompt": "x", "duration": 10},
        {"request_type": "async", "input": {"mode": "standard-text-to-video", "prompt": "x", "duration": 10}},
    ),
    Sample(
        "APIXO hailuo-2.3 pro from an image, without a duration, told of the end",
        "apixo/hailuo-2.3",
        {"prompt": "x", "first_frame_image": STILL, "mode": "pro", "callback_url": "https://me.example/hook"},
        {
            "request_type": "callback",
            "callback_url": "https://me.example/hook",
            "input": {"mode": "pro-image-to-video", "prompt": "x", "image_urls": [STILL]},
        },
    ),
    Sample(
        "MiniMax from text, told of the end",
        "minimax/hailuo-2.3",
        {"prompt": "x", "resolution": "1080P", "callback_url": "https://me.example/hook"},
        {
            "model": "MiniMax-Hailuo-2.3",
            "prompt": "x",
            "prompt_optimizer": True,
            "fast_pretreatment": False,
            "duration": 6,
            "resolution": "1080P",
            "callback_url": "https://me.example/hook",
        },
    ),
    Sample(
        "MiniMax fast, its picture inside the body",
        "minimax/hailuo-2.3-fast",
        {"prompt": "x", "first_frame_image": "data:image/png;base64,AAAA", "duration": 10, "fast_pretreatment": True},
        {
            "model": "MiniMax-Hailuo-2.3-Fast",
            "prompt": "x",
            "first_frame_image": "data:image/png;base64,AAAA",
            "prompt_optimizer": True,
            "fast_pretreatment": True,
            "duration": 10,
            "resolution": "768P",
        },
    ),
    Sample(
        "MiniMax from an image at 512p",
        "minimax/hailuo-02",
        {"prompt": "x", "first_frame_image": STILL, "resolution": "512p"},
        {
            "model": "MiniMax-Hailuo-02",
            "prompt": "x",
            "first_frame_image": STILL,
            "prompt_optimizer": True,
            "fast_pretreatment": False,
            "duration": 6,
            "resolution": "512P",
        },
    ),
    Sample(
        "MiniMax between two pictures",
        "minimax/hailuo-02",
        {"prompt": "x", "first_frame_image": STILL, "last_frame_image": STILL + "?2"},
        {
            "model": "MiniMax-Hailuo-02",
            "prompt": "x",
            "first_frame_image": STILL,
            "last_frame_image": STILL + "?2",
            "prompt_optimizer": True,
            "duration": 6,
            "resolution": "768P",
        },
    ),
]
