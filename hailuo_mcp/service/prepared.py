"""A call that is ready to be submitted."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hailuo_mcp.core.parameters import IMAGE_PARAMETERS
from hailuo_mcp.core.rules import Estimate
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.core.text import format_price
from hailuo_mcp.gateways import Gateway
from hailuo_mcp.gateways.definition import Transfer
from hailuo_mcp.media.given import LoadedFile
from hailuo_mcp.service.confirmation import Purchase

_WHOLE_SECOND = 0.01
"""A video may exceed a whole second by this much without counting as a second longer: it ends with a whole frame."""
_OPENINGS = ("first_frame_image", "reference_images")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call that is ready to be sent: validated, its files read, nothing decided about money yet."""

    gateway: Gateway
    spec: ModelSpec
    files: Mapping[str, tuple[LoadedFile, ...]]
    """Files by parameter; a list even if the parameter takes a single file."""
    choice: tuple[str, ...]
    """How the model was chosen, if the caller named none."""
    ignored: tuple[str, ...] = ()
    """Ignored arguments: parameters that the model does not have, with neutral values."""

    def with_files(self, put: Callable[[str, LoadedFile], str]) -> ModelSpec:
        """The spec with each file of a parameter replaced by a text."""
        texts = {name: tuple(put(name, file) for file in files) for name, files in self.files.items()}
        one_or_many = {name: found[0] if name in IMAGE_PARAMETERS else found for name, found in texts.items()}
        return self.spec.model_copy(update=one_or_many)

    def way(self, name: str, file: LoadedFile) -> Transfer:
        """How a file of a parameter is sent to the gateway."""
        return "url" if file.url else self.gateway.transfer(type(self.spec), name, len(file.content))

    @property
    def uploads(self) -> tuple[LoadedFile, ...]:
        """The files to upload before the submission."""
        return tuple(file for name, files in self.files.items() for file in files if self.way(name, file) == "upload")

    @property
    def opening_image(self) -> LoadedFile | None:
        """The image that the clip begins with, if known."""
        return next((file for name in _OPENINGS for file in self.files.get(name, ())), None)

    @property
    def price(self) -> Estimate | None:
        """The estimate, using the lengths of the reference videos if all are known."""
        lengths = [file.seconds for file in self.files.get("reference_videos", ())]
        known = [math.ceil(seconds - _WHOLE_SECOND) for seconds in lengths if seconds is not None]
        return self.spec.price(sum(known) if len(known) == len(lengths) else None)

    @property
    def warnings(self) -> tuple[str, ...]:
        return (*self.spec.warnings(), *(w for files in self.files.values() for file in files for w in file.warnings))

    @property
    def price_text(self) -> str:
        """A sentence with the estimate, its source and date, or that there is none."""
        price = self.price
        if price is None:
            return f"No price is published for {self.spec.id}."
        return f"Price: {format_price(price.usd, price.kind)} ({price.source}, {price.as_of:%Y-%m-%d})."

    @property
    def purchase(self) -> Purchase:
        """What the user is asked to agree to."""
        price = self.price
        return Purchase(
            model=self.spec.id,
            seconds=getattr(self.spec, "duration", None),
            price_usd=price.usd if price else None,
            prompt=self.spec.prompt,
            fingerprint=self.fingerprint,
            sandbox=self.gateway.in_process_sandbox,
        )

    @property
    def record(self) -> dict[str, Any]:
        return self.with_files(lambda _, file: file.shown).to_dict()

    @property
    def fingerprint(self) -> str:
        facts = self.with_files(lambda _, file: file.digest).to_dict()
        return hashlib.sha256(json.dumps([self.spec.id, facts], sort_keys=True).encode()).hexdigest()

    def preview(self) -> ModelSpec:
        """The spec as shown by a dry run: files to be uploaded are marked, inline content is shortened."""

        def mark(name: str, file: LoadedFile) -> str:
            return file.url or (file.data_mark if self.way(name, file) == "data" else file.upload_mark)

        return self.with_files(mark)
