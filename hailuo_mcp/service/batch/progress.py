"""The file next to the shots that records which jobs belong to each of them, written before anything is submitted.

Its first line identifies the batch. A job's key follows from that id, the shot and the attempt, and the ledger accepts
a key only once. So even if a line is lost, running the command again asks the ledger for the same key and submits
nothing twice. The lines record every key that the batch used, and the request ids that find the jobs if the ledger is
lost.
"""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4, uuid5

from hailuo_mcp.core.errors import InternalError, InvalidInput
from hailuo_mcp.media.files import move_new, sync_directory

log = logging.getLogger(__name__)

SUFFIX = ".progress.jsonl"


@dataclass(frozen=True, slots=True)
class Link:
    """An answered attempt at a shot: its job, which may be an earlier identical one, and where it was sent."""

    key: str
    request_id: str
    origin: str


class Progress:
    """Blocking, but fast: it writes one line at a time. Several processes may append; each line is one write."""

    def __init__(self, path: Path, batch: UUID, lines: Iterator[Mapping[str, Any]]) -> None:
        self.path = path
        self._batch = batch
        self.keys: dict[str, str] = {}
        """Key to shot, for every job that this batch ever attempted."""
        self._links: dict[tuple[str, int], Link] = {}
        for line in lines:
            with suppress(KeyError, TypeError, ValueError):
                shot, attempt = str(line["shot"]), int(line["attempt"])
                if "request_id" in line:
                    self._links[shot, attempt] = Link(line["key"], line["request_id"], line["origin"])
                else:
                    self.keys[str(line["key"])] = shot

    @classmethod
    def open(cls, shots: Path) -> "Progress":
        """The progress of this file of shots; created on disk if there is none.

        Raises:
            InvalidInput: it cannot be written, or is not a record of progress.
        """
        path = progress_path(shots)
        try:
            if not path.exists():
                _create(path)
            content = path.read_bytes()
        except OSError as error:
            raise InvalidInput(
                f"{path} cannot be written: {error.strerror}. Nothing was submitted.",
                "It records what is submitted: move the shots to a directory where it can be written.",
            ) from None
        head, *lines = (_parsed(line) for line in content.split(b"\n"))
        try:
            batch = UUID(str(head.get("batch")))
        except ValueError:
            raise InvalidInput(
                f"{path} is not a record of progress.", "Restore it, or move it away to start over."
            ) from None
        return cls(path, batch, iter(lines))

    def key(self, shot: str, attempt: int) -> str:
        return uuid5(self._batch, f"{shot} {attempt}").hex

    def link(self, shot: str, attempt: int) -> Link | None:
        return self._links.get((shot, attempt))

    def record_attempt(self, shot: str, attempt: int, line: int) -> str:
        """Record that this attempt is about to be made. Returns the job's key.

        Raises:
            InternalError: it could not be written; nothing may be submitted.
        """
        key = self.key(shot, attempt)
        if key not in self.keys:
            self._append({"shot": shot, "attempt": attempt, "key": key, "line": line})
            self.keys[key] = shot
        return key

    def record_answer(self, shot: str, attempt: int, link: Link) -> None:
        """Raises InternalError if it could not be written; the ledger has the job in any case."""
        if self.link(shot, attempt) != link:
            self._append({"shot": shot, "attempt": attempt, **asdict(link)})
            self._links[shot, attempt] = link

    def _append(self, line: Mapping[str, Any]) -> None:
        try:
            with self.path.open("ab+") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(0, end - 1))
                is_cut_off = file.read(1) != b"\n"  # a process died while writing
                file.write((b"\n" if is_cut_off else b"") + json.dumps(line).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InternalError(
                f"{self.path} cannot be written: {error.strerror}.", "Free some space, then run the command again."
            ) from None


def progress_path(shots: Path) -> Path:
    return shots.with_name(shots.name + SUFFIX)


def existing_progress(shots: Path) -> Progress | None:
    """The progress of this file of shots, if there is any; nothing is written.

    Raises:
        InvalidInput: the file is not a record of progress.
    """
    return Progress.open(shots) if progress_path(shots).exists() else None


def _create(path: Path) -> None:
    """Write the first line atomically; if two processes do so, both continue with the same file."""
    part = path.with_name(f".{uuid4().hex}.part")
    try:
        with part.open("xb") as file:
            file.write(json.dumps({"batch": str(uuid4()), "version": 1}).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            move_new(part, path)
    finally:
        part.unlink(missing_ok=True)
    sync_directory(path.parent)


def _parsed(line: bytes) -> Mapping[str, Any]:
    try:
        value: object = json.loads(line) if line.strip() else {}
    except ValueError:
        log.warning("an incomplete line of the progress is ignored")
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
