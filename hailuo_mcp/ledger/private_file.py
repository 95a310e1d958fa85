"""Makes the ledger's file private to the user: it contains prompts, links, and the secret that signs links."""

import logging
import os
import stat
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

FILE_MODE, DIRECTORY_MODE = 0o600, 0o700
SUFFIXES = ("", "-wal", "-shm", "-journal")
"""Of the database, and of the files that SQLite creates next to it with the same permissions."""


def make_private(path: Path, *, own_directory: bool) -> None:
    """Create the file, and its directory if missing, with permissions for the user only. Correct wider permissions of
    what belongs to the user; of directories only ours (`own_directory`), because any other may be shared on purpose.

    Raises:
        OSError: the file or its directory cannot be created.
    """
    path.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    if os.name == "nt":  # permissions are inherited there, and the user's folders are private
        return
    with suppress(FileExistsError):  # never open an existing one: closing it would release SQLite's locks
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, FILE_MODE))
    wanted = [(path.with_name(path.name + suffix), FILE_MODE) for suffix in SUFFIXES]
    if own_directory:
        wanted.append((path.parent, DIRECTORY_MODE))
    corrected = [str(each) for each, mode in wanted if _corrected(each, mode)]
    if corrected:
        log.warning("others could read the ledger; now only the user can: %s", ", ".join(corrected))


def _corrected(path: Path, mode: int) -> bool:
    """Whether the permissions were wider than these and have been corrected."""
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
