"""A model so small that painting a photo takes as long as reading it."""

from pathlib import Path

import pytest
import torch

from brushnet import models, seeds
from brushnet.models import ModelMeta
from brushnet.nets import ResidualTransformer


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    with seeds.torch_seeded(1, "soak model"):
        net = ResidualTransformer(width=4, blocks=1, stroke_embedding=8).eval()
        torch.nn.init.normal_(net.condition.affine.weight, std=0.3)
    meta = ModelMeta.of(net, stroke_mode="conditioned", stroke_min=0.5, stroke_max=2.0, reference_px=256,
                        style_names=["painting"])  # fmt: skip
    models.save(tmp_path / "model.safetensors", net, meta)
    return tmp_path / "model.safetensors"
