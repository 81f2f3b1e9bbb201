"""What `brushnet bench` trains: the objects of `brushnet train`, built from one configuration."""

from brushnet import build
from brushnet.config import Config
from brushnet.data.module import PhotoData
from brushnet.training.module import StyleTraining


def training_of(cfg: Config) -> tuple[StyleTraining, PhotoData]:
    """The module and its photos, which are set up. UserError says what is wrong with the files."""
    stroke = build.build_stroke(cfg)
    paintings = build.build_paintings(cfg, stroke)
    lossnet = build.build_lossnet(cfg)
    data = build.build_data(cfg, allow_pipe=False)
    data.setup("fit")
    module = build.build_module(cfg, lossnet=lossnet, paintings=paintings, stroke=stroke, command=None)
    return module, data
