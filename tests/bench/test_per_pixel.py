import torch

from brushnet import build, config
from brushnet.bench import per_pixel
from brushnet.bench.clock import Clock
from brushnet.bench.inference import model_of
from brushnet.bench.per_pixel import measure_per_pixel, row
from brushnet.inference.large import paint


def test_a_pixels_cost_is_beside_the_yardstick_of_the_same_round():
    # Twice the side, and a machine that was half as fast in the second round.
    found = row((1024, 1024), {"size": [4.0, 8.0, 4.4], "yardstick": [1.0, 2.0, 1.0]})
    assert found["cost"] == 1.0
    assert found["ms_per_megapixel"] == 1e9 * 4.4 / 1024**2
    assert found["rounds"] == 3


def test_every_size_is_painted_in_turn_and_the_large_in_bands(monkeypatch, clock):
    monkeypatch.setattr(per_pixel, "YARDSTICK", (32, 32))
    monkeypatch.setattr(paint, "resident_bytes", lambda: 650_000_000)  # whatever other tests have left in this process
    device = torch.device("cpu")
    model = model_of(build.build_net(config.compose(["net=slim", "net.width=4", "net.blocks=1"])), device,
                     arithmetic="float32", way="plain")  # fmt: skip
    sizes, most = [(24, 40), (1200, 1200)], 1_000_000_000
    rows = measure_per_pixel(model, Clock(device), seconds=0.0, sizes=sizes, max_memory_bytes=most)
    assert [(each["width"], each["height"], each["in_bands"]) for each in rows] == [(40, 24, False), (1200, 1200, True)]
    assert all(each["ms_per_megapixel"] > 0 and each["cost"] > 0 for each in rows)
