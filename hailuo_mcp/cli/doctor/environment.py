"""The variables of the environment: what is wrong in them, which keys are set, and whether the sandbox serves."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from hailuo_mcp.app import build_studio, load_settings
from hailuo_mcp.cli.doctor.finding import Finding, ok, problem, warning
from hailuo_mcp.core.settings import OLD_CATALOG_VARIABLE, PREFIX, Settings, SettingsError, is_unfilled, variables
from hailuo_mcp.gateways import GATEWAYS, Gateway
from hailuo_mcp.service.session import Session

SHOWN_FROM_LENGTH = 20
"""A key of at least this length is known by its last characters without being given away."""
SHOWN_LENGTH = 4
_UNTIL_THEN = "Until then the server does not start."
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Opened:
    """What can be had of an environment. `studio` is None where something other than a variable is wrong, as a file
    that one names."""

    settings: Settings
    session: Session | None
    wrong: tuple[Finding, ...]


def open_session(environ: Mapping[str, str]) -> Opened:
    """Settings and a studio over these variables without the wrong ones, and a finding for each of those: one wrong
    value shall not hide what else there is."""
    left, wrong = dict(environ), list[Finding]()
    settings = None
    while True:
        try:
            settings = load_settings(left)
            return Opened(settings, build_studio(settings), tuple(wrong))
        except SettingsError as error:
            name = error.variable
            cure = f"Correct or remove {name}." if name in left else "Correct it."
            wrong.append(problem("settings", _told(error, left.get(name, "")), f"{cure} {_UNTIL_THEN}"))
            if left.pop(name, None) is None:
                # Nothing to leave out. Settings without any variable are always to be had.
                return Opened(settings or load_settings({}), None, tuple(wrong))


def _told(error: SettingsError, value: str) -> str:
    """The message, without the value where an address was expected and something else stands: it may be a key."""
    text = str(error)
    if error.variable.endswith("_URL") and "://" not in value:
        text = text.replace(f"={value.strip().rstrip('/')[:80]!r}", " (not shown)")
    return text


def check(environ: Mapping[str, str], settings: Settings) -> Iterator[Finding]:
    yield from _strange_variables(environ)
    yield from _unfilled(environ)
    for kind in GATEWAYS:
        yield _key(kind, settings)
    yield from _addresses(settings)
    yield _sandbox(settings)


def _strange_variables(environ: Mapping[str, str]) -> Iterator[Finding]:
    prefixes = tuple(f"{kind.name.upper()}_" for kind in GATEWAYS)
    known = {*variables(), OLD_CATALOG_VARIABLE, *_gateway_variables()}
    for name in sorted(environ.keys() - known):
        close = difflib.get_close_matches(name, known - environ.keys(), n=1, cutoff=0.8)
        if name.startswith(PREFIX) or (close and name.startswith(prefixes)):
            meant = f"Was {close[0]} meant? " if close else ""
            yield warning("settings", f"{name} is no setting; it is ignored", f"{meant}hailuo-mcp --help lists them.")


def _gateway_variables() -> Iterator[str]:
    for kind in GATEWAYS:
        yield f"{kind.name.upper()}_API_KEY"
        yield from (f"{kind.name.upper()}_{purpose.upper()}_URL" for purpose in kind.hosts)


def _unfilled(environ: Mapping[str, str]) -> Iterator[Finding]:
    for name in sorted({*variables(), *_gateway_variables()} & environ.keys()):
        if is_unfilled(environ[name]):
            yield warning(
                "settings",
                f"{name} holds a placeholder that the host did not fill in; it counts as unset",
                "Fill in that field in the host's settings, or set the variable that the placeholder names.",
            )


def _key(kind: type[Gateway], settings: Settings) -> Finding:
    name, about = f"{kind.name.upper()}_API_KEY", f"{kind.name} key"
    secret = settings.gateways[kind.name].key
    if secret is None:
        return ok(about, f"{name} is not set: the models of {kind.title} are not offered")
    key = secret.get_secret_value()
    shown = f"set, ending in {key[-SHOWN_LENGTH:]}" if len(key) >= SHOWN_FROM_LENGTH else "set (too short to show any)"
    if key[0] in "\"'" or key[-1] in "\"'":
        return problem(about, f"{name} is {shown}, in quotation marks", f"Remove the quotation marks around {name}.")
    return ok(about, f"{name} is {shown}")


def _addresses(settings: Settings) -> Iterator[Finding]:
    for kind in GATEWAYS:
        of_gateway = settings.gateways[kind.name]
        for purpose, url in of_gateway.urls.items():
            parts = urlsplit(url)
            if of_gateway.key and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
                name = f"{kind.name.upper()}_{purpose.upper()}_URL"
                yield warning(
                    f"{kind.name} address",
                    f"the key goes to {parts.netloc} without encryption",
                    f"Write https:// in {name}, or in the base address that it follows.",
                )


def _sandbox(settings: Settings) -> Finding:
    keys = [f"{kind.name.upper()}_API_KEY" for kind in GATEWAYS]
    has_key = any(of_gateway.key for of_gateway in settings.gateways.values())
    if settings.sandbox == "1":
        cure = f"Remove {PREFIX}SANDBOX to make real clips."
        says = "it stands in for every gateway, because HAILUO_MCP_SANDBOX=1 forces it"
        return warning("sandbox", f"{says}; the keys are not used", cure) if has_key else ok("sandbox", says, cure)
    if has_key:
        return ok("sandbox", "off: real clips are made, and cost money")
    if settings.sandbox == "0":
        says = "no key is set and HAILUO_MCP_SANDBOX=0 forbids the sandbox: no model can be used"
        return problem("sandbox", says, f"Set one of {', '.join(keys)}, or remove {PREFIX}SANDBOX to rehearse.")
    return warning(
        "sandbox",
        "no key is set: the sandbox makes previews, and over HTTP nothing is served",
        f"Set one of {', '.join(keys)} in the host's configuration to make real clips.",
    )
