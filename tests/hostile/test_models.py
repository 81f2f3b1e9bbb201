"""Style models: .safetensors, its header alone, a training checkpoint."""

from pathlib import Path

import pytest
import torch

from brushnet import cli, images, models
from brushnet.model_header import read_meta
from brushnet.models import ModelMeta
from brushnet.nets import ResidualTransformer
from tests.hostile.mutations import safetensors_mutated
from tests.hostile.torch_mutations import torch_zip_mutated
from tests.hostile.watch import outcome


def make_net() -> ResidualTransformer:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return ResidualTransformer(width=4, blocks=1, stroke_embedding=8, styles=2)


def make_meta(net: ResidualTransformer) -> ModelMeta:
    return ModelMeta.of(
        net, stroke_mode="conditioned", stroke_min=0.5, stroke_max=2, reference_px=64, style_names=["night", "wave"]
    )


@pytest.fixture
def saved(tmp_path: Path) -> bytes:
    net = make_net()
    models.save(tmp_path / "whole.safetensors", net, make_meta(net))
    models.load(tmp_path / "whole.safetensors")
    return (tmp_path / "whole.safetensors").read_bytes()


@pytest.fixture
def checkpoint(tmp_path: Path) -> bytes:
    net = make_net()
    averaged = {f"ema.module.{key}": value for key, value in net.state_dict().items()}
    torch.save({"epoch": 1, "brushnet": make_meta(net).to_json(), "state_dict": averaged}, tmp_path / "whole.ckpt")
    models.load(tmp_path / "whole.ckpt")
    return (tmp_path / "whole.ckpt").read_bytes()


def works(model: models.StyleModel) -> None:
    """What was taken for a model paints. Weights of 1e38 are weights: what they paint is NaN."""
    assert model(torch.rand(1, 3, 16, 16), style=len(model.style_names) - 1).shape == (1, 3, 16, 16)


def test_style_model(attack, saved, tmp_path):
    path = tmp_path / "model.safetensors"

    def act(rng):
        path.write_bytes(safetensors_mutated(saved, rng))
        outcome(lambda: works(models.load(path)), names=path.name)

    attack(act)


def test_header_of_a_style_model(attack, saved, tmp_path):
    path = tmp_path / "model.safetensors"

    def act(rng):
        path.write_bytes(safetensors_mutated(saved, rng))
        outcome(lambda: read_meta(path), names=path.name)

    attack(act)


def test_training_checkpoint_as_a_model(attack, checkpoint, tmp_path):
    path = tmp_path / "last.ckpt"

    def act(rng):
        path.write_bytes(torch_zip_mutated(checkpoint, rng))
        outcome(lambda: works(models.load(path)), names=path.name)

    attack(act)


@pytest.mark.parametrize("name", ["../../../ran", "/ran", "..", "a/b", "$(touch ran)", "pipe:touch ran", "-o"])
def test_a_style_called_like_a_path_writes_nothing_outside_the_output(tmp_path, name):
    """Names of styles may be any printable text; files are never called by them."""
    net = make_net()
    meta = ModelMeta.of(
        net, stroke_mode="conditioned", stroke_min=0.5, stroke_max=2, reference_px=64, style_names=[name, "wave"]
    )
    models.save(tmp_path / "m.safetensors", net, meta)
    images.write(torch.rand(1, 3, 24, 24), tmp_path / "photo.jpg")
    arguments = ["stylize", "m.safetensors", "photo.jpg", "-o", "out", "--strokes", "0.5,1", f"--style={name}"]
    assert cli.main(arguments) == 0
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    pictures = {"out/photo_s0.50.jpg", "out/photo_s1.00.jpg", "out/sheet.jpg"}
    assert written == {"m.safetensors", "photo.jpg"} | pictures
