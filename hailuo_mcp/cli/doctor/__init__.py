"""The checks of `hailuo-mcp doctor`. They change nothing: they create no directory, database or configuration, and send
gateways only free requests.

They must also run where the server would not start: nothing here imports the MCP SDK, which may be installed in an
incompatible version.
"""

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from urllib.parse import unquote, urlsplit

from hailuo_mcp.cli.doctor import configurations, database, environment, gateways, packages, places
from hailuo_mcp.cli.doctor.finding import Finding, Level, Report, ok, warning
from hailuo_mcp.core.masking import mask
from hailuo_mcp.core.network import check_environment

__all__ = ["Finding", "Level", "Report", "run_checks"]


async def run_checks(environ: Mapping[str, str], *, offline: bool = False) -> Report:
    """Check everything that these variables configure. With `offline`, no requests are sent to gateways."""
    found = list(packages.check())
    settings, ledger, invalid = environment.open_ledger_of(environ)
    found += invalid
    found += environment.check(environ, settings)
    found += (warning("network", problem.cause, problem.fix) for problem in check_environment())
    found += places.check(settings)
    found += await database.check(settings, ledger)
    if ledger:
        await ledger.close()
    if offline:
        found.append(ok("gateways", "not checked: --offline"))
    else:
        found += await gateways.check(settings)
    found += configurations.check()
    secrets = tuple(_secrets(environ))
    return Report.of(version(packages.PACKAGE), tuple(_redacted(secrets, finding) for finding in found))


def _secrets(environ: Mapping[str, str]) -> Iterator[str]:
    """All values in the environment that may be secrets, to mask them in messages."""
    keys = {value.strip() for name, value in environ.items() if name.endswith(("_KEY", "_TOKEN", "_SECRET"))}
    # `name:token,…`: the names are not secret, and may be words of other sentences.
    pairs = [pair for name, value in environ.items() if name.endswith("_TOKENS") for pair in value.split(",")]
    tokens = {pair.rpartition(":")[2].strip() for pair in pairs}
    passwords = {password for value in environ.values() for password in _passwords_in(value)}
    yield from keys | tokens | passwords


def _passwords_in(value: str) -> Iterator[str]:
    if "://" not in value:
        return
    try:
        password = urlsplit(value.strip()).password
    except ValueError:
        return
    if password:
        yield from (password, unquote(password))


def _redacted(secrets: tuple[str, ...], finding: Finding) -> Finding:
    return finding.model_copy(update={"message": mask(finding.message, secrets), "fix": mask(finding.fix, secrets)})
