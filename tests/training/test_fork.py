"""A fork: a new run from the weights of another, which stays as it is."""

import shutil
import signal

import pytest
import torch
from safetensors.torch import load_file

import brushnet
from brushnet import cli, images
from brushnet.config import load_run
from brushnet.errors import Stopped, UserError
from tests.training.test_run import signal_at_step

COMMAND = "brushnet train resume=origin --fork"


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("kept") / "run"


@pytest.fixture
def origin(train, kept, tmp_path):
    """A run of five steps, trained once."""
    if not kept.exists():
        shutil.copytree(train("trainer.max_steps=5", out="first", command="brushnet train origin"), kept)
    return shutil.copytree(kept, tmp_path / "origin")


@pytest.fixture
def fork(train, origin):
    """fork(*overrides, out="fork", model=origin's last checkpoint, ...) -> the new run's folder."""

    def run(*overrides, out="fork", model=origin / "checkpoints" / "last.ckpt", **more):
        keep = ("trainer.max_steps=1", "trainer.keep_checkpoints=5", "trainer.checkpoint_every_steps=1")
        return train(f"fork='{model}'", *keep, *overrides, out=out, **more)

    return run


def contents(folder):
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def same_weights(one, other):
    states = [brushnet.load(each).net.state_dict() for each in (one, other)]
    return all(torch.equal(states[0][key], states[1][key]) for key in states[1])


