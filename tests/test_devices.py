"""devices.py: the precision that is chosen for a device."""

import pytest
import torch

from brushnet.devices import pick_precision, sent


@pytest.mark.parametrize(("unit", "expected"), [("avx512_bf16", "bf16-mixed"), ("amx_bf16", "bf16-mixed"),
                                                ("avx2", "32-true")])  # fmt: skip
def test_a_cpu_computes_in_bf16_where_it_has_units_for_that(monkeypatch, unit, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"architecture": "x86_64", unit: True})
    assert pick_precision("auto", "cpu") == expected
    assert pick_precision("32-true", "cpu") == "32-true"


@pytest.mark.parametrize("accelerator", ["auto", "gpu"])
def test_a_gpu_computes_in_bf16_where_it_need_not_be_emulated(monkeypatch, accelerator):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for native, expected in [(True, "bf16-mixed"), (False, "32-true")]:
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *, including_emulation, native=native: native)
        assert pick_precision("auto", accelerator) == expected


def test_what_is_sent_to_a_cpu_is_not_copied():
    values = torch.arange(3)
    assert sent(values, torch.device("cpu")) is values
