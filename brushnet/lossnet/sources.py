"""Where a loss network's weights come from: torchvision's download, a local file, or what brushnet carries."""

import hashlib
import logging
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor

from brushnet import samples
from brushnet.errors import BrushnetError, UserError
from brushnet.lossnet.vgg import LossNetwork
from brushnet.torch_file import UnreadableError
from brushnet.weights_file import read_weights

log = logging.getLogger(__name__)

# File name at torchvision's download site and the full SHA-256 (torchvision itself compares eight digits of it).
TORCHVISION = {
    "vgg16": ("vgg16-397923af.pth", "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"),
    "vgg19": ("vgg19-dcbb9e9d.pth", "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44"),
}
WAYS_OUT = "give a file with lossnet.weights=FILE, connect to the internet once, or train with lossnet=compact"
COMPACT = "compact.safetensors"
COMPACT_SHA256 = "e0556a1d649e325320659c958cc6f02c9369ea10124567d960a12a4d722cfeea"


def choose(weights: str, *, arch: str) -> str:
    """`auto` as `torchvision`, where those weights were downloaded before, or as `compact`; says which, and why.

    Anything else comes back as it is.
    """
    if weights != "auto":
        return weights
    path = _cached(arch)
    if path.is_file():
        log.info("loss network: torchvision's %s, found in %s", arch, path.parent)
        return "torchvision"
    log.info(
        "loss network: the embedded compact one, since no %s is at hand (lossnet=%s downloads torchvision's, about "
        "550 MB; lossnet.weights=FILE takes yours)",
        arch,
        arch,
    )
    return "compact"


def load_lossnet(weights: str, *, arch: str = "vgg19", layers: Iterable[str] | None = None) -> LossNetwork:
    """Loss network by name (`auto`, `compact`, `torchvision`) or from a file.

    It is truncated after the deepest of `layers`, if these are given.

    Raises UserError for a file that is no VGG, for a damaged or swapped one, for a layer that the weights do not reach,
    and where nothing can be downloaded.
    """
    weights = choose(weights, arch=arch)
    if weights == "compact":
        net = LossNetwork(_compact(), name="compact")
    elif weights == "torchvision":
        net = LossNetwork(_read_state(_download(arch)), name=f"torchvision {arch}")
    else:
        net = LossNetwork(_read_state(Path(weights)), name=Path(weights).name)
    if layers is None:
        return net
    wanted = list(layers)
    net.require(wanted, option="loss.style_layers, loss.content_layers")
    return net.truncate(wanted)


def _compact() -> Mapping[str, Tensor]:
    path = samples.samples_dir() / "lossnet" / COMPACT
    if not path.is_file():
        raise BrushnetError(f"lossnet.weights=compact: {path} is missing from this installation: install it anew")
    _check_digest(path, COMPACT_SHA256, "lossnet.weights=compact", way_out="install brushnet anew")
    return _read_state(path)


def _read_state(path: Path) -> Mapping[str, Tensor]:
    if not path.is_file():
        raise UserError(f"lossnet.weights={path} does not exist; {WAYS_OUT}")
    try:
        return read_weights(path)
    except UnreadableError as err:
        raise UserError(f"lossnet.weights={path} cannot be read as weights: {err}") from err


def _cached(arch: str) -> Path:
    folder = Path(os.environ.get("BRUSHNET_LOSSNET_CACHE") or Path(torch.hub.get_dir()) / "checkpoints")
    return folder / TORCHVISION[arch][0]


def _download(arch: str) -> Path:
    """Torchvision's file in torch's own cache, downloaded on first use; the digest is checked once a download."""
    path, sha256 = _cached(arch), TORCHVISION[arch][1]
    checked = path.with_name(f"{path.name}.sha256")
    if path.is_file() and checked.is_file() and checked.read_bytes().strip() == sha256.encode():
        return path
    if not path.is_file():
        _fetch(arch, path)
    _check_digest(path, sha256, "lossnet.weights=torchvision", way_out="delete it and run again")
    with suppress(OSError):  # a cache that others share may be read-only: then the digest is taken each time
        checked.write_text(sha256 + "\n")
    return path


def _check_digest(path: Path, expected: str, option: str, *, way_out: str) -> None:
    found = _sha256(path)
    if found != expected:
        raise UserError(
            f"{option}: {path} has SHA-256 {found}, expected {expected}; the file is damaged or another: {way_out}"
        )


def _fetch(arch: str, path: Path) -> None:
    from torchvision import models

    url = getattr(models, f"{arch.upper()}_Weights").IMAGENET1K_V1.url
    log.info("downloading the weights of %s (about 550 MB, once) to %s", arch, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(url, str(path), progress=False)  # to a temporary name, then renamed
    except (URLError, OSError) as err:
        raise UserError(f"lossnet.weights=torchvision cannot be downloaded ({err}); {WAYS_OUT}") from err


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