def test_the_command_starts_a_new_run_and_leaves_the_other_alone(origin, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = contents(origin)
    more = [
        "trainer.max_steps=2",
        "trainer.keep_checkpoints=5",
        "trainer.checkpoint_every_steps=1",
        "hydra.run.dir=new",
    ]
    assert cli.main(["train", "resume=origin", "--fork", "stroke.max=0.8", *more]) == 0
    assert contents(origin) == before
    new = tmp_path / "new"
    assert same_weights(new / "checkpoints" / "step_000000.ckpt", origin)
    assert not same_weights(new, origin)
    cfg = load_run(new)
    assert (cfg.fork, cfg.resume) == (str(origin / "checkpoints" / "last.ckpt"), None)
    assert (cfg.stroke.max, cfg.net.width, cfg.trainer.learning_rate) == (
        0.8,
        4,
        load_run(origin).trainer.learning_rate,
    )
    training = brushnet.load(new).meta.training
    assert training["command"] == f"brushnet train --fork resume=origin stroke.max=0.8 {' '.join(more)}"
    told = {"model": "origin/checkpoints/last.ckpt", "step": 5, "command": "brushnet train origin"}
    assert training["fork"] == told
    assert "continue" not in capsys.readouterr().err


def test_step_optimiser_and_schedule_are_new(fork):
    content = torch.load(fork() / "checkpoints" / "step_000000.ckpt", weights_only=True)
    assert content["global_step"] == 0
    assert content["optimizer_states"][0]["state"] == {}
    raw = {key.removeprefix("net."): value for key, value in content["state_dict"].items() if key.startswith("net.")}
    averaged = {key: content["state_dict"][f"ema.module.{key}"] for key in raw}
    assert all(torch.equal(raw[key], averaged[key]) for key in raw)
    assert content["state_dict"]["ema.n_averaged"] == 0


def test_a_resumed_fork_gives_the_weights_of_an_unbroken_one_though_its_origin_is_gone(fork, origin, monkeypatch):
    long = ("trainer.max_steps=8", "trainer.learning_rate=0.01")
    whole = fork(*long, out="whole", command=COMMAND)
    with monkeypatch.context() as patched:
        signal_at_step(patched, 5, signal.SIGTERM)
        with pytest.raises(Stopped):
            fork(*long, out="broken", command=COMMAND)
    shutil.rmtree(origin)
    broken = fork(*long, out="broken", resume_from=whole.parent / "broken" / "checkpoints" / "last.ckpt")
    expected, found = load_file(whole / "model.safetensors"), load_file(broken / "model.safetensors")
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    told = [brushnet.load(run).meta.training for run in (whole, broken)]
    assert told[0]["fork"] == told[1]["fork"]
    assert told[0]["command"] == told[1]["command"] == COMMAND


def test_a_fork_that_was_killed_before_it_saved_starts_again(fork, origin):
    run = fork()
    for path in run.iterdir():
        if path.name != "config.yaml":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert cli.main(["train", f"resume={run}"]) == 0
    assert same_weights(run / "checkpoints" / "step_000000.ckpt", origin)


def test_a_fork_can_be_forked_and_start_from_a_run_or_a_model(fork, origin):
    first = fork(model=origin)
    for model in (first / "model.safetensors", first):
        second = fork(model=model, out=f"fork of {model.name}")
        assert same_weights(second / "checkpoints" / "step_000000.ckpt", first)
        assert brushnet.load(second).meta.training["fork"] == {"model": str(model), "step": 1}


def test_a_model_that_ships_can_be_trained_further_whatever_its_network(train):
    run = train("fork=starry-night", "trainer.max_steps=1")
    told = brushnet.load(run).meta.training["fork"]
    assert (told["model"], told["step"]) == ("starry-night", brushnet.load("starry-night").meta.training["steps"])
    assert load_run(run).fork == "starry-night"


def test_a_scale_that_was_trained_is_painted_as_before_whatever_the_new_range(fork, origin):
    start = fork("stroke.min=0.4", "stroke.max=2") / "checkpoints" / "step_000000.ckpt"
    photo = torch.rand(1, 3, 40, 52)
    assert torch.equal(brushnet.load(start)(photo, 0.7), brushnet.load(origin)(photo, 0.7))
    assert brushnet.load(start).stroke_range == (0.4, 2.0)


def test_all_that_cannot_be_taken_over_is_listed(fork, painting_file, tmp_path):
    images.write(torch.rand(1, 3, 96, 128), tmp_path / "other.png")
    other = ["net.width=8", "net.blocks=2", "net.stroke_embedding=16", "net.trunk=plain", "stroke.mode=mixed"]
    with pytest.raises(UserError) as caught:
        fork(*other, f"style.files=['{painting_file}','{tmp_path / 'other.png'}']")
    assert str(caught.value) == (
        f"fork={tmp_path}/origin/checkpoints/last.ckpt: its weights cannot be taken over with net.width: 4 -> 8, "
        "net.blocks: 1 -> 2, net.stroke_embedding: 8 -> 16, number of style.files: 1 -> 2, net.trunk: scaled -> plain, "
        "stroke.mode: conditioned -> mixed (it was told the stroke scale); leave that as it is, or start a new run "
        "without a fork"
    )
    assert not (tmp_path / "fork").exists()


def test_untold_networks_become_untold_ones_alone(train, fork):
    mixed = train("stroke.mode=mixed", "trainer.max_steps=1", out="mixed")
    fixed = fork("stroke.mode=fixed", "stroke.max=0.5", model=mixed)
    assert brushnet.load(fixed).stroke_mode == "fixed"
    with pytest.raises(UserError, match=r"stroke\.mode: fixed -> conditioned \(it was not told the stroke scale\);"):
        fork(model=fixed, out="again")


def test_what_is_no_model_is_named(fork, tmp_path):
    with pytest.raises(
        UserError, match=r"model 'stary-night' is neither a file nor embedded: did you mean starry-night"
    ):
        fork(model="stary-night")
    assert not (tmp_path / "fork").exists()


def test_odd_metadata_of_an_origin_is_left_out(origin, fork):
    model = brushnet.load(origin)
    model.meta.training.update(steps="5", command=["a"])  # type: ignore[attr-defined]
    brushnet.models.save(origin.parent / "odd.safetensors", model.net, model.meta)
    assert set(brushnet.load(fork(model=origin.parent / "odd.safetensors")).meta.training["fork"]) == {"model"}
