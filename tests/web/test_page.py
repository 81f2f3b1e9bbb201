"""The page in a real browser: what it paints is what `brushnet stylize` paints, by pointer and by keyboard."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from brushnet import images
from tests.web.conftest import Visit
from tests.web.pictures import CAT, download, levels, painted_by_stylize, photo

TIMES = "\N{MULTIPLICATION SIGN}"


def test_upload_slider_strength_and_download_give_what_stylize_gives(visit, tmp_path, monkeypatch):
    visit.give(photo(tmp_path / "my photo.png"))
    visit.set_range("stroke", 0.5)
    assert "strokes 1.41" in visit.painted()
    found = levels(download(visit, tmp_path / "found.png"))
    assert found.shape == (160, 240, 3)
    assert np.abs(found - levels(painted_by_stylize(visit, tmp_path, monkeypatch))).max() <= 2
    before = found
    for strength in (0.5, 1.5):
        visit.set_range("strength", strength)
        visit.painted()
        found = levels(download(visit, tmp_path / "found.png"))
        (tmp_path / "painting.png").unlink()
        assert np.abs(found - levels(painted_by_stylize(visit, tmp_path, monkeypatch))).max() <= 2
        assert np.abs(found - before).mean() > 4  # and it is another picture
    visit.set_range("strength", 0)
    visit.painted()
    assert np.array_equal(levels(download(visit, tmp_path / "none.png")), levels(tmp_path / "my photo.png"))


def test_a_map_drawn_by_mouse_and_keyboard_is_painted_as_the_saved_one(visit, tmp_path, monkeypatch):
    visit.give(photo(tmp_path / "cat.png"))
    visit.painted()
    plain = levels(download(visit, tmp_path / "plain.png"))
    page = visit.page
    page.locator("input[name='brush'][value='broad']").check()
    box = page.locator("#map-view").bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.3 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.8 * box["height"], steps=8)
    page.mouse.up()
    page.locator("#map-view").focus()
    page.keyboard.press("f")
    assert page.locator("input[name='brush'][value='fine']").is_checked()
    for _ in range(15):
        page.keyboard.press("ArrowRight")
    assert page.locator("#status").inner_text() == "80 % across, 80 % down"
    for _ in range(3):
        page.keyboard.press("Space")
    assert "a map" in visit.painted()
    grey = levels(download(visit, tmp_path / "stroke-map.png", "#map-save"))[..., 0]
    height, width = grey.shape
    assert (width, height) == (96, 64)
    middle = grey[5, 5]  # as the slider says
    assert grey[height // 2, width // 5] > middle + 60
    assert grey[round(0.8 * height), round(0.8 * width)] < middle - 60
    found = levels(download(visit, tmp_path / "found.png"))
    assert "--stroke-map" in page.locator("#command").text_content()
    assert np.abs(found - levels(painted_by_stylize(visit, tmp_path, monkeypatch))).max() <= 2
    off = np.abs(found - plain).mean(axis=2)
    assert off[:, :100].mean() > 4  # broad there
    page.get_by_role("button", name="Clear").click()
    assert "a map" not in visit.painted()
    assert np.array_equal(levels(download(visit, tmp_path / "again.png")), plain)


@pytest.mark.parametrize("octaves", [0.0, 1.4], ids=["directly", "enlarged"])
def test_a_photo_larger_than_shown_is_downloaded_whole_with_the_look_that_was_shown(
    visit, tmp_path, monkeypatch, octaves
):
    visit.give(photo(tmp_path / "large.png", (864, 576)))
    visit.set_range("stroke", octaves)
    visit.painted()
    assert visit.page.locator("#size option").all_text_contents() == [f"864 {TIMES} 576 px", f"768 {TIMES} 512 px"]
    found = levels(download(visit, tmp_path / "found.png"))
    assert found.shape == (576, 864, 3)
    expected = levels(painted_by_stylize(visit, tmp_path, monkeypatch))
    # Rounded to 8 bits in between, and the stroke to what a command line shows: enlarging makes more of that.
    assert np.abs(found - expected).max() <= 3
    assert np.abs(found - expected).mean() < 0.3


def test_only_the_newest_request_is_painted_while_a_slider_moves(visit):
    visit.page.evaluate("""() => {
        window.asked = 0;
        const post = Worker.prototype.postMessage;
        Worker.prototype.postMessage = function (message, ...rest) {
            window.asked += message.kind === "paint" && !message.unseen;
            return post.call(this, message, ...rest);
        };
        const input = document.getElementById("stroke");
        for (let step = 0; step < 60; step++) {
            input.value = -1 + step / 30;
            input.dispatchEvent(new Event("input"));
        }
    }""")
    assert "strokes 1.95" in visit.painted()
    assert visit.page.evaluate("window.asked") <= 4  # the first, perhaps one under way, the last, the picture


def test_a_download_can_be_cancelled(visit, tmp_path):
    visit.give(photo(tmp_path / "large.png", (800, 320)))
    visit.painted()
    button = visit.page.locator("#download")
    # Both clicks in one go: from here the second may come when the picture is ready.
    assert button.evaluate("it => { it.click(); const name = it.textContent; it.click(); return name; }") == "Cancel"
    visit.page.get_by_text("Cancelled.").wait_for()
    assert button.inner_text() == "Download"
    visit.set_range("stroke", -0.5)
    assert "strokes 0.71" in visit.painted()  # by a new worker


def test_what_is_no_picture_and_what_is_too_large_is_said(visit, tmp_path):
    page = visit.page
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(CAT.read_bytes()[:100] + b"no picture")
    visit.give(broken)
    alert = page.locator("#problem")
    alert.wait_for(state="visible")
    assert (
        "broken.jpg is no picture that this browser can read, or too large for it. JPEG, PNG and WebP"
        in alert.inner_text()
    )
    (tmp_path / "empty.png").touch()
    visit.give(tmp_path / "empty.png")
    page.get_by_text("empty.png is empty.").wait_for()
    Image.new("RGB", (4000, 2500), "teal").save(tmp_path / "huge.png")
    visit.give(tmp_path / "huge.png")
    page.get_by_text(f"huge.png has 4000 {TIMES} 2500 px: it is reduced to 2530 {TIMES} 1581 px").wait_for()
    visit.painted()
    assert alert.is_hidden()
    visit.give(photo(tmp_path / "good.png"))
    visit.painted()
    assert page.locator("#remark").inner_text() == ""


def test_a_sample_that_comes_late_does_not_take_the_place_of_a_photo(visit, tmp_path):
    page, held = visit.page, []
    page.route("**/photos/*", lambda route: held.append(route))
    try:
        page.locator("#samples button").nth(1).click()
        visit.give(photo(tmp_path / "cat.png"))
        visit.painted()
        assert len(held) == 1
        held[0].continue_()
        page.wait_for_timeout(300)
        visit.painted()
        assert page.locator("#samples button[aria-pressed='true']").count() == 0
        assert levels(download(visit, tmp_path / "found.png")).shape == (160, 240, 3)
    finally:
        page.unroute("**/photos/*")


def test_everything_can_be_done_by_keyboard(visit):
    page = visit.page
    reached: dict[str, int] = {}
    page.locator("a.skip").focus()
    for count in range(60):
        page.keyboard.press("Tab")
        name = page.evaluate("(({ id, name, tagName }) => id || name || tagName)(document.activeElement)")
        if name in reached and name not in ("BUTTON", "BODY", "SUMMARY"):
            break
        reached.setdefault(name, count)
    wanted = ["divider", "file", "painting", "stroke", "strength", "brush", "download", "size", "format"]
    assert [name for name in reached if name in wanted] == wanted
    divider = page.locator("#divider")
    divider.focus()
    page.keyboard.press("Home")
    assert divider.get_attribute("aria-valuenow") == "0"
    page.keyboard.press("ArrowRight")
    assert divider.get_attribute("aria-valuetext") == "5 % photo, 95 % painting"
    page.locator("#stroke").focus()
    page.keyboard.press("ArrowRight")
    assert "strokes 1.06" in visit.painted()
    page.locator("input[name='brush'][value='off']").focus()
    page.keyboard.press("ArrowRight")
    page.locator("#map-view").focus()
    page.keyboard.press("Space")
    assert "a map" in visit.painted()
    page.keyboard.press("]")
    assert page.locator("#brush-size").input_value() == "26"
    assert page.locator("input[name='brush'][value='fine']").is_checked()
    page.keyboard.press("b")
    assert page.locator("input[name='brush'][value='broad']").is_checked()


def test_every_control_has_a_name(visit):
    unnamed = """Array.from(document.querySelectorAll("input, select, button, canvas, [role=slider]"), (each) => each)
        .filter((each) => each.checkVisibility()
            && !(each.labels?.length || each.getAttribute("aria-label") || each.textContent.trim()
                 || each.querySelector("img[alt]:not([alt=''])"))).map((each) => each.outerHTML)"""
    assert visit.page.evaluate(unnamed) == []
    assert visit.page.locator("#status").get_attribute("aria-live") == "polite"
    assert visit.page.locator("#problem").get_attribute("role") == "alert"


PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_looked_at(visit, tmp_path, scheme):
    visit.page.emulate_media(color_scheme=scheme)
    pixels = looked_at(visit, tmp_path / "page.png")
    visit.page.emulate_media(color_scheme="light")
    assert (pixels.mean() < 90) == (scheme == "dark")


def test_it_can_be_looked_at_on_a_phone(browser, served, tmp_path):
    with Visit(browser, served.url, **PHONE) as visit:
        visit.painted()
        looked_at(visit, tmp_path / "page.png")
        stage = visit.page.locator("#stage")
        visit.page.locator("#download").scroll_into_view_if_needed()
        assert stage.bounding_box()["y"] >= 0  # the picture stays in sight
        # A phone's own means, which this browser lacks.
        visit.page.evaluate(
            "() => { navigator.share = ({ files: [file] }) => { window.shared = [file.name, file.type]; }; }"
        )
        visit.page.locator("#share").evaluate("(button) => { button.hidden = false; button.click(); }")
        visit.page.get_by_text("temple-starry-night.png is ready.").wait_for(timeout=60_000)
        assert visit.page.evaluate("window.shared") == ["temple-starry-night.png", "image/png"]


def looked_at(visit: Visit, shot: Path) -> Any:
    """Nothing is wider than the window, all is large enough for fingers; the picture is for people: -s tells where."""
    page = visit.page
    page.locator("details.more").evaluate("(details) => { details.open = true; }")
    page.locator("input[name='brush'][value='broad']").check()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate("Array.from(document.images).every((each) => !each.complete || each.naturalWidth > 0)")
    small = """Array.from(document.querySelectorAll("button, select, .choose, .segments label"), (each) => each)
        .filter((each) => each.checkVisibility() && each.getBoundingClientRect().height < 40)
        .map((each) => each.outerHTML)"""
    assert page.evaluate(small) == []
    page.screenshot(path=shot, full_page=True)
    print(shot)
    return images.read_uint8(shot).float()
