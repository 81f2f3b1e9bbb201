import pytest
import torch
from torch import Tensor

from brushnet.evaluation import sheet as sheets
from brushnet.evaluation.sheet import MOST_COLUMNS, MOST_ROWS, Sheet
from brushnet.strokes import Painting


@pytest.fixture(autouse=True)
def small_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "CELL_PX", 16)


@pytest.fixture
def painting(strokes_pixels: Tensor) -> Painting:
    return Painting(strokes_pixels, name="painting", reference_px=100)


def picture(level: float = 0.5) -> Tensor:
    return torch.full((1, 3, 16, 16), level)


def test_rows_beyond_the_limit_are_left_out_and_none_is_empty(painting: Painting) -> None:
    full, more = Sheet(painting, [1.0, 2.0]), Sheet(painting, [1.0, 2.0])
    for number in reversed(range(MOST_ROWS + 5)):  # the later ones would sort first
        for sheet in (full, more):
            for stroke in (1.0, 2.0):
                if sheet is more or number >= 5:
                    sheet.add("model", f"photo{number:02}", stroke, picture(), picture())
    assert len(more.cells) == MOST_ROWS
    assert all(len(row) == 2 for row in more.cells.values())
    assert torch.equal(more.picture(), full.picture())


def test_a_photo_whose_scales_have_no_column_has_no_row(painting: Painting) -> None:
    scales = [1 + place / 100 for place in range(MOST_COLUMNS + 1)]
    sheet = Sheet(painting, scales)
    sheet.add("other", "last", scales[-1], picture(), None)
    assert not sheet.cells
    sheet.add("other", "first", scales[0], picture(), None)
    assert list(sheet.cells) == [("first", "other")]
    assert sheet.picture().shape[-1] > MOST_COLUMNS * 16


def test_the_first_size_of_a_photo_is_the_one_shown(painting: Painting) -> None:
    sheet = Sheet(painting, [1.0])
    for level in (0.2, 0.8):
        sheet.add("model", "a", 1.0, picture(level), None)
    assert float(sheet.cells["a", "model"][1.0].mean()) == pytest.approx(0.2)
