import time

import pytest
import torch

from brushnet.bench import memory

CPU = torch.device("cpu")


@pytest.mark.skipif(not memory.STATM.is_file(), reason="this system has no /proc")
def test_the_peak_is_seen_though_it_is_given_back():
    def once():
        block = torch.ones(64 << 18)  # 64 MiB
        time.sleep(0.1)
        return float(block[0])

    assert memory.peak_bytes(once, CPU) == pytest.approx(64 << 20, rel=0.2)


def test_a_call_that_fails_ends_the_watch():
    with pytest.raises(KeyError):
        memory.peak_bytes({}.popitem, CPU)


def test_where_the_system_does_not_tell_it_is_not_guessed(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "STATM", tmp_path / "none")
    assert memory.peak_bytes(lambda: pytest.fail("must not be called"), CPU) is None


def test_some_memory_is_free():
    assert memory.free_bytes(CPU) > 1 << 20


def test_what_torch_keeps_on_a_gpu_is_free_too(monkeypatch):
    for name, value in {"memory_reserved": 50, "memory_allocated": 20, "mem_get_info": (100, 1000)}.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, value=value: value)
    assert memory.free_bytes(torch.device("cuda")) == 130
