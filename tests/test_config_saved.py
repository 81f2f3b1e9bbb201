"""A run's saved configuration: round trip, and what a stranger's file cannot do."""

import pytest
import yaml

from brushnet.config import Config, compose, load_run, save, to_dict
from brushnet.config.saved import command_of
from brushnet.errors import ConfigError


def write(folder, text):
    (folder / "config.yaml").write_text(text)
    return folder


def test_saved_configuration_comes_back_equal(tmp_path):
    cfg = compose(["experiment=card", "style.files=[/art/é (1).jpg]", "trainer.max_time=00:00:03:00",
                   "trainer.learning_rate=1e-5", "data.cache_dir=null", "logger.name='00123'"])  # fmt: skip
    save(cfg, tmp_path / "config.yaml")
    assert load_run(tmp_path) == load_run(tmp_path / "config.yaml") == cfg
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


def test_the_command_is_kept_before_the_options(tmp_path):
    command = "brushnet train 'style.files=[/art/é (1).jpg]' seed=1"
    save(compose(["seed=1"]), tmp_path / "config.yaml", command=command)
    assert command_of(tmp_path) == command
    assert load_run(tmp_path).seed == 1


@pytest.mark.parametrize("command", [None, "", "train\nseed: 7", "train \udcff", "train \x1b[31m"])
def test_a_command_that_would_be_more_than_a_comment_is_left_out(tmp_path, command):
    save(compose([]), tmp_path / "config.yaml", command=command)
    assert command_of(tmp_path) is None
    assert load_run(tmp_path).seed == 0


@pytest.mark.parametrize("heading", [b"", b"seed: 1", b"#seed: 1", b"# \x1b[31m", b"# \xff\x00"])
def test_a_heading_that_is_no_command_is_none(tmp_path, heading):
    (tmp_path / "config.yaml").write_bytes(heading)
    assert command_of(tmp_path) is None


def test_a_run_of_before_there_was_a_choice_keeps_what_there_was(tmp_path):
    values = to_dict(compose(["net=slim"]))
    del values["net"]["ends"], values["net"]["trunk_px"], values["stroke"]["group"], values["loss"]["grid_weight"]
    write(tmp_path, yaml.safe_dump(values))
    assert load_run(tmp_path) == compose(["net=slim", "loss.grid_weight=0"])


def saved_paths(folder, *overrides):
    save(compose(list(overrides)), folder / "config.yaml")
    return load_run(folder)


def test_local_paths_are_saved_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = saved_paths(tmp_path, "style.files=[art/a.jpg,b::c.jpg,sample:painted-small,/x.jpg]", "lossnet.weights=v.pth",
                      "data.path='p::x-{00..09}.tar::/abs::sample:photos::{u,v}/*.tar'", "data.val_path=val",
                      "data.cache_dir=c")  # fmt: skip
    here = str(tmp_path)
    assert cfg.style.files == [f"{here}/art/a.jpg", f"{here}/b::c.jpg", "sample:painted-small", "/x.jpg"]
    assert cfg.lossnet.weights == f"{here}/v.pth"
    assert cfg.data.path == f"{here}/p::{here}/x-{{00..09}}.tar::/abs::sample:photos::{here}/{{u,v}}/*.tar"
    assert (cfg.data.val_path, cfg.data.cache_dir) == (f"{here}/val", f"{here}/c")


@pytest.mark.parametrize("path", ["pipe:cat a.tar", "https://host/{0..3}.tar", "sample:photos", "{/a,/b}/x.tar",
                                  "{pipe:a,pipe:b}"])  # fmt: skip
def test_what_is_no_local_path_is_saved_as_it_is(tmp_path, path):
    assert saved_paths(tmp_path, f"data.path='{path}'").data.path == path


@pytest.mark.parametrize("weights", ["auto", "compact", "torchvision"])
def test_words_for_loss_networks_are_no_paths_but_may_be_folders(tmp_path, monkeypatch, weights):
    monkeypatch.chdir(tmp_path)
    cfg = saved_paths(tmp_path, f"lossnet.weights={weights}", f"data.path={weights}")
    assert (cfg.lossnet.weights, cfg.data.path) == (weights, str(tmp_path / weights))


def test_a_folder_whose_name_looks_like_a_list_is_saved_as_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a::b").mkdir()
    assert saved_paths(tmp_path, "data.path='a::b'").data.path == str(tmp_path / "a::b")


def test_saved_configuration_is_plain_yaml(tmp_path):
    save(Config(), tmp_path / "config.yaml")
    assert yaml.safe_load((tmp_path / "config.yaml").read_text()) == to_dict(Config())


def test_options_of_later_versions_keep_their_defaults(tmp_path):
    assert load_run(write(tmp_path, "seed: 5\n")).trainer == Config().trainer


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data: {path: '${oc.env:HOME}'}", r"config\.yaml: .* got an interpolation"),
        ("seed: ${now:%S}", r"got an interpolation"),
        ("net: {_target_: os.system}", r"config\.yaml: unknown option .*_target_"),
        ("hydra: {run: {dir: /tmp}}", r"config\.yaml: unknown option hydra"),
        ("a: !!python/object/apply:os.system [ls]", r"not a saved configuration: .*python/object"),
        ("a: &a [x]\nb: *a", r"not a saved configuration: aliases are not allowed"),
        ("seed: !!timestamp x", r"not a saved configuration: tags are not allowed, got tag:yaml.org,2002:timestamp"),
        ("seed: " + "[" * 200 + "]" * 200, r"config\.yaml: .* got some nested very deep"),
        ("seed: [" + "1," * 2000 + "]", r"seed must be a whole number, got \[1, 1.{0,500}$"),
        (r'data: {path: "a\0b"}', r"not a saved configuration: a text with zero bytes or halves of characters"),
        (r'data: {path: "\ud800"}', r"not a saved configuration: a text with zero bytes or halves of characters"),
        ("seed: 2001-99-99", r"not a saved configuration: month must be in 1\.\.12"),
        ("seed: 0x" + "f" * 6000, r"not a saved configuration: a number of more than 64 bits"),
        ("a: [" + "b," * 20_000 + "]", r"not a saved configuration: more than 20000 values"),
        ("stroke: {min: 3}", r"config\.yaml: stroke\.min must be below stroke\.max"),
        ("trainer: {max_steps: many}", r"trainer\.max_steps must be a whole number, got many"),
        ("trainer: [1]", r"config\.yaml: trainer must hold options, got"),
        ("trainer: null", r"config\.yaml: trainer must hold options, got"),
        ("- 1", r"a saved configuration is a mapping, got list"),
        ("", r"a saved configuration is a mapping, got NoneType"),
        ("1: 2", r"config\.yaml: "),
        ("a: [", r"not a saved configuration: "),
        ("[" * 5000, r"not a saved configuration"),
        ("#" * 1_000_001, r"at most 1000000 bytes"),
    ],
)
def test_hostile_or_damaged_file_is_refused_in_one_line(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message) as refused:
        load_run(write(tmp_path, text))
    assert "\n" not in str(refused.value)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "config.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not a saved configuration"):
        load_run(tmp_path)


def test_folder_without_configuration_is_no_run(tmp_path):
    with pytest.raises(ConfigError, match=r"is not a run folder: it has no config\.yaml"):
        load_run(tmp_path)


def test_a_base_that_is_a_file_is_saved_absolute_and_a_name_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.safetensors").touch()
    bases = [saved_paths(tmp_path, f"style.base={base}").style.base for base in ("starry-night", "mine.safetensors")]
    assert bases == ["starry-night", str(tmp_path / "mine.safetensors")]
