from pathlib import Path

import pytest
import torch
from torchvision.models import squeezenet1_1

from brushnet import images, seeds
from brushnet.errors import UserError
from brushnet.measure.lpips import STAGES, load_lpips


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("lpips")
    with seeds.torch_seeded(0, "test"):
        torch.save(squeezenet1_1(weights=None).state_dict(), folder / "squeezenet.pth")
    head = {f"lin{place}.model.1.weight": torch.ones(1, count, 1, 1) for place, count in enumerate(STAGES.values())}
    torch.save(head, folder / "head.pth")
    return str(folder / "head.pth"), str(folder / "squeezenet.pth")


def picture(index: int) -> torch.Tensor:
    return torch.from_numpy(seeds.rng(index, "test picture").random((1, 3, 48, 64), dtype="float32"))


def test_a_picture_is_no_distance_from_itself_and_some_from_others(files: tuple[str, str]) -> None:
    lpips = load_lpips(*files)
    assert lpips(picture(0), picture(0)) == pytest.approx(0, abs=1e-9)
    near = picture(0) + 0.05 * (picture(1) - 0.5)
    assert 0 < lpips(near, picture(0)) < lpips(picture(1), picture(0))


def test_wrong_files_are_named_with_what_is_expected(files: tuple[str, str], tmp_path: Path) -> None:
    head, backbone = files
    (tmp_path / "text.pth").write_text("no weights")
    torch.save(torch.nn.ReLU(), tmp_path / "module.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    for arguments, message in [
        (("none.pth", backbone), r"--lpips none\.pth: no such file; a file of weights is needed"),
        ((str(tmp_path / "text.pth"), backbone), r"--lpips .*text\.pth cannot be read as weights: it is no file"),
        (
            (head, str(tmp_path / "module.pth")),
            r"--squeezenet .*module\.pth cannot be read as weights: it holds more than tensors; such a file could run",
        ),
        ((head, str(tmp_path / "list.pth")), r"--squeezenet .*list\.pth cannot be read as weights: it holds no state"),
        ((head, head), r"--squeezenet .*head\.pth holds no SqueezeNet 1\.1 in torchvision's key layout"),
        ((backbone, backbone), r"--lpips .*squeezenet\.pth holds no LPIPS head for SqueezeNet .*: give squeeze\.pth"),
    ]:
        with pytest.raises(UserError, match=message):
            load_lpips(*arguments)


def test_a_head_of_another_network_is_refused(files: tuple[str, str], tmp_path: Path) -> None:
    torch.save({f"lin{place}.model.1.weight": torch.ones(1, 64, 1, 1) for place in range(5)}, tmp_path / "vgg.pth")
    with pytest.raises(UserError, match=r"--lpips .*vgg\.pth holds no LPIPS head for SqueezeNet"):
        load_lpips(str(tmp_path / "vgg.pth"), files[1])


def test_the_authors_weights_tell_a_blurred_photo_from_a_sharp_one(shared_data: Path) -> None:
    weights = shared_data / "weights"
    lpips = load_lpips(str(weights / "lpips_lin_v0.1/squeeze.pth"), str(weights / "squeezenet1_1_onnxzoo.pth"))
    photo = images.read(next((shared_data / "content").glob("*.jpg")))
    height, width = photo.shape[-2:]
    blurred = [images.resize(images.resize(photo, height // by, width // by), height, width) for by in (2, 8)]
    assert 0 < lpips(blurred[0], photo) < lpips(blurred[1], photo) < 1
