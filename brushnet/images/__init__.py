"""Pictures in and out: read, write, resize, contact sheet.

Pixels are RGB float32 in [0, 1], (1, 3, H, W); where a name says uint8 they are (3, H, W) uint8.
Everything of 8 bits is decoded by Pillow: as fast as torchvision.io (0.8 and 0.7 ms for a JPEG of 480 x 320 px, same
bytes out), which is deprecated since torchvision 0.29 and knows neither CMYK nor TIFF nor 16 bits.
"""

from brushnet.errors import ImageError
from brushnet.images.decoding import decode, read, read_grey, read_uint8
from brushnet.images.encoding import check_fits, encode_jpeg, write
from brushnet.images.formats import KINDS, MAX_PIXELS, SUFFIXES, WRITABLE, holds_16_bits
from brushnet.images.header import Header, header, size
from brushnet.images.listing import list_images
from brushnet.images.metadata import NOTHING, Metadata, read_metadata
from brushnet.images.pixels import resize, resize_short_side, to_float, to_uint8
from brushnet.images.sheets import sheet

__all__ = [
    "KINDS",
    "MAX_PIXELS",
    "NOTHING",
    "SUFFIXES",
    "WRITABLE",
    "Header",
    "ImageError",
    "Metadata",
    "check_fits",
    "decode",
    "encode_jpeg",
    "header",
    "holds_16_bits",
    "list_images",
    "read",
    "read_grey",
    "read_metadata",
    "read_uint8",
    "resize",
    "resize_short_side",
    "sheet",
    "size",
    "to_float",
    "to_uint8",
    "write",
]
