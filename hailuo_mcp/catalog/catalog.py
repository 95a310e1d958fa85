"""All models of all gateways, as the user may use them: the merged schema, reading arguments, and choosing a model."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from hailuo_mcp.core.caller import key_header
from hailuo_mcp.core.errors import HailuoError, InvalidInput, UnknownModel
from hailuo_mcp.core.settings import PREFIX, Settings, SettingsError
from hailuo_mcp.core.spec import CANONICAL, IMAGE_PARAMETERS, JsonSchema, ModelSpec, Price, repr_short
from hailuo_mcp.gateways import Gateway

Model = type[ModelSpec]


@dataclass(frozen=True, slots=True)
class Choice:
    """A validated call: the model, its parameters, and what should be said about how it came to it."""

    spec: ModelSpec
    warnings: tuple[str, ...] = ()


PICTURE = "https://example.com/x.png"
"""Stands for any picture where only the other parameters matter."""


class Catalog:
    """The models of the given gateways, and the user's own; and which of them are usable under the settings.

    Raises:
        SettingsError: HAILUO_MCP_MODELS names a model that does not exist.
    """

    def __init__(self, gateways: Iterable[type[Gateway]], settings: Settings, own: tuple[Model, ...] = ()) -> None:
        self._gateways = tuple(gateways)
        self._keys_from_headers = settings.keys_from_headers
        self._own = own
        known = [*(model for gateway in self._gateways for model in gateway.models), *own]
        if strangers := [name for name in settings.models if name not in {model.id for model in known}]:
            raise SettingsError(
                f"{PREFIX}MODELS: there is no model {', '.join(map(repr, strangers))}; "
                f"known are {', '.join(model.id for model in known)}"
            )
        reachable = {
            gateway.name for gateway in self._gateways if settings.in_sandbox or settings.gateways[gateway.name].key
        }
        self.known: tuple[Model, ...] = tuple(known)
        self.usable: tuple[Model, ...] = tuple(
            model
            for model in known
            if model.id.split("/")[0] in reachable and (not settings.models or model.id in settings.models)
        )

    def under(self, settings: Settings) -> "Catalog":
        """The same models, as they are usable under other settings."""
        return Catalog(self._gateways, settings, self._own)

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
        """Any model of this id, usable or not: jobs of a model that is off by now can still be polled."""
        return next((model for model in self.known if model.id == model_id), None)

    def gateway(self, model: Model) -> type[Gateway]:
        return next(gateway for gateway in self._gateways if gateway.name == model.id.split("/")[0])

    def parse(self, model_id: object, arguments: Mapping[str, Any]) -> Choice:
        """Validate a call; without a model id, choose the cheapest usable model that takes the arguments.

        Raises:
            UnknownModel, InvalidInput: the hint says what to pass, and which model would take these arguments.
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
        fitting = self._taking(arguments)
        if not fitting:
            raise self._closest_refusal(arguments)
        spec, *others = sorted(fitting, key=_cheapness)  # equals stay in the order of the catalogue
        if not others:
            why = "the only usable model that takes these arguments"
        elif spec.price():
            why = f"the cheapest of {len(fitting)} usable models that take these arguments"
        else:
            why = f"the first of {len(fitting)} usable models that take these arguments, none with a published price"
        said = f"No model was named: {spec.id} was chosen, {why} ({_terms(spec)})."
        if others:
            said += f" Next: {others[0].id} ({_terms(others[0])})."
        return Choice(spec, (said,))

    def _closest_refusal(self, arguments: Mapping[str, Any]) -> InvalidInput:
        """No model takes the arguments: the model for which least must change says most. A picture that is missing
        weighs more than an argument too many: who gave none may want none."""
        refusals: list[tuple[tuple[int, int], InvalidInput]] = []
        for model in self.usable:
            try:
                model.parse(arguments)
            except InvalidInput as refusal:
                strange = sum(not model.accepts(name) for name in arguments)
                missing = sum(model.is_required(name) and name not in arguments for name in IMAGE_PARAMETERS)
                refusals.append(((refusal.problem.message.count(";") + missing, strange), refusal))
        _, closest = min(refusals, key=lambda pair: pair[0])
        problem = closest.problem
        if not any(model.id in problem.message for model in self.usable):
            return closest  # wrong for every model alike
        return InvalidInput(f"No usable model takes these arguments. Closest: {problem.message}", problem.hint)

    def _taking(self, arguments: Mapping[str, Any]) -> list[ModelSpec]:
        specs: list[ModelSpec] = []
        for model in self.usable:
            try:
                specs.append(model.parse(arguments))
            except InvalidInput:
                continue
        return specs

    def _with_alternatives(self, refusal: InvalidInput, arguments: Mapping[str, Any], model: Model) -> HailuoError:
        others = [spec.id for spec in self._taking(arguments)]
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
        """What a bare prompt would get; without such a model, what a prompt with a picture would."""
        for arguments in ({"prompt": "x"}, {"prompt": "x", "first_frame_image": PICTURE}):
            if fitting := self._taking(arguments):
                return min(fitting, key=_cheapness).id
        return None

    def max_price(self, gateway: str) -> float:
        """What a job without a known price counts as: the dearest known price of its gateway, else of the catalogue."""
        prices = {model.id: price.usd for model in self.known if (price := _dearest(model))}
        own = [usd for model_id, usd in prices.items() if model_id.startswith(f"{gateway}/")]
        return max(own or prices.values(), default=0.0)

    def merged_properties(self) -> dict[str, JsonSchema]:
        """The parameters of all usable models as one flat set of properties; each says which models take it."""
        properties: dict[str, JsonSchema] = {}
        for name, canonical in CANONICAL.items():
            takers = [model for model in self.usable if model.accepts(name)]
            if not takers and name != "prompt":
                continue
            words = f"{canonical.meaning} {self._takers_in_words(takers)}."
            properties[name] = {**canonical.schema, "description": words}
            if "enum" in canonical.schema:
                properties[name] |= self._values_in_words(name, takers, words)
        return properties

    def _values_in_words(self, name: str, takers: list[Model], words: str) -> JsonSchema:
        """The values that some usable model has, and which of them only some have."""
        offered = {model: model.property_schemas()[name].get("enum", ()) for model in takers}
        values = {v: [m for m in takers if v in offered[m]] for v in CANONICAL[name].schema["enum"]}
        values = {value: models for value, models in values.items() if models}
        narrow = [f" {v}: {self._ids_in_words(m)}." for v, m in values.items() if len(m) < len(takers)]
        return {"enum": list(values), "description": words + "".join(narrow)}

    def _takers_in_words(self, takers: list[Model]) -> str:
        """Which models these are, in as few words as are exact."""
        others = [model for model in self.usable if model not in takers]
        if not others:
            return "All models"
        named, left_out = self._ids_in_words(takers), self._ids_in_words(others)
        return f"All but {left_out}" if len(left_out) < len(named) else f"For {named}"

    def _ids_in_words(self, models: list[Model]) -> str:
        """Their ids, or `gateway/*` where these are all that can be used of a gateway."""
        words: list[str] = []
        for gateway in dict.fromkeys(model.id.split("/")[0] for model in models):
            all_of_it = [model for model in self.usable if model.id.startswith(f"{gateway}/")]
            these = [model for model in models if model in all_of_it]
            words += [f"{gateway}/*"] if 1 < len(these) == len(all_of_it) else [model.id for model in these]
        return ", ".join(words)

    def makes_in_words(self) -> str:
        """Which of the usable models work from text alone."""
        from_text = [model for model in self.usable if not model.is_required("first_frame_image")]
        if len(from_text) == len(self.usable):
            return "All make clips from text."
        if not from_text:
            return "All need first_frame_image."
        return f"Text alone: {self._ids_in_words(from_text)}; the others need first_frame_image."

    def _usable_ids(self) -> str:
        return ", ".join(model.id for model in self.usable) or "none; " + self.how_to_get_keys()

    def how_to_get_keys(self) -> str:
        variables = ", ".join(f"{gateway.name.upper()}_API_KEY" for gateway in self._gateways)
        headers = ", ".join(key_header(gateway.name) for gateway in self._gateways)
        send = f", send a key along with the call in one of the headers {headers}" if self._keys_from_headers else ""
        return (
            f"Set one of {variables} in the server's environment{send}, or {PREFIX}SANDBOX=1 to rehearse without a key."
        )

    def _how_to_enable(self, model: Model) -> str:
        gateway = model.id.split("/")[0]
        variable = f"{gateway.upper()}_API_KEY"
        header = f" (or a key in the header {key_header(gateway)} of the call)" if self._keys_from_headers else ""
        where = f"a place in {PREFIX}MODELS where that is set"
        return f"It needs {variable}{header}, and {where}. Usable now: {self._usable_ids()}."


