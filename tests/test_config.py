"""The schema: what is refused, and in which words."""

import pytest

from brushnet.config import Config, LayerWeight, check, compose
from brushnet.config.checks import known_layers
from brushnet.config.schema import options, rule_of
from brushnet.config.typed import _TYPE_WORDS, types_by_key
from brushnet.errors import ConfigError
from brushnet.lossnet import load_lossnet

# (overrides, what the one line says)
REFUSED = [
    (["stroke.min=4", "stroke.max=2"],
     r"^stroke\.min must be below stroke\.max \(or stroke\.mode=fixed with both equal\), got 4 and 2$"),
    (["stroke.min=1", "stroke.max=1"], r"stroke\.min must be below stroke\.max .* got 1 and 1"),
    (["stroke.mode=mixed", "stroke.min=2", "stroke.max=1"], r"stroke\.min must be below stroke\.max .* got 2 and 1"),
    (["stroke.mode=fixed"], r"stroke\.min and stroke\.max must be equal with stroke\.mode=fixed, got 0\.35 and 2\.8"),
    (["stroke.mode=fuzzy"], r"stroke\.mode must be one of conditioned, mixed, fixed, got fuzzy"),
    (["data.max_bad_fraction=1.5"], r"data\.max_bad_fraction must be at least 0 and at most 1, got 1\.5"),
    (["stroke.min=0"], r"stroke\.min must be at least 0\.05 and at most 20 s, got 0"),
    (["trainer.crop_px=63"],
     r"trainer\.crop_px must be at least 64 with loss\.pyramid_levels=3 \(the coarsest level needs 16 px\), got 63"),
    (["loss.content_level=4"], r"trainer\.crop_px must be at least 256 with loss\.content_level=4 .* got 128"),
    (["loss.style_layers=[{name: relu9}]"], r"loss\.style_layers must name layers .*relu1_1, .*relu5_4\), got relu9"),
    (["loss.style_layers=[{name: relu3_4}]", "lossnet=vgg16"], r"loss\.style_layers must name layers .*got relu3_4"),
    (["loss.style_layers=[{name: relu4_1}]", "lossnet=compact"],
     r"loss\.style_layers must name layers of the loss network \(relu1_1, .*relu3_4\), got relu4_1"),
    (["stroke.min=0.1", "loss.pyramid_levels=4"],
     r"stroke\.min \* style\.reference_px / 2\*\*\(loss\.pyramid_levels-1\), .*, must be at least 8 px, "
     r"got 0\.1 \* 256 / 2\*\*3 = 3\.2$"),
    (["loss.style_layers=[{name: relu1_1}, {name: relu1_1}]"],
     r"loss\.style_layers must name each layer once, got relu1_1 2 times"),
    (["loss.content_layers=[{name: relu1_1, weight: -1}]"],
     r"loss\.content_layers: the weight of relu1_1 must be above 0, got -1"),
    (["loss.content_layers=[]"], r"loss\.content_layers must name at least one layer, .*got \[\]"),
    (["loss.style_layers=[relu1_1]"], r"loss\.style_layers must be a list of \{name, weight\}, .*got relu1_1"),
    (["loss.style_layers=[{nam: relu1_1}]"], r"unknown key nam in a list of layers: each is \{name, weight\}"),
    (["loss.style_weight=0", "loss.content_weight=0"], r"loss\.style_weight and loss\.content_weight .* got 0 and 0"),
    (["style.files=[]"], r"style\.files must name at least one painting, .*got \[\]"),
    (["style.files=['']"], r"style\.files must name paintings, .*got an empty name"),
    (["style.base="], r"style\.base must name the trained model to which style\.files are added .*got nothing"),
    (["experiment=add_style"], r"style\.base must name the trained model to which style\.files are added"),
    (["data.path="], r"data\.path must not be empty"),
    (["lossnet.weights="], r"lossnet\.weights must not be empty"),
    (["trainer.max_steps=0"], r"trainer\.max_steps must be at least 1 and at most 1e\+08 steps, got 0"),
    (["trainer.max_steps=abc"], r"^trainer\.max_steps must be a whole number, got abc$"),
    (["trainer.max_steps=1.5"], r"trainer\.max_steps must be a whole number, got 1\.5"),
    (["trainer.max_steps=null"], r"trainer\.max_steps must be a whole number, got null"),
    (["trainer.max_steps="], r"trainer\.max_steps must be a whole number, got nothing"),
    (["trainer.learning_rate=nan"], r"trainer\.learning_rate must be a finite number, got nan"),
    (["trainer.learning_rate=0"], r"trainer\.learning_rate must be above 0 and at most 1, got 0"),
    (["trainer.ema_decay=1"], r"trainer\.ema_decay must be at least 0 and below 1, got 1"),
    (["trainer.compile=maybe"], r"trainer\.compile must be true or false, got maybe"),
    (["trainer.precision=16-mixed"], r"trainer\.precision must be one of auto, 32-true, bf16-mixed, got 16-mixed"),
    (["trainer.max_time=5m"], r"trainer\.max_time must be dd:hh:mm:ss .*got 5m"),
    (["trainer.max_time=00:00:00:00"], r"trainer\.max_time must be dd:hh:mm:ss and more than zero, .*got 00:00:00:00"),
    (["seed=-1"], r"seed must be at least 0 .* got -1"),
    (["trainer.batchsize=3"], r"^unknown option trainer\.batchsize; did you mean trainer\.batch_size\?$"),
    (["batch_size=3"], r"^unknown option batch_size; did you mean trainer\.batch_size\?$"),
    (["net=slm"], r"^net must be one of johnson, quick, slim, got slm; did you mean slim\?$"),
    (["los=johnson"], r"^unknown option los; did you mean loss\?$"),
    (["experiment=jonson"], r"^experiment must be one of .*got jonson; did you mean johnson\?$"),
    (["net=null"], r"net must be one of johnson, quick, slim, got null"),
    (["+foo=1"], r"options can be set but neither added nor removed, got \+foo=1; write foo=1"),
    (["~net.width"], r"overrides are written option=value, got ~net\.width"),
    (["~net.width=16"], r"neither added nor removed, got ~net\.width=16"),
    (["stroke.min"], r"overrides are written option=value, got stroke\.min"),
    (["loss=default,johnson"], r"loss must have one value, got default,johnson; a sweep needs -m"),
    (["trainer.max_steps=[("], r"cannot read the override trainer\.max_steps=\[\( .*need quotes"),
    (["hydra.run.dri=x"], r"unknown option hydra\.run\.dri"),
    (["net.width=${nothing.here}"], r"net\.width: Interpolation key 'nothing\.here' not found"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("overrides", "message"), REFUSED, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_wrong_option_is_refused_in_one_line(overrides, message):
    with pytest.raises(ConfigError, match=message) as refused:
        compose(overrides)
    assert "\n" not in str(refused.value)


def test_layers_of_the_embedded_network_are_those_that_there_are():
    names = load_lossnet("compact").layers
    assert known_layers(compose(["lossnet=compact"])) == names
    assert known_layers(compose(["lossnet=compact", "lossnet.arch=vgg16"])) == names


def test_every_number_has_a_range_and_every_option_a_help_text():
    for key, each, value in options(Config()):
        rule = rule_of(each)
        assert rule.help, key
        if isinstance(value, int | float) and not isinstance(value, bool):
            assert rule.min is not None or rule.above is not None, key


def test_defaults_pass_their_own_checks():
    assert check(Config()) == Config()


def test_list_defaults_are_not_shared():
    one, two = Config(), Config()
    one.style.files.append("more.jpg")
    assert two.style.files == Config().style.files


def test_overrides_reach_the_typed_configuration():
    cfg = compose(["net=johnson", "trainer.max_steps=7", "loss.style_layers=[{name: relu2_1, weight: 2}]", "seed=3"])
    assert (cfg.net.width, cfg.trainer.max_steps, cfg.seed) == (32, 7, 3)
    assert cfg.loss.style_layers == [LayerWeight("relu2_1", 2.0)]


def test_one_layer_of_a_list_can_be_changed():
    layers = compose(["loss.style_layers.0.weight=3"]).loss.style_layers
    assert [layer.weight for layer in layers] == [3.0, 1.0, 1.0]


def test_weight_file_may_have_the_layers_of_the_larger_architecture():
    cfg = compose(["lossnet.arch=vgg16", "lossnet.weights=mine.pth", "loss.style_layers=[{name: relu3_4}]"])
    assert cfg.loss.style_layers[0].name == "relu3_4"


@pytest.mark.parametrize(
    ("override", "files"),
    [
        ("style.files=[a.jpg,b.jpg]", ["a.jpg", "b.jpg"]),
        ("style.files=a.jpg", ["a.jpg"]),
        ("style.files=my painting (é).jpg", ["my painting (é).jpg"]),
        ("style.files=[my painting (1).jpg,art/é.jpg]", ["my painting (1).jpg", "art/é.jpg"]),
        ("style.files=['a, b.jpg']", ["a, b.jpg"]),
        ("style.files=o'keeffe.jpg", ["o'keeffe.jpg"]),
        ("style.files=C:\\art\\", ["C:\\art\\"]),
        ("style.files=sample:painted-small", ["sample:painted-small"]),
    ],
)
def test_painting_names_need_no_hydra_quotes(override, files):
    assert compose([override]).style.files == files


@pytest.mark.parametrize(
    "path", ["shards/x-{000..009}.tar", "a::b (1)", "a::b", "pipe:cat x.tar", "https://host/a=b.tar"]
)
def test_data_paths_need_no_hydra_quotes(path):
    assert compose([f"data.path={path}"]).data.path == path


def test_home_is_expanded_in_paths_as_shells_leave_it_alone(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    cfg = compose(
        ["data.path=~/a::~/b::c~/d", "style.files=[~/x.jpg,y~.jpg]", "lossnet.weights=~/vgg.pth", "resume=~/r"]
    )
    assert cfg.data.path == "/home/me/a::/home/me/b::c~/d"
    assert cfg.style.files == ["/home/me/x.jpg", "y~.jpg"]
    assert (cfg.lossnet.weights, cfg.resume) == ("/home/me/vgg.pth", "/home/me/r")


def test_users_config_dir_adds_groups_and_comes_first(tmp_path):
    (tmp_path / "stroke").mkdir()
    (tmp_path / "experiment").mkdir()
    (tmp_path / "stroke" / "tiny.yaml").write_text("min: 0.9\nmax: 1.1\n")
    (tmp_path / "stroke" / "one_octave.yaml").write_text("min: 0.5\nmax: 1.0\n")
    (tmp_path / "experiment" / "mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /stroke: tiny\ntrainer:\n  max_steps: 5\n"
    )
    mine = compose(["experiment=mine"], config_dir=tmp_path)
    assert (mine.stroke.min, mine.stroke.max, mine.trainer.max_steps) == (0.9, 1.1, 5)
    assert compose(["stroke=one_octave"], config_dir=tmp_path).stroke.max == 1.0
    assert compose(["stroke=mixed"], config_dir=tmp_path).stroke.mode == "mixed"


def test_unknown_key_in_a_users_file_is_refused(tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "mine.yaml").write_text("widht: 3\n")
    with pytest.raises(ConfigError, match=r"^net/mine\.yaml: unknown option net\.widht; did you mean net\.width\?$"):
        compose(["net=mine"], config_dir=tmp_path)


def test_missing_value_in_a_users_file_means_the_default(tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "mine.yaml").write_text("width: ???\nblocks: 3\n")
    net = compose(["net=mine"], config_dir=tmp_path).net
    assert (net.width, net.blocks) == (Config().net.width, 3)
    with pytest.raises(ConfigError, match=r"style\.files"):
        compose(["style.files=['???']"])


def test_broken_yaml_of_a_user_is_one_line(tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "mine.yaml").write_text("width: [1\n")
    with pytest.raises(ConfigError, match=r"not a YAML file: .*mine\.yaml") as refused:
        compose(["net=mine"], config_dir=tmp_path)
    assert "\n" not in str(refused.value)


def test_missing_config_dir_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"--config-dir must be a folder, got .*nowhere"):
        compose([], config_dir=tmp_path / "nowhere")


def test_every_type_of_option_has_a_word_for_what_is_allowed():
    assert set(types_by_key().values()) <= _TYPE_WORDS.keys()
    with pytest.raises(ConfigError, match=r"checkpoint_every_minutes must be a number or null, got often"):
        compose(["trainer.checkpoint_every_minutes=often"])
    with pytest.raises(ConfigError, match=r"data\.decoded_mb must be a whole number or null, got much"):
        compose(["data.decoded_mb=much"])
