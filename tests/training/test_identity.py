"""What a run is made of is kept in its checkpoints: what was replaced is refused before anything is written."""

import json
import logging
import re
import shutil
import time

import pytest
import torch

from brushnet import build, images
from brushnet.config import compose, load_run, save
from brushnet.errors import ConfigError, UserError
from brushnet.lossnet import LossNetwork
from brushnet.strokes import Painting
from brushnet.training.identity import LONGEST_CHARS, Identity, RunIdentity, digest, replaced, saved_identity
from brushnet.training.run import read_checkpoint
from tests.conftest import strokes_picture, vgg_state


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("kept") / "run"


@pytest.fixture
def stopped(train, kept, tmp_path):
    """A run of two steps, trained once: photos, painting and loss network are the same in every test, but elsewhere."""
    if not kept.exists():
        shutil.copytree(train("trainer.max_steps=2", out="first"), kept)
    return shutil.copytree(kept, tmp_path / "run")


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def resume(train, stopped):
    """resume(*overrides): goes on with the run, two steps further."""

    def go_on(*overrides):
        return train("trainer.max_steps=4", *overrides, resume_from=stopped / "checkpoints" / "last.ckpt")

    return go_on


@pytest.fixture
def refused(stopped, resume):
    """refused(*overrides) -> what the refusal lists; nothing was written."""

    def go_on(*overrides):
        before = contents(stopped)
        with pytest.raises(UserError) as caught:
            resume(*overrides)
        assert contents(stopped) == before
        message = str(caught.value)
        start = f"resume={stopped}/checkpoints/last.ckpt: something was changed since it was saved, and another model "
        end = "; put that back, or --fork starts a new run from these weights"
        assert message.startswith(f"{start}would come of it: ")
        assert message.endswith(end)
        assert "\n" not in message
        return message.removeprefix(f"{start}would come of it: ").removesuffix(end)

    return go_on


def test_the_same_files_moved_elsewhere_are_harmless(resume, photos_dir, painting_file, lossnet_file, tmp_path, caplog):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    files = {"data.path": photos_dir, "style.files.0": painting_file, "lossnet.weights": lossnet_file}
    with caplog.at_level(logging.INFO):
        resume(*(f"{key}='{shutil.move(path, elsewhere / path.name)}'" for key, path in files.items()))
    assert "changed since the run was stopped: trainer.max_steps: 2 -> 4" in caplog.text
    assert re.search(r"changed .*: lossnet\.weights: .*/tiny_vgg\.pth -> .*elsewhere/tiny_vgg\.pth\n", caplog.text)
    assert re.search(r"changed .*: style\.files: \[.*/diagonal\.png\] -> \[.*elsewhere/diagonal\.png\]\n", caplog.text)


def test_other_arithmetic_goes_on_and_says_so(resume, caplog):
    with caplog.at_level(logging.INFO):
        resume("trainer.precision=bf16-mixed", "trainer.channels_last=false")
    for change in ("trainer.precision: 32-true -> bf16-mixed", "trainer.channels_last: true -> false"):
        assert f"run was stopped: {change} (the same photos and steps, but not the same bits)\n" in caplog.text


def test_all_that_was_replaced_is_listed(refused, photos_dir, painting_file, lossnet_file, tmp_path):
    images.write(torch.rand(1, 3, 96, 128), painting_file)
    torch.save({key: value + 0.01 for key, value in vgg_state().items()}, lossnet_file)
    shutil.copy(photos_dir / "photo00.jpg", photos_dir / "photo99.jpg")
    listed = refused("seed=1", "loss.style_weight=2")
    start, _, end = listed.partition("photos of data.path: 11 photos (")
    assert start == "loss.style_weight: 0.6 -> 2, seed: 0 -> 1, "
    assert ") -> 12 photos (" in end
    assert end.endswith("), content of style.files: diagonal, content of lossnet.weights: relu1_1, relu2_1, relu3_1")


def test_lost_photos_are_noticed(refused, photos_dir):
    (photos_dir / "photo03.jpg").unlink()
    assert refused().startswith("photos of data.path: 11 photos (")


def test_a_configuration_edited_by_hand_is_noticed(stopped, tiny):
    save(compose([*tiny, "trainer.max_steps=4", "stroke.max=0.9"]), stopped / "config.yaml")
    with pytest.raises(UserError, match=r"another model would come of it: stroke\.max: 1 -> 0\.9; put that back"):
        build.train(load_run(stopped), stopped, resume_from=stopped / "checkpoints" / "last.ckpt")


