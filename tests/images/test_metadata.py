"""What a painting's file keeps of its photo's: EXIF, profile and XMP, true of the painting, in every format."""

import io
import struct

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image, ImageCms

from brushnet import images
from brushnet.images.metadata import NOTHING, Metadata, read_metadata

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
SUFFIXES = ["jpg", "png", "webp", "tif"]
EXIF, GPS = ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo
TAGS = ExifTags.Base


def exif_with_thumbnail(orientation: int = 6) -> bytes:
    """Of a camera: a thumbnail in the second directory, which Pillow itself does not write."""
    exif = Image.Exif()
    exif.endian = "<"
    exif[TAGS.Orientation], exif[TAGS.Make], exif[TAGS.Copyright] = orientation, "Camera", "a painter"
    exif[EXIF] = {TAGS.ExifImageWidth: 30, TAGS.ExifImageHeight: 20, TAGS.ExposureTime: 0.01,
                  TAGS.DateTimeOriginal: "2026:01:02 03:04:05", TAGS.MakerNote: b"notes of the camera"}  # fmt: skip
    exif[GPS] = {1: "N", 2: (48.0, 51.0, 30.0), 3: "E", 4: (2.0, 17.0, 40.0)}
    data = exif.tobytes()
    body = bytearray(data[6:])
    entries = struct.unpack_from("<H", body, 8)[0]
    thumbnail = io.BytesIO()
    Image.new("RGB", (16, 12), "red").save(thumbnail, "JPEG")
    place = len(body)
    struct.pack_into("<I", body, 10 + 12 * entries, place)
    body += struct.pack("<H", 2) + struct.pack("<HHII", 0x0201, 4, 1, place + 30)
    body += struct.pack("<HHII", 0x0202, 4, 1, len(thumbnail.getvalue())) + bytes(4) + thumbnail.getvalue()
    return b"Exif\0\0" + bytes(body)


def photo(path, *, kind: str | None = None, **options):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8))
    picture.save(path, kind, **options)
    return path


def painted(tmp_path, source, suffix: str, *, bits: int = 8):
    images.write(images.read(source), tmp_path / f"out.{suffix}", metadata=read_metadata(source), bits=bits)
    return tmp_path / f"out.{suffix}"


FORMATS = [*((suffix, 8) for suffix in SUFFIXES), ("png", 16), ("tif", 16)]


@pytest.mark.parametrize(("suffix", "bits"), FORMATS)
@pytest.mark.parametrize("source", ["jpg", "png", "webp"])
def test_exif_of_a_photo_held_sideways_is_true_of_the_painting(tmp_path, source, suffix, bits):
    path = photo(tmp_path / f"a.{source}", exif=exif_with_thumbnail(), icc_profile=PROFILE)
    with Image.open(painted(tmp_path, path, suffix, bits=bits)) as picture:
        exif = picture.getexif()
        assert picture.size == (20, 30)
        assert (exif[TAGS.Orientation], exif[TAGS.Make], exif[TAGS.Copyright]) == (1, "Camera", "a painter")
        details = exif.get_ifd(EXIF)
        assert (details[TAGS.ExifImageWidth], details[TAGS.ExifImageHeight]) == (20, 30)
        assert details[TAGS.DateTimeOriginal] == "2026:01:02 03:04:05"
        assert details[TAGS.MakerNote] == b"notes of the camera"
        assert float(details[TAGS.ExposureTime]) == pytest.approx(0.01)
        assert [float(each) for each in exif.get_ifd(GPS)[2]] == [48, 51, 30]
        assert not exif.get_ifd(ExifTags.IFD.IFD1)
        assert picture.info["icc_profile"] == PROFILE
    assert images.size(tmp_path / f"out.{suffix}") == (30, 20)


def test_the_thumbnail_is_gone_from_the_bytes(tmp_path):
    exif = exif_with_thumbnail()
    assert exif.count(b"\xff\xd8\xff") == 1
    assert b"\xff\xd8\xff" not in read_metadata(photo(tmp_path / "a.jpg", exif=exif)).exif


@pytest.mark.parametrize(("suffix", "bits"), FORMATS)
def test_exif_and_profile_of_a_tiff_are_kept_without_what_tells_how_it_is_built(tmp_path, suffix, bits):
    exif = Image.Exif()
    exif.load(exif_with_thumbnail())
    source = photo(tmp_path / "a.tif", exif=exif, icc_profile=PROFILE)
    kept = Image.Exif()
    kept.load(read_metadata(source).exif)
    assert not {256, 257, 258, 259, 262, 273, 277, 278, 279, 34675} & set(kept)
    with Image.open(painted(tmp_path, source, suffix, bits=bits)) as picture:
        exif = picture.getexif()
        assert (exif[TAGS.Make], exif[TAGS.Orientation]) == ("Camera", 1)
        assert exif.get_ifd(EXIF)[TAGS.DateTimeOriginal] == "2026:01:02 03:04:05"
        assert exif.get_ifd(GPS)[1] == "N"
        assert picture.info["icc_profile"] == PROFILE
        picture.load()
        assert picture.size == (20, 30)


