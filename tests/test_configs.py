"""Every file of conf/ composes, says how it is used, and agrees with the schema."""

import shutil

import pytest

from brushnet.config import Config, compose, conf_dir
from brushnet.config.folder import groups
from brushnet.errors import ConfigError

CHOICES = [f"{group}={value}" for group, values in groups(conf_dir()).items() for value in values]


@pytest.mark.parametrize("choice", CHOICES)
def test_every_file_composes(choice):
    assert isinstance(compose([choice]), Config)


@pytest.mark.parametrize("choice", [choice for choice in CHOICES if choice.startswith("experiment=")])
def test_every_experiment_opens_with_its_command(choice):
    lines = (conf_dir() / f"{choice.replace('=', '/')}.yaml").read_text().splitlines()
    assert lines[0] == "# @package _global_"
    assert lines[1].startswith(f"# brushnet train {choice}")
    assert lines[2].startswith("# ")


def test_defaults_of_conf_are_those_of_the_schema():
    assert compose([]) == Config()


def test_no_file_names_a_class_to_instantiate():
    # Hydra would call it: a configuration is values, never code.
    assert not [path for path in conf_dir().rglob("*.yaml") if "_target_" in path.read_text()]


def test_choosing_the_default_value_of_each_group_changes_nothing():
    defaults = ["net=slim", "lossnet=vgg19", "loss=default", "stroke=three_octaves", "style=default", "data=sample",
                "trainer=default", "logger=csv"]  # fmt: skip
    assert compose(defaults) == Config()


def test_conf_dir_can_be_chosen_by_environment(tmp_path, monkeypatch):
    copy = shutil.copytree(conf_dir(), tmp_path / "conf")
    (copy / "net" / "slim.yaml").write_text("width: 8\n")
    monkeypatch.setenv("BRUSHNET_CONF", str(copy))
    assert compose([]).net.width == 8


def test_wrong_conf_dir_in_the_environment_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("BRUSHNET_CONF", str(tmp_path))
    with pytest.raises(ConfigError, match=r"BRUSHNET_CONF must name a folder with a train\.yaml, got "):
        conf_dir()
