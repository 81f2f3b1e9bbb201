"""Between a video's frames and RGB: the right matrix and range both ways, so that what is not painted stays as it is.

In two steps, by 4:4:4: FFmpeg's direct way between RGB and 4:2:0 was off by 2.7 levels where this is by 0.5.

Shape letters: H W frame size.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # an extra
    import av

# Numbers of ITU-T H.273, as FFmpeg has them.
_RGB, _BT709, _UNSPECIFIED, _BT601 = 0, 1, 2, 6
_KNOWN_MATRICES = (1, 4, 5, 6, 7, 9)
_LIMITED, _FULL = 1, 2
_HD_FROM_PX = 577  # height; what tells nothing is taken for BT.709 from here up, as players do


@dataclass(frozen=True)
class Colours:
    """A stream's tags, which are kept, and from them the matrix and range that its pixels are converted by."""

    range: int
    matrix: int
    primaries: int
    transfer: int
    height: int

    @classmethod
    def of(cls, frame: "av.VideoFrame") -> "Colours":
        """Of a decoded frame. RGB becomes BT.709 of limited range."""
        matrix, range_ = frame.colorspace, frame.color_range
        if frame.format.is_rgb or matrix == _RGB:
            matrix, range_ = _BT709, _LIMITED
        return cls(range_, matrix, frame.color_primaries, frame.color_trc, frame.height)

    @property
    def used_range(self) -> int:
        return _FULL if self.range == _FULL else _LIMITED

    @property
    def used_matrix(self) -> int:
        """One that is not known gets a near one: it is the same both ways, and so are the colours."""
        if self.matrix in _KNOWN_MATRICES:
            return self.matrix
        if self.matrix == _UNSPECIFIED:
            return _BT709 if self.height >= _HD_FROM_PX else _BT601
        return 9 if self.primaries == 9 else _BT709


def to_rgb(frame: "av.VideoFrame", colours: Colours) -> np.ndarray:
    """(H, W, 3) uint8 of a decoded frame, as it is stored: not turned yet."""
    if frame.format.is_rgb:
        return frame.reformat(format="rgb24").to_ndarray()
    same = {"src_color_range": colours.used_range, "dst_color_range": colours.used_range}
    whole = _reformat(frame, "yuv444p", colours, **same)
    rgb = _reformat(whole, "rgb24", colours, src_color_range=colours.used_range, dst_color_range=_FULL)
    return rgb.to_ndarray()


def from_rgb(rgb_HW3: np.ndarray, colours: Colours, pixel_format: str) -> "av.VideoFrame":
    """A frame to encode, with the tags."""
    import av

    rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb_HW3), format="rgb24")
    whole = _reformat(rgb, "yuv444p", colours, src_color_range=_FULL, dst_color_range=colours.used_range)
    same = {"src_color_range": colours.used_range, "dst_color_range": colours.used_range}
    frame = _reformat(whole, pixel_format, colours, **same)
    frame.color_range, frame.colorspace = colours.range, colours.matrix
    return frame


def even(rgb_HW3: np.ndarray) -> np.ndarray:
    """The last column and row repeated where their number is odd."""
    height, width = rgb_HW3.shape[:2]
    return np.pad(rgb_HW3, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _reformat(frame: "av.VideoFrame", format_: str, colours: Colours, **ranges: int) -> "av.VideoFrame":
    matrix = colours.used_matrix
    return frame.reformat(
        format=format_, src_colorspace=matrix, dst_colorspace=matrix, interpolation="BICUBIC", **ranges
    )
