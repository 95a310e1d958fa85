"""A mistake in a file is reported in one line: the file, the line number, the problem and the correction."""

import re
from pathlib import Path

import pytest

from hailuo_mcp.app import build_catalog, load_settings
from hailuo_mcp.catalog.custom_models import own_models
from hailuo_mcp.core.setting_values import SettingsError
from hailuo_mcp.gateways import GATEWAYS
from tests.catalog.custom_models.written import example, models_in
from tests.support import settings_for

GOOD = example()
DURATION = """values = [6]
default = 6"""


def refused(directory: Path, text: str) -> tuple[int, str]:
    """The line number and the message of the refusal."""
    with pytest.raises(SettingsError) as wrong:
        models_in(directory, text)
    match = re.fullmatch(re.escape(str(directory / "models.toml")) + r":(\d+): (.+)", str(wrong.value))
    assert match, str(wrong.value)
    return int(match[1]), match[2]


CASES = [
    # (text of the example, its replacement, start of the line with the mistake, part of the message)
    ('"segmind/hailuo-02-draft"', '"kling/x"', 'id = "kling/x"', "names no gateway; begin with one of segmind/"),
    ('"segmind/hailuo-02-draft"', '"hailuo"', 'id = "hailuo"', 'write "<gateway>/<name>"'),
    ('"segmind/hailuo-02-draft"', '"segmind/A b"', 'id = "segmind/A b"', 'write "<gateway>/<name>"'),
    ('"segmind/hailuo-02-draft"', '"segmind/hailuo-02-fast"', "id =", "is built in; choose another name"),
    ('"segmind/hailuo-02-draft"', "7", "id = 7", "id must be a string: write it in quotes"),
    ('id = "segmind/hailuo-02-draft"', "", "[[models]]", "id is missing; add it"),
    ("remote_name", "remote_nam", "remote_nam =", "there is no key remote_nam; known here are id, remote_name"),
    ('= "hailuo-02-fast"', '= "../v1/x"', "remote_name =", "is not a valid model name"),
    ('= "hailuo-02-fast"', '= "x?y=1"', "remote_name =", "is not a valid model name"),
    ('"image to short draft"', '"image\\nto"', "summary =", "must be one line of words"),
    ('"image to short draft"', '"' + "x" * 301 + '"', "summary =", "at most 300 characters"),
    ('"https://www.segmind', '"www.segmind', "documented_at =", 'not a web address; write "https://'),
    (
        "summary = ",
        'body_format = "task"\nsummary = ',
        "body_format =",
        'Segmind has no body format "task"; take "plain"',
    ),
    ("go_fast = false,", "prompt = 'x',", "forbid =", "prompt is always given"),
    ("seconds = 80", 'seconds = "80"', "seconds =", "must be a number, without quotes"),
    ("seconds = 80", "seconds = true", "seconds =", "must be a number"),
    ("seconds = 80", "seconds = -1", "seconds =", "should be greater than or equal to 0"),
    ("seconds = 80", "seconds = inf", "seconds =", "should be a finite number"),
    (
        "parameters.go_fast",
        "parameters.fps",
        "[models.parameters.fps]",
        "no parameter fps; this server has",
    ),
    ("required = true", "require = true", "require =", "no key require; known here are wire_name, required, wire"),
    ("required = true", 'required = "yes"', "required =", "must be true or false, without quotes"),
    ("required = true", 'required = true\ndefault = "x"', "default =", "is required, so it has no default"),
    ("required = true", 'default = "x.png"', "default =", "first_frame_image cannot have a default"),
    ("required = true", 'values = ["x.png"]', "values =", "no set of values to choose from; remove this line"),
    (
        "required = true",
        'wire_name = "prompt"',
        "[models.parameters.first_frame_image]",
        "sent as prompt, as prompt is",
    ),
    (
        "required = true",
        'wire = "last_frame_image"',
        "[models.parameters.last_frame_image]",
        "give one of them",
    ),
    ("required = true", 'wire_name = "a b"', "wire_name =", "is not a field name"),
    (
        "sends_null = true",
        "sends_null = true\nrequired = true",
        "sends_null =",
        "null is never sent for last_frame_image",
    ),
    ("values = [6]", "values = [6, 0]", "values =", "duration cannot have the value 0; take whole numbers from 1"),
    ("values = [6]", "values = [\n  6,\n  0,\n]", "values = [", "duration cannot have the value 0"),
    ("values = [6]", "values = [6]\nminimum = 4", "values =", "duration has values and bounds; remove one of the two"),
    ("values = [6]", "minimum = 6", "[models.parameters.duration]", "values = [6, 10], or a minimum and a maximum"),
    ("values = [6]", "minimum = 6\nmaximum = 5", "maximum =", "duration has a maximum below its minimum"),
    ("values = [6]", "minimum = 7\nmaximum = 8", "default =", "duration cannot have the default 6; take from [7, 8]"),
    ("values = [6]", "values = [6]\nmax_items = 2", "max_items =", "duration has no max_items; remove this line"),
    ("values = [6]", 'values = [6]\nwire_form = "json"', "wire_form =", "wire_form \"json\" is unknown; take 'plain'"),
    ("values = [6]", 'values = ["6"]', "values =", 'cannot have the value "6"'),
    ("values = [6]", "values = [true]", "values =", "cannot have the value true"),
    ("values = [6]", "values = [6, 6]", "values =", "has the value 6 twice"),
    ("values = [6]", "values = []", "values =", "is empty; name at least one"),
    ("values = [6]", "values = 6", "values =", "must be a list"),
    ("values = [6]", "values = [6.5]", "values =", "must be a string, a whole number, true or false"),
    (DURATION, "default = 6", "[models.parameters.duration]", "must name its values; add values = [6, 10]"),
    (
        "go_fast = false, prompt_optimizer = true }",
        "go_fast = false }\nat_most = 3",
        "[[models.rules]]",
        "or at_most and together",
    ),
    (
        "forbid = { go_fast = false, prompt_optimizer = true }",
        'at_most = 3\ntogether = ["duration", "go_fast"]',
        "together =",
        "duration is not a list of this model",
    ),
    ("usd = 0.12\n", 'usd = 0.12\nper = "minute"\n', "per =", "per \"minute\" is unknown; take 'clip' or 'second'"),
    ("seconds = 80", "seconds = 80\n[[models.fills]]\nparameter = 'fps'\nvalue = 1", "parameter =", "not a parameter"),
    (
        "seconds = 80",
        "seconds = 80\n[models.media.image]\nformats = ['JPEG']\nmegabytes = 0\nsource = 'sdk: x'",
        "megabytes =",
        "should be greater than 0",
    ),
    ("default = 6", "default = 10", "default = 10", "duration cannot have the default 10; take from [6]"),
    ("default = true", "default = 1", "default = 1", "go_fast cannot have the default 1; take from [true, false]"),
    ("default = false", 'default = "no"', "default =", "prompt_optimizer cannot have the default"),
    ('"documented: Segmind page hailuo-02-fast"', '"Segmind"', "source =", "begin with documented:, sdk:, observed:"),
    ('"documented: Segmind page hailuo-02-fast"', '"documented:"', "source =", "and then say where it was found"),
    (
        "go_fast = false,",
        "fps = 25,",
        "forbid =",
        "fps is not a parameter of this model; take from first_frame_image, last",
    ),
    ("go_fast = false,", "mode = 'pro',", "forbid =", "mode is not a parameter of this model"),
    (
        "go_fast = false,",
        "last_frame_image = 'x',",
        "forbid =",
        'last_frame_image never has the value "x"; take from ["given", "absent"]',
    ),
    ("go_fast = false,", "duration = 10,", "forbid =", "duration never has the value 10; take from [6]"),
    ("go_fast = false,", "go_fast = 0,", "forbid =", "go_fast never has the value 0; take from [true, false]"),
    ("prompt_optimizer = true }", "x.y = 1 }", "forbid =", "must be a string, a whole number, true or false"),
    ("go_fast = false, prompt_optimizer = true", "go_fast = true", "forbid =", "forbids the defaults themselves"),
    ("go_fast = false, prompt_optimizer = true", "", "forbid =", "is empty; name at least one"),
    ("usd = 0.12\n", "usd = '0.12'\n", "usd =", "usd must be a number, without quotes"),
    ("usd = 0.12\n", "usd = nan\n", "usd =", "should be a finite number"),
    (
        'kind = "exact"',
        'kind = "guess"',
        "kind =",
        "kind \"guess\" is unknown; take 'exact', 'upper bound' or 'average'",
    ),
    ("when = { go_fast = true }", "when = { mode = 'pro' }", "when =", "mode is not a parameter of this model"),
    ("when = { go_fast = true }", "", "[[models.prices]]", "the price above always applies"),
    ('source = "Segmind pricing page"\n', "", "[[models.prices]]", "source is missing; add it"),
    ("as_of = 2026-11-01", 'as_of = "2026-11-01"', "as_of =", "must be a date such as 2026-11-01, without quotes"),
    ("seconds = 80", "seconds = 80\nwhen = { fps = 25 }", "when =", "fps is not a parameter of this model"),
    ("seconds = 80", "seconds = 80\nusd = 1", "usd =", "there is no key usd; known here are seconds, when"),
    (
        "seconds = 80",
        "seconds = 80\n[[models.times]]\nseconds = 90",
        "[[models.times]]",
        "the time above always applies",
    ),
    ("seconds = 80", "seconds = 80\n[[models.advice]]\ntext = 'x'", "[[models.advice]]", "when is missing; add it"),
    (
        "seconds = 80",
        "seconds = 80\n[[models.advice]]\ntext = 'x'\nwhen.mode = 'pro'",
        "when.mode =",
        "mode is not a parameter of this model",
    ),
    ("seconds = 80", "seconds = 80\n[[models.notes]]\ntext = ''\nsource = 'sdk: x'", "text =", "must be one line"),
    ("[[models]]", "[[model]]", "[[model]]", "there is no key model; known here are models"),
]


