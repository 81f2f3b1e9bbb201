import dataclasses

import pytest
import torch

from brushnet import images
from brushnet.baselines.features import ladder, paint, shifted_loss, style_targets
from brushnet.losses import LossSpec
from brushnet.strokes import Painting
from brushnet.training.objective import loss_terms
from tests.conftest import strokes_picture

SPEC = LossSpec(
    style_layers={"relu1_1": 1.0, "relu2_1": 1.0},
    content_layers={"relu2_1": 1.0},
    style_weight=0.5,
    content_weight=1.0,
    mean_weight=0.3,
    tv_weight=0.01,
    pyramid_levels=2,
    content_level=1,
)


@pytest.fixture
def diagonal() -> Painting:
    return Painting(strokes_picture(), name="diagonal", reference_px=64)


def painted(photo, painting, lossnet, *, spec=SPEC, stroke=1.0, iterations=24, seed=0, progress=None):
    return paint(
        photo, painting, stroke=stroke, lossnet=lossnet, spec=spec, iterations=iterations, seed=seed, progress=progress
    )


def loss(picture, photo, painting, lossnet, *, stroke=1.0) -> dict[str, float]:
    targets = style_targets(painting.render(stroke), lossnet, SPEC)
    terms = loss_terms(picture, photo, targets, lossnet=lossnet, spec=SPEC)
    style = sum(float(term) for name, term in terms.items() if name.startswith("style/"))
    return {"total": sum(map(float, terms.values())), "style": style, "content": float(terms["content"])}


def test_optimisation_lowers_the_loss(photo, diagonal, tiny_lossnet):
    found = painted(photo, diagonal, tiny_lossnet)
    assert found.shape == photo.shape
    assert 0 <= found.min() <= found.max() <= 1
    before, after = (loss(each, photo, diagonal, tiny_lossnet) for each in (photo, found))
    assert after["total"] < 0.5 * before["total"]
    assert after["style"] < 0.5 * before["style"]


def test_more_style_weight_gives_more_of_the_painting_and_less_of_the_photo(photo, diagonal, tiny_lossnet):
    light, heavy = (
        loss(
            painted(photo, diagonal, tiny_lossnet, spec=dataclasses.replace(SPEC, style_weight=weight)),
            photo,
            diagonal,
            tiny_lossnet,
        )
        for weight in (0.02, 5.0)
    )
    assert heavy["style"] < light["style"]
    assert light["content"] < heavy["content"]


def test_a_layer_with_a_larger_weight_is_matched_better(photo, diagonal, tiny_lossnet):
    def style_of_first_layer(weights):
        spec = dataclasses.replace(SPEC, style_layers=weights, style_weight=0.2)
        found = painted(photo, diagonal, tiny_lossnet, spec=spec)
        terms = loss_terms(
            found, photo, style_targets(diagonal.render(1), tiny_lossnet, SPEC), lossnet=tiny_lossnet, spec=SPEC
        )
        return float(terms["style/relu1_1"])

    assert style_of_first_layer({"relu1_1": 10.0, "relu2_1": 1.0}) < style_of_first_layer(
        {"relu1_1": 0.1, "relu2_1": 1.0}
    )


def test_the_stroke_asked_for_is_the_one_that_is_matched(diagonal, tiny_lossnet):
    photo = torch.full((1, 3, 64, 64), 0.5)
    spec = dataclasses.replace(SPEC, content_weight=0.0)
    found = painted(photo, diagonal, tiny_lossnet, stroke=1.5, spec=spec, iterations=120)
    at = {stroke: loss(found, photo, diagonal, tiny_lossnet, stroke=stroke)["style"] for stroke in (0.5, 1.0, 1.5)}
    assert min(at, key=at.__getitem__) == 1.5


def test_same_seed_same_picture_other_seed_another(photo, diagonal, tiny_lossnet):
    one, again, other = (painted(photo, diagonal, tiny_lossnet, iterations=4, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_global_random_state_does_not_matter(photo, diagonal, tiny_lossnet):
    found = []
    for seed in (3, 4):
        torch.manual_seed(seed)
        found.append(painted(photo, diagonal, tiny_lossnet, iterations=2))
    assert torch.equal(*found)


def test_the_painting_itself_as_photo_has_little_to_gain(diagonal, tiny_lossnet):
    photo = diagonal.render(1.0)
    found = painted(photo, diagonal, tiny_lossnet, iterations=60)
    assert (found - photo).abs().mean() < 0.06  # of strokes that differ by 0.5


def test_iterations_are_all_of_them_over_all_sizes(diagonal, tiny_lossnet):
    said = []
    painted(torch.rand(1, 3, 200, 192), diagonal, tiny_lossnet, iterations=5, progress=said.append)
    assert len(said) == 5


@pytest.mark.parametrize(
    ("size", "style_px", "sizes"),
    [
        ((256, 384), 256, [(128, 192), (256, 384)]),
        ((191, 300), 256, [(191, 300)]),
        ((385, 512), 256, [(97, 128), (193, 256), (385, 512)]),
        ((256, 384), 60, [(256, 384)]),  # half of it would be a painting of 30 px
    ],
)
def test_sizes_are_halved_while_there_is_something_to_see(size, style_px, sizes):
    assert ladder(*size, style_px=style_px) == sizes


def test_the_shift_differs_from_step_to_step_and_spares_the_photo(photo, diagonal, tiny_lossnet):
    content = dataclasses.replace(SPEC, style_weight=0.0, tv_weight=0.0)
    targets = style_targets(diagonal.render(1.0), tiny_lossnet, SPEC)
    here = shifted_loss(photo, targets, lossnet=tiny_lossnet, spec=content, seed=0)
    assert max(float(here(photo, step)) for step in range(5)) == 0
    whole = shifted_loss(photo, targets, lossnet=tiny_lossnet, spec=SPEC, seed=0)
    blurred = images.resize(images.resize(photo, 6, 8), 48, 64)
    assert len({float(whole(blurred, step)) for step in range(5)}) == 5
