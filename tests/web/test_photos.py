"""Photos as the page reads them: at strength 0 a download is the photo, and `brushnet.images` reads the same."""

import base64

import numpy as np
import pytest
from PIL import Image

from brushnet import images
from tests.web.pictures import CAT, download, levels, photo


def turned(path):
    with Image.open(CAT) as picture:
        exif = picture.getexif()
        exif[0x0112] = 6  # to be turned to the right
        picture.resize((96, 64)).save(path, exif=exif, quality=95)


def transparent(path):
    with Image.open(CAT) as picture:
        picture = picture.resize((96, 64)).convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    picture.save(path)


def grey(path):
    with Image.open(CAT) as picture:
        picture.resize((96, 64)).convert("L").save(path)


def tall(path):
    with Image.open(CAT) as picture:
        picture.resize((20, 300)).save(path)


def tiny(path):
    Image.new("RGB", (1, 1), (200, 100, 50)).save(path)


@pytest.mark.parametrize(
    ("make", "suffix"),
    [(turned, ".jpg"), (transparent, ".png"), (transparent, ".webp"), (grey, ".jpg"), (tall, ".png"), (tiny, ".png")],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_kinds_of_photos(visit, tmp_path, make, suffix):
    path = tmp_path / f"photo{suffix}"
    make(path)
    visit.set_range("strength", 0)
    visit.give(path)
    visit.painted()
    found = levels(download(visit, tmp_path / "found.png"))
    expected = images.read_uint8(path).permute(1, 2, 0).numpy().astype(int)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 3  # decoders of JPEG and WebP differ by so much


def test_jpeg_is_offered_too(visit, tmp_path):
    visit.page.locator("#format").select_option(label="JPEG")
    found = download(visit, tmp_path / "found.jpg")
    with Image.open(found) as picture:
        assert picture.format == "JPEG"
    assert "-o painting.jpg" in visit.page.locator("#command").text_content()
    visit.page.locator("#format").select_option(label="PNG")


def test_a_photo_is_dropped_and_pasted(visit, tmp_path):
    content = base64.b64encode(photo(tmp_path / "photo.png", (60, 40)).read_bytes()).decode()
    give = """([kind, content]) => {
        const bytes = Uint8Array.from(atob(content), (each) => each.charCodeAt(0));
        const data = new DataTransfer();
        data.items.add(new File([bytes], `${kind}.png`, { type: "image/png" }));
        const event = kind === "drop" ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
            : new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
        document.getElementById("stage").dispatchEvent(event);
    }"""
    for kind in ("drop", "paste"):
        visit.page.evaluate(give, [kind, content])
        visit.painted()
        assert f" {kind}.png " in visit.page.locator("#command").text_content()
