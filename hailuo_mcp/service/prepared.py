"""A call that is ready to be submitted."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.core.text import price_in_words
from hailuo_mcp.gateways import Gateway
from hailuo_mcp.media.images import LoadedImage
from hailuo_mcp.service.confirmation import Purchase


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call that is ready to be sent: validated, its images read, nothing decided about money yet."""

    gateway: Gateway
    spec: ModelSpec
    images: Mapping[str, LoadedImage]
    choice: tuple[str, ...]
    """How the model was chosen, where the caller named none."""
    ignored: tuple[str, ...] = ()
    """Arguments that the model does not have, and whose values ask for nothing."""

    def with_images(self, values: Mapping[str, str]) -> ModelSpec:
        return self.spec.model_copy(update=dict(values))

    @property
    def warnings(self) -> tuple[str, ...]:
        return (*self.spec.warnings(), *(w for image in self.images.values() for w in image.warnings))

    @property
    def price_in_words(self) -> str:
        """The estimate with its source and date, or that there is none."""
        price = self.spec.price()
        if price is None:
            return f"No price is published for {self.spec.id}."
        return f"Price: {price_in_words(price.usd, price.kind)} ({price.source}, {price.as_of:%Y-%m-%d})."

    @property
    def purchase(self) -> Purchase:
        """What a person is asked to agree to."""
        price = self.spec.price()
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
        return self.with_images({name: image.shown for name, image in self.images.items()}).to_dict()

    @property
    def fingerprint(self) -> str:
        facts = self.with_images({name: image.digest for name, image in self.images.items()}).to_dict()
        return hashlib.sha256(json.dumps([self.spec.id, facts], sort_keys=True).encode()).hexdigest()

    def preview(self) -> ModelSpec:
        """The spec as a dry run shows it: what would be uploaded is marked, what would be inside the body is
        shortened.
        """

        def mark(image: LoadedImage) -> str:
            if image.url is not None:
                return image.url
            if self.gateway.image_transfer == "data":
                return f"data:{image.media_type};base64,<sha256:{image.digest}>"
            return image.upload_mark

        return self.with_images({name: mark(image) for name, image in self.images.items()})
