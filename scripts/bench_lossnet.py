"""How much faster a loss network is than a VGG, in one run on this machine: medians after warm-up.

    python scripts/bench_lossnet.py VGG_WEIGHTS [--other compact]

Times the forward and backward pass to the style layers, as the loss runs it, and the whole training step.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch.optim.swa_utils import AveragedModel

from brushnet import build, seeds
from brushnet.config import Config, compose
from brushnet.errors import BrushnetError, UserError
from brushnet.lossnet import LossNetwork
from brushnet.strokes import StrokeRange
from brushnet.training.averaging import ramped_average
from brushnet.training.objective import loss_terms
from brushnet.training.targets import StyleBank

WARM_UP, REPEATS = 4, 20


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("vgg", help="weight file, as lossnet.weights")
    parser.add_argument("--other", default="compact", help="what is compared with it (default compact)")
    arguments = parser.parse_args(argv)
    try:
        if arguments.other == arguments.vgg:
            raise UserError(f"--other must be another network than {arguments.vgg}")
        networks = {name: lossnet(name) for name in (arguments.vgg, arguments.other)}
        report("loss network, forward and backward", {name: passes(net) for name, net in networks.items()})
        report("whole training step", {name: steps(net) for name, net in networks.items()})
    except BrushnetError as error:
        print(f"bench_lossnet: error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def lossnet(weights: str) -> LossNetwork:
    cfg = Config()
    cfg.lossnet.weights = weights
    return build.build_lossnet(cfg).to("cpu", memory_format=torch.channels_last)


def passes(net: LossNetwork) -> Callable[[], None]:
    cfg = Config()
    layers = list(build.build_spec(cfg).style_layers)
    px = cfg.trainer.crop_px
    picture = noise(cfg.trainer.batch_size, px)

    def once() -> None:
        feats = net.features(picture.requires_grad_(), layers)
        torch.autograd.grad(sum(layer.square().sum() for layer in feats.values()), picture)

    return once


def noise(batch: int, px: int) -> torch.Tensor:
    pixels = seeds.rng(0, "bench").random((batch, 3, px, px), dtype="float32")
    return torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last)


def steps(net: LossNetwork) -> Callable[[], None]:
    """The default network and losses, clipping, Adam and averaging; photos at hand, since loading overlaps with it."""
    cfg = compose([])
    spec = build.build_spec(cfg)
    stroke = StrokeRange(cfg.stroke.min, cfg.stroke.max, cfg.stroke.mode)
    bank = StyleBank(build.build_paintings(cfg, stroke), net, spec, StrokeRange(0.5, 1.0), step_octaves=1)
    network = build.build_net(cfg).to(memory_format=torch.channels_last)
    averaged = AveragedModel(network, multi_avg_fn=ramped_average(cfg.trainer.ema_decay))
    optimizer = torch.optim.Adam(network.parameters())
    batch, px = cfg.trainer.batch_size, cfg.trainer.crop_px
    photo = noise(batch, px)
    octaves, style = torch.full((batch,), -0.5), torch.zeros(batch, dtype=torch.long)

    def once() -> None:
        painting = network(photo, octaves.view(-1, 1, 1, 1), torch.ones(batch, 1))
        terms = loss_terms(painting, photo, bank.target(octaves, style), lossnet=net, spec=spec)
        optimizer.zero_grad()
        torch.stack([term.mean() for term in terms.values()]).sum().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), cfg.trainer.gradient_clip)
        optimizer.step()
        averaged.update_parameters(network)

    return once


def report(title: str, runs: dict[str, Callable[[], None]]) -> None:
    """Turn and turn about, so that whatever else the machine does hits both."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(WARM_UP + REPEATS):
        for name, once in runs.items():
            started = time.perf_counter()
            once()
            if turn >= WARM_UP:
                found[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(values) for name, values in found.items()}
    slow, fast = medians.values()
    each = ", ".join(f"{name} {1000 * value:.1f} ms" for name, value in medians.items())
    print(f"{title}: {each}, {slow / fast:.2f} times faster ({torch.get_num_threads()} threads)")


if __name__ == "__main__":
    sys.exit(main())
