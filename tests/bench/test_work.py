import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from brushnet import build, config
from brushnet.bench.training import step_work
from brushnet.bench.work import Work, work_of
from brushnet.strokes import StrokeRange

CONV_FLOPS = 2 * 2 * (3 * 3 * 3) * 8 * (16 * 12)  # a product and a sum, batch 2, 3 x 3 of 3 channels, 8 out, 16 x 12


@pytest.fixture
def conv():
    return nn.Conv2d(3, 8, 3, padding=1, bias=False)


@pytest.fixture
def pictures():
    return torch.rand(2, 3, 16, 12)


def test_one_convolution_is_counted_as_by_hand(conv, pictures):
    with torch.no_grad():
        work = work_of(lambda: conv(pictures))
    assert work.flops == CONV_FLOPS
    assert work.bytes == 4 * (2 * 3 * 16 * 12 + 8 * 3 * 3 * 3 + 2 * 8 * 16 * 12)


def test_backward_costs_as_much_for_the_weights_and_for_the_input(conv, pictures):
    assert work_of(lambda: conv(pictures).sum().backward()).flops == 2 * CONV_FLOPS
    pictures.requires_grad_()
    assert work_of(lambda: conv(pictures).sum().backward()).flops == 3 * CONV_FLOPS
    conv.requires_grad_(False)  # a loss network
    assert work_of(lambda: conv(pictures).sum().backward()).flops == 2 * CONV_FLOPS


def test_a_matrix_product_of_half_precision_moves_half_the_bytes():
    for dtype, size in ((torch.float32, 4), (torch.bfloat16, 2)):
        a, b = torch.ones(4, 5, dtype=dtype), torch.ones(5, 6, dtype=dtype)
        work = work_of(lambda a=a, b=b: a @ b)
        assert (work.flops, work.bytes) == (2 * 4 * 5 * 6, size * (20 + 30 + 24))


def test_what_is_compiled_is_counted_too(conv, pictures):
    compiled = torch.compile(conv, backend="eager")
    with torch.no_grad():
        assert work_of(lambda: compiled(pictures)).flops == CONV_FLOPS


def test_the_shortest_time_is_bound_by_operations_or_by_memory_layer_by_layer():
    assert Work([(100, 10), (10, 100)]).seconds(flops_s=10, bytes_s=5) == 10 + 20


def test_a_training_step_costs_what_torch_counts_for_it(tiny):
    cfg = config.compose([*tiny, "stroke=fixed", "stroke.min=1", "stroke.max=1"])
    stroke = StrokeRange(1.0, 1.0, "fixed")
    module = build.build_module(
        cfg,
        lossnet=build.build_lossnet(cfg),
        paintings=build.build_paintings(cfg, stroke),
        stroke=stroke,
        command=None,
    )
    module.on_fit_start()
    work = step_work(module, batch_size=2, crop_px=32)
    batch = {"photo": torch.zeros(2, 3, 32, 32, dtype=torch.uint8), "index": torch.arange(2)}
    with FlopCounterMode(display=False) as counter:
        drawn = module.draw(batch)
        painting = module.paint(drawn.photo, drawn.log2_stroke, drawn.style, net=module.net)
        torch.stack([term.mean() for term in module.terms(painting, drawn).values()]).sum().backward()
    assert work.flops == pytest.approx(counter.get_total_flops() / 2)
    assert all(parameter.grad is None for parameter in step_free(module))


def step_free(module):
    """The network's parameters after another count: it leaves no gradient behind."""
    step_work(module, batch_size=2, crop_px=32)
    return list(module.net.parameters())
