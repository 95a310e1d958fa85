"""The id of a model."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class ModelId:
    """`<gateway>/<name>`, such as `segmind/hailuo-02-fast`."""

    gateway: str
    name: str

    def __str__(self) -> str:
        return f"{self.gateway}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Split an id at its first slash. An id without a slash names a gateway and no model."""
        gateway, _, name = text.partition("/")
        return cls(gateway, name)
