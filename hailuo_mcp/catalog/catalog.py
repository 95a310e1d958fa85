"""All models of all gateways, which of them are usable under the settings, validating calls and choosing a model."""

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from hailuo_mcp.catalog.names import Model, gateway_of, models_named, name_of, similar
from hailuo_mcp.core.arguments import GENERATE_ARGUMENTS, check_names, is_absent, is_neutral, present, refuse
from hailuo_mcp.core.caller import key_header
from hailuo_mcp.core.errors import InvalidInput, UnknownModel
from hailuo_mcp.core.parameters import CANONICAL, IMAGE_PARAMETERS
from hailuo_mcp.core.setting_values import PREFIX, SettingsError, key_variable
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.core.text import repr_short
from hailuo_mcp.gateways import Gateway

NAMED_MAX = 3
"""How many models an error names: the cheapest suitable ones, of perhaps two dozen."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A validated call."""

    spec: ModelSpec
    others: tuple[ModelSpec, ...] | None = None
    """If no model was named, or one that several gateways have: the other usable candidates that accept the arguments,
    in order of preference."""
    given_name: str = ""
    """The name that the caller gave, if it is not the model's id."""
    ignored: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Neutral values of parameters that the model does not have."""


class Catalog:
    """The models of the given gateways and the user's own, and which of them are usable under the settings.

    Raises:
        SettingsError: HAILUO_MCP_MODELS names a model that does not exist.
    """

    def __init__(self, gateways: Iterable[type[Gateway]], settings: Settings, own: tuple[Model, ...] = ()) -> None:
        self.gateways = tuple(gateways)
        self._keys_from_headers = settings.keys_from_headers
        self.custom = own
        self.known: tuple[Model, ...] = (*(model for gateway in self.gateways for model in gateway.models), *own)
        ids = [model.id for model in self.known]
        if unknown := [name for name in settings.models if name not in ids]:
            raise SettingsError(
                f"{PREFIX}MODELS: there is no model {', '.join(map(repr, unknown))}; known are {', '.join(ids)}"
            )
        reachable = {
            gateway.name for gateway in self.gateways if settings.in_sandbox or settings.gateways[gateway.name].key
        }
        self.usable: tuple[Model, ...] = tuple(
            model
            for model in self.known
            if gateway_of(model) in reachable and (not settings.models or model.id in settings.models)
        )

    def under(self, settings: Settings) -> "Catalog":
        """The same models under other settings."""
        return Catalog(self.gateways, settings, self.custom)

    def model(self, name: object) -> Model:
        """The usable model with this id or name; if several gateways have it, the cheapest.

        Raises:
            UnknownModel: there is none, or its key is not set; the hint names the variable, or the ids that exist.
        """
        return min(self._named(name), key=lambda model: (model.price_range() or (math.inf,))[0])

    def _named(self, name: object) -> tuple[Model, ...]:
        if not isinstance(name, str):
            raise UnknownModel(f"There is no model {repr_short(name)}.", f"Usable models: {self._usable_ids()}.")
        if found := models_named(name, self.known, self.usable):
            return found
        if known := models_named(name, self.known, self.known):
            same = " or ".join(model.id for model in self.usable if name_of(model) == name_of(known[0]))
            hint = self._how_to_enable(known[0]) + (f" Did you mean {same}?" if same else "")
            raise UnknownModel(f"{known[0].id} is not enabled here.", hint)
        close = " or ".join(similar(name, self.usable))
        hint = f"Usable models: {self._usable_ids()}."
        raise UnknownModel(f"There is no model {repr_short(name)}.", f"Did you mean {close}? {hint}" if close else hint)

    def known_model(self, model_id: str) -> Model | None:
        """The model with this id, usable or not: jobs of a model that is no longer enabled can still be polled."""
        return next((model for model in self.known if model.id == model_id), None)

    def gateway(self, model: Model) -> type[Gateway]:
        return next(gateway for gateway in self.gateways if gateway.name == gateway_of(model))

    def parse(self, model_name: object, arguments: Mapping[str, Any]) -> Choice:
        """Validate a call; without a model, choose the cheapest usable model that accepts the arguments.

        Raises:
            UnknownModel, InvalidInput: the hint says what to pass, and which models accept these arguments.
        """
        if not self.usable:
            raise UnknownModel("No model is usable: set a gateway's key first.", self.how_to_get_keys())
        given = present(arguments)
        named = None if is_absent(model_name) else self._named(model_name)
        fitting = self._accepting(given, named or self.usable)
        if not fitting:
            raise self._closest_refusal(given) if named is None else self._refusal_of(given, named)
        choice, *others = sorted(fitting, key=_cheapness)  # a stable sort: equal prices stay in catalog order
        given_name = str(model_name).strip() if named else ""
        return replace(
            choice,
            others=tuple(other.spec for other in others) if named is None or others else None,
            given_name="" if given_name.lower() == choice.spec.id else given_name,
        )

    def _accepting(self, arguments: Mapping[str, Any], models: Sequence[Model]) -> list[Choice]:
        choices: list[Choice] = []
        for model in models:
            with suppress(InvalidInput):
                choices.append(_accept(model, arguments))
        return choices

    def _closest_refusal(self, arguments: Mapping[str, Any]) -> InvalidInput:
        """The error when no model accepts the arguments: it names what no model has, or what the closest one does not
        accept."""
        names = check_names(arguments, CANONICAL, "no model takes", GENERATE_ARGUMENTS)
        if names.problems and self._accepting(names.known, self.usable):
            return refuse(names.problems)
        closest = self._closest(names.known, self.usable)[1].problem
        message, hint = closest.message, closest.hint
        if any(model.id in message for model in self.usable):  # not wrong for every model
            message = f"No usable model takes these arguments. Closest: {message}"
        if names.problems:
            unknown = refuse(names.problems).problem
            message, hint = f"{unknown.message}; {message}", f"{unknown.hint} {hint}"
        return InvalidInput(message, hint)

    def _refusal_of(self, arguments: Mapping[str, Any], models: Sequence[Model]) -> InvalidInput:
        """The error when the named model does not accept the arguments; it says why, and which models do."""
        model, refusal = self._closest(arguments, models)
        problem = refusal.problem
        if others := [choice.spec.id for choice in sorted(self._accepting(arguments, self.usable), key=_cheapness)]:
            more = f"Or take {_some(others)}, which accepts these arguments."
            return InvalidInput(problem.message, f"{problem.hint} {more}")
        accepting = [
            f"{name}: {_some([other.id for other in self.usable if other.accepts(name)]) or 'no usable model'}"
            for name, value in check_names(arguments, CANONICAL, "").known.items()
            if not model.accepts(name) and not is_neutral(name, value)
        ]
        if not accepting:
            return refusal
        return InvalidInput(problem.message, f"{problem.hint} Models that take {'; '.join(accepting)}.")

    def _closest(self, arguments: Mapping[str, Any], models: Sequence[Model]) -> tuple[Model, InvalidInput]:
        """The model that needs the smallest change, with its error, when no model accepts the arguments. A missing
        image weighs more than an unknown argument, because the caller may not have an image."""
        refusals: list[tuple[tuple[int, int], Model, InvalidInput]] = []
        for model in models:
            try:
                _accept(model, arguments)
            except InvalidInput as refusal:
                unknown = sum(not model.accepts(name) for name in arguments)
                missing = sum(model.is_required(name) and name not in arguments for name in IMAGE_PARAMETERS)
                refusals.append(((refusal.problem.message.count(";") + missing, unknown), model, refusal))
        _, model, refusal = min(refusals, key=lambda each: each[0])
        return model, refusal

    @property
    def default_model(self) -> str | None:
        """The model chosen for a prompt alone; if no model accepts that, for a prompt with an image."""
        for arguments in ({"prompt": "x"}, {"prompt": "x", "first_frame_image": "https://example.com/x.png"}):
            if fitting := self._accepting(arguments, self.usable):
                return min(fitting, key=_cheapness).spec.id
        return None

    def max_price(self, gateway: str) -> float:
        """The amount that a job without a published price counts against a budget: the highest published price at its
        gateway, or else at any gateway."""
        prices = [(gateway_of(model), usd[1]) for model in self.known if (usd := model.price_range())]
        own = [usd for name, usd in prices if name == gateway]
        return max(own or (usd for _, usd in prices), default=0.0)

    def _usable_ids(self) -> str:
        return ", ".join(model.id for model in self.usable) or "none; " + self.how_to_get_keys()

    def how_to_get_keys(self) -> str:
        variables = ", ".join(key_variable(gateway.name) for gateway in self.gateways)
        headers = ", ".join(key_header(gateway.name) for gateway in self.gateways)
        send = f", send a key along with the call in one of the headers {headers}" if self._keys_from_headers else ""
        return (
            f"Set one of {variables} in the server's environment{send}, or {PREFIX}SANDBOX=1 to rehearse without a key."
        )

    def _how_to_enable(self, model: Model) -> str:
        gateway = gateway_of(model)
        variable = key_variable(gateway)
        header = f" (or a key in the header {key_header(gateway)} of the call)" if self._keys_from_headers else ""
        listed = f"to be listed in {PREFIX}MODELS if that is set"
        return f"It needs {variable}{header}, and {listed}. Usable now: {self._usable_ids()}."


def _accept(model: Model, arguments: Mapping[str, Any]) -> Choice:
    """Raises InvalidInput."""
    ignored = {name: value for name, value in arguments.items() if not model.accepts(name) and is_neutral(name, value)}
    return Choice(model.parse({n: v for n, v in arguments.items() if n not in ignored}), ignored=ignored)


def _cheapness(choice: Choice) -> tuple[float, int]:
    price = choice.spec.price()
    return price.usd if price else math.inf, len(choice.ignored)


def _some(names: Sequence[str]) -> str:
    """The first few names, and the number of the others."""
    more = len(names) - NAMED_MAX
    return " or ".join([*names[:NAMED_MAX], *([f"one of {more} more"] if more > 0 else [])])
