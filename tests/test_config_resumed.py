"""Continuing a run or forking it: which options may change, and how those that may not are listed."""

import re

import pytest

from brushnet.config import Config, compose, differences, load_run, save
from brushnet.config.differences import harmless_changes
from brushnet.config.resumed import continued, forked
from brushnet.config.schema import options
from brushnet.errors import ConfigError, UserError


@pytest.fixture(scope="module")
def saved():
    return compose(["net=johnson", "lossnet=vgg19", "trainer.max_steps=100"])


@pytest.fixture
def run(tmp_path, saved):
    folder = tmp_path / "run"
    folder.mkdir()
    save(saved, folder / "config.yaml")
    return folder


def resumed(run, *overrides):
    return continued(run, compose(overrides), overrides)


def refused(run, *overrides):
    """What is listed of a resume that is refused."""
    with pytest.raises(ConfigError) as caught:
        resumed(run, "resume=RUN", *overrides)
    message = str(caught.value)
    assert message.startswith("resume=RUN goes on with the run's own configuration, got ")
    assert "; allowed to change: trainer.max_steps, trainer.max_time, " in message
    assert "; if the same files were moved: style.files, " in message
    assert message.endswith("; --fork starts a new run from these weights")
    assert "\n" not in message
    return re.search(r", got (.*); allowed", message)[1]


HARMLESS = [
    "data.cache_dir", "data.decoded_mb", "data.max_bad_fraction", "data.path", "data.source", "data.workers",
    "logger.group", "logger.kind", "logger.name", "logger.project", "trainer.accelerator", "trainer.channels_last",
    "trainer.checkpoint_every_minutes", "trainer.checkpoint_every_steps", "trainer.compile", "trainer.devices",
    "trainer.evaluate", "trainer.keep_checkpoints", "trainer.log_every_steps", "trainer.max_bad_steps",
    "trainer.max_steps", "trainer.max_time", "trainer.precision", "trainer.sample_every_steps",
    "trainer.validate_every_steps",
]  # fmt: skip
BY_VALUE = ["style.files", "lossnet.weights", "data.val_path"]  # a file may be moved, another kind is another model


def test_every_option_that_may_change_is_known_and_all_others_may_not():
    for key, _, value in options(Config()):
        if key in BY_VALUE or key == "resume":
            continue
        other = Config()
        *section, name = key.split(".")
        changed = f"{value}x" if isinstance(value, str) else "x" if value is None else [] if value else 7
        setattr(getattr(other, section[0]) if section else other, name, changed)
        found = (differences(Config(), other), harmless_changes(Config(), other))
        assert [len(each) for each in found] == ([0, 1] if key in HARMLESS else [1, 0]), key


@pytest.mark.parametrize(
    "override",
    ["trainer.max_steps=200", "trainer.max_time=00:01:00:00", "trainer.sample_every_steps=7", "trainer.devices=2",
     "trainer.accelerator=cpu", "logger.name=again", "data.workers=2", "data.path=elsewhere"],
)  # fmt: skip
def test_where_and_how_long_may_change(run, override):
    key, _, value = override.partition("=")
    section, name = key.split(".")
    cfg = resumed(run, override)
    assert str(getattr(getattr(cfg, section), name)) == value
    assert cfg.net.width == 32  # the rest is the run's own


def test_a_logger_may_be_chosen_anew(run):
    assert resumed(run, "logger=wandb").logger.kind == "wandb"


@pytest.mark.parametrize(
    ("override", "listed"),
    [
        ("net.width=16", "net.width: 32 -> 16"),
        ("net=slim", "net.width: 32 -> 16, net.trunk: plain -> scaled"),
        ("seed=1", "seed: 0 -> 1"),
        ("trainer=gpu", "trainer.batch_size: 4 -> 16, trainer.crop_px: 128 -> 256"),
        ("stroke=fixed", "stroke.mode: conditioned -> fixed, stroke.min: 0.35 -> 1, stroke.max: 2.8 -> 1"),
        ("loss.style_layers=[{name: relu2_1}]",
         "loss.style_layers: [relu1_1 (1), relu2_1 (1), relu3_1 (1)] -> [relu2_1 (1)]"),
        ("loss.style_layers.1.weight=0.5",
         "loss.style_layers: [relu1_1 (1), relu2_1 (1), relu3_1 (1)] -> [relu1_1 (1), relu2_1 (0.5), relu3_1 (1)]"),
        ("experiment=johnson", "lossnet.arch: vgg19 -> vgg16"),
        ("style.base=starry-night", "style.base: null -> starry-night"),
        ("fork=starry-night", "fork: null -> starry-night"),
        ("data.val_photos=3", "data.val_photos: 16 -> 3"),
    ],
)  # fmt: skip
def test_what_would_make_another_model_may_not(run, override, listed):
    assert refused(run, override).startswith(listed)


def test_every_difference_is_listed(run):
    assert refused(run, "seed=3", "trainer.max_steps=7", "net=slim", "stroke.max=2", "trainer.batch_size=4") == (
        "net.width: 32 -> 16, net.trunk: plain -> scaled, stroke.max: 2.8 -> 2, seed: 0 -> 3"
    )


