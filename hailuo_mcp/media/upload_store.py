"""Images uploaded by remote callers, until a call uses them.

They are in a hidden folder of the output directory, which all servers of a team share: any of them can accept an
upload, and any of them finds it. An empty file marks an expected upload; deleting it uses it up, which only one process
can do. File names are digests, which reveal nothing about tenants or images.
"""

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from hailuo_mcp.core.errors import InvalidImage

FOLDER = ".uploads"
WANTED_FOR = timedelta(minutes=15)
"""How long an image can be uploaded after it was requested."""
KEPT_FOR = timedelta(hours=1)
"""How long an uploaded image is kept."""
PER_OWNER_MAX = 20
"""Images of one owner, including expected ones: at most 400 MB."""
_DIGEST = "[0-9a-f]{32}"
_KEY = re.compile(f"({_DIGEST})-({_DIGEST})-[0-9a-f]{{16}}")
_PENDING, _IMAGE, _PART = ".wanted", ".image", ".part"
_LIFETIMES = {_PENDING: WANTED_FOR, _IMAGE: KEPT_FOR, _PART: WANTED_FOR}


@dataclass(frozen=True, slots=True)
class UploadStore:
    """The folder. `owner` and `name` are digests; `clock` returns Unix time, like file times."""

    directory: Path
    clock: Callable[[], float] = time.time
    _lock: threading.Lock = field(default_factory=threading.Lock, compare=False)

    def want(self, owner: str, name: str, shown: str) -> str:
        """A key with which the image can be uploaded once. An earlier key for the same name no longer works; an
        existing image of that name stays until another has been uploaded. `shown` is what `wanted` returns.

        Raises:
            InvalidImage: the owner has too many images here.
            OSError: the folder cannot be written.
        """
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.sweep()
        with self._lock:
            for path in self._files(f"{owner}-{name}-*{_PENDING}"):
                path.unlink(missing_ok=True)
            key = f"{owner}-{name}-{uuid4().hex[:16]}"
            pending = self.directory / f"{key}{_PENDING}"
            self._write(pending, shown.encode())
            # Counted after it is written: of two servers that do this at the same time, at least one sees both.
            if len({path.name[:65] for path in self._files(f"{owner}-*")}) > PER_OWNER_MAX:
                pending.unlink(missing_ok=True)
                raise InvalidImage(
                    f"{PER_OWNER_MAX} images are uploaded or expected already, which is the limit.",
                    f"Use one of those, or call again later: each is deleted {KEPT_FOR.seconds // 60} minutes after "
                    "its upload.",
                )
        return key

    def wanted(self, key: str) -> str | None:
        """The `shown` text of this key; None if the image cannot be uploaded (any more)."""
        if not _KEY.fullmatch(key):
            return None
        path = self.directory / f"{key}{_PENDING}"
        try:
            return path.read_text("utf-8") if self._is_fresh(path) else None
        except OSError:
            return None

    def part(self) -> Path:
        """A new empty file for the content of an upload, until it is put or discarded."""
        path = self.directory / f"{uuid4().hex}{_PART}"
        self._write(path, b"")
        return path

    def put(self, key: str, part: Path) -> bool:
        """Make this file the image of the key, and use the key up. False, and nothing is changed, if it was used up
        or replaced meanwhile."""
        found = _KEY.fullmatch(key)
        if found is None:
            return False
        try:
            (self.directory / f"{key}{_PENDING}").unlink()
        except FileNotFoundError:
            return False
        now = self.clock()
        os.utime(part, (now, now))
        part.replace(self.directory / f"{found[1]}-{found[2]}{_IMAGE}")
        return True

    def read(self, owner: str, name: str) -> bytes | None:
        """The content of an image; None if there is none (any more)."""
        path = self.directory / f"{owner}-{name}{_IMAGE}"
        try:
            return path.read_bytes() if self._is_fresh(path) else None
        except FileNotFoundError:
            return None

    def sweep(self) -> None:
        """Delete what has expired, whichever server created it."""
        for path in self._files("*"):
            with suppress(OSError):
                if not self._is_fresh(path):
                    path.unlink()

    def _files(self, pattern: str) -> Iterator[Path]:
        return (path for path in self.directory.glob(pattern) if path.suffix in _LIFETIMES)

    def _is_fresh(self, path: Path) -> bool:
        """Raises OSError."""
        return self.clock() - path.stat().st_mtime < _LIFETIMES[path.suffix].total_seconds()

    def _write(self, path: Path, content: bytes) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        now = self.clock()
        os.utime(path, (now, now))
