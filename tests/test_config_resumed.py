"""Continuing a run: what is found, and which options may change."""

import pytest

from brushnet.config import compose, load_run, save
from brushnet.config.resumed import continued, locate
from brushnet.errors import ConfigError, UserError


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    for name in ("last", "best"):
        (folder / "checkpoints" / f"{name}.ckpt").touch()
    save(compose(["net=johnson", "lossnet=vgg19", "trainer.max_steps=100"]), folder / "config.yaml")
    return folder


def test_a_folder_means_its_last_checkpoint(run):
    assert locate(str(run)) == (run, run / "checkpoints" / "last.ckpt")


def test_a_checkpoint_means_the_run_it_lies_in(run):
    best = run / "checkpoints" / "best.ckpt"
    assert locate(str(best)) == (run, best)


def test_what_is_no_run_is_named(run, tmp_path):
    with pytest.raises(UserError, match=r"resume must be a run folder or a \.ckpt file in one, got nowhere"):
        locate("nowhere")
    with pytest.raises(UserError, match=r"is not a run folder, it has no config\.yaml"):
        locate(str(tmp_path))
    (run / "checkpoints" / "last.ckpt").unlink()
    with pytest.raises(UserError, match=r"no checkpoint .*last\.ckpt; the run stopped before its first"):
        locate(str(run))


@pytest.mark.parametrize(
    "override",
    ["trainer.max_steps=200", "trainer.max_time=00:01:00:00", "trainer.sample_every_steps=7", "trainer.devices=2",
     "trainer.accelerator=cpu", "logger.name=again", "data.workers=2", "data.path=elsewhere"],
)  # fmt: skip
def test_where_and_how_long_may_change(run, override):
    key, _, value = override.partition("=")
    section, name = key.split(".")
    cfg = continued(run, compose([override]), [override])
    assert str(getattr(getattr(cfg, section), name)) == value
    assert cfg.net.width == 32  # the rest is the run's own


def test_a_logger_may_be_chosen_anew(run):
    assert continued(run, compose(["logger=wandb"]), ["logger=wandb"]).logger.kind == "wandb"


@pytest.mark.parametrize("override", ["net.width=16", "loss=johnson", "seed=1", "trainer.batch_size=8", "trainer=cpu"])
def test_what_is_learnt_may_not(run, override):
    with pytest.raises(
        ConfigError, match=rf"keeps the run's own configuration, got {override}; allowed: trainer\.max_steps, "
    ):
        continued(run, compose([override]), [override])


def test_a_run_resumes_from_another_folder(run, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    save(compose(["style.files=[a.jpg]", "data.path=photos"]), run / "config.yaml")
    monkeypatch.chdir(tmp_path / "elsewhere")
    cfg = continued(run, compose([]), [])
    assert (cfg.style.files, cfg.data.path) == ([str(tmp_path / "a.jpg")], str(tmp_path / "photos"))


def test_moved_files_may_be_named_anew(run):
    overrides = ["style.files=[/new/painted-small.jpg]", "lossnet.weights=/new/vgg.pth", "data.val_path=/new/val"]
    cfg = continued(run, compose(overrides), overrides)
    assert cfg.style.files == ["/new/painted-small.jpg"]
    assert (cfg.lossnet.weights, cfg.data.val_path) == ("/new/vgg.pth", "/new/val")


@pytest.mark.parametrize("files", ["[painted-small.jpg,b.jpg]", "[b.jpg]"])
def test_other_paintings_or_another_number_are_refused(run, files):
    override = f"style.files={files}"
    message = r"style\.files may be moved but must keep the run's paintings \(painted-small\), got .*b"
    with pytest.raises(ConfigError, match=message):
        continued(run, compose([override]), [override])


@pytest.mark.parametrize("weights", ["compact", "auto"])
def test_a_run_keeps_its_loss_network(run, weights):
    override = f"lossnet.weights={weights}"
    message = rf"lossnet\.weights of this run is torchvision and cannot become {weights}"
    with pytest.raises(ConfigError, match=message):
        continued(run, compose([override]), [override])


def test_a_checkpoint_in_the_root_folder_belongs_to_no_run(monkeypatch):
    monkeypatch.setattr("pathlib.Path.is_file", lambda path: path.name == "last.ckpt")
    with pytest.raises(UserError, match=r"resume=/last\.ckpt: / is not a run folder, it has no config\.yaml"):
        locate("/last.ckpt")


def test_another_folder_is_refused(run):
    with pytest.raises(ConfigError, match=r"got hydra\.run\.dir=x"):
        continued(run, compose([]), ["hydra.run.dir=x"])


def test_without_overrides_it_is_the_saved_configuration(run):
    assert continued(run, compose([f"resume='{run}'"]), [f"resume='{run}'"]) == load_run(run)
