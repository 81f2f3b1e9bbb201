import math

import pytest
import torch

from brushnet import build, config
from brushnet.errors import UserError


def test_a_gpu_that_is_not_there_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(UserError, match=r"trainer\.accelerator=gpu: this machine has none .*; allowed: auto, cpu"):
        build.train(config.compose(["trainer.accelerator=gpu"]), tmp_path / "run")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("accelerator", ["gpu", "auto"])
def test_more_devices_than_there_are_is_refused(monkeypatch, accelerator):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UserError, match=r"trainer\.devices must be at most 2, .* got 4"):
        build.check_devices(accelerator, 4)
    build.check_devices(accelerator, 2)


def test_processes_on_a_cpu_are_not_counted(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    build.check_devices("cpu", 4)


def test_addresses_and_samples_are_told_apart():
    resolved = build._resolve_samples("https://host.example/a.tar::sample:photos::pipe:cat a//b.tar")
    address, samples, pipe = resolved.split("::")
    assert address == "https://host.example/a.tar"
    assert samples.endswith("photos")
    assert not samples.startswith("sample:")
    assert pipe == "pipe:cat a//b.tar"


@pytest.mark.parametrize(("clock", "seconds"), [("00:00:00:07", 7), ("00:00:10:00", 600), ("01:02:03:04", 93784)])
def test_a_time_limit_is_read_as_days_hours_minutes_seconds(clock, seconds):
    assert math.isclose(build.seconds(clock), seconds)


def test_the_network_is_a_function_of_the_seed():
    first, second, other = (build.build_net(config.compose([f"seed={seed}"])).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)
