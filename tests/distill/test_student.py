import pytest
import torch

from brushnet.distill.objective import mapped
from brushnet.distill.student import Student, metric, parse_widths
from brushnet.errors import UserError
from brushnet.losses import energy, statistics
from brushnet.lossnet import LossNetwork
from tests.distill.conftest import RANKS, WIDTHS


def saved_network(student, unit=1.0):
    return LossNetwork(student.state(dict.fromkeys(student.layers, unit)), name="student")


def test_features_are_in_the_teachers_units(student):
    picture = torch.rand(1, 3, 16, 16)
    one, many = (saved_network(student, unit).features(picture, ["relu2_1"])["relu2_1"] for unit in (1.0, 128.0))
    torch.testing.assert_close(many, 128 * one)  # a power of 2: nothing is rounded otherwise


@pytest.mark.parametrize("shape", [(9, 4), (4, 4), (3, 7)])
def test_the_metric_keeps_every_length_of_the_map_in_a_square(shape):
    matrix, vectors = torch.randn(shape), torch.randn(shape[1], 20)
    square = metric(matrix)
    assert square.shape == (shape[1], shape[1])
    torch.testing.assert_close((square @ vectors).norm(dim=0), (matrix @ vectors).norm(dim=0))


def test_the_saved_network_has_the_distances_of_the_mapped_features(student):
    first, second = torch.rand(2, 1, 3, 32, 32)
    net = saved_network(student)
    for name in student.layers:
        saved = [statistics(net.features(x, [name])[name], kind="covariance").matrix for x in (first, second)]
        found = [
            mapped(statistics(student(x, last=name)[name], kind="covariance"), student.maps[name]).matrix
            for x in (first, second)
        ]
        torch.testing.assert_close(energy(saved[0] - saved[1]), energy(found[0] - found[1]), rtol=1e-3, atol=1e-6)


def test_the_saved_network_has_the_students_layers_and_nothing_of_the_teachers_width(student):
    net = saved_network(student)
    assert net.layers == ["relu1_1", "relu2_1", "relu3_1", "relu3_2"]
    shapes = {name: feats.shape[1] for name, feats in net.features(torch.rand(1, 3, 32, 32), net.layers).items()}
    assert shapes == {"relu1_1": 4, "relu2_1": 5, "relu3_1": 6, "relu3_2": 6}


def test_a_student_is_a_function_of_its_seed():
    first, same, other = (Student(WIDTHS, RANKS, seed=seed).convs[0].weight for seed in (0, 0, 1))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_it_stops_at_the_layer_asked_for(student):
    assert list(student(torch.rand(1, 3, 16, 16), last="relu2_1")) == ["relu1_1", "relu2_1"]


def test_widths_as_text():
    assert parse_widths("16,16/32,48/96") == ((16, 16), (32, 48), (96,))


@pytest.mark.parametrize("text", ["", "16,/8", "a", "16/0", "16//8", "-3"])
def test_widths_that_are_none_are_refused(text):
    with pytest.raises(UserError, match=rf"--widths must be like 16,16/32,48/96,96 .*, got {text}$"):
        parse_widths(text)
