"""How values, names and types are written in messages."""

import unicodedata

from hailuo_mcp.core.parameters import JsonSchema

_SHOWN_MAX = 60


def repr_short(value: object) -> str:
    """A value for a message: short, on one line, and quoted like JSON. The content of a `data:` URI is left out."""
    if isinstance(value, str):
        text = f"{value.split(',', 1)[0]},…" if value[:5].lower() == "data:" else value
        return f'"{_plain(text)}"'
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    try:
        return _plain(repr(value))
    except ValueError:  # Python refuses to write out very large integers
        return "a very large number"


def format_price(usd: float, kind: str) -> str:
    """A published price as text: exact, an upper bound or an average."""
    amount = f"${round(usd, 4):g}"
    return {"upper bound": f"at most {amount}", "average": f"about {amount}"}.get(kind, amount)


def repr_name(name: str) -> str:
    """The name of an unknown parameter, short and on one line."""
    return _plain(name.encode(errors="backslashreplace").decode())


def has_format_characters(text: str) -> bool:
    """Whether there are invisible characters that change how others appear: direction marks or zero-width
    characters."""
    return not text.isascii() and any(unicodedata.category(character) == "Cf" for character in text)


def _plain(text: str) -> str:
    cut = text[: _SHOWN_MAX + 1]
    plain = "".join(c if c.isprintable() else " " for c in cut)
    return plain if len(plain) <= _SHOWN_MAX else plain[:_SHOWN_MAX] + "…"


def describe(schema: JsonSchema) -> str:
    """The values that a property's schema accepts, as a phrase: `6 or 10`, `true or false`."""
    if "enum" in schema:
        return " or ".join(str(v) for v in schema["enum"])
    if "minimum" in schema and "maximum" in schema:
        return f"a whole number from {schema['minimum']} to {schema['maximum']}"
    words = {
        "boolean": "true or false",
        "integer": "a whole number",
        "string": "a string",
        "array": "a list of strings",
    }
    kind: str | list[str] = schema["type"]
    return " or ".join(words.get(k, k) for k in ([kind] if isinstance(kind, str) else kind))
