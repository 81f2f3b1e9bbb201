"""Adding paintings to a trained model: only they are trained, and what the model was stays what it was."""

import logging
import shutil
import signal

import pytest
import torch
from safetensors.torch import load_file

import brushnet
from brushnet import build, config, images, models
from brushnet.errors import Stopped, UserError
from brushnet.model_meta import NET_LIMITS
from brushnet.training import base as base_room
from brushnet.training.base import LONGEST_CHARS, open_base, resumed_base
from tests.training.conftest import AT_THE_END
from tests.training.test_run import signal_at_step


@pytest.fixture
def second(tmp_path):
    """Another painting: coarse blocks."""
    blocks = torch.rand(1, 3, 12, 15, generator=torch.Generator().manual_seed(5))
    images.write(images.resize(blocks, 144, 180), tmp_path / "blocks.png")
    return tmp_path / "blocks.png"


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("kept") / "run"


@pytest.fixture
def base(train, kept, tmp_path):
    """A run of three steps, trained once."""
    if not kept.exists():
        shutil.copytree(train("trainer.max_steps=3", out="first"), kept)
    return shutil.copytree(kept, tmp_path / "base")


@pytest.fixture
def add(train, base, second):
    """add(*overrides, out="added", files=None, ...) -> folder of a run that adds paintings to `base`."""

    def run(*overrides, out="added", files=None, model=base, **more):
        named = ",".join(f"'{file}'" for file in files or [second])
        short = ("trainer.max_steps=4", f"style.base='{model}'", f"style.files=[{named}]")
        return train(*short, *overrides, out=out, **more)

    return run


def test_the_paintings_at_hand_are_painted_to_the_bit_as_before(base, add):
    photo = torch.rand(2, 3, 40, 52)
    before, after = brushnet.load(base), brushnet.load(add())
    assert after.style_names == ("diagonal", "blocks")
    for stroke in (0.5, 0.8, torch.linspace(0.5, 1, 12).view(1, 1, 3, 4)):
        assert torch.equal(before(photo, stroke), after(photo, stroke, style="diagonal"))


def test_only_the_new_paintings_parameters_are_trained(base, add):
    old, new = load_file(base / "model.safetensors"), load_file(add() / "model.safetensors")
    for key, weight in old.items():
        kept = new[key][:1] if new[key].shape != weight.shape else new[key]
        assert torch.equal(kept, weight), key
    grown = {key for key in old if new[key].shape != old[key].shape}
    assert grown == {"condition.style.weight", "condition.affine.weight", "condition.affine.bias"}
    assert all(not torch.equal(new[key][1], old[key][0]) for key in grown)


def test_the_new_painting_is_learned(add):
    sixty = ("trainer.max_steps=60", "trainer.validate_every_steps=60", "trainer.learning_rate=0.02")
    first = brushnet.load(add("trainer.max_steps=1", out="one"))
    trained = brushnet.load(add(*sixty, *AT_THE_END, out="sixty"))
    losses = [model.meta.training["losses"]["val/style"] for model in (first, trained)]
    assert losses[1] < 0.8 * losses[0]


def test_several_paintings_can_be_added_at_once_and_one_after_the_other(add, second, tmp_path):
    third = shutil.copy(second, tmp_path / "third.png")
    both = brushnet.load(add(files=[second, third]))
    assert both.style_names == ("diagonal", "blocks", "third")
    photo = torch.rand(1, 3, 32, 32)
    again = brushnet.load(add(model=add(out="first"), files=[third], out="again"))
    assert again.style_names == both.style_names
    assert torch.equal(brushnet.load(tmp_path / "first")(photo, style="blocks"), again(photo, style="blocks"))


def test_the_model_tells_of_its_base_and_of_its_own_training(base, add):
    training = brushnet.load(add(command="brushnet train added")).meta.training
    assert (training["command"], training["steps"]) == ("brushnet train added", 4)
    assert training["base"]["model"] == str(base)
    assert training["base"]["style_names"] == ["diagonal"]
    assert training["base"]["training"]["steps"] == 3


def test_what_a_base_tells_of_itself_at_length_is_left_out(base, tmp_path):
    model = brushnet.load(base)
    model.meta.training["command"] = "a" * LONGEST_CHARS
    models.save(tmp_path / "long.safetensors", model.net, model.meta)
    summary = open_base(str(tmp_path / "long.safetensors"), added=1).summary
    assert summary == {"model": str(tmp_path / "long.safetensors"), "style_names": ["diagonal"]}


