"""What `brushnet bench` trains: the objects of `brushnet train`, built from one configuration."""

from collections.abc import Sequence

from brushnet import build
from brushnet.config import Config
from brushnet.config.overrides import keys
from brushnet.data.module import PhotoData
from brushnet.training.module import StyleTraining


def training_of(cfg: Config, *, overrides: Sequence[str] = ()) -> tuple[StyleTraining, PhotoData]:
    """The module and its photos, which are set up. UserError says what is wrong with the files.

    `overrides` are what was chosen, and may not contradict a model to fork.
    """
    origin = build.build_origin(cfg, resume_from=None, given=keys(overrides))
    stroke = build.build_stroke(cfg)
    paintings = build.build_paintings(cfg, stroke)
    lossnet = build.build_lossnet(cfg)
    data = build.build_data(cfg, allow_pipe=False)
    data.setup("fit")
    module = build.build_module(cfg, lossnet=lossnet, paintings=paintings, stroke=stroke, command=None, origin=origin)
    return module, data
