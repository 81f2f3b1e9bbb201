import pytest
import torch

from brushnet.nets import ResidualTransformer
from brushnet.nets.norm import Carried, conditional_instance_norm, feature_moments
from brushnet.nets.transformer import _as_slice, brushes
from brushnet.stroke_map import fit_map

ONE_STYLE = torch.ones(1, 1)


def octaves(value: float) -> torch.Tensor:
    return torch.full((1, 1, 1, 1), value)


def small_net(trunk: str) -> ResidualTransformer:
    """A small network whose norm layers respond clearly to the condition."""
    torch.manual_seed(0)
    net = ResidualTransformer(width=4, blocks=2, stroke_embedding=8, trunk=trunk).eval()
    torch.nn.init.normal_(net.condition.affine.weight, std=0.3)
    return net


@pytest.fixture(params=["scaled", "plain"])
def net(request) -> ResidualTransformer:
    return small_net(request.param)


@pytest.fixture
def scaled() -> ResidualTransformer:
    return small_net("scaled")


@pytest.fixture
def plain() -> ResidualTransformer:
    return small_net("plain")


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (3, 20), (17, 19), (31, 45), (64, 64), (65, 130)])
def test_output_has_the_size_of_the_photo_and_is_a_picture(net, size):
    with torch.no_grad():
        painting = net(torch.rand(2, 3, *size), octaves(0.5), ONE_STYLE)
    assert painting.shape == (2, 3, *size)
    assert painting.min() >= 0
    assert painting.max() <= 1


@torch.no_grad()
def test_stroke_changes_the_painting(net):
    photo = torch.rand(1, 3, 40, 40)
    change = (net(photo, octaves(-1), ONE_STYLE) - net(photo, octaves(1), ONE_STYLE)).abs().mean()
    assert change > 0.01


@torch.no_grad()
def test_a_constant_map_is_the_same_as_one_number(net):
    photo = torch.rand(1, 3, 40, 48)
    one = net(photo, octaves(0.7), ONE_STYLE)
    mapped = net(photo, torch.full((1, 1, 5, 6), 0.7), ONE_STYLE)
    torch.testing.assert_close(one, mapped, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_map_acts_where_it_says(plain):
    net = plain  # with as many norm layers, and so moments, for a map as for a number
    photo = torch.rand(1, 3, 64, 256)
    moments = net.norm_moments(photo, octaves(-1), ONE_STYLE)  # held fixed: statistics would carry a change everywhere
    two_levels = torch.full((1, 1, 4, 16), -1.0)
    two_levels[..., 8:] = 1.0
    uniform = net(photo, octaves(-1), ONE_STYLE, moments=moments)
    mapped = net(photo, two_levels, ONE_STYLE, moments=moments)
    change = (uniform - mapped).abs().mean(dim=(0, 1, 2))
    assert change[:64].max() < 1e-6
    assert change[192:].mean() > 0.01


@torch.no_grad()
def test_the_trunk_paints_a_two_level_map_with_two_brushes_each_in_its_place(scaled):
    two_levels = torch.full((1, 1, 4, 16), -1.0)
    two_levels[..., 8:] = 1.0
    found = list(brushes(two_levels, batch=1))
    assert [brush.octaves for brush in found] == [-1, 1]  # in between the map has no point
    torch.testing.assert_close(found[0].share + found[1].share, torch.ones(1, 1, 4, 16))
    photo = torch.rand(1, 3, 64, 256)
    moments = scaled.norm_moments(photo, two_levels, ONE_STYLE)
    again = scaled(photo, two_levels, ONE_STYLE, moments=moments)
    torch.testing.assert_close(again, scaled(photo, two_levels, ONE_STYLE))
    one_level = scaled(photo, octaves(-1), ONE_STYLE)
    change = (again - one_level).abs().mean(dim=(0, 1, 2))
    assert change[192:].mean() > change[:64].mean()


def test_shares_of_the_brushes_of_a_map_sum_to_one():
    ramp = torch.linspace(-1.4, 1.3, 40).view(1, 1, 1, 40).expand(1, 1, 8, 40)
    found = list(brushes(ramp, batch=3))
    steps = torch.tensor([brush.octaves for brush in found]).diff()
    assert steps.max() <= 0.5 + 1e-6
    assert all(brush.samples == [0, 1, 2] for brush in found)
    torch.testing.assert_close(sum(brush.share for brush in found), torch.ones(1, 1, 8, 40))
    meant = sum(brush.share * brush.octaves for brush in found)
    torch.testing.assert_close(meant, ramp, atol=1e-5, rtol=0)


def test_a_map_of_one_scale_is_one_brush_after_smoothing_too():
    smoothed = fit_map(torch.full((1, 1, 50, 60), 0.7), (500, 600))
    assert smoothed.min() < smoothed.max()
    (brush,) = brushes(smoothed, batch=1)
    assert (brush.octaves, brush.share) == (pytest.approx(0.7), None)


def test_samples_of_one_scale_share_a_brush():
    found = list(brushes(torch.tensor([0.5, -1.0, 0.5]).view(3, 1, 1, 1), batch=3))
    assert [(brush.octaves, brush.samples, brush.share) for brush in found] == [(0.5, [0, 2], None), (-1.0, [1], None)]


@torch.no_grad()
def test_a_batch_of_different_scales_is_painted_as_each_alone(net):
    photos = torch.rand(3, 3, 40, 48)
    scales = torch.tensor([-1.2, 0.4, 1.3]).view(3, 1, 1, 1)
    together = net(photos, scales, ONE_STYLE)
    alone = [net(photo[None], scale[None], ONE_STYLE) for photo, scale in zip(photos, scales, strict=True)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_to_the_scaled_trunk_an_enlarged_picture_and_stroke_are_the_same(scaled):
    """What reaches the blocks has one size, whatever the scale, if the photo is as much larger."""
    sizes = []
    scaled.residual[0].register_forward_hook(lambda module, given, out: sizes.append(tuple(out.shape[-2:])))
    for scale in (0.5, 1, 2):
        scaled(torch.rand(1, 3, int(96 * scale), int(160 * scale)), octaves(torch.tensor(scale).log2()), ONE_STYLE)
    assert set(sizes) == {(24, 40)}


def test_both_trunks_learn(net):
    """Every parameter has a gradient, also through samples of different scales in one batch."""
    net.train()(
        torch.rand(2, 3, 32, 32), torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1), ONE_STYLE
    ).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in net.parameters())


