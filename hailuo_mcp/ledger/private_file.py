"""Keeps the ledger's file to the user alone: it holds prompts, links, and the secret that signs links."""

import logging
import os
import stat
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

FILE_MODE, DIRECTORY_MODE = 0o600, 0o700
BESIDE = ("", "-wal", "-shm", "-journal")
"""The database, and what SQLite keeps beside it with the same permissions."""


def make_private(path: Path, *, own_directory: bool) -> None:
    """Create the file, and its directory where there is none, for the user alone. Correct what has wider permissions
    and belongs to the user; of directories only ours (`own_directory`), for any other may be shared on purpose.

    Raises:
        OSError: the file or its directory cannot be created.
    """
    path.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    if os.name == "nt":  # permissions there are inherited, and the user's folders are the user's alone
        return
    with suppress(FileExistsError):  # only where there is none: closing one that SQLite has open would end its locks
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, FILE_MODE))
    wanted = [(path.with_name(path.name + suffix), FILE_MODE) for suffix in BESIDE]
    if own_directory:
        wanted.append((path.parent, DIRECTORY_MODE))
    corrected = [str(each) for each, mode in wanted if _corrected(each, mode)]
    if corrected:
        log.warning("others could read the ledger; now only the user can: %s", ", ".join(corrected))


def _corrected(path: Path, mode: int) -> bool:
    """Whether permissions were wider than these, and are not any more."""
    try:
        status = path.stat()
        if status.st_uid != os.geteuid() or not status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            return False
        path.chmod(mode)
    except FileNotFoundError:
        return False
    except OSError as error:
        log.warning("others may be able to read %s: %s", path, os.strerror(error.errno or 0))
        return False
    return True
