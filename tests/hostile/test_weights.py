"""Weights of other networks: a loss network's, SqueezeNet's, LPIPS's head; the checkpoint of a distillation."""

import io
import zipfile

import pytest
import torch
from safetensors.torch import save as to_bytes
from torchvision.models import squeezenet1_1

from brushnet.distill.train import Distillation, Settings
from brushnet.lossnet import LossNetwork, load_lossnet
from brushnet.measure.encoders import load_squeezenet
from brushnet.measure.lpips import STAGES, load_lpips
from tests.conftest import vgg_state
from tests.hostile.mutations import safetensors_mutated
from tests.hostile.torch_mutations import torch_legacy_mutated, torch_zip_mutated
from tests.hostile.watch import outcome

MUTATIONS = {"zip": torch_zip_mutated, "legacy": torch_legacy_mutated, "safetensors": safetensors_mutated}


def as_file(state: dict, way: str) -> bytes:
    if way == "safetensors":
        return to_bytes(state)
    buffer = io.BytesIO()
    torch.save(state, buffer, _use_new_zipfile_serialization=way == "zip")
    return buffer.getvalue()


@pytest.mark.parametrize("way", MUTATIONS)
def test_loss_network(attack, tmp_path, way):
    path = tmp_path / ("vgg.safetensors" if way == "safetensors" else "vgg.pth")
    whole = as_file(vgg_state() | {"metric.relu1_1": torch.eye(6)}, way)
    path.write_bytes(whole)
    picture = torch.rand(1, 3, 16, 16)
    load_lossnet(str(path))

    def works() -> None:
        net = load_lossnet(str(path))
        net.features(picture, net.layers)

    def act(rng):
        path.write_bytes(MUTATIONS[way](whole, rng))
        outcome(works, names=path.name)

    attack(act)


@pytest.fixture(scope="module")
def squeezenet() -> dict:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return squeezenet1_1(weights=None).state_dict()


def lpips_head() -> dict:
    return {f"lin{place}.model.1.weight": torch.ones(1, count, 1, 1) for place, count in enumerate(STAGES.values())}


def test_lpips_head(attack, tmp_path, squeezenet):
    backbone, path = tmp_path / "backbone.pth", tmp_path / "head.pth"
    torch.save(squeezenet, backbone)
    whole = as_file(lpips_head(), "zip")
    path.write_bytes(whole)
    load_lpips(str(path), str(backbone))

    def act(rng):
        path.write_bytes(torch_zip_mutated(whole, rng))
        outcome(lambda: load_lpips(str(path), str(backbone)), names=path.name)

    attack(act)


def test_squeezenet(attack, tmp_path, squeezenet):
    path = tmp_path / "squeezenet.pth"
    whole = as_file({key: value[:1].clone() for key, value in squeezenet.items()}, "zip")  # small, so refused at last

    def act(rng):
        path.write_bytes(torch_zip_mutated(whole, rng))
        outcome(lambda: load_squeezenet(path), names=path.name)

    attack(act)


def test_checkpoint_of_a_distillation(attack, tmp_path):
    path = tmp_path / "last.pt"
    settings = Settings(widths=((4,), (5,)), steps=8, batch_size=4, crop_px=32, learning_rate=1e-3, seed=0)
    teacher, photos = LossNetwork(vgg_state(), name="tiny"), [torch.zeros(3, 40, 40, dtype=torch.uint8)]

    def begin() -> Distillation:
        return Distillation(teacher, photos, settings, checkpoint=path)

    run = begin()
    run.step(0)
    run.save(1)
    whole = path.read_bytes()
    assert begin().first == 1

    def act(rng):
        path.write_bytes(torch_zip_mutated(whole, rng))
        outcome(lambda: begin().step(1), names=path.name)

    attack(act)


def test_a_compressed_file_of_weights_does_not_unfold(tmp_path):
    """100 MB of zeros in 100 kB: read by torch alone they would all be in memory."""
    path = tmp_path / "bomb.pth"
    torch.save({"features.0.weight": torch.zeros(4, 3, 3, 3)}, path)
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, bytes(100_000_000) if name.endswith("data/0") else data)
    assert path.stat().st_size < 200_000
    assert outcome(lambda: load_lossnet(str(path)), names="bomb.pth", most_mb=50)


def test_a_header_of_many_empty_tensors_is_refused(tmp_path):
    path = tmp_path / "many.safetensors"
    path.write_bytes(to_bytes({f"features.{index}.weight": torch.zeros(0) for index in range(20_000)}))
    refused = outcome(lambda: load_lossnet(str(path)), names="many.safetensors", most_mb=100)
    assert "it holds 20000 tensors, at most 10000 are read" in str(refused)
