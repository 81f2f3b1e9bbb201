import json

import pytest
import torch
from safetensors import safe_open

from brushnet.distill.weights import KEY, save_weights
from brushnet.errors import BrushnetError
from brushnet.lossnet import LossNetwork, load_lossnet

UNITS = {"relu1_1": 1.0, "relu2_1": 3.0, "relu3_1": 5.0, "relu3_2": 5.0}


def test_what_is_saved_trains_like_the_student(student, settings, tmp_path):
    path, state = tmp_path / "mine.safetensors", student.state(UNITS)
    save_weights(state, path, teacher="vgg19.pth", settings=settings)
    picture = torch.rand(1, 3, 32, 32)
    net = load_lossnet(str(path), layers=["relu1_1", "relu3_2"])
    for name, feats in net.features(picture, net.layers).items():
        wanted = LossNetwork(state, name="before").features(picture, [name])[name]
        torch.testing.assert_close(feats, wanted, atol=5e-3 * float(wanted.abs().max()), rtol=5e-3)


def test_the_teacher_is_attributed_in_the_file(student, settings, tmp_path):
    save_weights(student.state(UNITS), tmp_path / "mine.safetensors", teacher="vgg19.pth", settings=settings)
    with safe_open(tmp_path / "mine.safetensors", "pt") as file:
        about = json.loads(file.metadata()[KEY])
        assert all(file.get_tensor(key).dtype == torch.float16 for key in file.keys())  # noqa: SIM118
    assert "University of Oxford" in about["attribution"]
    assert "CC BY 4.0" in about["attribution"]
    assert about["teacher"] == "vgg19.pth"


def test_a_weight_beyond_float16_is_no_silent_infinity(student, settings, tmp_path):
    state = student.state(UNITS)
    state["features.0.bias"][0] = 1e6
    with pytest.raises(BrushnetError, match=r"features\.0\.bias does not fit float16 \(largest value 1e\+06\)"):
        save_weights(state, tmp_path / "mine.safetensors", teacher="vgg19.pth", settings=settings)
    assert not list(tmp_path.glob("*.safetensors"))
