"""The network in bands of rows beside the network on a whole picture."""

import gc

import pytest
import torch
from torch.nn import functional as F

from brushnet.inference.large.passes import BandPasses, CountingPasses
from brushnet.inference.large.spills import Spills
from brushnet.nets import ResidualTransformer
from brushnet.nets.by_rows import paint_rows
from brushnet.nets.rows import Held
from brushnet.stroke_map import fit_map

SCALES = [0.35, 0.7, 1.0, 2.0, 2.8]
MIXTURE = torch.tensor([[0.3, 0.0, 0.7]])
NETS = {"scaled": {}, "plain": {"trunk": "plain"}, "patch": {"ends": "patch", "trunk_px": 6.0},
        "plain patch": {"ends": "patch", "trunk": "plain", "trunk_px": 6.0}}  # fmt: skip


def make_net(kind: str = "scaled", *, blocks: int = 2) -> ResidualTransformer:
    torch.manual_seed(0)
    net = ResidualTransformer(width=4, blocks=blocks, stroke_embedding=8, styles=3, **NETS[kind]).eval()
    torch.nn.init.normal_(net.condition.affine.weight, std=0.3)
    return net.requires_grad_(False)


def photo(height: int, width: int) -> torch.Tensor:
    noise = torch.rand(1, 3, height // 6 + 2, width // 6 + 2, generator=torch.Generator().manual_seed(3))
    return F.interpolate(noise, (height, width), mode="bicubic").clamp(0, 1)


def octaves(scale: float) -> torch.Tensor:
    return torch.full((1, 1, 1, 1), scale).log2()


def ramp(height: int, width: int, *, low: float = -1.5, high: float = 1.5) -> torch.Tensor:
    return fit_map(torch.linspace(low, high, 40).view(1, 1, 1, 40).expand(1, 1, 30, 40), (height, width))


def painted(net, picture, log2_stroke, tmp_path, *, band_bytes=1e5, memory_bytes=0, styles=MIXTURE):
    spills = Spills(memory_bytes=memory_bytes, folder=tmp_path, device=torch.device("cpu"))
    passes = BandPasses(spills, band_bytes=band_bytes)
    rows = paint_rows(net, Held(picture), log2_stroke, styles, passes)
    bands = [band for _, band in passes.bands(rows)]
    assert len(bands) > 1 or band_bytes > 1e6
    return torch.cat(bands, dim=2)


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("size", [(150, 97), (61, 130), (40, 23)])
def test_in_bands_it_is_the_same_painting(kind, scale, size, tmp_path):
    net, picture = make_net(kind), photo(*size)
    whole = net(picture, octaves(scale), MIXTURE)
    in_files = painted(net, picture, octaves(scale), tmp_path)
    torch.testing.assert_close(in_files, whole, atol=1e-4, rtol=0)
    in_memory = painted(net, picture, octaves(scale), tmp_path, memory_bytes=10**9)
    assert torch.equal(in_memory, in_files)


@pytest.mark.parametrize("size", [(2, 2), (7, 5), (3, 200), (200, 3), (19, 20), (21, 40)])
@pytest.mark.parametrize("scale", [0.5, 2.0])
@pytest.mark.parametrize("kind", ["scaled", "patch"])
def test_pictures_smaller_than_what_the_network_sees(kind, size, scale, tmp_path):
    net, picture = make_net(kind), photo(*size)
    made = painted(net, picture, octaves(scale), tmp_path, band_bytes=1e9)
    torch.testing.assert_close(made, net(picture, octaves(scale), MIXTURE), atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("ends", [(-1.5, 1.5), (-0.2, 0.1), (0.3, 0.3)])
def test_stroke_maps(kind, ends, tmp_path):
    net, picture = make_net(kind), photo(120, 170)
    strokes = ramp(120, 170, low=ends[0], high=ends[1])
    made = painted(net, picture, strokes, tmp_path, band_bytes=1e6)
    torch.testing.assert_close(made, net(picture, strokes, MIXTURE), atol=1e-4, rtol=0)


def test_bands_leave_no_seam(tmp_path):
    """Steps from row to row are as large at the borders of bands as elsewhere."""
    net, picture = make_net(), photo(400, 300)
    spills = Spills(memory_bytes=0, folder=tmp_path, device=torch.device("cpu"))
    passes = BandPasses(spills, band_bytes=3e5)
    bands = list(passes.bands(paint_rows(net, Held(picture), octaves(1.0), MIXTURE, passes)))
    borders = [top for top, _ in bands][1:]
    made, whole = torch.cat([band for _, band in bands], dim=2), net(picture, octaves(1.0), MIXTURE)
    assert len(borders) > 10
    steps, expected = ((each[0, :, 1:] - each[0, :, :-1]).abs().mean(dim=(0, 2)) for each in (made, whole))
    at_borders = [border - 1 for border in borders]
    assert float(steps[at_borders].mean() / expected[at_borders].mean()) == pytest.approx(1, abs=1e-3)


def test_it_is_counted_beforehand_what_is_done_and_put_away(tmp_path):
    net, picture, done = make_net(), photo(90, 80), []
    counted = CountingPasses()
    counted.count(paint_rows(net, Held(picture), octaves(0.7), MIXTURE, counted))
    spills = Spills(memory_bytes=10**9, folder=tmp_path, device=torch.device("cpu"))
    passes = BandPasses(spills, band_bytes=2e5, advance=done.append)
    rows = paint_rows(net, Held(picture), octaves(0.7), MIXTURE, passes)
    assert all(band.isfinite().all() for _, band in passes.bands(rows))
    assert sum(done) == pytest.approx(counted.work)
    del rows
    gc.collect()
    assert spills.memory_bytes == 10**9, "what was put away is gone with the rows"
    assert counted.spilled == 0 < counted.most_spilled < 4 * 64 * 90 * 80


def test_spills_take_two_places_for_a_trunk_of_any_depth():
    counts = []
    for blocks in (2, 6):
        counted = CountingPasses()
        paint_rows(make_net(blocks=blocks), Held(photo(90, 80)), octaves(1.0), MIXTURE, counted)
        counts.append(counted.most_spilled)
    assert counts[0] == counts[1] == 3 * 16 * (92 // 4) * (80 // 4)
