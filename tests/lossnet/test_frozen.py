"""frozen.py: what GPUs compute of the loss network is a convolution with reflect padding and its ReLU, both ways."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from brushnet.lossnet.frozen import FrozenConvRelu, conv_relu


def features(height, width, dtype=torch.float64):
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0), dtype=dtype)


def frozen_conv(dtype=torch.float64):
    torch.manual_seed(1)
    conv = nn.Conv2d(3, 5, 3, padding=1, padding_mode="reflect", dtype=dtype).requires_grad_(False)
    return conv.to(memory_format=torch.channels_last)


@pytest.mark.parametrize(("height", "width"), [(2, 3), (8, 5), (16, 16)])
def test_it_is_the_convolution_and_has_its_gradient(height, width):
    feats, wanted = (features(height, width).requires_grad_() for _ in range(2))
    conv = frozen_conv()
    found, torchs = FrozenConvRelu.apply(feats, conv.weight, conv.bias), F.relu(conv(wanted))
    torch.testing.assert_close(found, torchs)
    found.square().sum().backward()
    torchs.square().sum().backward()
    torch.testing.assert_close(feats.grad, wanted.grad)


def test_features_in_float32_give_bfloat16_ones_and_take_a_gradient_in_float32():
    conv, feats = frozen_conv(torch.bfloat16), features(6, 6, torch.float32).requires_grad_()
    found = FrozenConvRelu.apply(feats, conv.weight, conv.bias)
    assert found.dtype == torch.bfloat16
    found.float().sum().backward()
    assert feats.grad.dtype == torch.float32


def test_where_a_hook_watches_the_convolution_is_called_as_a_module(monkeypatch):
    conv, feats, called = frozen_conv(), features(8, 5), []
    kernel = FrozenConvRelu.apply
    monkeypatch.setattr("brushnet.lossnet.frozen.DEVICE", "cpu")
    monkeypatch.setattr(FrozenConvRelu, "apply", lambda *args: called.append("kernel") or kernel(*args))
    wanted = conv_relu(conv, feats)
    conv.register_forward_hook(lambda *args: called.append("hook"))
    torch.testing.assert_close(conv_relu(conv, feats), wanted)
    assert called == ["kernel", "hook"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("bf16", [False, True])
def test_a_gpu_computes_what_a_cpu_does(bf16):
    conv, feats = frozen_conv(torch.float32), features(16, 24, torch.float32)
    here, there = feats.clone().requires_grad_(), feats.cuda().requires_grad_()
    wanted = conv_relu(conv, here)
    with torch.autocast("cuda", dtype=torch.bfloat16, enabled=bf16):
        found = conv_relu(copy.deepcopy(conv).cuda(), there)
    for each in (wanted, found):
        each.float().square().sum().backward()
    close = {"rtol": 0.05, "atol": 0.1} if bf16 else {"rtol": 1e-2, "atol": 1e-2}  # TF32 in convolutions
    torch.testing.assert_close(found.float().cpu(), wanted, **close)
    torch.testing.assert_close(there.grad.cpu(), here.grad, **close)
