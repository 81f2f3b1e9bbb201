"""Receptive fields: the square of the picture that one position of a layer sees, from the network's structure alone."""

from collections.abc import Sequence

KERNEL_PX = 3  # of every convolution of a VGG


def receptive_fields_px(layers: Sequence[str]) -> dict[str, int]:
    """Side in px of that square, for each layer; `layers` as a LossNetwork lists them, from the first one on.

    A convolution adds two positions of its input, a pooling one, and doubles what a position is worth (Araujo et al.
    2019). VGG-19: relu1_1 3, relu2_1 10, relu3_1 24, relu3_4 48, relu4_1 68, relu5_1 156 px.
    """
    found: dict[str, int] = {}
    side, step = 1, 1  # of the last layer, in px of the picture
    for layer in layers:
        if layer.endswith("_1") and layer != "relu1_1":
            side, step = side + step, 2 * step
        side += (KERNEL_PX - 1) * step
        found[layer] = side
    return found


def pyramid_field_px(field_px: int, level: int) -> int:
    """The same on level `level` of the image pyramid, in px of the whole picture: its pixels are means of squares."""
    return field_px * 2**level
