"""What `hailuo-mcp doctor` looks at. A look changes nothing: no directory, no database, no configuration is made, and
nothing is asked of a gateway that costs.

It must come to an end also where the server would not start: nothing here imports the MCP SDK, which may be of a
version that this package does not work with.
"""

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from urllib.parse import unquote, urlsplit

from hailuo_mcp.cli.doctor import configurations, database, environment, gateways, packages, places
from hailuo_mcp.cli.doctor.finding import Finding, Level, Report, ok
from hailuo_mcp.gateways import GATEWAYS

__all__ = ["Finding", "Level", "Report", "run_checks"]

_SECRET_LENGTH_MIN = 5
"""Shorter than this, what is hidden would be parts of ordinary words."""


async def run_checks(environ: Mapping[str, str], *, offline: bool = False) -> Report:
    """Look at everything that these variables set up; `offline` asks no gateway."""
    found = list(packages.check())
    opened = environment.open_session(environ)
    found += opened.wrong
    found += environment.check(environ, opened.settings)
    found += places.check(opened.settings)
    found += await database.check(opened.settings, opened.session)
    if opened.session:
        await opened.session.ledger.close()
    if offline:
        found.append(ok("gateways", "not asked: --offline"))
    else:
        found += await gateways.check(GATEWAYS, opened.settings)
    found += configurations.check()
    secrets = tuple(_secrets(environ))
    return Report.of(version(packages.PACKAGE), tuple(_without(secrets, finding) for finding in found))


def _secrets(environ: Mapping[str, str]) -> Iterator[str]:
    """Everything in the environment that may be a secret, longest first: what a foreign message quotes is hidden."""
    keys = {value.strip() for name, value in environ.items() if name.endswith(("_KEY", "_TOKEN", "_SECRET"))}
    # `name:token,…`: the names are no secret, and words that other sentences hold.
    pairs = [pair for name, value in environ.items() if name.endswith("_TOKENS") for pair in value.split(",")]
    tokens = {pair.rpartition(":")[2].strip() for pair in pairs}
    passwords = {password for value in environ.values() for password in _passwords_in(value)}
    yield from sorted(
        (word for word in keys | tokens | passwords if len(word) >= _SECRET_LENGTH_MIN), key=len, reverse=True
    )


def _passwords_in(value: str) -> Iterator[str]:
    if "://" not in value:
        return
    try:
        password = urlsplit(value.strip()).password
    except ValueError:
        return
    if password:
        yield from (password, unquote(password))


def _without(secrets: Iterable[str], finding: Finding) -> Finding:
    def hidden(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, "***")
        return text

    return finding.model_copy(update={"what": hidden(finding.what), "cure": hidden(finding.cure)})
