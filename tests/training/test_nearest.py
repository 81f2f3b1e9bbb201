import pytest
import torch

from brushnet.losses import LossSpec, target_of
from brushnet.nets import ResidualTransformer
from brushnet.strokes import StrokeRange
from brushnet.training.nearest import start_at_nearest
from brushnet.training.targets import picture_statistics

SPEC = LossSpec(
    style_layers={"relu1_1": 1.0, "relu2_1": 1.0},
    content_layers={"relu2_1": 1.0},
    style_weight=1.0,
    content_weight=1.0,
    mean_weight=0.3,
    tv_weight=0.0,
    pyramid_levels=1,
    content_level=0,
)


class BankOf:
    """Targets that are the very pictures which paintings at hand give: new painting p is `like[p]`."""

    def __init__(self, net, lossnet, photo, like):
        self.net, self.lossnet, self.photo, self.like = net, lossnet, photo, like

    def target(self, log2_stroke_B, style_B):
        weights = torch.eye(self.net.styles)[self.like[int(style_B[0])]][None]
        painting = self.net(self.photo, log2_stroke_B.view(-1, 1, 1, 1), weights)
        found = picture_statistics(painting, self.lossnet, SPEC)
        return {key: target_of(statistics) for key, statistics in found.items()}


@pytest.mark.parametrize("like", [[2, 0], [1, 1]])
def test_each_added_painting_starts_as_the_one_that_paints_most_like_it(tiny_lossnet, like):
    torch.manual_seed(0)
    net = ResidualTransformer(width=4, blocks=1, stroke_embedding=8, styles=3)
    torch.nn.init.normal_(net.condition.affine.weight, std=0.3)
    net.add_paintings(2)
    other = ResidualTransformer(width=4, blocks=1, stroke_embedding=8, styles=5)
    other.load_state_dict(net.state_dict())
    before = [parameter.clone() for parameter in net.condition.of_paintings()]
    photo = torch.rand(2, 3, 24, 24)
    start_at_nearest(
        [net, other],
        BankOf(net, tiny_lossnet, photo, like),
        photo,
        added=2,
        stroke=StrokeRange(0.5, 2),
        scales=[0.5, 1.0],
        lossnet=tiny_lossnet,
        spec=SPEC,
    )
    for each in (net, other):
        for old, new in zip(before, each.condition.of_paintings(), strict=True):
            assert torch.equal(new[:3], old[:3])
            assert torch.equal(new[3], old[like[0]])
            assert torch.equal(new[4], old[like[1]])
