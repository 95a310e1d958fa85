"""Every shot is checked and priced before money moves for the first."""

import base64
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hailuo_mcp.core.errors import HailuoError
from hailuo_mcp.core.job import Job
from hailuo_mcp.service.batch.shots import Finding, Shot, WrongShots
from hailuo_mcp.service.session import Session
from hailuo_mcp.service.submission import LAST_FRAME

STAND_IN_SIZE = (1366, 768)
"""What the models make; a clip of any of them passes the rules for pictures."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A shot that a model takes. `arguments` name that model, whoever chose it."""

    shot: Shot
    arguments: Mapping[str, Any]
    estimate: Job
    """The job it would be."""
    alone: bool
    """No other shot of the file asks for the same, so that the duplicate guard may look at it."""

    @property
    def gateway(self) -> str:
        return self.estimate.model.split("/")[0]


async def check_shots(session: Session, path: Path, shots: Sequence[Shot]) -> tuple[Checked, ...]:
    """Check each shot as a dry run; a picture that will be the last frame of another clip is taken for granted.

    Raises:
        WrongShots: what is wrong with all of them; nothing was sent.
    """
    findings: list[Finding] = []
    found: list[tuple[Shot, Job]] = []
    stand_in = _stand_in() if any(shot.after for shot in shots) else ""
    for shot in shots:
        if shot.after and find_spec("av") is None:
            findings.append(
                Finding(
                    shot.line,
                    "Taking a clip's last frame needs the media extra.",
                    "Install it: pip install 'hailuo-mcp[media]'.",
                )
            )
            continue
        try:
            model = _model_of(session, shot, shots)
            arguments = {**shot.arguments, **dict.fromkeys(shot.after, stand_in)}
            dry = await session.generate({**arguments, "model": model}, dry_run=True)
        except HailuoError as error:
            findings.append(Finding(shot.line, error.problem.message, error.problem.hint))
        else:
            found.append((shot, dry.job))
    if findings:
        raise WrongShots(path, findings)
    # What continues another shot has a stand-in's fingerprint, which tells nothing; its text does.
    same = [shot.content if shot.after else job.fingerprint for shot, job in found]
    takes = Counter(same)
    return tuple(
        Checked(shot, {**shot.arguments, "model": job.model}, job, takes[mark] == 1)
        for (shot, job), mark in zip(found, same, strict=True)
    )


def _model_of(session: Session, shot: Shot, shots: Sequence[Shot]) -> str:
    """The model that takes the shot as it will be sent. Raises HailuoError where none does."""
    chained = {parameter: LAST_FRAME + shots[place].label for parameter, place in shot.after.items()}
    given = {name: value for name, value in shot.arguments.items() if name != "model"}
    return session.catalog.parse(shot.arguments.get("model"), {**given, **chained}).spec.id


def _stand_in() -> str:
    from PIL import Image  # start-up time: only chained shots need it

    buffer = io.BytesIO()
    Image.new("RGB", STAND_IN_SIZE).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
