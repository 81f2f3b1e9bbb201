"""A loss network that needs no training: fixed random orthogonal filters (Ustyuzhaninov et al. 2016, section 3).

Random shallow filters tell textures apart surprisingly well once every channel has the same say. Here each channel is
standardised on noise and photos, layer by layer, so that its ReLU passes about half of what natural pictures bring.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from brushnet import seeds

# VGG-19's first stages, narrower. Two stages of two and one of four convolutions: relu1_1 ... relu3_4.
STAGES = ((32, 32), (48, 48), (64, 64, 64, 64))
SEED = 1
NOISE_PX = 96


def random_state(photos_B3HW: Tensor | None = None) -> dict[str, Tensor]:
    """State dict in torchvision's VGG key layout, the same for the same photos (in [0, 1])."""
    state: dict[str, Tensor] = {}
    pictures = [_noise()] if photos_B3HW is None else [_noise(), photos_B3HW]
    feats = [(picture - 0.45) / 0.225 for picture in pictures]
    index = 0
    for stage, widths in enumerate(STAGES):
        if stage:
            feats = [F.avg_pool2d(part, 2) for part in feats]
            index += 1
        for width in widths:
            weight, bias = _standardised(_orthogonal(width, feats[0].shape[1], index), feats)
            state[f"features.{index}.weight"], state[f"features.{index}.bias"] = weight, bias
            feats = [F.relu(_conv(part, weight, bias)) for part in feats]
            index += 2
    return state


def _noise() -> Tensor:
    """White noise and noise smoothed to the 1/f spectrum of photos, (4, 3, 96, 96) in [0, 1]."""
    draws = seeds.rng(SEED, "lossnet/noise").standard_normal((4, 3, NOISE_PX, NOISE_PX))
    noise = torch.from_numpy(draws).float()
    freqs = torch.fft.fftfreq(NOISE_PX).abs()
    radius = (freqs[:, None] ** 2 + freqs[None] ** 2).sqrt().clamp_min(1 / NOISE_PX)
    natural = torch.fft.ifft2(torch.fft.fft2(noise[2:]) / radius).real
    natural = natural / natural.std(dim=(2, 3), keepdim=True)
    return (0.45 + 0.225 * torch.cat([noise[:2], natural])).clamp(0, 1)


def _orthogonal(outputs: int, inputs: int, index: int) -> Tensor:
    """Rows (or, where there are more filters than taps, columns) at right angles, (outputs, inputs, 3, 3)."""
    weight = torch.empty(outputs, inputs * 9)
    with seeds.torch_seeded(SEED, f"lossnet/filters/{index}"):
        torch.nn.init.orthogonal_(weight)
    return weight.view(outputs, inputs, 3, 3)


def _standardised(weight: Tensor, feats: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Scales and shifts each filter to mean 0 and variance 1 over noise and photos in equal parts."""
    responses = [_conv(part, weight, None) for part in feats]
    mean = torch.stack([part.mean(dim=(0, 2, 3)) for part in responses]).mean(dim=0)
    square = torch.stack([(part**2).mean(dim=(0, 2, 3)) for part in responses]).mean(dim=0)
    std = (square - mean**2).clamp_min(1e-8).sqrt()
    return weight / std.view(-1, 1, 1, 1), -mean / std


def _conv(feats: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return F.conv2d(F.pad(feats, (1, 1, 1, 1), mode="reflect"), weight, bias)
