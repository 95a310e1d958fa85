"""Reading files of shots."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from hailuo_mcp.core.errors import InvalidInput
from hailuo_mcp.service.batch.shots import InvalidShots, Shot, read_shots


def read(tmp_path: Path, text: str | bytes, name: str = "shots.jsonl") -> tuple[Shot, ...]:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_shots(path)


def wrong(tmp_path: Path, text: str | bytes, name: str = "shots.jsonl") -> list[tuple[int, str]]:
    with pytest.raises(InvalidShots) as caught:
        read(tmp_path, text, name)
    return [(one.line, one.message) for one in caught.value.errors]


def test_a_shot_is_the_arguments_of_generate_and_optionally_a_name(tmp_path: Path) -> None:
    one, two = read(
        tmp_path,
        '{"name": "opening", "prompt": "A kite", "duration": 6, "go_fast": true}\n\n{"prompt": "B", "model": "x/y"}\n',
    )
    assert (one.line, one.name, one.arguments) == (1, "opening", {"prompt": "A kite", "duration": 6, "go_fast": True})
    assert (two.line, two.name, two.arguments) == (3, None, {"prompt": "B", "model": "x/y"})
    assert (one.label, two.label) == ("opening", "line 3")


def test_null_counts_as_absent_and_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    (shot,) = read(tmp_path, b'\xef\xbb\xbf{"prompt": "A", "last_frame_image": null}')
    assert shot.arguments == {"prompt": "A"}


def test_a_csv_table_means_the_same_as_json_lines(tmp_path: Path) -> None:
    table = (
        "name,prompt,model,duration,go_fast,prompt_optimizer\r\n"
        'opening,"A kite, red\nand ""high""",,6,TRUE,\r\n'
        "\r\n"
        " second , 007 ,x/y,,,false\r\n"
    )
    lines = [
        {"name": "opening", "prompt": 'A kite, red\nand "high"', "duration": 6, "go_fast": True},
        {"name": "second", "prompt": " 007 ", "model": "x/y", "prompt_optimizer": False},
    ]
    from_table = read(tmp_path, table, "shots.csv")
    from_lines = read(tmp_path, "\n".join(map(json.dumps, lines)))
    assert [(s.name, s.arguments, s.identity) for s in from_table] == [
        (s.name, s.arguments, s.identity) for s in from_lines
    ]
    assert [shot.line for shot in from_table] == [2, 5]


def test_cell_of_the_wrong_type_is_passed_on_for_the_model_to_refuse(tmp_path: Path) -> None:
    (shot,) = read(tmp_path, "prompt,duration,go_fast\nA,six,yes\n", "shots.csv")
    assert shot.arguments == {"prompt": "A", "duration": "six", "go_fast": "yes"}


def test_image_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    given = [
        "a.png",
        "sub/b.png",
        "/c.png",
        "~/d.png",
        "https://e.example/e.png",
        "data:image/png;base64,AA",
        "file:///f",
    ]
    found = read(tmp_path, "\n".join(json.dumps({"prompt": "A", "first_frame_image": one}) for one in given))
    local = [str(tmp_path / "a.png"), str(tmp_path / "sub/b.png")]
    assert [shot.arguments["first_frame_image"] for shot in found] == [*local, *given[2:]]


def test_paths_of_references_are_relative_to_the_file(tmp_path: Path) -> None:
    given = ["a.mp4", "https://e.example/e.mp4", "clip:minimax/h3/h3-1", "last-frame:minimax/h3/h3-1", 7]
    (shot,) = read(tmp_path, json.dumps({"prompt": "A", "reference_videos": given}))
    assert shot.arguments["reference_videos"] == [str(tmp_path / "a.mp4"), *given[1:]]


def test_a_shot_may_continue_earlier_ones_by_name_or_line(tmp_path: Path) -> None:
    _, two, three = read(
        tmp_path,
        '{"prompt": "A", "name": "a"}\n{"prompt": "B", "first_frame_image": "last-frame:a"}\n'
        '{"prompt": "C", "first_frame_image": "last-frame:2", "last_frame_image": "last-frame:a"}',
    )
    assert two.after == {"first_frame_image": 0}
    assert three.after == {"first_frame_image": 1, "last_frame_image": 0}
    assert three.arguments == {"prompt": "C"}


def test_a_request_id_does_not_refer_to_a_shot_of_the_file(tmp_path: Path) -> None:
    (shot,) = read(tmp_path, '{"prompt": "A", "first_frame_image": "last-frame:segmind/x/1"}')
    assert shot.after == {}
    assert shot.arguments["first_frame_image"] == "last-frame:segmind/x/1"


