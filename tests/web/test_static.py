"""The page on hosts that are not ours: without isolation headers, in a sub-folder, with a model or GPU that fails."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from brushnet.model_file import save
from brushnet.models import ModelMeta, load
from brushnet.nets import ResidualTransformer
from brushnet.web.site import Site, build_site
from brushnet.web.static import write_site
from tests.browser import FLAGS
from tests.web.conftest import Visit, serving
from tests.web.pictures import download, levels, painted_by_stylize, photo

GPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"]


@pytest.fixture
def static_host(site: Site, tmp_path: Path) -> Iterator[str]:
    """`python -m http.server` on a folder, of which the page is but a part."""
    write_site(site, tmp_path / "host" / "some" / "folder")
    command = [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "0", "-d", str(tmp_path / "host")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        port = server.stdout.readline().split("port ")[1].split()[0]
        yield f"http://127.0.0.1:{port}/some/folder/"
        server.kill()


def test_any_static_host_will_do_with_one_thread(browser: Any, static_host: str, tmp_path, monkeypatch):
    with Visit(browser, static_host) as visit:
        visit.give(photo(tmp_path / "cat.png"))
        visit.painted()
        assert not visit.page.evaluate("crossOriginIsolated")
        assert "WebAssembly, 1 thread)" in visit.page.locator("#facts").text_content()
        found = levels(download(visit, tmp_path / "found.png"))
        assert np.abs(found - levels(painted_by_stylize(visit, tmp_path, monkeypatch))).max() <= 2
        assert len(visit.requests) > 20  # all of which the visit looks at
        assert_nothing_gets_out(visit)  # though this host sends no policy


def assert_nothing_gets_out(visit: Visit) -> None:
    """What a script in the page, or in its worker, would try."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        outside = f"http://127.0.0.1:{stranger.getsockname()[1]}/"
        options = "{ mode: 'no-cors', signal: AbortSignal.timeout(2000) }"  # a stranger who listens does not answer
        ask = f"fetch('{outside}', {options}).then(() => 'sent', (error) => error.name)"
        assert visit.page.evaluate(ask) == "TypeError"
        assert visit.page.workers[0].evaluate(ask) == "TypeError"
        show = f"new Promise((done) => {{ const image = new Image(); image.onerror = done; image.src = '{outside}'; }})"
        visit.page.evaluate(f"{show}.then(() => 0)")
        visit.page.evaluate(f"navigator.sendBeacon('{outside}', 'x') && 0")
        visit.page.evaluate(f"void new WebSocket('{outside.replace('http', 'ws')}')")
        visit.page.wait_for_timeout(300)
        stranger.settimeout(0)
        with pytest.raises(BlockingIOError):
            stranger.accept()
    assert any("Content Security Policy" in each for each in visit.complaints)
    visit.complaints.clear()
    visit.requests = [url for url in visit.requests if not url.startswith(outside)]


def test_the_policy_lets_nothing_out(opened: Visit):
    assert_nothing_gets_out(opened)


def test_a_browser_that_computes_something_else_says_so(browser: Any, site: Site):
    told = json.loads(site["models.json"])
    told["models"][0]["check"][5] += 0.2
    with serving({**site, "models.json": json.dumps(told).encode()}) as server, Visit(browser, server.url) as visit:
        visit.page.locator("#problem").wait_for(state="visible", timeout=60_000)
        assert "this browser computes something else than the network" in visit.page.locator("#problem").inner_text()


def test_a_host_that_lost_the_model_is_said(browser: Any, site: Site):
    lacking = {path: data for path, data in site.items() if not path.endswith(".onnx")}
    with serving(lacking) as server, Visit(browser, server.url) as visit:
        visit.page.locator("#problem").wait_for(state="visible", timeout=60_000)
        assert "models/0.wasm.onnx could not be loaded (404)" in visit.page.locator("#problem").inner_text()


def small_model(path: Path, *, styles: tuple[str, ...], mode: str = "conditioned") -> Path:
    torch.manual_seed(3)
    net = ResidualTransformer(width=4, blocks=1, stroke_embedding=8, styles=len(styles)).eval()
    low, high = (1.5, 1.5) if mode == "fixed" else (0.5, 2.0)
    meta = ModelMeta.of(
        net, stroke_mode=mode, stroke_min=low, stroke_max=high, reference_px=128, style_names=list(styles)
    )
    save(path, net, meta)
    return path


def test_a_model_of_several_paintings_can_be_mixed_and_one_of_a_single_stroke_has_no_slider(
    browser: Any, tmp_path, monkeypatch
):
    files = {
        "several": small_model(tmp_path / "several.safetensors", styles=("night sky", "wave", "<b>&")),
        "fixed": small_model(tmp_path / "fixed.safetensors", styles=("one",), mode="fixed"),
    }
    site = build_site({name: load(path, device="cpu") for name, path in files.items()})
    with serving(site) as server, Visit(browser, server.url) as visit:
        page = visit.page
        visit.give(photo(tmp_path / "cat.png"))
        visit.painted()
        assert page.locator("#paintings .name").all_inner_texts() == [
            "Night sky\nof Several", "Wave\nof Several", "<b>&\nof Several", "One",
        ]  # fmt: skip
        page.locator("input[name='painting']").nth(1).check()
        assert visit.painted().startswith("Painted like Wave")
        assert "--style wave" in page.locator("#command").text_content()
        page.locator("#mixing summary").click()
        visit.set_range("weight-0", 60)
        visit.set_range("weight-1", 20)
        assert visit.painted().startswith("Painted like a mixture")
        assert "'night sky=0.750,wave=0.250'" in page.locator("#command").text_content()
        found = levels(download(visit, tmp_path / "found.png"))
        model = str(files["several"])
        monkeypatch.setattr("brushnet.models.locate", lambda name: Path(model))  # the page knows names, not paths
        assert np.abs(found - levels(painted_by_stylize(visit, tmp_path, monkeypatch))).max() <= 2
        page.locator("input[name='painting']").nth(3).check()
        visit.painted()
        assert page.locator("#stroke").is_disabled()
        assert page.locator("#stroke-note").inner_text() == "This model paints with strokes of 1.5 only."
        assert page.locator("#mixing").is_hidden()
        assert "--stroke" not in page.locator("#command").text_content()


@pytest.fixture
def gpu_browser(browser: Any) -> Iterator[Any]:
    opened = browser.browser_type.launch(executable_path=browser.executable, args=[*FLAGS, *GPU])
    yield opened
    opened.close()


@pytest.mark.slow
def test_by_webgpu_it_paints_the_same(gpu_browser: Any, site: Site, tmp_path, monkeypatch):
    """On a GPU that is a program (SwiftShader): slow, and as strict as any."""
    told = json.loads(site["models.json"]) | {"photos": []}
    with (
        serving({**site, "models.json": json.dumps(told).encode()}) as server,
        Visit(gpu_browser, f"{server.url}?provider=webgpu") as visit,
    ):
        visit.give(photo(tmp_path / "cat.png", (96, 64)))
        visit.painted(within_s=400)
        assert "the GPU (WebGPU)" in visit.page.locator("#facts").text_content()
        visit.page.locator("input[name='brush'][value='broad']").check()
        visit.page.locator("#map-view").focus()
        visit.page.keyboard.press("Space")
        assert "a map" in visit.painted(within_s=400)
        download(visit, tmp_path / "stroke-map.png", "#map-save")
        found = levels(download(visit, tmp_path / "found.png"))
        assert np.abs(found - levels(painted_by_stylize(visit, tmp_path, monkeypatch))).max() <= 2
