"""Contact sheets."""

import torch

from brushnet import images


def flat(red: float, green: float, blue: float, height: int, width: int) -> torch.Tensor:
    return torch.tensor([red, green, blue]).reshape(1, 3, 1, 1).expand(1, 3, height, width)


def test_sheet_places_each_picture_whole_in_its_cell():
    red, green = flat(1, 0, 0, 30, 60), flat(0, 1, 0, 10, 5)
    grid = images.sheet([[red, None], [None, green]], cell_px=40, gap_px=4)
    assert grid.shape == (1, 3, 4 + 20 + 4 + 40 + 4, 4 + 40 + 4 + 20 + 4)
    is_red = (grid[0] - torch.tensor([1.0, 0, 0])[:, None, None]).abs().amax(0) < 0.01
    is_green = (grid[0] - torch.tensor([0, 1.0, 0])[:, None, None]).abs().amax(0) < 0.01
    assert is_red[4:24, 4:44].all()
    assert is_green[28:68, 48:68].all()
    assert (grid == 1).all(1).sum() == grid[0, 0].numel() - 20 * 40 - 40 * 20


def test_sheet_writes_its_labels_beside_and_above():
    white = flat(1, 1, 1, 40, 40)
    bare = images.sheet([[white]], cell_px=40)
    labelled = images.sheet([[white]], cell_px=40, row_labels=["a very long name"], column_labels=["s = 0.5"])
    assert labelled.shape[-1] > bare.shape[-1] + 60
    assert labelled.shape[-2] > bare.shape[-2] + 10
    assert bare.min() == 1
    assert labelled[..., :-46, -46:].min() < 0.5  # above the cell
    assert labelled[..., -46:, :-46].min() < 0.5  # left of it


def test_sheet_takes_rows_of_unequal_length():
    cell = flat(0, 0, 1, 8, 8)
    assert images.sheet([[cell], [cell, cell, cell]], cell_px=8, gap_px=1).shape == (1, 3, 19, 28)
