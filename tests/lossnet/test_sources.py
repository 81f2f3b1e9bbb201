import hashlib
import logging
import pickle
from urllib.error import URLError

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from brushnet import samples
from brushnet.errors import BrushnetError, UserError
from brushnet.lossnet import load_lossnet, sources
from tests.conftest import vgg_state

THREE_WAYS = r"lossnet\.weights=FILE, connect to the internet once, or train with lossnet=compact"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BRUSHNET_LOSSNET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def served_vgg(tmp_path, monkeypatch, cache):
    """Stands for torchvision's server: the downloads so far. The pinned digest is that of a small file."""
    origin = tmp_path / "origin.pth"
    torch.save(vgg_state(), origin)
    digest = hashlib.sha256(origin.read_bytes()).hexdigest()
    monkeypatch.setitem(sources.TORCHVISION, "vgg19", ("vgg19-test.pth", digest))
    downloads = []

    def download(url, path, progress):
        downloads.append(url)
        with open(path, "wb") as file:
            file.write(origin.read_bytes())

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    return downloads


def test_torchvisions_weights_are_downloaded_once_and_checked(served_vgg, cache):
    for _ in range(2):
        net = load_lossnet("torchvision", arch="vgg19", layers=["relu2_1"])
    assert net.layers == ["relu1_1", "relu2_1"]
    assert len(served_vgg) == 1
    assert served_vgg[0].endswith("vgg19-dcbb9e9d.pth")


def test_a_download_with_another_digest_is_refused_by_name(served_vgg, cache, monkeypatch):
    monkeypatch.setitem(sources.TORCHVISION, "vgg19", ("vgg19-test.pth", "0" * 64))
    with pytest.raises(UserError, match=r"vgg19-test\.pth has SHA-256 [0-9a-f]{64}, expected 0{64}; .* delete it"):
        load_lossnet("torchvision", arch="vgg19", layers=["relu1_1"])


def test_the_pinned_digests_are_whole_and_begin_as_torchvisions_file_names():
    for name, digest in sources.TORCHVISION.values():
        assert len(digest) == 64
        assert digest.startswith(name.split("-")[1].removesuffix(".pth"))


def test_without_network_and_file_the_three_ways_out_are_named(cache, monkeypatch):
    def refuse(url, path, progress):
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    with pytest.raises(UserError, match=rf"cannot be downloaded \(.*no network.*\); give a file with {THREE_WAYS}"):
        load_lossnet("torchvision", arch="vgg16", layers=["relu1_1"])


def test_a_missing_file_is_named_with_the_ways_out(tmp_path):
    with pytest.raises(UserError, match=rf"none\.pth does not exist; give a file with {THREE_WAYS}"):
        load_lossnet(str(tmp_path / "none.pth"), layers=["relu1_1"])


@pytest.mark.parametrize("name", ["junk.pth", "junk.safetensors", "mk.py"])
@pytest.mark.parametrize("content", [b"junk" * 100, b"import torch", b""])
def test_a_file_that_is_no_weights_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    message = rf"{name} cannot be read as weights: it is no file of weights, or a damaged one$"
    with pytest.raises(UserError, match=message):
        load_lossnet(str(tmp_path / name), layers=["relu1_1"])


