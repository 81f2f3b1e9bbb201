import torch

from brushnet.distill.objective import distillation_loss, distillation_terms, mapped, style_error, unexplained
from brushnet.losses import statistics


def test_what_the_map_explains_is_not_counted():
    feats, matrix = torch.rand(2, 4, 8, 8), torch.randn(6, 4)
    wanted = torch.einsum("kc,bchw->bkhw", matrix, feats)
    assert unexplained(feats, matrix, wanted) < 1e-10
    assert style_error(feats, matrix, wanted) < 1e-10
    torch.testing.assert_close(
        unexplained(feats, torch.zeros(6, 4), wanted - wanted.mean(dim=(0, 2, 3), keepdim=True)), torch.tensor(1.0)
    )


def test_statistics_are_mapped_as_features_would_be():
    feats, matrix = torch.rand(2, 4, 8, 8), torch.randn(6, 4)
    wanted = statistics(torch.einsum("kc,bchw->bkhw", matrix, feats), kind="covariance")
    found = mapped(statistics(feats, kind="covariance"), matrix)
    torch.testing.assert_close(found.matrix, wanted.matrix, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.mean, wanted.mean)


def test_a_flat_crop_does_not_outweigh_all_others():
    feats = torch.rand(4, 4, 8, 8)
    wanted = feats.clone()
    wanted[0] = 0.5  # no texture at all, and the student sees some
    assert style_error(feats, torch.eye(4), wanted) < 50


def test_every_layer_and_both_kinds_count():
    feats = {"relu1_1": torch.rand(2, 4, 8, 8), "relu2_1": torch.rand(2, 3, 4, 4)}
    maps = {"relu1_1": torch.zeros(4, 4), "relu2_1": torch.zeros(3, 3)}
    terms = distillation_terms(feats, maps, feats)
    assert set(terms) == {"unexplained", "style"}
    assert all(set(row) == set(feats) for row in terms.values())
    assert distillation_loss(terms) > distillation_loss({"unexplained": terms["unexplained"]}) > 0
