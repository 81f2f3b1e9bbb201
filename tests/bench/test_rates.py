import pytest
import torch

from brushnet.bench.clock import Clock
from brushnet.bench.rates import Rates, arithmetic, matmul_precision


@pytest.fixture
def product_seconds(clock, monkeypatch):
    """What a product of one side takes: {side: seconds}."""
    seconds, product = {}, torch.mm

    def timed(a, b, *, out):
        clock.pass_by(seconds[len(a)])
        return product(a, b, out=out)

    monkeypatch.setattr(torch, "mm", timed)
    return seconds


def test_a_product_of_known_time_has_its_rate_the_median_over_blocks(clock, product_seconds, monkeypatch):
    product_seconds.update({10: 1e-3, 20: 0.5})
    rates = Rates(clock, sides=(10, 20), copied_bytes=400)
    monkeypatch.setattr(torch.Tensor, "copy_", lambda *_: clock.pass_by(0.1))
    for seconds in (0.5, 8.0, 0.25):
        product_seconds[20] = seconds
        rates.block(seconds=0.1)
    assert rates.flops_s == {"float32": 32000, "bfloat16": 32000}
    assert rates.bytes_s == pytest.approx(2 * 400 / 0.1)


def test_a_large_product_that_would_take_too_long_is_not_tried(clock, product_seconds):
    product_seconds[10] = 0.2  # eight times that is over a second
    assert Rates(clock, sides=(10, 20)).side == {"float32": 10, "bfloat16": 10}


def test_a_real_device_has_rates():
    rates = Rates(Clock(torch.device("cpu")), sides=(16, 32), copied_bytes=1 << 20)
    rates.block(seconds=0.02)
    assert all(rate > 1e4 for rate in rates.flops_s.values())
    assert rates.bytes_s > 1e6


@pytest.mark.parametrize(
    ("device", "precision", "kind"),
    [("cpu", "32-true", "float32"), ("cpu", "bf16-mixed", "bfloat16"), ("cuda", "bf16-mixed", "bfloat16"),
     ("cuda", "32-true", "tf32")],
)  # fmt: skip
def test_the_roofline_is_that_of_the_arithmetic_in_use(device, precision, kind):
    assert arithmetic(torch.device(device), precision) == kind


def failing_within(precision):
    with matmul_precision(precision):
        assert torch.get_float32_matmul_precision() == precision
        raise KeyError


def test_matmul_precision_comes_back_after_a_failure():
    before = torch.get_float32_matmul_precision()
    with pytest.raises(KeyError):
        failing_within("high")
    assert torch.get_float32_matmul_precision() == before
