import pytest
import torch

from brushnet.distill.axes import main_axes, project, units


def test_features_that_vary_in_few_directions_keep_their_gram_distances():
    mixing = torch.randn(12, 3)
    batches = [{"relu1_1": torch.einsum("tk,bkhw->bthw", mixing, torch.randn(2, 3, 8, 8))} for _ in range(4)]
    axes = main_axes(batches, {"relu1_1": 3})["relu1_1"]
    feats = batches[0]["relu1_1"]
    wanted = (feats[0] - feats[1]).norm() / feats.norm()
    short = project(feats, axes)
    torch.testing.assert_close((short[0] - short[1]).norm() / short.norm(), wanted)


def test_axes_are_orthogonal_strongest_first_and_scaled_to_a_mean_square_of_one():
    feats = {"relu1_1": torch.randn(4, 6, 16, 16) * torch.arange(1, 7).view(1, -1, 1, 1)}
    axes = main_axes([feats], {"relu1_1": 6})["relu1_1"]
    products = axes @ axes.T
    torch.testing.assert_close(products, products.diagonal().diag(), atol=1e-6, rtol=0)
    strengths = project(feats["relu1_1"], axes).square().mean(dim=(0, 2, 3))
    assert (strengths.diff() < 0).all()
    torch.testing.assert_close(strengths.sum(), torch.tensor(1.0))
    total = feats["relu1_1"].square().mean(dim=(0, 2, 3)).sum()
    assert units({"relu1_1": axes})["relu1_1"] == pytest.approx(float(total.sqrt()), rel=1e-4)
