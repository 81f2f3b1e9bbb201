import json

import torch

from brushnet import __version__
from brushnet.bench import machine


def test_what_was_measured_on_is_told_in_plain_values():
    found = machine.describe_machine(torch.device("cpu"))
    assert json.loads(json.dumps(found)) == found
    assert found["kind"] == "cpu"
    assert found["device"] == found["processor"] != ""
    assert found["threads"] == torch.get_num_threads()
    assert found["memory_gb"] > 0.1
    assert found["versions"]["brushnet"] == __version__
    assert found["versions"]["torch"] == torch.__version__


def test_a_gpu_is_told_by_its_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA X")
    assert machine.device_name(torch.device("cuda")) == "NVIDIA X"
