"""Checks and prices every shot before the first is submitted."""

import base64
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hailuo_mcp.core.errors import HailuoError, InvalidInput
from hailuo_mcp.core.job import Job
from hailuo_mcp.core.model_id import ModelId
from hailuo_mcp.service.batch.shots import InvalidShots, LineError, Shot
from hailuo_mcp.service.input_files import LAST_FRAME
from hailuo_mcp.service.session import Session

PLACEHOLDER_SIZE = (1366, 768)
"""The size of a clip; the last frame of any clip passes the rules for images."""


@dataclass(frozen=True, slots=True)
class CheckedShot:
    """A shot that a model accepts. `arguments` name that model, even if the shot does not."""

    shot: Shot
    arguments: Mapping[str, Any]
    estimate: Job
    """The job it would be."""
    is_unique: bool
    """Whether no other shot of the file asks for the same, so that the check for duplicates applies to it."""

    @property
    def gateway(self) -> str:
        return ModelId.parse(self.estimate.model).gateway


async def check_shots(session: Session, path: Path, shots: Sequence[Shot]) -> tuple[CheckedShot, ...]:
    """Check each shot as a dry run; an image that will be the last frame of another clip is assumed to be valid.

    Raises:
        InvalidShots: everything that is wrong; nothing was sent.
    """
    errors: list[LineError] = []
    found: list[tuple[Shot, Job]] = []
    placeholder = _placeholder() if any(shot.after for shot in shots) else ""
    for shot in shots:
        try:
            if shot.after and find_spec("av") is None:
                raise InvalidInput(
                    "Taking a clip's last frame needs the media extra.", "Install it: pip install 'hailuo-mcp[media]'."
                )
            model = _model_of(session, shot, shots)
            arguments = {**shot.arguments, **dict.fromkeys(shot.after, placeholder)}
            dry = await session.generate({**arguments, "model": model}, dry_run=True)
        except HailuoError as error:
            errors.append(LineError(shot.line, error.problem.message, error.problem.hint))
        else:
            found.append((shot, dry.job))
    if errors:
        raise InvalidShots(path, errors)
    # The fingerprint of a shot that continues another is that of the placeholder; its text is compared instead.
    digests = [shot.content if shot.after else job.fingerprint for shot, job in found]
    counts = Counter(digests)
    return tuple(
        CheckedShot(shot, {**shot.arguments, "model": job.model}, job, counts[digest] == 1)
        for (shot, job), digest in zip(found, digests, strict=True)
    )


def _model_of(session: Session, shot: Shot, shots: Sequence[Shot]) -> str:
    """The model that accepts the shot as it will be sent. Raises HailuoError if none does."""
    chained = {parameter: LAST_FRAME + shots[place].label for parameter, place in shot.after.items()}
    given = {name: value for name, value in shot.arguments.items() if name != "model"}
    return session.catalog.parse(shot.arguments.get("model"), {**given, **chained}).spec.id


def _placeholder() -> str:
    from PIL import Image  # start-up time: only chained shots need it

    buffer = io.BytesIO()
    Image.new("RGB", PLACEHOLDER_SIZE).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
