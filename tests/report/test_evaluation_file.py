import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brushnet.errors import UserError
from brushnet.report.evaluation_file import FILE, read_evaluation
from brushnet.report.json_file import LARGEST_BYTES, read_fields
from tests.report.conftest import evaluation_of

WHOLE = evaluation_of("three_octaves", "deep", 0, "waves")
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def written(folder: Path, content: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / FILE).write_text(json.dumps(content))
    return folder


def with_row(**changed: Any) -> dict[str, Any]:
    return {**WHOLE, "rows": [{**WHOLE["rows"][0], **changed}]}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    found = read_evaluation(written(tmp_path, WHOLE))
    assert (found.painting, found.stroke_mode, found.trained) == ("waves", "conditioned", (0.35, 2.8))
    assert (found.scales, found.photos) == ((0.5, 1.0, 2.0), ("cat", "boat"))
    assert found.rows[0].error_octaves == pytest.approx(0.35)
    assert math.isnan(found.summary["seen_error_octaves"])
    assert math.isnan(read_evaluation(written(tmp_path, with_row(matched_octaves=None))).rows[0].octaves)


@given(st.data())
def test_whatever_a_stranger_puts_in_is_read_or_refused(tmp_path_factory, data) -> None:
    content = json.loads(json.dumps(WHOLE))
    place = data.draw(st.sampled_from(["top", "row", "summary"]))
    target = {"top": content, "row": content["rows"][0], "summary": content["summary"]}[place]
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(anything)
    folder = written(tmp_path_factory.mktemp("any"), content)
    try:
        found = read_evaluation(folder)
    except UserError as error:
        assert FILE in str(error)  # noqa: PT017
    else:
        assert all(row.picture is None or "/" not in row.picture for row in found.rows)


@pytest.mark.parametrize("name", ["../model.jpg", "a/b.jpg", "a\\b.jpg", "", ".hidden", "c:x.jpg", "a\nb.jpg"])
def test_a_picture_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"rows\[0\]: picture must be a file's name without folder, got '"):
        read_evaluation(written(tmp_path, with_row(picture=name)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({**WHOLE, "format": 2}, r"evaluation\.json: format must be 1, got 2"),
        ({**WHOLE, "rows": []}, r"rows must be 1 to 20000, got 0"),
        ({**WHOLE, "rows": 3}, r"rows must be a list, got 3"),
        ({**WHOLE, "rows": [3]}, r"rows\[0\] must be a JSON object, got 3"),
        ({**WHOLE, "trained_range": [2, 1]}, r"trained_range must be two rising stroke scales, got \[2\.0, 1\.0\]"),
        ({**WHOLE, "painting": None}, r"painting must be a text, got None"),
        ({**WHOLE, "summary": []}, r"summary must be a JSON object, got \[\]"),
        (with_row(stroke=0), r"stroke must be a stroke scale from 1/64 to 64, got 0"),
        (with_row(style_loss="1"), r"style_loss must be a number from -1e\+12 to 1e\+12, got '1'"),
        (with_row(style_loss=True), r"style_loss must be a number from .*, got True"),
        (with_row(content_distance=10**400), r"content_distance must be a number from .*, got 1000"),
        (with_row(matched_octaves=99), r"matched_octaves must be a number from -16 to 16, got 99"),
        (with_row(seen=1), r"seen must be true or false, got 1"),
        ([], r"evaluation\.json must be a JSON object, got \[\]"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_evaluation(written(tmp_path, content))


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"evaluation\.json: no such file"):
        read_evaluation(tmp_path)
    (tmp_path / FILE).write_text('{"format": NaN}')
    with pytest.raises(UserError, match=r"not valid JSON \(NaN is no JSON number"):
        read_evaluation(tmp_path)
    (tmp_path / FILE).write_text("[" * 100_000)
    with pytest.raises(UserError, match=r"not valid JSON"):
        read_evaluation(tmp_path)
    with (tmp_path / FILE).open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)
    with pytest.raises(UserError, match=r"at most 20000000 bytes are read"):
        read_fields(tmp_path / FILE)
