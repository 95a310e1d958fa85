"""Calls that every client makes: for each tool one that is refused, with the code of its error."""

from typing import Any

TOOLS = ("generate_video", "get_status", "list_models", "list_jobs", "download_video", "cancel_job")

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("generate_video", {"prompt": "a lighthouse", "duration": 60}, "invalid_input"),
    ("generate_video", {}, "invalid_input"),
    ("generate_video", {"prompt": "a lighthouse sandbox:no_credits"}, "insufficient_credits"),
    ("get_status", {"request_id": "no id at all"}, "invalid_input"),
    ("get_status", {"request_id": "segmind/hailuo-02-fast/none-such"}, "unknown_request"),
    ("list_models", {"model": "segmind/none-such"}, "unknown_model"),
    ("list_jobs", {"limit": 0}, "invalid_input"),
    ("download_video", {"request_id": "segmind/hailuo-02-fast/none-such"}, "unknown_request"),
    ("cancel_job", {"request_id": "segmind/hailuo-02-fast/none-such"}, "unknown_request"),
]
"""Tool, arguments, and the code of its error."""

PROMPTS: dict[str, dict[str, str]] = {
    "animate_picture": {
        "picture": "https://pictures.example/kite.png",
        "action": "the kite rises",
        "model": "segmind/hailuo-02-fast",
        "duration": "6",
    },
    "storyboard": {"story": "a kite rises, tears loose, and lands on a roof", "shots": "3"},
    "compare_models": {"prompt": "a red kite rises"},
    "rescue_clips": {},
}
"""Prompt to arguments for it."""
