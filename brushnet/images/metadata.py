"""What a painting keeps of its photo's file beside the pixels: EXIF, colour profile and XMP, made true of the painting.

The painting is upright, so the orientation is 1; the small copy of the photo in the EXIF is left out; tags that say how
large the picture is or how its file is built are the painting's own. What is broken is left out: it costs no picture.
"""

import os
import re
from dataclasses import dataclass
from typing import Any

from PIL import ExifTags, Image

from brushnet.images.header import Head, head
from brushnet.images.opening import BROKEN, opened_file

_TAGS = ExifTags.Base
# Not the others: in a TIFF they tell how the pixels lie in the file, and elsewhere they should not be.
_KEPT = (
    _TAGS.ImageDescription, _TAGS.Make, _TAGS.Model, _TAGS.XResolution, _TAGS.YResolution, _TAGS.ResolutionUnit,
    _TAGS.Software, _TAGS.DateTime, _TAGS.Artist, _TAGS.HostComputer, _TAGS.Copyright, _TAGS.Rating,
    _TAGS.RatingPercent, _TAGS.XPTitle, _TAGS.XPComment, _TAGS.XPAuthor, _TAGS.XPKeywords, _TAGS.XPSubject,
)  # fmt: skip
_LARGEST_BYTES = 1 << 24  # of each; cameras write kilobytes
_ORIENTATION = re.compile(rb"(tiff:Orientation\s{0,9}(?:=\s{0,9}[\"']|>)\s{0,9})[0-9]")
_WRONG = (*BROKEN, TypeError, AttributeError, AssertionError)  # what Pillow raised on mutilated EXIF, read or written


@dataclass(frozen=True)
class Metadata:
    """Each empty where there is none. `exif` begins with Exif\\0\\0; `icc` is a profile of RGB."""

    exif: bytes = b""
    icc: bytes = b""
    xmp: bytes = b""


NOTHING = Metadata()


def read_metadata(path: str | os.PathLike[str]) -> Metadata:
    """As a painting of this file keeps it. UserError where the file is missing, ImageError where it is no picture."""
    with opened_file(path) as file, head(file) as found:
        return Metadata(_exif(found), _icc(found), _xmp(found.info))


def _exif(found: Head) -> bytes:
    try:
        kept = _kept(found.exif, *found.upright_size)
        if not len(kept):
            return b""
        kept[_TAGS.Orientation] = 1
        data = kept.tobytes()
    except _WRONG:
        return b""
    return data if len(data) <= _LARGEST_BYTES else b""


def _kept(exif: Image.Exif, height: int, width: int) -> Image.Exif:
    kept = Image.Exif()
    kept.endian = exif.endian or "<"  # cameras' own notes are in their order of bytes
    for tag in _KEPT:
        if tag in exif:
            kept[tag] = exif[tag]
    details, place = dict(exif.get_ifd(ExifTags.IFD.Exif)), dict(exif.get_ifd(ExifTags.IFD.GPSInfo))
    if ExifTags.IFD.Interop in details:
        details[ExifTags.IFD.Interop] = dict(exif.get_ifd(ExifTags.IFD.Interop))
    for tag, px in ((_TAGS.ExifImageWidth, width), (_TAGS.ExifImageHeight, height)):
        if tag in details:
            details[tag] = px
    if details:
        kept[ExifTags.IFD.Exif] = details
    if place:
        kept[ExifTags.IFD.GPSInfo] = place
    return kept


def _icc(found: Head) -> bytes:
    """Only a profile of RGB: grey and CMYK become RGB by plain formulas, and their profiles say nothing of that.

    Converting by them was the other choice. It would give the pixels to a second parser of strangers' files, for photos
    that are hardly ever painted from CMYK.
    """
    icc: Any = found.info.get("icc_profile")
    fits = isinstance(icc, bytes) and 128 <= len(icc) <= _LARGEST_BYTES
    if not fits or icc[16:20] != b"RGB " or icc[36:40] != b"acsp" or found.mode == "CMYK":
        return b""
    return icc


def _xmp(info: dict[str, Any]) -> bytes:
    xmp: Any = info.get("xmp") or info.get("XML:com.adobe.xmp") or b""
    if isinstance(xmp, tuple):  # of a TIFF, by its type
        xmp = bytes(xmp) if all(isinstance(each, int) and 0 <= each < 256 for each in xmp) else b""
    xmp = xmp.encode("utf-8", "ignore") if isinstance(xmp, str) else xmp
    if not isinstance(xmp, bytes) or b"RDF" not in xmp or len(xmp) > _LARGEST_BYTES:
        return b""
    return _ORIENTATION.sub(rb"\g<1>1", _without_thumbnails(xmp))


def _without_thumbnails(xmp: bytes) -> bytes:
    for name in (b"xmp:Thumbnails>", b"xap:Thumbnails>"):
        start, end = xmp.find(b"<" + name), xmp.rfind(b"</" + name)
        if 0 <= start < end:
            xmp = xmp[:start] + xmp[end + len(b"</" + name) :]
    return xmp
