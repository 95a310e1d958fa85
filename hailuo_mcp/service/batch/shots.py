"""The shots of a file: one JSON object per line, or a CSV table. All errors are reported at once."""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from hailuo_mcp.core.arguments import intended
from hailuo_mcp.core.errors import InvalidInput
from hailuo_mcp.core.parameters import CANONICAL, IMAGE_PARAMETERS, REFERENCE_PARAMETERS
from hailuo_mcp.core.text import repr_name, repr_short
from hailuo_mcp.media.paths import PATH_MAX, is_own_path, unwrapped
from hailuo_mcp.service.input_files import CLIP, LAST_FRAME

JSON_SUFFIXES, CSV_SUFFIX = (".jsonl", ".ndjson"), ".csv"
NAME_MAX = 80
COLUMNS = ("name", "model", *CANONICAL)
_FORM = 'Write one JSON object per line, like {"prompt": "A red kite rises", "duration": 6}.'
_EARLIER = f'Name an earlier shot: "{LAST_FRAME}<its name or line number>".'


class LineError(Exception):
    """What is wrong with one line."""

    def __init__(self, line: int, message: str, hint: str = _FORM) -> None:
        super().__init__(message)
        self.line = line
        self.message = message
        self.hint = hint


class InvalidShots(InvalidInput):
    """Some lines are wrong; nothing was sent for any of them."""

    def __init__(self, path: Path, errors: Sequence[LineError]) -> None:
        self.errors = tuple(errors)
        super().__init__(
            "; ".join(f"{path.name}:{error.line}: {error.message}" for error in errors),
            "Correct these lines and try again; nothing was sent.",
        )


@dataclass(frozen=True, slots=True)
class Shot:
    """One line. `arguments` are those of `Session.generate`, without the images in `after`."""

    line: int
    name: str | None
    arguments: Mapping[str, Any]
    after: Mapping[str, int]
    """Image parameter to the index of the earlier shot whose last frame it is."""
    content: str
    """A digest, equal for shots that ask for the same."""
    identity: str
    """Identifies the shot in later runs: a digest of its content, and its name or its number among equal shots. It does
    not depend on the position of the line or the path of the file."""

    @property
    def label(self) -> str:
        return self.name or f"line {self.line}"


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    values: dict[str, Any]


def read_shots(path: Path) -> tuple[Shot, ...]:
    """The shots of a `.jsonl` or `.csv` file, in its order. The values of their parameters are not checked here.

    Raises:
        InvalidShots: lines that are not shots, duplicate names, references that are not to an earlier shot.
        InvalidInput: the file cannot be read, or has no shots.
    """
    suffix = path.suffix.lower()
    if suffix not in (*JSON_SUFFIXES, CSV_SUFFIX):
        raise InvalidInput(f"{path.name} is neither a .jsonl nor a .csv file.", _FORM)
    try:
        content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.", "Name an existing file of shots.") from None
    errors: list[LineError] = []
    shots: list[Shot] = []
    read = _csv_rows if suffix == CSV_SUFFIX else _json_rows
    try:
        rows = list(read(content, errors))
        if not errors:  # otherwise, references to the missing shots would look wrong
            shots = list(_shots(rows, path.absolute().parent, errors))
    except LineError as wrong:
        errors.append(wrong)
    if errors:
        raise InvalidShots(path, errors)
    if not shots:
        raise InvalidInput(f"{path.name} has no shots.", _FORM)
    return tuple(shots)


# --- lines --------------------------------------------------------------------------------------------------------


def _json_rows(content: bytes, errors: list[LineError]) -> Iterator[_Row]:
    for line, raw in enumerate(content.split(b"\n"), 1):
        if not raw.strip():
            continue
        try:
            yield _Row(line, _json_object(line, raw))
        except LineError as wrong:
            errors.append(wrong)


def _json_object(line: int, raw: bytes) -> dict[str, Any]:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        twice = [name for name, count in Counter(name for name, _ in items).items() if count > 1]
        if twice:
            raise LineError(line, f"{repr_short(twice[0])} is given twice.", "Give each parameter once.")
        return dict(items)

    try:
        value: object = json.loads(raw.decode(), object_pairs_hook=pairs)
    except UnicodeDecodeError:
        raise LineError(line, "the line is not UTF-8.", "Save the file as UTF-8.") from None
    except json.JSONDecodeError as error:
        raise LineError(line, f"the line is not JSON: {error.msg} at column {error.colno}.") from None
    except (ValueError, RecursionError):
        raise LineError(line, "the line is not JSON.") from None
    if not isinstance(value, dict):
        raise LineError(line, f"a shot is a JSON object, not {repr_short(value)}.")
    return {name: given for name, given in cast("dict[str, Any]", value).items() if given is not None}


