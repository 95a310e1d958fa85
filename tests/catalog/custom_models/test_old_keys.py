"""Files with the keys of earlier versions are still read."""

from pathlib import Path

import pytest

from tests.catalog.custom_models.test_mistakes import refused
from tests.catalog.custom_models.written import example, models_in

OLD = (
    example()
    .replace("summary = ", "makes = ")
    .replace("documented_at = ", 'shape = "plain"\ntypical_seconds = 80\ndocumented_at = ')
    .replace("[[models.times]]\nseconds = 80\n", "")
    .replace("rule = ", 'wire = "first_frame_image"\nsays = ')
    .replace("sends_null = ", "null_sent = ")
    .replace("fix_hint = ", "cure = ")
)


def test_a_file_with_the_earlier_keys_describes_the_same_model(tmp_path: Path) -> None:
    (old,), (new,) = models_in(tmp_path, OLD), models_in(tmp_path, example())
    assert (old.summary, old.rules, old.prices, old.times) == (new.summary, new.rules, new.prices, new.times)
    assert old.constraints() == new.constraints()
    assert old.full_schema() == new.full_schema()


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ('makes = "', 'makes = 7 # "', "makes must be a string"),
        ('shape = "plain"', 'shape = "task"', 'Segmind has no body format "task"'),
        ("typical_seconds = 80", "typical_seconds = 0", "typical_seconds should be greater than 0"),
        ("null_sent = true", "null_sent = true\nrequired = true", "null is never sent for last_frame_image"),
        ('cure = "', 'cure = 7 # "', "cure must be a string"),
        (
            'makes = "',
            'summary = "image to video"\nmakes = "',
            "there is no key makes; known here are id, remote_name, su",
        ),
    ],
)
def test_a_mistake_at_an_earlier_key_is_reported_with_its_line(
    good: str, bad: str, message: str, tmp_path: Path
) -> None:
    number, refusal = refused(tmp_path, OLD.replace(good, bad, 1))
    assert message in refusal
    assert OLD.replace(good, bad, 1).split("\n")[number - 1].startswith(good.split(" ")[0])
