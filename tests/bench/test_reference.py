"""The reference trainer does what it is said to do: else a ratio to it would mean nothing."""

import statistics

import pytest
import torch

from brushnet.bench import reference
from brushnet.bench.reference import Reference, reference_module, whole_photos
from brushnet.data.sources import open_source
from brushnet.errors import BrushnetError


@pytest.fixture
def plain():
    return reference_module()


def photos_of(folder):
    return [path.read_bytes() for path in sorted(folder.glob("*.jpg"))]


def test_its_loss_falls(plain, photos_dir):
    torch.manual_seed(0)
    painting = torch.rand(1, 3, 48, 48)
    trainer = plain.ReferenceTrainer(photos_of(photos_dir)[:2], painting, batch_size=2, size=32)
    losses = [trainer.step() for _ in range(16)]
    assert statistics.mean(losses[-4:]) < 0.7 * statistics.mean(losses[:4])
    assert trainer.seconds_waited > 0


def test_its_network_is_that_of_the_paper(plain):
    net = plain.TransformerNet()
    assert sum(parameter.numel() for parameter in net.parameters()) == 1_679_235  # as the common port has it
    assert net(torch.rand(1, 3, 32, 48)).shape == (1, 3, 32, 48)


def test_its_vgg_ends_at_relu4_3_and_is_frozen(plain):
    vgg = plain.Vgg()
    found = vgg(torch.rand(1, 3, 32, 32))
    assert {name: tuple(features.shape[1:]) for name, features in found.items()} == {
        "relu1_2": (64, 32, 32), "relu2_2": (128, 16, 16), "relu3_3": (256, 8, 8), "relu4_3": (512, 4, 4),
    }  # fmt: skip
    assert not any(parameter.requires_grad for parameter in vgg.parameters())
    assert all(features.min() >= 0 for features in found.values())


def test_its_gram_matrices_are_gram_matrices(plain):
    features = torch.rand(2, 5, 4, 3)
    wanted = torch.einsum("bchw,bdhw->bcd", features, features) / (5 * 4 * 3)
    torch.testing.assert_close(plain.gram_matrices(features), wanted)


def test_its_vgg_takes_weights_of_torchvisions_layout(plain, tmp_path):
    first = plain.Vgg()
    torch.save(first.state_dict(), tmp_path / "vgg.pth")
    picture = torch.rand(1, 3, 16, 16)
    torch.testing.assert_close(plain.Vgg(tmp_path / "vgg.pth")(picture)["relu4_3"], first(picture)["relu4_3"])


def test_its_command_trains_and_says_how_fast(plain, photos_dir, painting_file, capsys):
    sizes = ["--size", "32", "--batch-size", "2", "--device", "cpu", "--steps", "1"]
    assert plain.main([str(photos_dir), str(painting_file), *sizes]) == 0
    assert "step 1/1  loss " in capsys.readouterr().out
    with pytest.raises(SystemExit):
        plain.main([str(painting_file.parent / "nowhere"), str(painting_file)])
    assert "no photos (.jpg, .jpeg, .png)" in capsys.readouterr().err


def test_a_block_has_a_step_at_least_and_what_settles_is_not_counted(photos_dir, clock, monkeypatch):
    settings = {"batch_size": 2, "crop_px": 32, "workers": 0, "device": torch.device("cpu")}
    compared = Reference(photos_of(photos_dir)[:2], torch.rand(1, 3, 32, 32), **settings)
    monkeypatch.setattr(compared, "step", lambda: clock.pass_by(1.0))
    assert compared.block(clock, seconds=0.5, settle=2) == (1, 1.0)
    assert clock.time == 2.0  # one to settle: longer than half of the block
    assert compared.block(clock, seconds=3, settle=0) == (3, 3.0)


def test_it_is_given_the_photos_that_can_be_decoded(photos_dir):
    (photos_dir / "photo00.jpg").write_bytes(b"no picture")
    source = open_source(str(photos_dir))
    assert whole_photos(source, count=3) == photos_of(photos_dir)[1:4]
    for path in photos_dir.glob("*.jpg"):
        path.write_bytes(b"no picture")
    with pytest.raises(BrushnetError, match=r"no photo of .* can be decoded"):
        whole_photos(open_source(str(photos_dir)))


def test_a_missing_reference_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(reference, "__file__", str(tmp_path / "brushnet" / "bench" / "reference.py"))
    reference_module.cache_clear()
    with pytest.raises(BrushnetError, match=r"the reference trainer is missing \(no .*: install brushnet anew"):
        reference_module()
