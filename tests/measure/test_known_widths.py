import pytest
import torch

from brushnet.measure.known_widths import KINDS, known_width


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("antialiased", [True, False])
def test_pictures_are_in_range_and_the_same_for_the_same_seed(kind: str, antialiased: bool) -> None:
    def draw(seed: int) -> torch.Tensor:
        return known_width(kind, 50, stroke_px=6, seed=seed, antialiased=antialiased)

    picture = draw(1)
    assert picture.shape == (1, 3, 50, 50)
    assert 0 <= picture.min() < picture.max() <= 1
    assert torch.equal(picture, draw(1))
    assert not torch.equal(picture, draw(2))


def test_hard_stripes_have_two_colours_and_the_width_asked() -> None:
    stripes = known_width("stripes", 200, stroke_px=10, antialiased=False)
    colours, counts = stripes[0].flatten(1).T.unique(dim=0, return_counts=True)
    assert len(colours) == 2
    assert counts.min() / counts.max() > 0.85


def test_bars_and_discs_cover_the_ground() -> None:
    for kind in ("bars", "blocks", "discs"):
        picture = known_width(kind, 80, stroke_px=8, antialiased=False)
        _, counts = picture[0].flatten(1).T.unique(dim=0, return_counts=True)
        assert counts.max() < 0.15 * 80 * 80