@pytest.mark.parametrize(("good", "bad", "line", "message"), CASES)
def test_a_mistake_is_reported_with_its_line_and_the_correction(
    good: str, bad: str, line: str, message: str, tmp_path: Path
) -> None:
    assert good in GOOD
    text = "# models of our own\r\n\n" + GOOD.replace(good, bad, 1)
    number, refusal = refused(tmp_path, text)
    assert message in refusal
    assert text.split("\n")[number - 1].startswith(line), (number, refusal)


def test_the_example_and_a_file_with_two_models_are_accepted(tmp_path: Path) -> None:
    assert [model.id for model in models_in(tmp_path, GOOD)] == ["segmind/hailuo-02-draft"]
    assert len(models_in(tmp_path, GOOD + GOOD.replace("-draft", "-sketch", 1))) == 2


def test_a_second_model_with_the_same_id_is_refused_with_the_first_ones_line(tmp_path: Path) -> None:
    number, refusal = refused(tmp_path, f"{GOOD}\n{GOOD}")
    assert f"is there already, in {tmp_path / 'models.toml'}:2; choose another name" in refusal
    assert number == GOOD.count("\n") + 3


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("[[models]]\nid = segmind\n", 2, "this is not TOML: Invalid value; correct this line"),
        ('[[models]]\nid = "a"\nid = "b"\n', 3, "Cannot overwrite a value"),
        ('[[models]]\nid = "a\n', 2, "this is not TOML"),
        ("[[models]]\nvalues = [6,\n\n", 2, "this is not TOML"),
        ("models = 3", 1, "models must be a list"),
        ('models = ["x"]', 1, "must be a table"),
        ("", 1, "models is missing; add it"),
        ("[settings]\nx = 1\n", 1, "there is no key settings; known here are models"),
        ("[[models]]\n" + "x = " + "[" * 3000, 2, "this is not TOML"),
    ],
)
def test_a_file_with_a_wrong_structure_is_refused(text: str, line: int, message: str, tmp_path: Path) -> None:
    number, refusal = refused(tmp_path, text)
    assert message in refusal
    assert number == line


