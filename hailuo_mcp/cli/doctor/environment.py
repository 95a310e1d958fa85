"""Checks the environment variables: wrong values, which keys are set, and whether the sandbox is used."""

import difflib
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from hailuo_mcp.app import build_catalog, load_settings
from hailuo_mcp.cli.doctor.finding import Finding, ok, problem, warning
from hailuo_mcp.core.environment import OLD_CATALOG_VARIABLE
from hailuo_mcp.core.setting_values import PREFIX, SettingsError, is_unfilled, key_variable, url_variable
from hailuo_mcp.core.settings import Settings, variables
from hailuo_mcp.gateways import GATEWAYS, Gateway
from hailuo_mcp.ledger import Ledger, open_ledger

SHOWN_FROM_LENGTH = 20
"""The last characters of a key of at least this length can be shown safely."""
SHOWN_LENGTH = 4
_UNTIL_THEN = "Until then, the server does not start."
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def open_ledger_of(environ: Mapping[str, str]) -> tuple[Settings, Ledger | None, list[Finding]]:
    """Settings and a ledger from the valid variables, and a finding for each invalid one, so that one invalid value
    does not hide the rest. The ledger is None if something other than a variable is wrong, such as a file that one
    names."""
    remaining, findings = dict(environ), list[Finding]()
    settings = None
    while True:
        try:
            settings = load_settings(remaining)
            build_catalog(settings)
            return settings, open_ledger(settings), findings
        except SettingsError as error:
            name = error.variable
            fix = f"Correct or remove {name}." if name in remaining else "Correct it."
            findings.append(problem("settings", _message(error, remaining.get(name, "")), f"{fix} {_UNTIL_THEN}"))
            if remaining.pop(name, None) is None:
                # There is no variable left to drop. Settings without any variable are always valid.
                return settings or load_settings({}), None, findings


def _message(error: SettingsError, value: str) -> str:
    """The error's message, without the value if it should be a URL and is not one: it may be a key."""
    text = str(error)
    if error.variable.endswith("_URL") and "://" not in value:
        text = text.replace(f"={value.strip().rstrip('/')[:80]!r}", " (not shown)")
    return text


def check(environ: Mapping[str, str], settings: Settings) -> Iterator[Finding]:
    yield from _unknown_variables(environ)
    yield from _unfilled(environ)
    for kind in GATEWAYS:
        yield _key(kind, settings)
    yield from _addresses(settings)
    yield _sandbox(settings)


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[Finding]:
    prefixes = tuple(f"{kind.name.upper()}_" for kind in GATEWAYS)
    known = {*variables(), OLD_CATALOG_VARIABLE, *_gateway_variables()}
    for name in sorted(environ.keys() - known):
        close = difflib.get_close_matches(name, known - environ.keys(), n=1, cutoff=0.8)
        if name.startswith(PREFIX) or (close and name.startswith(prefixes)):
            suggestion = f"Did you mean {close[0]}? " if close else ""
            yield warning(
                "settings", f"{name} is not a setting; it is ignored", f"{suggestion}hailuo-mcp settings lists them."
            )


def _gateway_variables() -> Iterator[str]:
    for kind in GATEWAYS:
        yield from (key_variable(kind.name), *kind.key_aliases)
        yield from (url_variable(kind.name, purpose) for purpose in kind.hosts)


def _unfilled(environ: Mapping[str, str]) -> Iterator[Finding]:
    for name in sorted({*variables(), *_gateway_variables()} & environ.keys()):
        if is_unfilled(environ[name]):
            yield warning(
                "settings",
                f"{name} contains a placeholder that the host did not fill in; it counts as unset",
                "Fill in that field in the host's settings, or set the variable that the placeholder names.",
            )


def _key(kind: type[Gateway], settings: Settings) -> Finding:
    name, topic = key_variable(kind.name), f"{kind.name} key"
    secret = settings.gateways[kind.name].key
    if secret is None:
        return ok(topic, f"{name} is not set: the models of {kind.title} are not offered")
    key = secret.get_secret_value()
    shown = f"set, ending in {key[-SHOWN_LENGTH:]}" if len(key) >= SHOWN_FROM_LENGTH else "set (too short to show any)"
    if key[0] in "\"'" or key[-1] in "\"'":
        return problem(topic, f"{name} is {shown}, in quotation marks", f"Remove the quotation marks around {name}.")
    return ok(topic, f"{name} is {shown}")


def _addresses(settings: Settings) -> Iterator[Finding]:
    for kind in GATEWAYS:
        of_gateway = settings.gateways[kind.name]
        for purpose, url in of_gateway.urls.items():
            parts = urlsplit(url)
            if of_gateway.key and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
                name = url_variable(kind.name, purpose)
                yield warning(
                    f"{kind.name} address",
                    f"the key is sent to {parts.netloc} without encryption",
                    f"Write https:// in {name}, or in the base address that it defaults to.",
                )


def _sandbox(settings: Settings) -> Finding:
    keys = [key_variable(kind.name) for kind in GATEWAYS]
    has_key = any(of_gateway.key for of_gateway in settings.gateways.values())
    if settings.sandbox == "1":
        fix = f"Remove {PREFIX}SANDBOX to make real clips."
        message = "it replaces every gateway, because HAILUO_MCP_SANDBOX=1 is set"
        return warning("sandbox", f"{message}; the keys are not used", fix) if has_key else ok("sandbox", message, fix)
    if has_key:
        return ok("sandbox", "off: clips are real and cost money")
    if settings.sandbox == "0":
        message = "no key is set and HAILUO_MCP_SANDBOX=0 forbids the sandbox: no model can be used"
        return problem(
            "sandbox", message, f"Set one of {', '.join(keys)}, or remove {PREFIX}SANDBOX to use the sandbox."
        )
    return warning(
        "sandbox",
        "no key is set: the sandbox makes previews, and over HTTP nothing is served",
        f"Set one of {', '.join(keys)} in the host's configuration to make real clips.",
    )
