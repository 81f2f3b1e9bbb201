"""Which kinds of picture files there are, how each is written, and how large a picture each can hold."""

from typing import Any

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif")
MAX_PIXELS = 200_000_000  # a small file can claim more pixels than fit in memory
SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    ".jpg": {"format": "JPEG", "subsampling": 0},
    ".jpeg": {"format": "JPEG", "subsampling": 0},
    ".png": {"format": "PNG"},
    ".webp": {"format": "WEBP"},
    ".tif": {"format": "TIFF"},
    ".tiff": {"format": "TIFF"},
}
WRITABLE = tuple(SAVE_OPTIONS)
KINDS = {"jpg": ".jpg", "png": ".png", "webp": ".webp", "tiff": ".tif"}  # what users call them, and their suffix
LONGEST_SIDE_PX = {"JPEG": 65_500, "WEBP": 16_383}  # of the libraries that write them


def holds_16_bits(suffix: str) -> bool:
    return kind_of(suffix) in ("PNG", "TIFF")


def kind_of(suffix: str) -> str | None:
    """JPEG, PNG, WEBP or TIFF; None for what is not written."""
    options = SAVE_OPTIONS.get(suffix.lower())
    return None if options is None else str(options["format"])
