import dataclasses

import pytest
import torch

from brushnet.distill.train import Distillation, distill, ridge
from brushnet.errors import UserError
from brushnet.lossnet import LossNetwork
from tests.conftest import vgg_state


def test_the_student_learns(tiny_lossnet, photos, settings):
    run = Distillation(tiny_lossnet, photos, dataclasses.replace(settings, steps=60))
    before = sum(float(value) for value in run.unexplained(-50).values())
    for step in range(60):
        run.step(step)
    assert sum(float(value) for value in run.unexplained(-50).values()) < 0.7 * before


def test_a_resumed_distillation_gives_the_weights_of_an_unbroken_one(tiny_lossnet, photos, settings, tmp_path):
    unbroken = distill(Distillation(tiny_lossnet, photos, settings), tmp_path / "one.pt", save_every=100)
    first = Distillation(tiny_lossnet, photos, settings)
    for step in range(3):
        first.step(step)
    first.save(tmp_path / "two.pt", 3)
    second = Distillation(tiny_lossnet, photos, settings)
    resumed = distill(second, tmp_path / "two.pt", save_every=100)
    for name, value in unbroken.state().items():
        assert torch.equal(value, resumed.state()[name]), name


def test_a_checkpoint_of_other_settings_is_refused(distillation, tiny_lossnet, photos, settings, tmp_path):
    distillation.save(tmp_path / "last.pt", 1)
    other = Distillation(tiny_lossnet, photos, dataclasses.replace(settings, seed=5))
    with pytest.raises(UserError, match=r"last\.pt is of another distillation \(settings .*\); give the same options"):
        other.resume(tmp_path / "last.pt")
    fewer = Distillation(tiny_lossnet, photos[:5], settings)
    with pytest.raises(UserError, match=r"another distillation \(photos 12, asked are 5\)"):
        fewer.resume(tmp_path / "last.pt")


def test_a_damaged_checkpoint_is_refused_by_name(distillation, tmp_path):
    (tmp_path / "last.pt").write_bytes(b"junk")
    with pytest.raises(UserError, match=r"last\.pt cannot be read; delete it to begin anew"):
        distillation.resume(tmp_path / "last.pt")


def test_a_teacher_without_the_layers_says_which_it_has(tiny_lossnet, photos, settings):
    with pytest.raises(UserError, match=r"no layer 'relu1_2'; its layers are relu1_1, relu2_1, relu3_1"):
        Distillation(tiny_lossnet, photos, dataclasses.replace(settings, widths=((4, 4), (4,))))


def test_a_step_counts_deep_layers_only_now_and_then(photos, settings):
    teacher = LossNetwork(vgg_state((6, 8, 10, 10)), name="deeper")
    run = Distillation(teacher, photos, dataclasses.replace(settings, widths=((4,), (5,), (6, 6))))
    assert [list(run.step(step)["style"])[-1] for step in range(5)] == ["relu3_2", *3 * ["relu3_1"], "relu3_2"]


def test_ridge_finds_the_map():
    feats, matrix = torch.rand(2, 4, 8, 8), torch.randn(6, 4)
    torch.testing.assert_close(
        ridge(feats, torch.einsum("kc,bchw->bkhw", matrix, feats), strength=1e-9), matrix, atol=1e-4, rtol=1e-4
    )
