"""Parsers for the blocks that hold data, by language. Each raises ValueError for what it cannot read."""

import csv
import json
import tomllib
from collections.abc import Callable, Mapping

import yaml


def _json_lines(text: str) -> None:
    for line in text.splitlines():
        json.loads(line)


def _table(text: str) -> None:
    header, *rows = csv.reader(text.splitlines(), strict=True)
    if not rows or any(len(row) != len(header) for row in rows):
        raise ValueError(f"rows do not have the {len(header)} columns of the header")


def _yaml(text: str) -> None:
    try:
        yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


PARSERS: Mapping[str, Callable[[str], object]] = {
    "json": json.loads,
    "jsonl": _json_lines,
    "toml": tomllib.loads,
    "yaml": _yaml,
    "csv": _table,
}