@torch.no_grad()
def test_its_own_moments_from_outside_change_nothing(net):
    photo = torch.rand(1, 3, 40, 48)
    moments = net.norm_moments(photo, octaves(0.3), ONE_STYLE)
    given = net(photo, octaves(0.3), ONE_STYLE, moments=moments)
    torch.testing.assert_close(given, net(photo, octaves(0.3), ONE_STYLE))


@torch.no_grad()
def test_a_tile_with_the_moments_of_the_whole_is_a_part_of_the_whole(net):
    photo = torch.rand(1, 3, 64, 256)  # at s = 1: the trunk's grid of a tile is a part of the whole's
    moments = net.norm_moments(photo, octaves(0), ONE_STYLE)
    whole = net(photo, octaves(0), ONE_STYLE, moments=moments)
    tile = net(photo[..., :192], octaves(0), ONE_STYLE, moments=moments)
    torch.testing.assert_close(tile[..., :128], whole[..., :128], atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_moments_carried_on_with_its_own_alone_change_nothing(net):
    frames = torch.rand(2, 3, 40, 48)
    before = net.norm_moments(torch.rand(1, 3, 40, 48), octaves(0.3), ONE_STYLE)
    own = torch.tensor([[0.0, 1, 0], [0, 0, 1]])
    carried = net(frames, octaves(0.3), ONE_STYLE, moments=[Carried(each, own) for each in before])
    torch.testing.assert_close(carried, net(frames, octaves(0.3), ONE_STYLE))


@torch.no_grad()
@pytest.mark.parametrize("map_", [False, True])
def test_moments_of_frames_in_one_batch_are_carried_on_as_of_frames_one_by_one(net, map_):
    log2_stroke = torch.linspace(-1, 1, 48).reshape(1, 1, 6, 8) if map_ else octaves(0.3)
    frames = torch.rand(3, 3, 48, 64) * torch.tensor([1.0, 0.5, 0.2]).view(3, 1, 1, 1)
    start, before = net.paint_with_moments(frames[:1], log2_stroke, ONE_STYLE)
    one_by_one, moments = [start], before
    for frame in frames[1:].split(1):
        known = [Carried(each, torch.tensor([[0.75, 0.25]])) for each in moments]
        painted, moments = net.paint_with_moments(frame, log2_stroke, ONE_STYLE, moments=known)
        one_by_one.append(painted)
    shares = torch.tensor([[0.75, 0.25, 0], [0.5625, 0.1875, 0.25]])
    batch = net(frames[1:], log2_stroke, ONE_STYLE, moments=[Carried(each, shares) for each in before])
    torch.testing.assert_close(batch, torch.cat(one_by_one[1:]))
    assert (batch - net(frames[1:], log2_stroke, ONE_STYLE)).abs().max() > 0.01


@torch.no_grad()
def test_style_weights_choose_and_mix():
    torch.manual_seed(0)
    net = ResidualTransformer(width=4, blocks=1, stroke_embedding=8, styles=2).eval()
    torch.nn.init.normal_(net.condition.affine.weight, std=0.3)
    photo = torch.rand(1, 3, 24, 24)
    paintings = [net(photo, octaves(0), torch.tensor([weights])) for weights in ([1.0, 0.0], [0.0, 1.0], [0.5, 0.5])]
    assert (paintings[0] - paintings[1]).abs().mean() > 1e-3
    assert (paintings[0] - paintings[2]).abs().mean() > 1e-4


def test_norm_layer_normalises_and_applies_scale_and_shift():
    feats = 3 + 2 * torch.randn(2, 5, 16, 16)
    scale, shift = torch.full((1, 5, 1, 1), 0.5), torch.full((1, 5, 1, 1), -1.0)
    mean, var = feature_moments(conditional_instance_norm(feats, (scale, shift)))
    torch.testing.assert_close(mean, torch.full_like(mean, -1), atol=1e-4, rtol=0)
    torch.testing.assert_close(var, torch.full_like(var, 0.25), atol=1e-3, rtol=0)


@pytest.mark.parametrize("octaves", [-1.5, 0.0, 0.4, 1.5])
def test_a_photo_of_one_colour_is_painted_in_one_colour_whatever_it_is(octaves):
    """Not as the noise that 17 norm layers make of rounding."""
    torch.manual_seed(0)
    net = ResidualTransformer(width=8).eval()
    photos = torch.tensor([0.0, 0.3, 1.0]).view(3, 1, 1, 1).expand(3, 3, 45, 70)
    paintings = net(photos, torch.full((1, 1, 1, 1), octaves), torch.ones(1, 1))
    torch.testing.assert_close(paintings, paintings[:1, :, :1, :1].expand_as(paintings))


def test_parameter_counts_are_those_of_the_paper_and_half_of_it():
    def convolutions(width: int) -> int:
        net = ResidualTransformer(width=width, trunk="plain")
        return sum(p.numel() for name, p in net.named_parameters() if not name.startswith("condition"))

    assert convolutions(32) == pytest.approx(1.68e6, rel=0.01)
    total = sum(parameter.numel() for parameter in ResidualTransformer(width=16).parameters())
    assert total < 1e6
    assert total * 4 < 2.6e6  # bytes of model.safetensors


@pytest.mark.parametrize("ends", ["full", "patch"])
def test_parameters_keep_their_order(ends):
    """A checkpoint holds Adam's state by number."""
    names = [name.partition(".")[0] for name, _ in ResidualTransformer(width=4, blocks=1, ends=ends).named_parameters()]
    assert list(dict.fromkeys(names)) == ["down", "residual", "sharpen", "up", "last", "condition"]


@pytest.mark.parametrize(
    ("samples", "chosen"), [([1, 2, 3], slice(1, 4)), ([2], slice(2, 3)), ([0, 2], [0, 2]), ([2, 1], [2, 1])]
)
def test_neighbours_are_chosen_without_sending_a_list_to_a_gpu(samples, chosen):
    assert _as_slice(samples) == chosen
