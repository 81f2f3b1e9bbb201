"""The training command in the saved model, through checkpoints and resumes."""

import pytest
import torch

import brushnet
from brushnet import models, nets
from brushnet.model_header import read_meta
from brushnet.model_meta import KEY
from brushnet.training.command import LONGEST_CHARS, whole_command

FIRST = "brushnet train 'style.files=[my painting.jpg]' trainer.max_steps=2"
MORE = "brushnet train resume=run trainer.max_steps=4"


@pytest.fixture
def checkpoint(tmp_path):
    """checkpoint(command) -> a file with no more of a checkpoint than is asked for."""

    def write(command):
        net = nets.ResidualTransformer(width=4, blocks=1, stroke_embedding=8, styles=1)
        meta = models.ModelMeta.of(
            net,
            stroke_mode="fixed",
            stroke_min=1,
            stroke_max=1,
            reference_px=256,
            style_names=["a"],
            training={} if command is None else {"command": command},
        )
        torch.save({KEY: meta.to_json(), "global_step": 1, "callbacks": {}}, tmp_path / "last.ckpt")
        return tmp_path / "last.ckpt"

    return write


def test_a_new_run_has_its_own_command_or_none():
    assert whole_command(FIRST, resume_from=None) == FIRST
    assert whole_command(None, resume_from=None) is None


def test_a_resume_comes_after_the_command_that_began_the_run(checkpoint):
    assert whole_command(MORE, resume_from=checkpoint(FIRST)) == f"{FIRST} ; {MORE}"
    assert whole_command(None, resume_from=checkpoint(FIRST)) == FIRST


def test_the_same_resume_again_is_told_once(checkpoint):
    assert whole_command(MORE, resume_from=checkpoint(f"{FIRST} ; {MORE}")) == f"{FIRST} ; {MORE}"


@pytest.mark.parametrize("saved", [None, 7, ""])
def test_a_checkpoint_that_tells_no_command_can_be_resumed(checkpoint, saved):
    assert whole_command(MORE, resume_from=checkpoint(saved)) == MORE
    assert whole_command(None, resume_from=checkpoint(saved)) is None


def test_a_command_is_cut_before_it_makes_the_model_unreadable(checkpoint):
    long = whole_command("x" * 10**6, resume_from=None)
    assert len(long) == LONGEST_CHARS
    assert long.endswith("xxx ...")
    assert whole_command(MORE, resume_from=checkpoint(long)) == long
    assert len(whole_command(None, resume_from=checkpoint("x" * 900_000))) == LONGEST_CHARS


def test_the_saved_model_tells_the_commands_of_its_run_and_of_its_resumes(train):
    run = train("trainer.max_steps=2", command=FIRST)
    last = run / "checkpoints" / "last.ckpt"
    assert read_meta(run / "model.safetensors").training["command"] == FIRST
    assert brushnet.load(last).meta.training["command"] == FIRST
    train("trainer.max_steps=3", resume_from=last)
    assert read_meta(run / "model.safetensors").training["command"] == FIRST
    train("trainer.max_steps=4", resume_from=last, command=MORE)
    assert read_meta(run / "model.safetensors").training["command"] == f"{FIRST} ; {MORE}"
    (run / "model.safetensors").unlink()
    train("trainer.max_steps=4", resume_from=last, command=MORE)  # finished: the model is written from the checkpoint
    assert read_meta(run / "model.safetensors").training["command"] == f"{FIRST} ; {MORE}"
