"""Two matrix products resize as torch does."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from brushnet.export.resizing import resize


@pytest.mark.parametrize("size", [(7, 9), (64, 5), (13, 90), (26, 35), (1, 1), (200, 150)])
def test_resizing_is_torchs_antialiased_one(evaluate, size):
    feats = torch.rand(2, 3, 26, 35, generator=torch.Generator().manual_seed(0))
    expected = F.interpolate(feats, size, mode="bilinear", antialias=True, align_corners=False)
    got = evaluate(resize, feats.numpy(), np.int64(size))
    np.testing.assert_allclose(got, expected.numpy(), atol=2e-6)


def test_a_picture_of_one_size_comes_back_to_the_bit(evaluate):
    feats = np.random.default_rng(0).random((1, 2, 31, 17), np.float32)
    assert np.array_equal(evaluate(resize, feats, np.int64([31, 17])), feats)