@pytest.mark.parametrize("zipped", [True, False])
def test_half_a_file_is_called_damaged(tmp_path, zipped):
    torch.save(vgg_state(), tmp_path / "half.pth", _use_new_zipfile_serialization=zipped)
    whole = (tmp_path / "half.pth").read_bytes()
    (tmp_path / "half.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"half\.pth cannot be read as weights: it is no file of weights, or a damaged"):
        load_lossnet(str(tmp_path / "half.pth"))


def test_a_file_that_may_not_be_read_says_so(lossnet_file, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(torch, "load", refuse)  # as root, file modes refuse nothing
    with pytest.raises(UserError, match=r"tiny_vgg\.pth cannot be read as weights: Permission denied$"):
        load_lossnet(str(lossnet_file))


@pytest.mark.parametrize("way", ["archive", "old archive", "bare pickle"])
def test_a_file_that_would_run_code_does_not(tmp_path, way):
    class Attack:
        def __reduce__(self):
            return (open, (str(tmp_path / "owned"), "w"))

    path = tmp_path / "attack.pth"
    if way == "bare pickle":
        path.write_bytes(pickle.dumps({"features.0.weight": Attack()}, protocol=2))
    else:
        torch.save({"features.0.weight": Attack()}, path, _use_new_zipfile_serialization=way == "archive")
    message = r"attack\.pth cannot be read as weights: it holds more than tensors; such a file could run code"
    with pytest.raises(UserError, match=message):
        load_lossnet(str(tmp_path / "attack.pth"), layers=["relu1_1"])
    assert not (tmp_path / "owned").exists()


def test_a_checkpoint_of_another_kind_is_refused(tmp_path):
    torch.save({"epoch": 3, "state": {}}, tmp_path / "other.pth")
    with pytest.raises(UserError, match=r"other\.pth cannot be read as weights: it holds no state dict of tensors"):
        load_lossnet(str(tmp_path / "other.pth"), layers=["relu1_1"])


def test_safetensors_and_pth_give_the_same_network(lossnet_file, tmp_path):
    save_file(vgg_state(), tmp_path / "tiny.safetensors")
    picture = torch.rand(1, 3, 16, 16)
    feats = [
        load_lossnet(str(path), layers=["relu3_1"]).features(picture, ["relu3_1"])["relu3_1"]
        for path in (lossnet_file, tmp_path / "tiny.safetensors")
    ]
    assert torch.equal(*feats)


def test_a_file_that_claims_more_than_it_holds_is_refused(tmp_path):
    state = vgg_state() | {"metric.relu1_1": torch.zeros(1, 1).expand(4000, 6)}
    torch.save(state, tmp_path / "claims.pth")
    with pytest.raises(UserError, match=r"claims\.pth cannot be read as weights: its tensors would unfold to more"):
        load_lossnet(str(tmp_path / "claims.pth"))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_that_are_not_finite_are_refused_by_name(tmp_path, suffix):
    state, path = vgg_state(), tmp_path / f"odd{suffix}"
    state["features.0.bias"][0] = float("nan")
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    with pytest.raises(UserError, match=rf"odd{suffix} cannot be read as weights: .features\.0\.bias. is not finite"):
        load_lossnet(str(path))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_halves_on_disk_are_computed_in_full(tmp_path, suffix):
    state, path = {key: value.half() for key, value in vgg_state().items()}, tmp_path / f"half{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    feats = load_lossnet(str(path)).features(torch.rand(1, 3, 16, 16), ["relu3_1"])
    assert feats["relu3_1"].dtype == torch.float32


def test_a_cache_that_cannot_be_written_is_no_obstacle(served_vgg, cache, monkeypatch):
    load_lossnet("torchvision", arch="vgg19", layers=["relu1_1"])
    next(cache.glob("*.sha256")).unlink()

    def refuse(*_, **__):
        raise PermissionError("read-only")

    monkeypatch.setattr(sources.Path, "write_text", refuse)  # as root, file modes refuse nothing
    assert load_lossnet("torchvision", arch="vgg19", layers=["relu1_1"]).layers == ["relu1_1"]


def test_a_layer_that_the_file_does_not_reach_is_refused(lossnet_file):
    with pytest.raises(UserError, match=r"tiny_vgg\.pth has no layer 'relu4_3'; its layers are relu1_1, relu2_1"):
        load_lossnet(str(lossnet_file), layers=["relu4_3"])


def test_auto_takes_torchvisions_weights_where_they_were_downloaded_before(served_vgg, cache, caplog):
    load_lossnet("torchvision", arch="vgg19", layers=["relu1_1"])
    with caplog.at_level(logging.INFO):
        assert sources.choose("auto", arch="vgg19") == "torchvision"
    assert f"loss network: torchvision's vgg19, found in {cache}" in caplog.text
    assert load_lossnet("auto", layers=["relu1_1"]).name == "torchvision vgg19"


def test_auto_is_the_embedded_network_where_no_vgg_is_at_hand_and_says_why(cache, caplog):
    with caplog.at_level(logging.INFO):
        assert sources.choose("auto", arch="vgg16") == "compact"
    assert "loss network: the embedded compact one, since no vgg16 is at hand (lossnet=vgg16 downloads" in caplog.text
    assert not cache.exists()


def test_what_is_chosen_by_name_or_file_stays(cache):
    assert [sources.choose(name, arch="vgg19") for name in ("compact", "torchvision", "mine.pth")] == [
        "compact",
        "torchvision",
        "mine.pth",
    ]


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A copy of the embedded weights that may be damaged."""
    copy = tmp_path / "samples" / "lossnet" / sources.COMPACT
    copy.parent.mkdir(parents=True)
    copy.write_bytes((samples.samples_dir() / "lossnet" / sources.COMPACT).read_bytes())
    monkeypatch.setattr(samples, "samples_dir", lambda: tmp_path / "samples")
    return copy


@pytest.mark.parametrize("harm", ["damaged", "swapped"])
def test_damaged_or_swapped_embedded_weights_are_refused_by_digest_and_name(shipped, harm):
    load_lossnet("compact", layers=["relu1_1"])
    data = bytearray(shipped.read_bytes())
    data[-100] ^= 1
    shipped.write_bytes(data if harm == "damaged" else b"another file")
    message = (
        r"lossnet\.weights=compact: .*compact\.safetensors has SHA-256 [0-9a-f]{64}, expected .* damaged or another"
    )
    with pytest.raises(UserError, match=message):
        load_lossnet("compact", layers=["relu1_1"])


def test_missing_embedded_weights_are_a_broken_installation(shipped):
    shipped.unlink()
    with pytest.raises(BrushnetError, match=r"compact\.safetensors is missing from this installation: install it anew"):
        load_lossnet("compact")


def test_the_embedded_network_reaches_relu3_4_and_says_so():
    assert load_lossnet("compact").layers[-1] == "relu3_4"
    with pytest.raises(UserError, match=r"compact has no layer 'relu4_3'; its layers are relu1_1, .*relu3_4$"):
        load_lossnet("compact", layers=["relu4_3"])


def test_the_embedded_network_is_small_and_names_its_teacher():
    path = samples.samples_dir() / "lossnet" / sources.COMPACT
    assert path.stat().st_size <= 1_500_000
    with safe_open(path, "pt") as file:
        assert "Oxford" in file.metadata()["brushnet-lossnet"]


@pytest.mark.parametrize("name", ["vgg19_to_relu3_4.pth", "vgg19_16x_to_relu5_1.pth"])
def test_real_weights_tell_textures_apart(shared_data, name):
    net = load_lossnet(str(shared_data / "weights" / name), layers=["relu3_1"])
    flat, noise = torch.full((1, 3, 64, 64), 0.5), torch.rand(1, 3, 64, 64)
    energies = [net.features(picture, ["relu3_1"])["relu3_1"].var(dim=(2, 3)).mean() for picture in (flat, noise)]
    assert energies[1] > 100 * energies[0]
