"""The single steps of a change, apart from how a file is written: which there are, what each does, and its words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from hailuo_mcp.cli.installer import shape
from hailuo_mcp.cli.installer.diffs import MASK
from hailuo_mcp.cli.installer.files import ConfigError
from hailuo_mcp.cli.installer.host import Host, Keys, Place
from hailuo_mcp.cli.installer.shape import InstallSpec
from hailuo_mcp.cli.installer.values import as_list, as_object

Key = str | int


@dataclass(frozen=True, slots=True)
class Edit:
    path: tuple[Key, ...]
    value: Any = None
    drops: bool = False


def updates(host: Host, place: Place, wanted: InstallSpec, held: dict[str, Any], entry: dict[str, Any]) -> list[Edit]:
    """What brings the entry that is there up to date; what the user added to it stays."""
    here = (host.servers, wanted.name)
    edits: list[Edit] = []
    env = as_object(held.get("env")) or {}
    for key, value in entry.items():
        now = held.get(key)
        if key == "env" and env:
            edits += [Edit((*here, key, v), value[v]) for v in value if env.get(v) != value[v]]
        elif key == "env_vars" and (listed := as_list(now)) is not None:
            if missing := [v for v in value if v not in listed and {"name": v} not in listed]:
                edits.append(Edit((*here, key), [*listed, *missing]))
        elif now != value and not (key in host.when_fetched and key in held):
            edits.append(Edit((*here, key), value))
    unwanted = wanted.without | (wanted.keys.keys() if place.keys is Keys.FORWARDED else frozenset[str]())
    return [*edits, *(Edit((*here, "env", v), drops=True) for v in sorted(unwanted) if v in env)]


def new_inputs(data: dict[str, Any], asked: Sequence[Any]) -> list[Edit]:
    """What the host shall ask for, and does not yet.

    Raises:
        ConfigError: the place for it holds something else.
    """
    if not asked:
        return []
    if "inputs" not in data:
        return [Edit(("inputs",), list(asked))]
    listed = as_list(data["inputs"])
    if listed is None:
        raise ConfigError('"inputs" is no array in the configuration', "Correct it by hand.")
    there = [(as_object(item) or {}).get("id") for item in listed]
    missing = [item for item in asked if item["id"] not in there]
    return [Edit(("inputs", len(listed) + index), item) for index, item in enumerate(missing)]


def our_inputs(host: Host, data: dict[str, Any], name: str, held: dict[str, Any]) -> list[int]:
    """Where the inputs stand that our entry alone refers to, and that we put there."""
    others = str([entry for other, entry in data[host.servers].items() if other != name])
    found: list[int] = []
    for index, item in enumerate(as_list(data.get("inputs")) or ()):
        identity = str((as_object(item) or {}).get("id", ""))
        reference = f"${{input:{identity}}}"
        if identity.startswith(f"{name}-") and reference in str(held) and reference not in others:
            found.append(index)
    return found


def apply_to(data: Any, edit: Edit) -> None:
    """Make the change in what was read."""
    *way, last = edit.path
    for key in way:
        data = data.setdefault(key, {}) if as_object(data) is not None else data[key]
    listed = as_list(data)
    if edit.drops:
        del data[last]
    elif listed is not None:
        listed.insert(cast(int, last), edit.value)
    else:
        data[last] = edit.value


def in_words(host: Host, name: str, data: dict[str, Any], edit: Edit) -> str:
    """Without keys."""
    if edit.path == (host.servers, name):
        return f"{host.servers}.{name} is added"
    if edit.path[0] == "inputs":
        return "an input is added, for the host to ask for the key"
    where = ".".join(str(part) for part in edit.path[1:])
    if edit.drops:
        return f"{where} is removed"
    now: Any = data
    for key in edit.path:
        now = (as_object(now) or {}).get(str(key))
    if now is None:
        return f"{where} is added"
    if edit.path[-2] != "env":
        return f"{where} was {now} and becomes {edit.value}"
    variable = str(edit.path[-1])
    was, becomes = (str(value) if shape.may_be_shown(variable, str(value)) else MASK for value in (now, edit.value))
    return f"{where} was {was} and becomes {becomes}"