@pytest.mark.parametrize(("suffix", "bits"), FORMATS)
@pytest.mark.parametrize("source", SUFFIXES)
def test_xmp_is_kept_with_orientation_1(tmp_path, source, suffix, bits):
    exif = Image.Exif()
    exif[TAGS.Orientation], exif[TAGS.Make] = 6, "Camera"
    options = {"xmp": XMP}
    if source == "tif":
        exif[700], options = XMP, {}
    path = tmp_path / f"a.{source}"
    if source == "png":
        images.write(torch.rand(1, 3, 20, 30), path, metadata=Metadata(xmp=XMP, exif=exif.tobytes()))
    else:
        photo(path, exif=exif, **options)
    with Image.open(painted(tmp_path, path, suffix, bits=bits)) as picture:
        picture.load()
        found = picture.info.get("xmp") or picture.info["XML:com.adobe.xmp"].encode()
        assert found == XMP.replace(b'"6"', b'"1"')
        assert picture.getexif()[TAGS.Orientation] == 1
        assert picture.size == (20, 30)


def test_a_thumbnail_in_the_xmp_is_left_out(tmp_path):
    xmp = b"<rdf:RDF><a/><xmp:Thumbnails><rdf:Alt>/9j/</rdf:Alt></xmp:Thumbnails><b/></rdf:RDF>"
    assert read_metadata(photo(tmp_path / "a.jpg", xmp=xmp)).xmp == b"<rdf:RDF><a/><b/></rdf:RDF>"


def test_exif_of_nothing_but_an_orientation_is_none(tmp_path):
    exif = Image.Exif()
    exif[TAGS.Orientation] = 6
    assert read_metadata(photo(tmp_path / "a.jpg", exif=exif)) == NOTHING
    assert read_metadata(photo(tmp_path / "b.bmp")) == NOTHING


def profile_of(space: bytes) -> bytes:
    return PROFILE[:16] + space + PROFILE[20:]


@pytest.mark.parametrize(
    ("mode", "profile", "kept"),
    [("RGB", PROFILE, True), ("L", PROFILE, True), ("L", profile_of(b"GRAY"), False), ("RGB", b"x" * 300, False),
     ("CMYK", profile_of(b"CMYK"), False), ("CMYK", PROFILE, False), ("RGB", PROFILE[:50], False)],
    ids=["rgb", "grey photo", "grey", "no profile", "cmyk", "cmyk photo", "cut short"],  # PROFILE holds the time of day
)  # fmt: skip
def test_only_a_profile_of_rgb_is_kept(tmp_path, mode, profile, kept):
    Image.new(mode, (8, 8)).save(tmp_path / "a.jpg", icc_profile=profile)
    assert read_metadata(tmp_path / "a.jpg").icc == (profile if kept else b"")


def test_exif_behind_a_png_s_pixels_is_found(tmp_path):
    whole = photo(tmp_path / "a.png", exif=exif_with_thumbnail()).read_bytes()
    start = whole.index(b"eXIf") - 4
    length = struct.unpack(">I", whole[start : start + 4])[0] + 12
    moved = whole[:start] + whole[start + length : -12] + whole[start : start + length] + whole[-12:]
    (tmp_path / "b.png").write_bytes(moved)
    assert images.size(tmp_path / "b.png") == (30, 20) == images.read(tmp_path / "b.png").shape[-2:]
    assert read_metadata(tmp_path / "b.png") == read_metadata(tmp_path / "a.png")


def test_what_a_jpeg_has_no_room_for_is_left_out(tmp_path):
    large = Metadata(exif=b"Exif\0\0" + bytes(70_000), xmp=b"<rdf:RDF/>" + b" " * 70_000, icc=PROFILE)
    images.write(torch.rand(1, 3, 8, 8), tmp_path / "a.jpg", metadata=large)
    with Image.open(tmp_path / "a.jpg") as picture:
        assert "exif" not in picture.info
        assert "xmp" not in picture.info
        assert picture.info["icc_profile"] == PROFILE


@pytest.mark.parametrize("broken", [b"Exif\0\0", b"Exif\0\0MM\0*" + b"\xff" * 40, b"Exif\0\0II*\0\x08\0\0\0\xff\xff"])
def test_broken_exif_costs_no_picture(tmp_path, broken):
    path = photo(tmp_path / "a.jpg", exif=broken)
    assert read_metadata(path).exif == b""
    assert images.size(painted(tmp_path, path, "tif")) == (20, 30)
