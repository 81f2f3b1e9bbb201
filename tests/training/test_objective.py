import dataclasses

import pytest
import torch

from brushnet.losses import LossSpec
from brushnet.strokes import StrokeRange
from brushnet.training.objective import loss_terms
from brushnet.training.targets import StyleBank

SPEC = LossSpec(
    style_layers={"relu1_1": 1.0, "relu2_1": 0.5},
    content_layers={"relu2_1": 1.0},
    style_weight=3.0,
    content_weight=2.0,
    mean_weight=0.3,
    tv_weight=0.1,
    pyramid_levels=2,
    content_level=1,
)


@pytest.fixture
def targets(small_painting, tiny_lossnet):
    bank = StyleBank([small_painting], tiny_lossnet, SPEC, StrokeRange(0.5, 1.5), step_octaves=0.5)
    return bank.target(torch.zeros(2), torch.zeros(2, dtype=torch.long))


def test_terms_are_named_by_layer_and_given_for_each_sample(tiny_lossnet, targets):
    photo = torch.rand(2, 3, 32, 32)
    terms = loss_terms(photo, photo, targets, lossnet=tiny_lossnet, spec=SPEC)
    assert list(terms) == ["content", "style/relu1_1", "style/relu2_1", "tv"]
    assert all(term.shape == (2,) for term in terms.values())


def test_the_photo_itself_has_no_content_loss_and_the_painting_hardly_any_style_loss(
    tiny_lossnet, targets, small_painting
):
    photo = torch.rand(2, 3, 64, 64)
    of_photo = loss_terms(photo, photo, targets, lossnet=tiny_lossnet, spec=SPEC)
    painting = small_painting.render(1.0).expand(2, -1, -1, -1)
    of_painting = loss_terms(painting, painting, targets, lossnet=tiny_lossnet, spec=SPEC)
    assert of_photo["content"].max() == 0
    assert of_painting["style/relu2_1"].max() < 1e-2 * of_photo["style/relu2_1"].min()


@pytest.mark.parametrize(
    ("option", "term"), [("style_weight", "style/relu2_1"), ("content_weight", "content"), ("tv_weight", "tv")]
)
def test_a_term_is_proportional_to_its_weight(tiny_lossnet, targets, option, term):
    photo, painting = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    doubled = dataclasses.replace(SPEC, **{option: 2 * getattr(SPEC, option)})
    plain = loss_terms(painting, photo, targets, lossnet=tiny_lossnet, spec=SPEC)
    weighted = loss_terms(painting, photo, targets, lossnet=tiny_lossnet, spec=doubled)
    torch.testing.assert_close(weighted[term], 2 * plain[term])


def test_content_at_a_coarser_level_forgives_fine_strokes(tiny_lossnet, targets):
    photo = torch.rand(2, 3, 8, 8).repeat_interleave(8, 2).repeat_interleave(8, 3)
    strokes = 0.2 * (torch.arange(64) % 2 * 2 - 1)  # a pattern that halving averages away
    found = [
        loss_terms(
            photo + strokes, photo, targets, lossnet=tiny_lossnet, spec=dataclasses.replace(SPEC, content_level=level)
        )["content"].mean()
        for level in (0, 1)
    ]
    assert found[1] < 0.01 * found[0]


def test_content_that_follows_the_stroke_is_compared_at_its_level(tiny_lossnet, targets):
    photo, painting = torch.rand(2, 3, 128, 128), torch.rand(2, 3, 128, 128)

    def content(level: int, octaves: list[float], *, follows: bool = True) -> torch.Tensor:
        spec = dataclasses.replace(SPEC, content_level=level, content_follows_stroke=follows)
        found = loss_terms(
            painting, photo, targets, lossnet=tiny_lossnet, spec=spec, log2_stroke_B=torch.tensor(octaves)
        )
        return found["content"]

    at_level = [content(level, [0.0, 0.0]) for level in (0, 1, 2, 3)]
    torch.testing.assert_close(content(2, [-1.0, 1.0]), torch.stack([at_level[1][0], at_level[3][1]]))
    torch.testing.assert_close(content(2, [0.5, 0.5]), (at_level[2] + at_level[3]) / 2)
    torch.testing.assert_close(content(2, [-1.0, 1.0], follows=False), at_level[2])
    # 128 px: level 3 is the coarsest with 16 px left; half the resolution is the finest, unless full is asked for
    torch.testing.assert_close(content(2, [9.0, -9.0]), torch.stack([at_level[3][0], at_level[1][1]]))
    torch.testing.assert_close(content(0, [0.0, -9.0]), at_level[0])


def test_a_coarser_content_level_leaves_the_style_terms_alone(tiny_lossnet, targets):
    photo, painting = torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64)
    following = dataclasses.replace(SPEC, content_follows_stroke=True)
    plain = loss_terms(painting, photo, targets, lossnet=tiny_lossnet, spec=SPEC)
    coarse = loss_terms(
        painting, photo, targets, lossnet=tiny_lossnet, spec=following, log2_stroke_B=torch.tensor([1.0, 1.0])
    )
    assert coarse.keys() == plain.keys()
    torch.testing.assert_close(coarse["style/relu2_1"], plain["style/relu2_1"])