@pytest.mark.parametrize("to", ["2", "3", "later", "4", "missing", "", "0", "9" * 5000])
def test_shot_that_continues_no_earlier_shot_is_refused(tmp_path: Path, to: str) -> None:
    found = wrong(
        tmp_path,
        '{"prompt": "A"}\n' + json.dumps({"prompt": "B", "first_frame_image": f"last-frame:{to}"}) + "\n"
        '{"prompt": "C", "name": "later"}\n',
    )
    assert found == [(2, f"first_frame_image continues {to!r}, which is not an earlier shot of this file.")]


def test_all_invalid_lines_are_reported_together(tmp_path: Path) -> None:
    found = wrong(
        tmp_path,
        b'{"prompt": "A"}\n[1]\n{"prompt": \n\xff\xfe\n{"a": 1, "a": 2}\n"x"\n' + b"[" * 100_000 + b"\n",
    )
    assert [line for line, _ in found] == [2, 3, 4, 5, 6, 7]
    assert "not JSON: Expecting value at column 12" in found[1][1]
    assert "not UTF-8" in found[2][1]
    assert '"a" is given twice' in found[3][1]


def test_names_are_unique_and_not_numbers(tmp_path: Path) -> None:
    names = ["a", "a", "12", "x/y", "", 5, "x" * 81, "tab\t"]
    found = wrong(tmp_path, "\n".join(json.dumps({"prompt": "A", "name": name}) for name in names))
    assert [line for line, _ in found] == [2, 3, 4, 5, 6, 7, 8]
    assert found[0][1] == "the name 'a' is taken by line 1."


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("prompt,prompt\nA,B\n", 1, "each column needs a unique name"),
        ("prompt,\nA,B\n", 1, "each column needs a unique name"),
        ("prompt,durations\nA,6\n", 1, "unknown column durations; did you mean duration?"),
        ("prompt,image_url,mood\nA,x,y\n", 1, "did you mean first_frame_image? unknown column mood."),
        ("prompt,duration\nA,6,what\n", 2, "3 cells in 2 columns"),
        ('prompt\nA\n"B\n', 3, "not CSV"),
        (b"prompt\nA\n\xff\n", 3, "not UTF-8"),
    ],
)
def test_an_invalid_table_is_reported_with_its_line(tmp_path: Path, text: str | bytes, line: int, message: str) -> None:
    ((found, reported),) = wrong(tmp_path, text, "shots.csv")
    assert found == line
    assert message in reported


@pytest.mark.parametrize(("name", "text"), [("shots.txt", "{}"), ("shots.jsonl", "\n \n"), ("shots.csv", "prompt\n")])
def test_a_file_without_shots_is_refused(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(InvalidInput):
        read(tmp_path, text, name)
    with pytest.raises(InvalidInput, match="cannot be read: No such file"):
        read_shots(tmp_path / "missing.csv")


# --- identity -----------------------------------------------------------------------------------------------------


def identities(tmp_path: Path, *lines: Mapping[str, object]) -> list[str]:
    return [shot.identity for shot in read(tmp_path, "\n".join(map(json.dumps, lines)))]


def test_a_shot_is_identified_by_its_content_not_its_line(tmp_path: Path) -> None:
    a, b, c = ({"prompt": word, "duration": 6} for word in "ABC")
    one, two, three = identities(tmp_path, a, b, c)
    assert identities(tmp_path, c, {"duration": 6, "prompt": "A"}, b) == [three, one, two]
    assert identities(tmp_path, {**a, "duration": 10})[0] not in (one, two, three)


def test_equal_shots_are_distinguished_by_name_or_number(tmp_path: Path) -> None:
    a = {"prompt": "A"}
    found = identities(tmp_path, a, a, {**a, "name": "x"}, {**a, "name": "y"})
    assert len(set(found)) == 4
    assert identities(tmp_path, {**a, "name": "y"}, a) == [found[3], found[0]]


def test_a_shot_that_continues_a_changed_one_is_changed_too(tmp_path: Path) -> None:
    def chain(prompt: str, reference: str) -> list[str]:
        return identities(
            tmp_path, {"prompt": prompt, "name": "n"}, {"prompt": "B", "first_frame_image": f"last-frame:{reference}"}
        )

    assert chain("A", "n") == chain("A", "1")
    assert chain("A", "n")[1] != chain("X", "n")[1]
