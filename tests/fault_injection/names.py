"""Host names for tests: they resolve to this machine, until one is removed."""

import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

DOMAIN = ".gateway.test"


class Names:
    """A resolver's answers for everything below `DOMAIN`; other names go to the real one."""

    def __init__(self) -> None:
        self.removed: set[str] = set()
        self._resolve = socket.getaddrinfo

    def getaddrinfo(self, host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if not name.endswith(DOMAIN):
            return self._resolve(host, *args, **kwargs)
        if name in self.removed:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self._resolve("127.0.0.1", *args, **kwargs)


@contextmanager
def resolving() -> Generator[Names]:
    names = Names()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", names.getaddrinfo)
        yield names
