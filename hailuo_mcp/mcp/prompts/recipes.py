"""The definitions of the prompts."""

from hailuo_mcp.mcp.prompts.recipe import Argument, Recipe
from hailuo_mcp.mcp.prompts.rescue import rescue_clips
from hailuo_mcp.mcp.prompts.suggestions import (
    SHOTS_MAX,
    chaining_models,
    last_frames,
    models,
    offered,
    shot_counts,
    values_of,
)
from hailuo_mcp.mcp.prompts.texts import SHOTS, animate_picture, compare_models, storyboard
from hailuo_mcp.service.input_files import LAST_FRAME

STORY_MAX = 20_000
PICTURE_MAX = 2_048
_PICTURE_FORMS = f"web address, file path, or {LAST_FRAME}<request_id> for the last frame of a saved clip"
_CHEAPEST = "default: the cheapest that fits."

RECIPES: tuple[Recipe, ...] = (
    Recipe(
        "animate_picture",
        "Animate a picture",
        "One clip from one picture: camera commands explained, price first, then submit, poll and save.",
        (
            Argument(
                "picture",
                "Picture",
                f"The picture the clip starts from: {_PICTURE_FORMS}.",
                PICTURE_MAX,
                required=True,
                suggest=last_frames,
            ),
            Argument(
                "action", "What should happen", "What moves in the clip and how, in plain words.", None, required=True
            ),
            Argument("model", "Model", f"Model id; {_CHEAPEST}", 80, suggest=models),
            Argument("duration", "Seconds", offered("duration"), 4, suggest=values_of("duration")),
            Argument("resolution", "Resolution", offered("resolution"), 8, suggest=values_of("resolution")),
        ),
        animate_picture,
    ),
    Recipe(
        "storyboard",
        "Storyboard to shots",
        "A story as several clips, one job per shot, each starting where the last one ended; budget first.",
        (
            Argument("story", "Story", "What happens, from beginning to end.", STORY_MAX, required=True),
            Argument("shots", "Number of shots", f"1 to {SHOTS_MAX}; default: {SHOTS}.", 4, suggest=shot_counts),
            Argument(
                "first_picture",
                "First picture",
                f"The picture the first shot starts from: {_PICTURE_FORMS}.",
                PICTURE_MAX,
                suggest=last_frames,
            ),
            Argument("model", "Model", f"Model id for all shots; {_CHEAPEST}", 80, suggest=chaining_models),
        ),
        storyboard,
    ),
    Recipe(
        "compare_models",
        "Compare models",
        "The same prompt on several models: prices and times first, then the clips side by side.",
        (
            Argument("prompt", "Prompt", "The prompt that every model gets.", None, required=True),
            Argument(
                "picture",
                "Picture",
                f"The picture every clip starts from: {_PICTURE_FORMS}. Default: none, text only.",
                PICTURE_MAX,
                suggest=last_frames,
            ),
        ),
        compare_models,
    ),
    Recipe(
        "rescue_clips",
        "Rescue my clips",
        "Find paid clips that are not saved yet, and save them before their links expire.",
        (),
        rescue_clips,
    ),
)