def test_an_option_that_says_what_the_run_has_passes(run):
    asked = ("net=johnson", "net.width=32", "lossnet=vgg19", "seed=0", "stroke=three_octaves")
    assert resumed(run, *asked) == load_run(run)


def test_a_relative_path_is_compared_as_what_it_stands_for(run, tmp_path, monkeypatch):
    (tmp_path / "model.safetensors").touch()
    monkeypatch.chdir(tmp_path)
    save(compose(["style.base=model.safetensors", "style.files=[a.jpg]"]), run / "config.yaml")
    assert resumed(run, "style.base=model.safetensors").style.base == "model.safetensors"
    assert refused(run, "style.base=starry-night").endswith("model.safetensors -> starry-night")


def test_long_lists_show_where_they_differ():
    one, other = Config(), Config()
    one.style.files = [f"{number}.jpg" for number in range(20)]
    other.style.files = [*one.style.files[:9], "x.jpg", *one.style.files[10:]]
    assert differences(one, other) == ["style.files: [..., 9, ...] -> [..., x, ...]"]
    other.style.files = ["y.jpg"]
    assert differences(one, other) == ["style.files: [0, 1, 2, ... (20 in all)] -> [y]"]


def test_long_and_odd_text_is_shortened():
    other = Config(fork="a" * 200 + "\n\x1b[1m")
    assert differences(Config(), other) == [f"fork: null -> {'a' * 30}...{'a' * 25}__[1m"]


def test_a_run_resumes_from_another_folder(run, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    save(compose(["style.files=[a.jpg]", "data.path=photos"]), run / "config.yaml")
    monkeypatch.chdir(tmp_path / "elsewhere")
    cfg = resumed(run)
    assert (cfg.style.files, cfg.data.path) == ([str(tmp_path / "a.jpg")], str(tmp_path / "photos"))


def test_moved_files_may_be_named_anew(run):
    save(compose(["data.val_path=/old/val", "lossnet=vgg19"]), run / "config.yaml")
    cfg = resumed(run, "style.files=[/new/painted-small.jpg]", "lossnet.weights=/new/vgg.pth", "data.val_path=/new/val")
    assert cfg.style.files == ["/new/painted-small.jpg"]
    assert (cfg.lossnet.weights, cfg.data.val_path) == ("/new/vgg.pth", "/new/val")


def test_photos_held_out_otherwise_are_other_photos(run):
    assert refused(run, "data.val_path=/new/val") == "data.val_path: null -> /new/val"


@pytest.mark.parametrize(("files", "names"), [("[painted-small.jpg,b.jpg]", "[painted-small, b]"), ("[b.jpg]", "[b]")])
def test_other_paintings_or_another_number_are_refused(run, files, names):
    assert refused(run, f"style.files={files}") == f"style.files: [painted-small] -> {names}"


@pytest.mark.parametrize("weights", ["compact", "auto"])
def test_a_run_keeps_its_loss_network(run, weights):
    assert refused(run, f"lossnet.weights={weights}") == f"lossnet.weights: torchvision -> {weights}"


def test_another_folder_is_refused(run):
    assert refused(run, "hydra.run.dir=x") == f"hydra.run.dir: {run} -> x"
    assert resumed(run, f"hydra.run.dir='{run}'") == load_run(run)


def test_without_overrides_it_is_the_saved_configuration(run):
    assert resumed(run, f"resume='{run}'") == load_run(run)


def test_a_fork_takes_the_runs_configuration_with_any_override(run):
    checkpoint, overrides = run / "checkpoints" / "last.ckpt", [f"resume='{run}'", "stroke=half", "seed=5"]
    cfg = forked(run, checkpoint, compose(overrides), overrides)
    assert (cfg.resume, cfg.fork) == (None, str(checkpoint))
    assert (cfg.net.width, cfg.trainer.max_steps, cfg.stroke.max, cfg.seed) == (32, 100, 0.5, 5)


def test_what_a_fork_cannot_start_from_is_named(run):
    checkpoint = run / "checkpoints" / "last.ckpt"
    with pytest.raises(
        UserError, match=r"^--fork: .*run was stopped before its first checkpoint, so it has no weights"
    ):
        forked(run, None, compose([]), [])
    message = r"^--fork sets the option fork to the checkpoint of resume=, got fork=a too$"
    with pytest.raises(UserError, match=message):
        forked(run, checkpoint, compose(["fork=a"]), ["fork=a"])
    save(compose(["style.base=starry-night"]), run / "config.yaml")
    message = (
        r"^--fork: .*run has added paintings to style\.base=starry-night, and a fork .* style\.base=.*run adds more"
    )
    with pytest.raises(UserError, match=message):
        forked(run, checkpoint, compose([]), [])


def test_a_fork_is_of_one_model_and_has_a_name():
    with pytest.raises(ConfigError, match=r"^fork=a and style\.base=b cannot be combined: a fork trains the whole"):
        compose(["fork=a", "style.base=b"])
    with pytest.raises(ConfigError, match=r"^fork must name the model whose weights the run starts from, got nothing$"):
        compose(["fork=' '"])


def test_the_origin_of_a_fork_is_saved_as_an_absolute_path_or_a_name(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for fork, saved in {"run": str(run), "starry-night": "starry-night"}.items():
        save(compose([f"fork={fork}"]), tmp_path / "config.yaml")
        assert load_run(tmp_path).fork == saved