def _csv_rows(content: bytes, errors: list[LineError]) -> Iterator[_Row]:
    """Raises LineError if nothing more can be read."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise LineError(line, "the line is not UTF-8.", "Save the file as UTF-8.") from None
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    columns: list[str] = []
    next_line = 1
    try:
        for cells in reader:
            line, next_line = next_line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = _columns(line, cells)
            elif any(cells[len(columns) :]):
                message = f"{len(cells)} cells in {len(columns)} columns."
                errors.append(LineError(line, message, 'Quote a text with commas: "…".'))
            else:
                given = zip(columns, cells, strict=False)
                yield _Row(line, {name: _cell(name, cell) for name, cell in given if cell.strip()})
    except csv.Error as error:
        message = f"the line is not CSV: {error}."
        raise LineError(reader.line_num, message, 'Quote a text with commas or quotes: "…".') from None


def _columns(line: int, cells: Sequence[str]) -> list[str]:
    columns = [cell.strip() for cell in cells]
    if len(set(columns)) < len(columns) or "" in columns:
        raise LineError(line, "each column needs a unique name.", "Name them like the parameters.")
    if unknown := [_unknown_column(name) for name in columns if name not in COLUMNS]:
        raise LineError(line, " ".join(unknown), f"Columns are {', '.join(COLUMNS)}.")
    return columns


def _unknown_column(name: str) -> str:
    suggested = intended(name, COLUMNS)
    return f"unknown column {repr_name(name)}" + (f"; did you mean {suggested}?" if suggested else ".")


def _cell(column: str, cell: str) -> Any:
    """A cell as its parameter's type; other values stay text, and the model's spec refuses them."""
    kind = CANONICAL[column].schema["type"] if column in CANONICAL else "string"
    text = cell.strip()
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.lower(), text)
    if kind == "array":
        return [part.strip() for part in text.split(";") if part.strip()]
    if kind == "integer":
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
    return cell if column == "prompt" else text


# --- names and references -----------------------------------------------------------------------------------------


def _shots(rows: Sequence[_Row], directory: Path, errors: list[LineError]) -> Iterator[Shot]:
    """Each shot with the shots it continues; errors are added to `errors`."""
    places: dict[str, int] = {}
    """The earlier rows, by line number and by name; a name is never a number."""
    counts: Counter[str] = Counter()
    identities: list[str] = []
    for place, row in enumerate(rows):
        values = dict(row.values)
        after: dict[str, int] = {}
        name = values.pop("name", None)
        try:
            if name is not None:
                _check_name(row.line, name)
                if name in places:
                    taken_by = rows[places[name]].line
                    message = f"the name {name!r} is taken by line {taken_by}."
                    raise LineError(row.line, message, "Give each shot a unique name.")
            content_of = dict(values)
            for parameter in IMAGE_PARAMETERS:
                given = values.get(parameter)
                if isinstance(given, str) and _names_a_shot(given):
                    reference = given.removeprefix(LAST_FRAME).strip()
                    if reference not in places:
                        message = f"{parameter} continues {reference!r}, which is not an earlier shot of this file."
                        raise LineError(row.line, message, _EARLIER)
                    after[parameter] = places[reference]
                    content_of[parameter] = LAST_FRAME + identities[after[parameter]]
                    del values[parameter]
                elif isinstance(given, str):
                    values[parameter] = _file_source(directory, given)
            for parameter in REFERENCE_PARAMETERS:
                if isinstance(given := values.get(parameter), list):
                    texts = cast("list[object]", given)
                    values[parameter] = [_file_source(directory, t) if isinstance(t, str) else t for t in texts]
        except LineError as wrong:
            errors.append(wrong)
            identities.append("")
        else:
            content = _digest(content_of)
            counts[content] += name is None
            identities.append(_digest([content, name if name is not None else counts[content]]))
            yield Shot(row.line, name, values, after, content, identities[-1])
        places[str(row.line)] = place
        if isinstance(name, str):
            places.setdefault(name, place)


def _check_name(line: int, name: object) -> None:
    if not isinstance(name, str) or not 0 < len(name) <= NAME_MAX or not name.isprintable() or "/" in name:
        hint = f"Use 1–{NAME_MAX} printable characters without a slash."
        raise LineError(line, f"{repr_short(name)} is not a valid shot name.", hint)
    if name.isdigit():
        message = f"the name {name!r} would be read as a line number."
        raise LineError(line, message, "Add a letter, as in shot-1.")


def _names_a_shot(given: str) -> bool:
    """Whether an image is the last frame of a shot in the file. A request id, which has slashes, refers to an existing
    clip."""
    return given.startswith(LAST_FRAME) and "/" not in given


def _file_source(directory: Path, given: str) -> str:
    """A file as `generate` accepts it: a path is relative to the file of shots."""
    text = unwrapped(given)
    if not text or len(text) > PATH_MAX or is_own_path(text):
        return given
    if text.startswith((LAST_FRAME, CLIP)) or text[:5].lower() in ("data:", "file:") or "://" in text:
        return given
    return str(directory / text)


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode(errors="replace")).hexdigest()
