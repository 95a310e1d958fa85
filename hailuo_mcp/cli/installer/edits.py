"""Changes of a configuration: the desired data, and the edits that lead to it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hailuo_mcp.cli.installer.config_file import ConfigError
from hailuo_mcp.cli.installer.diff import MASK
from hailuo_mcp.cli.installer.entry import InstallSpec, may_be_shown
from hailuo_mcp.cli.installer.formats import Edit
from hailuo_mcp.cli.installer.hosts import Host, KeyStorage
from hailuo_mcp.cli.installer.values import Key, as_list, as_object, value_at

INPUTS = "inputs"


def with_entry(
    host: Host, data: Mapping[str, Any], name: str, entry: Mapping[str, Any], inputs: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The data with this entry, and with the missing inputs.

    Raises:
        ConfigError: the section for inputs is not an array.
    """
    changed: dict[str, Any] = {}
    if inputs:
        present = as_list(data.get(INPUTS, []))
        if present is None:
            raise ConfigError(f'"{INPUTS}" is not an array in the configuration', "Correct it by hand.")
        ids = [(as_object(item) or {}).get("id") for item in present]
        changed[INPUTS] = [*present, *(item for item in inputs if item["id"] not in ids)]
    changed[host.servers_key] = {**data[host.servers_key], name: entry}
    return changed | {key: value for key, value in data.items() if key not in changed}


def without_entry(host: Host, data: Mapping[str, Any], name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The data without the entry and the inputs that only it refers to, and those inputs."""
    servers = dict(data[host.servers_key])
    ours, others = str(servers.pop(name)), str(list(servers.values()))
    result = {**data, host.servers_key: servers}
    removed: list[dict[str, Any]] = []
    kept: list[Any] = []
    for item in as_list(data.get(INPUTS)) or ():
        id_ = str((as_object(item) or {}).get("id", ""))
        reference = f"${{input:{id_}}}"
        is_only_ours = id_.startswith(f"{name}-") and reference in ours and reference not in others
        (removed if is_only_ours else kept).append(item)
    if removed:
        result[INPUTS] = kept
    return result, removed


def merged(host: Host, spec: InstallSpec, current: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """The updated entry; what the user added to it is kept."""
    result = {**entry, **{key: value for key, value in current.items() if key not in entry}}
    for key in (host.extra.keys() | host.extra_when_fetched.keys()) & current.keys():
        result[key] = current[key]
    forwarded, own = host.shape.forwarded, host.shape.env
    if (passed_on := as_list(current.get(forwarded))) is not None:
        missing = [v for v in entry.get(forwarded, ()) if v not in passed_on and {"name": v} not in passed_on]
        result[forwarded] = [*passed_on, *missing]
    if env := as_object(current.get(own)):
        unwanted = set(spec.without)
        if host.key_storage is KeyStorage.FORWARDED:
            unwanted |= spec.keys.keys()
        variables = {**env, **entry.get(own, {})}
        result[own] = {variable: value for variable, value in variables.items() if variable not in unwanted}
    return result


def difference(old: Mapping[str, Any], new: Mapping[str, Any], path: tuple[Key, ...] = ()) -> Iterator[Edit]:
    """The edits from `old` to `new`: one per value, and in the top-level list of inputs one per item."""
    for key, value in new.items():
        key_path, before = (*path, key), old.get(key)
        if key not in old:
            yield Edit(key_path, value)
        elif value != before:
            old_object, new_object = as_object(before), as_object(value)
            if old_object is not None and new_object is not None:
                yield from difference(old_object, new_object, key_path)
            elif key_path == (INPUTS,):
                items: list[Any] = before or []
                # From the last to the first, so that the other indexes stay valid.
                yield from (
                    Edit((*key_path, n), drops=True) for n in reversed(range(len(items))) if items[n] not in value
                )
                yield from (Edit((*key_path, n), item) for n, item in enumerate(value) if item not in items)
            else:
                yield Edit(key_path, value)
    yield from (Edit((*path, key), drops=True) for key in old if key not in new)


def describe(host: Host, name: str, data: Mapping[str, Any], edit: Edit) -> str:
    """The edit as a phrase, with keys masked."""
    if edit.path == (host.servers_key, name):
        return f"{host.servers_key}.{name} is added"
    if edit.path[0] == INPUTS:
        return "an input is added, so that the host asks for the key"
    where = ".".join(str(part) for part in edit.path[1:])
    if edit.drops:
        return f"{where} is removed"
    before = value_at(data, edit.path)
    if before is None:
        return f"{where} is added"
    old, new = str(before), str(edit.value)
    if host.shape.env in edit.path:
        variable = str(edit.path[-1])
        old, new = (value if may_be_shown(variable, value) else MASK for value in (old, new))
    return f"{where} was {old} and becomes {new}"
