"""A loss network that needs no training: fixed random orthogonal filters (Ustyuzhaninov et al. 2016, section 3).

Random shallow filters tell textures apart surprisingly well once every channel and every frequency has the same say.
So here, layer by layer: the filters are at right angles in the whitened space of what noise and photos bring (plain
random filters see little but the low frequencies that photos are made of, and then bristles do not count), and each
channel is standardised, so that its ReLU passes about half.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from brushnet import seeds

# VGG-19's first stages, narrower. Two stages of two and one of four convolutions: relu1_1 ... relu3_4.
STAGES = ((32, 32), (48, 48), (64, 64, 64, 64))
SEED = 1
NOISE_PX = 96
WHITENING_FLOOR = 1e-2  # of the mean variance: directions in which nothing varies are not blown up


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
            weight, bias = _standardised(_whitened(_orthogonal(width, feats[0].shape[1], index), feats), feats)
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


def _whitened(weight: Tensor, feats: list[Tensor]) -> Tensor:
    """The filters turned so that they respond alike to every direction that patches of noise and photos vary in."""
    second = torch.stack([_patch_covariance(part) for part in feats]).mean(dim=0)
    values, vectors = torch.linalg.eigh(second)
    gains = (values.clamp_min(0) + WHITENING_FLOOR * values.mean()).rsqrt()
    return (weight.flatten(1).double() @ (vectors * gains) @ vectors.T).view_as(weight).float().contiguous()


def _patch_covariance(feats: Tensor) -> Tensor:
    """Covariance of the 3 x 3 patches of features (B, C, H, W). Returns (9 C, 9 C), float64."""
    patches = F.unfold(feats.double(), 3).transpose(0, 1).flatten(1)
    return torch.cov(patches)


def _standardised(weight: Tensor, feats: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Scales and shifts each filter to mean 0 and variance 1 over noise and photos in equal parts."""
    responses = [_conv(part, weight, None) for part in feats]
    mean = torch.stack([part.mean(dim=(0, 2, 3)) for part in responses]).mean(dim=0)
    square = torch.stack([(part**2).mean(dim=(0, 2, 3)) for part in responses]).mean(dim=0)
    std = (square - mean**2).clamp_min(1e-8).sqrt()
    return weight / std.view(-1, 1, 1, 1), -mean / std


def _conv(feats: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return F.conv2d(F.pad(feats, (1, 1, 1, 1), mode="reflect"), weight, bias)
