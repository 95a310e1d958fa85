"""The file beside the shots that links each of them to its jobs, from before money moves.

Its first line names the batch; from that name, the shot and the attempt follows the job's key, which the ledger takes
once only. So whatever is lost between two lines here, the same command again asks the ledger for the same key, and
submits nothing twice. The lines tell which keys the batch ever used, and by which request id a job is found should the
ledger be lost.
"""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4, uuid5

from hailuo_mcp.core.errors import InternalError, InvalidInput

log = logging.getLogger(__name__)

SUFFIX = ".progress.jsonl"


@dataclass(frozen=True, slots=True)
class Link:
    """An attempt at a shot that was answered: the job, which may be an earlier identical one, and where it was sent."""

    key: str
    request_id: str
    origin: str


class Progress:
    """Blocking, but quick: a line at a time. Several processes may append; each line is one write."""

    def __init__(self, path: Path, batch: UUID, lines: Iterator[Mapping[str, Any]]) -> None:
        self.path = path
        self._batch = batch
        self.keys: dict[str, str] = {}
        """Every key that was ever given to a job of this batch, to its shot."""
        self._links: dict[tuple[str, int], Link] = {}
        for line in lines:
            with suppress(KeyError, TypeError):
                shot, attempt = str(line["shot"]), int(line["attempt"])
                if "request_id" in line:
                    self._links[shot, attempt] = Link(line["key"], line["request_id"], line["origin"])
                else:
                    self.keys[str(line["key"])] = shot

    @classmethod
    def of(cls, shots: Path) -> "Progress":
        """The progress of this file of shots; begun, on disk, where there is none.

        Raises:
            InvalidInput: it cannot be written, or is none.
        """
        path = progress_path(shots)
        try:
            if not path.exists():
                _begin(path)
            content = path.read_bytes()
        except OSError as error:
            raise InvalidInput(
                f"{path} cannot be written: {error.strerror}. Nothing was submitted.",
                "What was submitted is on record there: put the shots where it can be.",
            ) from None
        head, *lines = (_parsed(line) for line in content.split(b"\n"))
        try:
            batch = UUID(cast("str", head["batch"]))
        except (KeyError, ValueError, AttributeError, TypeError):
            raise InvalidInput(
                f"{path} does not begin like a record of progress.", "Restore it, or move it away to begin anew."
            ) from None
        return cls(path, batch, iter(lines))

    def key(self, shot: str, attempt: int) -> str:
        return uuid5(self._batch, f"{shot} {attempt}").hex

    def link(self, shot: str, attempt: int) -> Link | None:
        return self._links.get((shot, attempt))

    def begin(self, shot: str, attempt: int, line: int) -> str:
        """Write down that this attempt is about to be made. Returns the job's key.

        Raises:
            InternalError: it could not be written; nothing may be sent.
        """
        key = self.key(shot, attempt)
        if key not in self.keys:
            self._append({"shot": shot, "attempt": attempt, "key": key, "line": line})
            self.keys[key] = shot
        return key

    def answered(self, shot: str, attempt: int, link: Link) -> None:
        """Raises InternalError where it could not be written; the ledger has the job all the same."""
        if self.link(shot, attempt) != link:
            facts = {"key": link.key, "request_id": link.request_id, "origin": link.origin}
            self._append({"shot": shot, "attempt": attempt, **facts})
            self._links[shot, attempt] = link

    def _append(self, line: Mapping[str, Any]) -> None:
        try:
            with self.path.open("ab+") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(0, end - 1))
                torn = file.read(1) != b"\n"  # a process died while it wrote
                file.write((b"\n" if torn else b"") + json.dumps(line).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InternalError(
                f"{self.path} cannot be written: {error.strerror}.", "Free some space, then call again."
            ) from None


def progress_path(shots: Path) -> Path:
    return shots.with_name(shots.name + SUFFIX)


def known_progress(shots: Path) -> Progress | None:
    """The progress of this file of shots, if it has any; nothing is written.

    Raises:
        InvalidInput: there is something else in its place.
    """
    return Progress.of(shots) if progress_path(shots).exists() else None


def _begin(path: Path) -> None:
    """The first line, whole or not at all; of two processes, one begins and both go on with that."""
    part = path.with_name(f".{uuid4().hex}.part")
    try:
        with part.open("xb") as file:
            file.write(json.dumps({"batch": str(uuid4()), "version": 1}).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, path)
        except FileExistsError:
            return
        except OSError:  # a file system without hard links, where two that begin at once are not kept apart
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    with suppress(OSError):  # see to it that the name outlives a power cut; not every system can
        handle = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _parsed(line: bytes) -> Mapping[str, Any]:
    try:
        value: object = json.loads(line) if line.strip() else {}
    except ValueError:
        log.warning("a line of the progress that was not written whole is left out")
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
