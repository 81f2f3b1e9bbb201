"""The command line that a model tells of its training."""

import shlex
from pathlib import Path

import pytest

from brushnet.commands.command_line import changes_something, command_line


def test_a_shell_reads_back_what_was_typed():
    overrides = ["style.files=[my painting.jpg]", "data.path='it''s'", "resume=$HOME/`x`", "seed=1"]
    assert shlex.split(command_line(overrides)) == ["brushnet", "train", *overrides]


def test_plain_words_stay_unquoted():
    command = command_line(["data.path=PHOTOS", "trainer.max_steps=600"], config_dir=Path("my"), allow_pipe=True)
    assert command == "brushnet train --config-dir my --allow-pipe data.path=PHOTOS trainer.max_steps=600"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("data.path=https://me:secret@host/a.tar", "data.path=https://...@host/a.tar"),
        ("data.path=https://h/a.tar?sig=secret::photos", "data.path=https://h/a.tar?...::photos"),
        ("data.path=https://h/a?s=1::https://h/b?s=2&t=3", "data.path=https://h/a?...::https://h/b?..."),
        ("data.path=HTTPS://me:p@ss@h/a?sig=secret", "data.path=HTTPS://...@h/a?..."),
        ("data.path=s3://b/k?X-Amz-Signature=secret", "data.path=s3://b/k?..."),
        ("data.path='https://h/a?sig=x'", "data.path='https://h/a?...'"),
        ("style.files=[https://h/a?sig=1,b.jpg]", "style.files=[https://h/a?...,b.jpg]"),
        ("data.path=pipe:curl -H 'Authorization: Bearer x' https://h/a", "data.path=pipe:..."),
        ("data.path=shards/shard-??.tar", "data.path=shards/shard-??.tar"),
        ("data.path=me@home/a", "data.path=me@home/a"),
    ],
)
def test_passwords_and_signatures_in_addresses_are_left_out(typed, told):
    assert shlex.split(command_line([typed]))[-1] == told


@pytest.mark.parametrize(
    ("overrides", "changes"),
    [
        (["resume=a"], False),
        (["resume=a", "hydra.job.name=b"], False),
        (["resume=a", "trainer.max_steps=9"], True),
        (["resume=a", "logger=wandb"], True),
    ],
)
def test_a_resume_that_only_goes_on_changes_nothing(overrides, changes):
    assert changes_something(overrides) == changes
