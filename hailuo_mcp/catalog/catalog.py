"""All models of all gateways, and which of them the settings make usable; validating calls and choosing a model."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hailuo_mcp.core.caller import key_header
from hailuo_mcp.core.errors import HailuoError, InvalidInput, UnknownModel
from hailuo_mcp.core.model_id import ModelId
from hailuo_mcp.core.parameters import CANONICAL, IMAGE_PARAMETERS
from hailuo_mcp.core.settings import PREFIX, Settings, SettingsError
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.core.text import repr_short
from hailuo_mcp.gateways import Gateway

Model = type[ModelSpec]


@dataclass(frozen=True, slots=True)
class Choice:
    """A validated call."""

    spec: ModelSpec
    others: tuple[ModelSpec, ...] | None = None
    """Where no model was named: the other usable models that accept the arguments, in order of preference."""


class Catalog:
    """The models of the given gateways, and the user's own; and which of them are usable under the settings.

    Raises:
        SettingsError: HAILUO_MCP_MODELS names a model that does not exist.
    """

    def __init__(self, gateways: Iterable[type[Gateway]], settings: Settings, own: tuple[Model, ...] = ()) -> None:
        self.gateways = tuple(gateways)
        self._keys_from_headers = settings.keys_from_headers
        self.custom = own
        known = [*(model for gateway in self.gateways for model in gateway.models), *own]
        if unknown := [name for name in settings.models if name not in {model.id for model in known}]:
            raise SettingsError(
                f"{PREFIX}MODELS: there is no model {', '.join(map(repr, unknown))}; "
                f"known are {', '.join(model.id for model in known)}"
            )
        reachable = {
            gateway.name for gateway in self.gateways if settings.in_sandbox or settings.gateways[gateway.name].key
        }
        self.known: tuple[Model, ...] = tuple(known)
        self.usable: tuple[Model, ...] = tuple(
            model
            for model in known
            if gateway_of(model) in reachable and (not settings.models or model.id in settings.models)
        )

    def under(self, settings: Settings) -> "Catalog":
        """The same models under other settings."""
        return Catalog(self.gateways, settings, self.custom)

    def model(self, model_id: object) -> Model:
        """The usable model of this id.

        Raises:
            UnknownModel: there is none, or its key is not set; the hint says which variable, or which ids there are.
        """
        if isinstance(model_id, str):
            wanted = model_id.strip().lower()
            for model in self.usable:
                if model.id == wanted:
                    return model
            if known := next((model for model in self.known if model.id == wanted), None):
                raise UnknownModel(f"{known.id} is not enabled here.", self._how_to_enable(known))
        raise UnknownModel(f"There is no model {repr_short(model_id)}.", f"Usable models: {self._usable_ids()}.")

    def known_model(self, model_id: str) -> Model | None:
        """Any model of this id, usable or not: jobs of a model that is no longer enabled can still be polled."""
        return next((model for model in self.known if model.id == model_id), None)

    def gateway(self, model: Model) -> type[Gateway]:
        return next(gateway for gateway in self.gateways if gateway.name == gateway_of(model))

    def parse(self, model_id: object, arguments: Mapping[str, Any]) -> Choice:
        """Validate a call; without a model id, choose the cheapest usable model that accepts the arguments.

        Raises:
            UnknownModel, InvalidInput: the hint says what to pass, and which models accept these arguments.
        """
        if not self.usable:
            raise UnknownModel("No model is usable: no gateway key is set.", self.how_to_get_keys())
        if model_id is None:
            return self._choose(arguments)
        model = self.model(model_id)
        try:
            return Choice(model.parse(arguments))
        except InvalidInput as refusal:
            raise self._with_alternatives(refusal, arguments, model) from None

    def _choose(self, arguments: Mapping[str, Any]) -> Choice:
        fitting = self._accepting(arguments)
        if not fitting:
            raise self._closest_refusal(arguments)
        spec, *others = sorted(fitting, key=_cheapness)  # a stable sort: equal prices stay in catalog order
        return Choice(spec, tuple(others))

    def _closest_refusal(self, arguments: Mapping[str, Any]) -> InvalidInput:
        """No model accepts the arguments: return the refusal of the model that needs the smallest change. A missing
        picture weighs more than an unknown argument: a caller without a picture may not have one."""
        refusals: list[tuple[tuple[int, int], InvalidInput]] = []
        for model in self.usable:
            try:
                model.parse(arguments)
            except InvalidInput as refusal:
                unknown = sum(not model.accepts(name) for name in arguments)
                missing = sum(model.is_required(name) and name not in arguments for name in IMAGE_PARAMETERS)
                refusals.append(((refusal.problem.message.count(";") + missing, unknown), refusal))
        _, closest = min(refusals, key=lambda pair: pair[0])
        problem = closest.problem
        if not any(model.id in problem.message for model in self.usable):
            return closest  # wrong for every model
        return InvalidInput(f"No usable model takes these arguments. Closest: {problem.message}", problem.hint)

    def _accepting(self, arguments: Mapping[str, Any]) -> list[ModelSpec]:
        specs: list[ModelSpec] = []
        for model in self.usable:
            try:
                specs.append(model.parse(arguments))
            except InvalidInput:
                continue
        return specs

    def _with_alternatives(self, refusal: InvalidInput, arguments: Mapping[str, Any], model: Model) -> HailuoError:
        others = [spec.id for spec in self._accepting(arguments)]
        problem = refusal.problem
        if others:
            return InvalidInput(
                problem.message, f"{problem.hint} Or take {' or '.join(others)}, which accepts these arguments."
            )
        takers = [
            f"{name}: {', '.join(other.id for other in self.usable if other.accepts(name)) or 'no usable model'}"
            for name in arguments
            if name in CANONICAL and not model.accepts(name)
        ]
        return (
            InvalidInput(problem.message, f"{problem.hint} Models that take {'; '.join(takers)}.")
            if takers
            else refusal
        )

    @property
    def default_model(self) -> str | None:
        """The model chosen for a prompt alone; where no model accepts that, for a prompt with a picture."""
        for arguments in ({"prompt": "x"}, {"prompt": "x", "first_frame_image": "https://example.com/x.png"}):
            if fitting := self._accepting(arguments):
                return min(fitting, key=_cheapness).id
        return None

    def max_price(self, gateway: str) -> float:
        """What a job without a published price counts against a budget: the highest published price of its gateway, or
        else of all gateways."""
        prices = [(gateway_of(model), price.usd) for model in self.known for price in model.prices]
        own = [usd for name, usd in prices if name == gateway]
        return max(own or (usd for _, usd in prices), default=0.0)

    def _usable_ids(self) -> str:
        return ", ".join(model.id for model in self.usable) or "none; " + self.how_to_get_keys()

    def how_to_get_keys(self) -> str:
        variables = ", ".join(f"{gateway.name.upper()}_API_KEY" for gateway in self.gateways)
        headers = ", ".join(key_header(gateway.name) for gateway in self.gateways)
        send = f", send a key along with the call in one of the headers {headers}" if self._keys_from_headers else ""
        return (
            f"Set one of {variables} in the server's environment{send}, or {PREFIX}SANDBOX=1 to rehearse without a key."
        )

    def _how_to_enable(self, model: Model) -> str:
        gateway = gateway_of(model)
        variable = f"{gateway.upper()}_API_KEY"
        header = f" (or a key in the header {key_header(gateway)} of the call)" if self._keys_from_headers else ""
        where = f"a place in {PREFIX}MODELS where that is set"
        return f"It needs {variable}{header}, and {where}. Usable now: {self._usable_ids()}."


def _cheapness(spec: ModelSpec) -> float:
    price = spec.price()
    return price.usd if price else float("inf")


def gateway_of(model: Model) -> str:
    """The name of a model's gateway."""
    return ModelId.parse(model.id).gateway
