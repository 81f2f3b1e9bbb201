"""Every file of conf/ composes, says how it is used, and agrees with the schema."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from webdataset.shardlists import expand_urls

import brushnet
from brushnet.config import Config, compose, conf_dir
from brushnet.config.folder import groups
from brushnet.data.pack import SHARDS
from brushnet.errors import ConfigError

CHOICES = [f"{group}={value}" for group, values in groups(conf_dir()).items() for value in values]


NEEDED = {"experiment=add_style": ["style.base=starry-night"]}  # what the user must give beside the choice


@pytest.mark.parametrize("choice", CHOICES)
def test_every_file_composes(choice):
    assert isinstance(compose([choice, *NEEDED.get(choice, [])]), Config)


@pytest.mark.parametrize("choice", [choice for choice in CHOICES if choice.startswith("experiment=")])
def test_every_experiment_opens_with_its_command(choice):
    lines = (conf_dir() / f"{choice.replace('=', '/')}.yaml").read_text().splitlines()
    assert lines[0] == "# @package _global_"
    assert lines[1].startswith(f"# brushnet train {choice}")
    assert lines[2].startswith("# ")


@pytest.mark.parametrize("choice", [choice for choice in CHOICES if choice.split("=")[0] in ("budget", "launcher")])
def test_every_budget_and_launcher_says_how_it_is_used(choice):
    lines = (conf_dir() / f"{choice.replace('=', '/')}.yaml").read_text().splitlines()
    assert lines[0] == "# @package _global_"
    assert lines[1].startswith("# brushnet train -m ")
    assert choice in lines[1]


def test_layer_selections_name_style_layers_alone_and_all_is_the_default():
    for choice in (choice for choice in CHOICES if choice.startswith("layers=")):
        cfg = compose([choice])
        cfg.loss.style_layers = Config().loss.style_layers
        assert cfg == Config()
    assert compose(["layers=all"]) == Config()


def test_the_file_for_wandb_sweep_trains_what_brushnet_knows():
    content = yaml.safe_load((conf_dir() / "wandb_sweep.yaml").read_text())
    command = content["command"]
    assert command[:2] == ["brushnet", "train"]
    assert command[-1] == "${args_no_hyphens}"
    for key, parameter in content["parameters"].items():
        for value in parameter.get("values", [parameter.get("value", parameter.get("min"))]):
            cfg = compose([*command[2:-1], f"{key}={value}"])
            assert (cfg.logger.kind, cfg.trainer.evaluate) == ("wandb", True)
    assert content["metric"] == {"name": "evaluation/mean_absolute_error_octaves", "goal": "minimize"}


@pytest.mark.parametrize("name", ["johnson", "card"])
def test_experiments_say_what_is_not_yet_known_of_them(name):
    comment = " ".join((conf_dir() / "experiment" / f"{name}.yaml").read_text().replace("#", "").split())
    trainer = compose([f"experiment={name}"]).trainer
    assert (trainer.max_steps, trainer.batch_size) == (40_000, 4)
    assert "About 40,000 steps of batch 4" in comment
    assert "not yet measured here" in comment


def test_johnson_compares_whole_uncentred_gram_matrices_and_nothing_else():
    cfg = compose(["experiment=johnson"])
    assert (cfg.loss.statistic, cfg.loss.mean_weight, cfg.loss.style_weight) == ("gram", 0, 5)
    assert (cfg.loss.spectrum_weight, cfg.loss.content_follows_stroke, cfg.net.trunk) == (0, False, "plain")
    assert (cfg.style.target, compose(["experiment=card"]).style.target) == ("bank", "crop")


def test_the_example_for_shards_has_the_names_that_pack_writes():
    command = (conf_dir() / "data" / "shards.yaml").read_text().splitlines()[0]
    shards = expand_urls(Path(shlex.split(command)[-1].partition("=")[2]).name)
    assert shards == [SHARDS % number for number in range(10)]


def test_defaults_of_conf_are_those_of_the_schema():
    assert compose([]) == Config()


def test_no_file_names_a_class_to_instantiate():
    # Hydra would call it: a configuration is values, never code.
    assert not [path for path in conf_dir().rglob("*.yaml") if "_target_" in path.read_text()]


def test_choosing_the_default_value_of_each_group_changes_nothing():
    defaults = ["net=quick", "lossnet=auto", "loss=default", "stroke=three_octaves", "style=default", "data=sample",
                "trainer=default", "logger=csv"]  # fmt: skip
    assert compose(defaults) == Config()


def test_conf_dir_can_be_chosen_by_environment(tmp_path, monkeypatch):
    copy = shutil.copytree(conf_dir(), tmp_path / "conf")
    (copy / "net" / "quick.yaml").write_text("width: 8\n")
    monkeypatch.setenv("BRUSHNET_CONF", str(copy))
    assert compose([]).net.width == 8


def test_wrong_conf_dir_in_the_environment_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("BRUSHNET_CONF", str(tmp_path))
    with pytest.raises(ConfigError, match=r"BRUSHNET_CONF must name a folder with a train\.yaml, got "):
        conf_dir()


def test_an_installed_package_brings_its_own_configuration(tmp_path):
    # The layout of the wheel: conf/ lies inside the package; a neighbour named `conf` is somebody else's.
    package = Path(brushnet.__file__).parent
    shutil.copytree(package, tmp_path / "brushnet", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(conf_dir(), tmp_path / "brushnet" / "conf")
    (tmp_path / "brushnet" / "conf" / "net" / "quick.yaml").write_text("width: 8\n")
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "train.yaml").write_text("somebody: else\n")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "brushnet", "train", "--cfg", "job"]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd="/", check=True)
    assert yaml.safe_load(done.stdout)["net"]["width"] == 8


def test_incomplete_installation_says_so(tmp_path):
    package = Path(brushnet.__file__).parent
    shutil.copytree(package, tmp_path / "brushnet", ignore=shutil.ignore_patterns("__pycache__", "conf"))
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "brushnet", "train", "--cfg", "job"]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd="/")
    assert done.returncode == 2
    assert "the configuration is missing from this installation" in done.stderr
    assert done.stderr.count("\n") == 1
