"""Reference and training judged by one loss, on a tiny training."""

from pathlib import Path

import pytest
import torch

from brushnet import build, cli, config, images
from brushnet.bench import loss
from brushnet.bench.clock import Clock
from brushnet.bench.curve import Point, Stopwatch
from brushnet.bench.loss import Judge, Limits, Looking, train_ours, train_reference
from brushnet.bench.reference import Reference, arch_of, reference_module, whole_photos
from tests.bench.conftest import FakeClock

CPU = torch.device("cpu")


@pytest.fixture
def built(tiny):
    cfg = config.compose([*tiny, "trainer.max_steps=6"])
    stroke = build.build_stroke(cfg)
    data = build.build_data(cfg, allow_pipe=False)
    data.setup("fit")
    module = build.build_module(
        cfg,
        lossnet=build.build_lossnet(cfg),
        paintings=build.build_paintings(cfg, stroke),
        stroke=stroke,
        command=None,
    )
    return module, data, build.build_options(cfg, Path("nowhere"))


@pytest.fixture
def reference(built):
    photos = whole_photos(built[1].photos.source)
    return Reference(photos, torch.rand(1, 3, 32, 32), batch_size=2, crop_px=32, workers=0, device=CPU)


def test_the_judge_is_the_references_loss_and_does_not_depend_on_batches(reference):
    photos = torch.rand(3, 3, 32, 32)
    watch = Stopwatch(FakeClock())

    def bright(photo):
        return photo + 0.5  # what is beyond white is judged as the file would hold it

    points = [Judge(reference, photos, batch_size=size).point(bright, watch, images=7) for size in (1, 3)]
    assert points[0].style == pytest.approx(points[1].style, rel=1e-4)
    with torch.no_grad():
        content, _ = reference.trainer.losses((photos + 0.5).clamp(0, 1) * 255, photos * 255)
    assert points[1].content == pytest.approx(float(content), rel=1e-5)
    assert Judge(reference, photos, batch_size=3).point(lambda photo: photo, watch, images=0).content == 0


def test_a_training_ends_at_the_goal_and_leaves_nothing(built, reference, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.rglob("*"))
    judge = Judge(reference, torch.rand(2, 3, 32, 32), batch_size=2)
    theirs = train_reference(reference, judge, Clock(CPU), steps=2, tell=lambda text: None)
    assert [point.images for point in (theirs[0], theirs[-1])] == [0, 4]
    assert 0 < theirs[-1].seconds < 60
    easy = Limits(Point(1.0, 1.0, 0, style=1e9, content=1e9), seconds=60, max_steps=6)
    ours = train_ours(*built, judge, Clock(CPU), limits=easy, tell=lambda text: None)
    assert [point.images for point in ours] == [0, 2]
    assert set(tmp_path.rglob("*")) == before


class Trainer:
    def __init__(self, step, batch_size=2):
        self.global_step, self.should_stop = step, False
        self.datamodule = type("Data", (), {"batch_size": batch_size})


@pytest.mark.parametrize(("step", "seconds", "stops"), [(5, 1, False), (6, 1, True), (5, 10, True)])
def test_steps_or_time_end_what_does_not_reach_the_goal(built, reference, clock, step, seconds, stops):
    judge = Judge(reference, torch.rand(1, 3, 32, 32), batch_size=1)
    limits = Limits(Point(1.0, 1.0, 0, style=0.0, content=0.0), seconds=10, max_steps=6)
    looking, trainer = Looking(judge, limits, Stopwatch(clock), tell=lambda text: None), Trainer(step)
    clock.pass_by(seconds)
    looking.on_train_batch_end(trainer, built[0])
    assert trainer.should_stop == stops
    assert len(looking.points) == 1
    assert looking.points[0].seconds == seconds
    clock.pass_by(seconds * (loss.GROWTH - 1) / 2)
    looking.on_train_batch_end(trainer, built[0])
    assert len(looking.points) == 1 + stops  # not yet due


def test_weights_tell_their_architecture():
    plain = reference_module()
    for arch in ("vgg16", "vgg19"):
        assert arch_of(plain.Vgg(arch=arch).state_dict()) == arch
    state = plain.Vgg().state_dict()
    del state["features.21.weight"]
    assert arch_of(state) is None


def test_oxfords_weights_are_balanced_by_their_own_scale(photos_dir):
    plain = reference_module()
    state = plain.Vgg(arch="vgg19").state_dict()
    photos, painting = [path.read_bytes() for path in photos_dir.glob("*.jpg")], torch.rand(1, 3, 32, 32)
    own = plain.ReferenceTrainer(photos, painting, size=32, vgg_weights=state, arch="vgg19")
    assert (own.content_weight, own.style_weight) == plain.TORCHVISION_BALANCE
    state["features.0.weight"] = state["features.0.weight"] * 140
    oxford = plain.ReferenceTrainer(photos, painting, size=32, vgg_weights=state, arch="vgg19")
    assert (oxford.content_weight, oxford.style_weight) == plain.OXFORD_BALANCE
    assert set(oxford.wanted) == {"relu1_2", "relu2_2", "relu3_4"}


def test_the_command_tells_and_shows_both(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    torch.save(reference_module().Vgg(arch="vgg19").state_dict(), "vgg.pth")
    words = ["loss", *tiny, "trainer.max_steps=2", "--vgg", "vgg.pth", "--reference-steps", "1", "-o", "new/race.json"]
    assert cli.main(["bench", *words]) == 0
    out, err = capsys.readouterr()
    lines = [line.split() for line in out.splitlines()[2:]]
    assert lines[2] == ["SECONDS", "CPU", "S", "IMAGES", "STYLE", "CONTENT", "TOTAL", "SOONER"]
    assert [line[0] for line in lines[3:]] == ["reference,", *["brushnet,"] * 3]
    assert "bench: reference, step 1 of 1: " in err
    assert images.read(Path("new/race.jpg")).shape[1] == 3
    assert cli.main(["bench", *words]) == 2
    assert "-o new/race.json would be overwritten; pass --force to allow it" in capsys.readouterr().err
    Path("new/race.json").unlink()
    assert cli.main(["bench", *words]) == 2
    assert "-o new/race.jpg would be overwritten" in capsys.readouterr().err