def _cheapness(spec: ModelSpec) -> float:
    price = spec.price()
    return price.usd if price else float("inf")


def _terms(spec: ModelSpec) -> str:
    """Price and usual time, in a few words."""
    price, seconds = spec.price(), spec.typical_seconds()
    cost = f"about ${price.usd:.3g}, {price.kind}" if price else "its price is not published"
    return f"{cost}; usually {seconds:.0f} s" if seconds else cost


def _dearest(model: Model) -> Price | None:
    """The dearest price over the values its closed parameters can have."""
    prices = [price for spec in price_samples(model) if (price := spec.price())]
    return max(prices, key=lambda price: price.usd, default=None)


def price_samples(model: Model) -> list[ModelSpec]:
    """The model with every combination that its closed parameters can have, and with a first picture where it takes
    one: all of its prices and times."""
    schemas = model.property_schemas()
    closed = {
        name: choices for name, schema in schemas.items() if (choices := _choices(schema, model.is_required(name)))
    }
    needed = {name: PICTURE for name in schemas if model.is_required(name) or name == "first_frame_image"}
    specs: list[ModelSpec] = []
    for values in product(*closed.values()):
        given = {name: value for name, value in zip(closed, values, strict=True) if value is not None}
        try:
            specs.append(model.parse({**needed, "prompt": "x", **given}))
        except InvalidInput:
            continue
    return specs


def _choices(schema: JsonSchema, required: bool) -> list[Any]:
    """What a closed parameter may be, the default first; None stands for passing nothing."""
    values: list[Any] = schema.get("enum", [True, False] if schema["type"] == "boolean" else [])
    if not values or required:
        return values
    default = schema.get("default")
    return [default, *(value for value in values if value != default)]
