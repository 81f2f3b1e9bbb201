import pytest
import torch

from brushnet.losses import LossSpec, energy
from brushnet.strokes import StrokeRange
from brushnet.training.targets import CropTargets, StyleBank, picture_statistics

ONE = torch.zeros(1, dtype=torch.long)


@pytest.fixture
def spec() -> LossSpec:
    return LossSpec(
        style_layers={"relu1_1": 1.0, "relu2_1": 1.0},
        content_layers={"relu2_1": 1.0},
        style_weight=1.0,
        content_weight=1.0,
        mean_weight=0.3,
        tv_weight=0.0,
        pyramid_levels=2,
        content_level=0,
    )


@pytest.fixture
def bank(small_painting, tiny_lossnet, spec) -> StyleBank:
    return StyleBank([small_painting], tiny_lossnet, spec, StrokeRange(0.5, 1.5), step_octaves=0.25)


def test_on_the_grid_the_target_is_that_of_the_whole_painting(bank, small_painting, tiny_lossnet, spec):
    octave = bank.octaves[3]
    whole = picture_statistics(small_painting.render(2.0 ** float(octave)), tiny_lossnet, spec)
    for key, target in bank.target(octave.view(1), ONE).items():
        torch.testing.assert_close(target.statistics.matrix, whole[key].matrix, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(target.matrix_energy, energy(target.statistics.matrix))


def test_between_grid_points_the_target_lies_between(bank):
    low, middle, high = (
        bank.target(torch.tensor([float(octave)]), ONE)[0, "relu2_1"].statistics.mean
        for octave in (bank.octaves[2], (bank.octaves[2] + bank.octaves[3]) / 2, bank.octaves[3])
    )
    torch.testing.assert_close(middle, (low + high) / 2, rtol=1e-3, atol=1e-5)


def test_a_batch_gets_the_targets_of_its_samples(bank):
    octaves = torch.tensor([-0.9, 0.1, 0.5])
    together = bank.target(octaves, torch.zeros(3, dtype=torch.long))
    for place in range(3):
        alone = bank.target(octaves[place : place + 1], ONE)
        for key in alone:
            torch.testing.assert_close(together[key].statistics.matrix[place], alone[key].statistics.matrix[0])


def test_each_painting_has_targets_of_its_own(small_painting, tiny_lossnet, spec):
    from brushnet.strokes import Painting

    grey = Painting(torch.full((3, 96, 96), 128, dtype=torch.uint8), name="grey", reference_px=64)
    bank = StyleBank([small_painting, grey], tiny_lossnet, spec, StrokeRange(0.5, 1.5), step_octaves=0.5)
    targets = bank.target(torch.zeros(2), torch.tensor([0, 1]))[0, "relu1_1"]
    assert targets.matrix_energy[0] > 1000 * targets.matrix_energy[1]


def test_a_fixed_scale_has_a_bank_of_one(small_painting, tiny_lossnet, spec):
    bank = StyleBank([small_painting], tiny_lossnet, spec, StrokeRange(1, 1, "fixed"), step_octaves=0.1)
    assert len(bank.octaves) == 1
    assert bank.target(torch.zeros(2), torch.zeros(2, dtype=torch.long))[0, "relu1_1"].matrix_energy.shape == (2,)


def test_crops_scatter_around_the_whole_and_keep_its_energy(bank, small_painting, tiny_lossnet, spec):
    crops = CropTargets(bank, [small_painting], tiny_lossnet, spec, crop_px=32, seed=0)
    octaves, styles = torch.zeros(60), torch.zeros(60, dtype=torch.long)
    whole = bank.target(octaves, styles)[0, "relu1_1"]
    found = crops.target(octaves, styles, torch.arange(60))[0, "relu1_1"]
    torch.testing.assert_close(found.matrix_energy, whole.matrix_energy)
    assert found.statistics.matrix.std(dim=0).max() > 1e-3
    scatter = (found.statistics.matrix.mean(dim=0) - whole.statistics.matrix[0]).norm()
    assert scatter < 0.2 * whole.statistics.matrix[0].norm()


def test_crops_of_different_sizes_go_together(bank, small_painting, tiny_lossnet, spec):
    crops = CropTargets(bank, [small_painting], tiny_lossnet, spec, crop_px=48, seed=0)
    found = crops.target(torch.tensor([-1.0, 0.5]), torch.zeros(2, dtype=torch.long), torch.arange(2))
    assert found[1, "relu2_1"].statistics.matrix.shape == (2, 8, 8)
    assert torch.isfinite(found[1, "relu2_1"].statistics.matrix).all()