def test_names_of_a_base_that_are_too_long_are_left_out(base, monkeypatch):
    """A model whose metadata held them twice could not be read again."""
    monkeypatch.setattr(base_room, "LONGEST_CHARS", len('["diagonal"]') - 1)
    assert open_base(str(base), added=1).summary == {"model": str(base)}


def test_more_paintings_than_a_model_may_hold_are_refused_before_the_training(base, add, monkeypatch, tmp_path):
    monkeypatch.setitem(NET_LIMITS, "styles", 1)
    with pytest.raises(UserError, match=r"^style\.files: the model would be of 2 paintings, at most 1 are allowed$"):
        add()
    assert not (tmp_path / "added").exists()


def test_network_and_stroke_range_are_the_bases(train):
    small = train("trainer.max_steps=1", "stroke.min=0.6", "net.blocks=2", out="small")
    opened = open_base(str(small), added=1)
    assert opened.inherited["stroke.min"] == 0.6
    assert opened.inherited["net.blocks"] == 2
    assert "net.styles" not in opened.inherited


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("stroke.min=0.7", r"^stroke\.min=0\.7 contradicts style\.base=.*base, which was trained with 0\.5; leave it"),
        ("net.width=8", r"^net\.width=8 contradicts style\.base=.*base, which was trained with 4; leave it out$"),
        ("style.reference_px=64", r"^style\.reference_px=64 contradicts .* trained with 96;"),
        ("stroke.mode=mixed", r"^stroke\.mode=mixed contradicts .* trained with conditioned;"),
    ],
)
def test_an_option_that_contradicts_the_base_is_refused(add, override, message, tmp_path):
    with pytest.raises(UserError, match=message):
        add(override)
    assert not (tmp_path / "added").exists()


def test_a_default_gives_way_to_the_base_unless_it_was_asked_for(base, second, tiny):
    silent = [text for text in tiny if not text.startswith(("stroke", "net", "style"))]
    asked = [*silent, f"style.base='{base}'", f"style.files=['{second}']"]
    cfg = config.compose(asked)
    built = build.build_base(cfg, resume_from=None, given=["style.base", "style.files"])
    assert (cfg.stroke.max, cfg.net.width, cfg.style.reference_px) == (1.0, 4, 96)
    assert built is not None
    assert built.net.styles == 2
    for given in ("stroke.max", "stroke"):
        with pytest.raises(UserError, match=r"^stroke\.m.*=.* contradicts style\.base=.* trained with (1\.0|0\.5);"):
            build.build_base(config.compose(asked), resume_from=None, given=["style.base", given])


def test_a_painting_of_a_name_at_hand_gets_another(add, second, tmp_path, caplog):
    same = tmp_path / "other" / "diagonal.png"
    same.parent.mkdir()
    shutil.copy(second, same)
    with caplog.at_level(logging.INFO):
        run = add(files=[same])
    assert brushnet.load(run).style_names == ("diagonal", "diagonal-2")
    assert f"style.files: {same} is called diagonal-2 in the model" in caplog.text


def test_a_base_that_is_no_model_is_named(train, tmp_path):
    with pytest.raises(UserError, match=r"model 'stary-night' is neither a file nor embedded"):
        train("style.base=stary-night")
    assert not (tmp_path / "run").exists()


def test_resume_gives_the_weights_of_an_unbroken_run_though_the_base_is_gone(base, add, monkeypatch):
    whole = add("trainer.max_steps=8", out="whole")
    with monkeypatch.context() as patched:
        signal_at_step(patched, 5, signal.SIGTERM)
        with pytest.raises(Stopped):
            add("trainer.max_steps=8", out="broken")
    shutil.rmtree(base)
    broken = add("trainer.max_steps=8", out="broken", resume_from=whole.parent / "broken" / "checkpoints" / "last.ckpt")
    expected, found = load_file(whole / "model.safetensors"), load_file(broken / "model.safetensors")
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    metas = [brushnet.load(run).meta for run in (whole, broken)]
    assert metas[0].style_names == metas[1].style_names
    assert metas[0].training["base"] == metas[1].training["base"]


def test_of_a_resumed_run_the_base_is_in_the_checkpoint(add):
    checkpoint = add() / "checkpoints" / "last.ckpt"
    resumed = resumed_base(checkpoint, added=1)
    assert resumed.style_names == ("diagonal",)
    assert resumed.net.styles == 2
    assert {name for name, each in resumed.net.named_parameters() if each.requires_grad} == {
        "condition.style.weight",
        "condition.affine.weight",
        "condition.affine.bias",
    }
