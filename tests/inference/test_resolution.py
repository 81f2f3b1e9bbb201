"""Strokes relative to the picture's side: which size is painted, and that it is the same picture at every size."""

import logging

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from brushnet import images
from brushnet.errors import UserError
from brushnet.inference.resolution import enlarge, paint_per_side, sizing


def scene(height: int, width: int) -> Tensor:
    """The same smooth picture at any size."""
    coarse = torch.rand(1, 3, 6, 9, generator=torch.Generator().manual_seed(4))
    return F.interpolate(coarse, (height, width), mode="bicubic", align_corners=False).clamp(0, 1)


class TestSizing:
    """The model of these tests was trained for 0.5 to 2, with a reference of 256 px."""

    @pytest.mark.parametrize("short_px", [128, 200, 256, 512])
    def test_inside_the_range_the_photo_is_painted_as_it_is(self, model, short_px):
        size = sizing(model, (900, short_px), 1.0)
        assert size.painted_px == size.short_px == short_px
        assert size.stroke == pytest.approx(short_px / 256)

    @pytest.mark.parametrize("per_side", [0.3, 1.0, 2.24, 7.9])
    @pytest.mark.parametrize("short_px", [20, 64, 320, 1000, 4096, 9001])
    def test_strokes_beside_the_side_are_as_asked_at_every_size(self, model, per_side, short_px):
        size = sizing(model, (short_px, short_px + 100), per_side)
        assert size.stroke / size.painted_px == pytest.approx(per_side / 256, rel=1e-6)
        assert 0.5 <= size.stroke <= 2

    def test_what_was_done_is_told(self, model):
        assert str(sizing(model, (4096, 5000), 0.5)) == (
            "strokes of 8 are beyond the trained 2: painted at 1024 px and enlarged 4 times"
        )
        assert str(sizing(model, (100, 150), 0.5)) == (
            "strokes of 0.195 are below the trained 0.5: painted at 256 px and reduced 2.6 times"
        )

    @pytest.mark.parametrize(("mode", "low", "high", "own"), [("mixed", 0.5, 2.0, 1.0), ("fixed", 1.5, 1.5, 1.5)])
    def test_model_of_one_stroke_paints_at_the_size_where_that_is_right(self, make_model, mode, low, high, own):
        size = sizing(make_model(mode=mode, low=low, high=high), (1000, 2000), 0.5)
        assert (size.stroke, size.painted_px) == (own, int(own * 512))

    def test_outside_the_range_is_refused_if_strict(self, model):
        with pytest.raises(
            UserError,
            match=r"^a\.jpg: --stroke-per-side 0\.5 asks for a stroke of 8 at 5000 x 4096 px, outside the trained "
            r"range 0\.5 to 2$",
        ):
            sizing(model, (4096, 5000), 0.5, strict=True, name="a.jpg")
        sizing(model, (300, 500), 1.0, strict=True)

    @pytest.mark.parametrize("per_side", [0.0, -1.0, 8.1, float("nan"), float("inf")])
    def test_strokes_that_leave_nothing_of_the_photo_are_refused(self, model, per_side):
        with pytest.raises(
            UserError, match=rf"^--stroke-per-side must be above 0 and at most 8 with this model, got {per_side:g}$"
        ):
            sizing(model, (300, 500), per_side)

    def test_strokes_that_need_a_gigantic_picture_are_refused(self, model):
        with pytest.raises(
            UserError,
            match=r"^a\.jpg: --stroke-per-side 0\.01 needs 500 x 300 px painted 43 times as large, more than 25 "
            r"megapixels; at least 0\.034 is possible$",
        ):
            sizing(model, (300, 500), 0.01, name="a.jpg")
        assert sizing(model, (300, 500), 0.034).painted_px == 3765


class TestPaintPerSide:
    def test_inside_the_range_it_is_the_plain_painting(self, model, caplog):
        caplog.set_level(logging.INFO)
        photo = scene(96, 150)
        torch.testing.assert_close(paint_per_side(model, photo, 2.0), model(photo, stroke=0.75))
        assert not caplog.messages

    @pytest.mark.parametrize("per_side", [0.2, 5.0])
    def test_painting_has_the_size_of_the_photo_and_it_is_said(self, model, caplog, per_side):
        caplog.set_level(logging.INFO)
        painted = paint_per_side(model, scene(133, 199), per_side, name="a.jpg")
        assert painted.shape == (1, 3, 133, 199)
        assert 0 <= painted.min() <= painted.max() <= 1
        assert len(caplog.messages) == 1
        assert caplog.messages[0].startswith("a.jpg: strokes of ")

    def test_preview_is_the_same_picture(self, model):
        """Both are painted at 102 px: the larger one, reduced, is the preview but for its finest edges."""
        preview, final = paint_per_side(model, scene(102, 150), 5.0), paint_per_side(model, scene(408, 600), 5.0)
        off = (images.resize(final, 102, 150) - preview).square().mean().sqrt()
        strokes = (preview - images.resize(images.resize(preview, 25, 37), 102, 150)).square().mean().sqrt()
        assert off < 0.35 * strokes

    @pytest.mark.parametrize("photo", [torch.rand(1, 3, 0, 40), torch.rand(3, 9, 40), [0.5]])
    def test_what_is_no_photo_is_refused(self, model, photo):
        with pytest.raises(UserError, match=r"^photo must be a float tensor \(B, 3, H, W\) with RGB in \[0, 1\], got "):
            paint_per_side(model, photo, 1.0)

    def test_thin_picture(self, model):
        assert paint_per_side(model, torch.rand(1, 3, 1, 40), 1.0).shape == (1, 3, 1, 40)


class TestEnlarge:
    blocks = F.interpolate(
        torch.rand(1, 3, 10, 14, generator=torch.Generator().manual_seed(5)), scale_factor=8, mode="nearest"
    )

    def sharpened(self, coarse: Tensor) -> Tensor:
        """Stands for a network that finds edges, and rings."""
        return coarse + 2 * (coarse - F.avg_pool2d(F.pad(coarse, (4,) * 4, mode="reflect"), 9, stride=1))

    def test_detail_is_restored(self):
        true = F.interpolate(self.blocks, scale_factor=3, mode="nearest")
        plain = enlarge(self.blocks, 240, 336, repaint=lambda coarse: coarse)
        detailed = enlarge(
            self.blocks, 240, 336, repaint=lambda coarse: F.interpolate(self.blocks, coarse.shape[-2:], mode="nearest")
        )
        assert (detailed - true).abs().mean() < 0.8 * (plain - true).abs().mean()

    def test_where_the_painting_is_even_it_stays_even(self):
        noise = torch.rand(1, 3, 240, 336, generator=torch.Generator().manual_seed(6))
        even = torch.full((1, 3, 80, 112), 0.4)
        enlarged = enlarge(even, 240, 336, repaint=lambda coarse: noise[..., : coarse.shape[2], : coarse.shape[3]])
        torch.testing.assert_close(enlarged, torch.full_like(enlarged, 0.4), atol=1e-3, rtol=0)

    def test_reduced_it_is_the_painting_again(self):
        smooth = scene(80, 112)
        again = images.resize(enlarge(smooth, 240, 336, repaint=self.sharpened), 80, 112)
        assert (again - smooth).abs().mean() < 0.01

    def test_no_step_is_longer_than_two(self):
        seen = []
        enlarge(scene(80, 112), 500, 700, repaint=lambda coarse: seen.append(coarse.shape[-2]) or coarse)
        assert seen == [147, 271, 500]