def test_the_first_of_several_mistakes_is_reported(tmp_path: Path) -> None:
    text = GOOD.replace("as_of = 2026-11-01", "as_of = 1").replace("default = 6", "default = [6]")
    number, refusal = refused(tmp_path, text)
    assert "default" in refusal
    assert text.split("\n")[number - 1] == "default = [6]"


def test_a_file_that_cannot_be_read_is_reported_by_name(tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    path.write_bytes(b'[[models]]\nmakes = "caf\xe9"\n')
    settings = load_settings({"HAILUO_MCP_CATALOG": str(path)})
    with pytest.raises(SettingsError, match=r"models\.toml:2: this is not UTF-8"):
        own_models(settings, GATEWAYS)
    path.write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(SettingsError, match=r"models\.toml: is larger than 1024 KB; split it"):
        own_models(settings, GATEWAYS)
    path.unlink()
    with pytest.raises(SettingsError, match=r"HAILUO_MCP_CATALOG='.*models\.toml': there is no such file"):
        own_models(settings, GATEWAYS)
    (tmp_path / "models.d" / "x.toml").mkdir(parents=True)
    with pytest.raises(SettingsError, match=r"x\.toml: cannot be read: Is a directory"):
        own_models(load_settings({"HAILUO_MCP_CATALOG": str(tmp_path / "models.d")}), GATEWAYS)


def test_the_server_does_not_start_with_a_file_that_contains_a_mistake(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, HAILUO_MCP_CATALOG=str(tmp_path / "mine.toml"))
    (tmp_path / "mine.toml").write_text(GOOD.replace("values = [6]", "values = [0]"))
    with pytest.raises(SettingsError, match=r"mine\.toml:\d+: duration cannot have the value 0"):
        build_catalog(settings)
