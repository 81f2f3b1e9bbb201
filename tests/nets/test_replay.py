"""replay.py: what is painted again at the same size and stroke is recorded; every photo gets its own painting."""

import copy

import pytest
import torch

import brushnet
from brushnet.nets import Replays, ResidualTransformer

ONE_STYLE = torch.ones(1, 1)
NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def octaves(*values):
    return torch.tensor(values).view(-1, 1, 1, 1)


def photo(seed, height=32, width=40, batch=1):
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def net():
    torch.manual_seed(0)
    net = ResidualTransformer(width=4, blocks=1, stroke_embedding=8, ends="patch").eval().requires_grad_(False)
    torch.nn.init.normal_(net.condition.affine.weight, std=0.3)
    return net


class OneMemory:
    """As a recording: the first photo's memory is that of all, and so is the first painting's."""

    made = 0

    def __init__(self, compute, photo_B3HW):
        type(self).made += 1
        self.compute, self.photo = compute, photo_B3HW.clone()

    def __call__(self, photo_B3HW):
        return self.compute(self.photo.copy_(photo_B3HW))


@pytest.fixture
def recordings(monkeypatch):
    monkeypatch.setattr(OneMemory, "made", 0)
    return OneMemory


def test_a_second_painting_of_a_size_is_recorded_and_later_ones_are_replayed(net, recordings):
    replays = Replays(net, record=recordings)
    for call, made in enumerate([0, 1, 1, 1]):
        torch.testing.assert_close(
            replays(photo(call), octaves(0.5), ONE_STYLE), net(photo(call), octaves(0.5), ONE_STYLE)
        )
        assert recordings.made == made


@pytest.mark.parametrize(
    "other",
    [
        lambda replays: replays(photo(9, height=64), octaves(0.5), ONE_STYLE),
        lambda replays: replays(photo(9, batch=2), octaves(0.5), ONE_STYLE),
        lambda replays: replays(photo(9), octaves(0.25), ONE_STYLE),
        lambda replays: _in_bf16(replays),
    ],
    ids=["size", "batch", "stroke", "arithmetic"],
)
def test_what_is_recorded_of_one_painting_is_not_replayed_for_another(net, recordings, other):
    replays = Replays(net, record=recordings)
    for call in range(3):
        replays(photo(call), octaves(0.5), ONE_STYLE)
    torch.testing.assert_close(other(replays), other(net))
    assert recordings.made == 1


def _in_bf16(paint):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return paint(photo(9), octaves(0.5), ONE_STYLE)


@pytest.mark.parametrize("scales", [octaves(0.0, 1.0), torch.linspace(-1, 1, 16).view(1, 1, 4, 4).expand(2, 1, 4, 4)])
def test_a_map_or_a_batch_of_scales_is_never_recorded(net, recordings, scales):
    replays = Replays(net, record=recordings)
    for _ in range(3):
        torch.testing.assert_close(
            replays(photo(0, batch=2), scales, ONE_STYLE), net(photo(0, batch=2), scales, ONE_STYLE)
        )
    assert recordings.made == 0


def test_few_recordings_are_kept_the_last_ones(net, recordings):
    replays = Replays(net, record=recordings)
    for scale in (0.0, 0.1, 0.2, 0.3, 0.4, 0.0):  # the first is gone when it comes again
        for call in range(2):
            replays(photo(call), octaves(scale), ONE_STYLE)
    assert recordings.made == 6
    assert len(replays.seen) == 4
    replays(photo(7), octaves(0.4), ONE_STYLE)
    assert recordings.made == 6


def test_a_copy_of_a_model_that_replays_begins_anew(net, recordings):
    replays = Replays(net, record=recordings)
    for call in range(2):
        replays(photo(call), octaves(0.5), ONE_STYLE)
    copied = copy.deepcopy(replays)
    assert (len(replays.seen), len(copied.seen)) == (1, 0)
    assert copied.net is not net
    torch.testing.assert_close(copied(photo(0), octaves(0.5), ONE_STYLE), net(photo(0), octaves(0.5), ONE_STYLE))


def test_what_cannot_be_recorded_is_painted_as_ever(net, caplog):
    def no_memory(compute, photo):
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB")

    replays = Replays(net, record=no_memory)
    for call in range(4):
        torch.testing.assert_close(
            replays(photo(call), octaves(0.5), ONE_STYLE), net(photo(call), octaves(0.5), ONE_STYLE)
        )
    said = "painting cannot be recorded here, going on without: OutOfMemoryError: CUDA out of memory. Tried to allocate"
    assert caplog.text.count(said) == 1


@NEEDS_GPU
@pytest.mark.parametrize("bf16", [False, True])
def test_a_gpu_replays_what_it_paints_otherwise(bf16):
    plain, fast = brushnet.load("starry-night", device="cuda"), brushnet.load("starry-night", device="cuda")
    fast.replays = Replays(fast.net)
    with torch.autocast("cuda", dtype=torch.bfloat16, enabled=bf16):
        for stroke in (1.0, 0.5, 1.0, 2.0):
            for call in range(4):
                each = photo(call, height=120, width=168)
                torch.testing.assert_close(fast(each, stroke), plain(each, stroke), rtol=0, atol=0.02 if bf16 else 1e-4)
    assert sum(known is not None for known in fast.replays.seen.values()) == 3