def test_other_layers_alone_are_no_other_loss_network(refused):
    assert refused("loss.style_layers=[{name: relu1_1}]", "loss.content_layers=[{name: relu2_1}]") == (
        "loss.style_layers: [relu1_1 (1), relu2_1 (1), relu3_1 (1)] -> [relu1_1 (1)], "
        "loss.content_layers: [relu3_1 (1)] -> [relu2_1 (1)]"
    )


def test_a_checkpoint_of_before_is_resumed_with_a_warning(stopped, resume, caplog):
    path = stopped / "checkpoints" / "last.ckpt"
    content = torch.load(path, weights_only=True)
    del content["callbacks"]["RunIdentity"]
    torch.save(content, path)
    resume("loss.style_weight=2")
    assert (
        f"resume={path} is of an earlier brushnet, which kept no digests: whether config.yaml, photos, " in caplog.text
    )
    assert saved_identity(read_checkpoint(path), source="").config["loss"]["style_weight"] == 2


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ([], "must be text of at most 1000000 characters"),
        ({"identity": 7}, "must be text of at most 1000000 characters"),
        ({"identity": " " * (LONGEST_CHARS + 1)}, "must be text of at most 1000000 characters"),
        ({"identity": "{"}, "Expecting property name"),
        ({"identity": "[" * 100_000}, "recursion"),
        ({"identity": "[]"}, "must be a JSON object"),
        ({"identity": '{"config": []}'}, "its 'config' is missing or no dict"),
        ({"identity": '{"config": {}, "photos": "a\\nb"}'}, "its 'paintings' is missing or no dict"),
        ({"identity": '{"config": {}, "photos": "a\\nb", "paintings": {}, "lossnet": {}}'}, "its 'photos' must be"),
        ({"identity": '{"config": {}, "photos": "", "paintings": {"a": 1}, "lossnet": {}}'}, "its 'paintings' holds"),
    ],
)  # fmt: skip
def test_what_is_no_identity_is_refused(state, message):
    with pytest.raises(UserError, match=rf"^a\.ckpt: what the checkpoint tells of its run is damaged \(.*{message}"):
        saved_identity({"callbacks": {"RunIdentity": state}}, source="a.ckpt")


@pytest.mark.parametrize("callbacks", [{}, [], None])
def test_a_checkpoint_without_an_identity_has_none(callbacks):
    assert saved_identity({"callbacks": callbacks}, source="a.ckpt") is None


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"net": {"widht": 3}}, r"unknown option net\.widht"),
        ({"seed": "${oc.env:HOME}"}, r"holds plain values, got an interpolation"),
        ({"net": 3}, r"net must hold options, got 3"),
    ],
)
def test_the_configuration_of_a_checkpoint_is_not_trusted(stopped, resume, config, message):
    path = stopped / "checkpoints" / "last.ckpt"
    content = torch.load(path, weights_only=True)
    identity = json.loads(content["callbacks"]["RunIdentity"]["identity"])
    content["callbacks"]["RunIdentity"]["identity"] = json.dumps(identity | {"config": config})
    torch.save(content, path)
    with pytest.raises(ConfigError, match=rf"^resume=.*last\.ckpt: .*{message}"):
        resume()


def test_an_identity_comes_back_as_it_was(small_painting, tiny_lossnet):
    identity = Identity.of({"a": [1, None, 0.1]}, photos="p", paintings=[small_painting], lossnet=tiny_lossnet)
    content = {"callbacks": {"RunIdentity": RunIdentity(identity).state_dict()}}
    assert saved_identity(content, source="") == identity
    assert replaced(identity, identity) == []


def test_digests_see_values_and_shapes_and_no_memory_format():
    weights = torch.arange(96.0).view(2, 3, 4, 4)
    assert digest([weights]) == digest([weights.to(memory_format=torch.channels_last)])
    assert len({digest([weights]), digest([weights.view(2, 3, 2, 8)]), digest([weights + 1e-5]), digest([])}) == 4


def test_digests_of_a_large_loss_network_and_a_large_painting_take_less_than_a_second():
    pixels = strokes_picture(2000, 3000)
    lossnet = LossNetwork(vgg_state((64, 128, 256, 512, 512, 512), pool_before=(1, 2, 3, 4)), name="large")
    started = time.process_time()
    Identity.of({}, photos="", paintings=[Painting(pixels, name="a", reference_px=256)], lossnet=lossnet)
    assert time.process_time() - started < 1
