"""A checkpoint is gone on from only where all of it is what this run would have saved."""

from pathlib import Path

import pytest
import torch

from brushnet import build, config
from brushnet.errors import UserError
from brushnet.strokes import StrokeRange
from brushnet.training.content import check_frame, check_state
from brushnet.training.module import StyleTraining


@pytest.fixture
def module(tiny) -> StyleTraining:
    cfg = config.compose(tiny)
    stroke = StrokeRange(cfg.stroke.min, cfg.stroke.max, cfg.stroke.mode)
    paintings = build.build_paintings(cfg, stroke)
    return build.build_module(cfg, lossnet=build.build_lossnet(cfg), paintings=paintings, stroke=stroke, command=None)


@pytest.fixture
def content(train) -> dict:
    run: Path = train("trainer.max_steps=2", "trainer.validate_every_steps=2", "trainer.warmup_steps=1")
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)


WEIGHT = "net.last.weight"
WRONG = {
    "weight of another shape": (("state_dict", WEIGHT), torch.zeros(3, 5, 9, 9), r"must be torch.float32 \(12, 8"),
    "weight of another kind": (("state_dict", WEIGHT), torch.zeros(12, 8, 3, 3).long(), r"must be .* got torch\.int64"),
    "no weight": (("state_dict", WEIGHT), None, r"state_dict\.net\.last\.weight must be .* got a NoneType"),
    "surplus weight": (("state_dict", "x"), torch.zeros(1), r"state_dict has other entries than this run's: 'x'"),
    "weight NaN": (("state_dict", WEIGHT), torch.zeros(12, 8, 3, 3) / 0, r"weight holds NaN or infinite values"),
    "averages below 0": (("state_dict", "ema.n_averaged"), torch.tensor(-10), r"n_averaged holds .* counts below 0"),
    "no weights": (("state_dict",), [], r"state_dict has other entries than this run's: 'mapping'"),
    "two optimizers": (("optimizer_states",), [{}, {}], r"optimizer_states must have one entry"),
    "moments of another": (("optimizer_states", 0, "state", 0, "exp_avg"), torch.zeros(2), r"exp_avg must be"),
    "steps below 0": (("optimizer_states", 0, "state", 0, "step"), torch.tensor(-1.0), r"holds a count or a sq"),
    "betas": (("optimizer_states", 0, "param_groups", 0, "betas"), (2.0, 2.0), r"betas must be \(0\.9, "),
    "rate": (("optimizer_states", 0, "param_groups", 0, "lr"), "1", r"lr must be a finite number, got .1"),
    "flag": (("optimizer_states", 0, "param_groups", 0, "amsgrad"), True, r"amsgrad must be False, got True"),
    "null": (("optimizer_states", 0, "param_groups", 0, "fused"), True, r"fused must be None, got True"),
    "first rate": (("lr_schedulers", 0, "base_lrs"), [9.0], r"schedule\.base_lrs must be \[0\.003\], got \[9\.0\]"),
    "schedule": (("lr_schedulers", 0, "last_epoch"), -3, r"schedule\.last_epoch must be a count, got -3"),
    "schedules": (("lr_schedulers",), [], r"lr_schedulers must have one entry"),
    "no progress": (("progress",), 3, r"progress is missing"),
    "batches": (("progress", "batches_done"), 2**60, r"batches_done must be a count, got 115292150460"),
    "losses": (("progress", "last_losses"), {"a": "b"}, r"progress\.last_losses must be numbers by name"),
    "version": (("pytorch-lightning_version",), "0.1", r"pytorch-lightning_version must be one of 2\.x"),
}  # fmt: skip


def put(content: dict, place: tuple, value: object) -> None:
    for key in place[:-1]:
        content = content[key]
    content[place[-1]] = value


def test_what_a_run_saved_is_taken_and_what_is_wrong_in_it_is_named(module, content):
    check_state(content, module, source="FILE")
    check_frame(content, source="FILE")
    for place, value, message in WRONG.values():
        changed = torch.utils._pytree.tree_map(lambda leaf: leaf, content)
        put(changed, place, value)
        with pytest.raises(UserError, match=rf"^FILE is no checkpoint of this run, or a damaged one: .*{message}"):
            check_state(changed, module, source="FILE")


def test_a_run_without_any_good_step_is_taken(module, content):
    content["optimizer_states"][0]["state"] = {}
    check_state(content, module, source="FILE")


def test_a_checkpoint_of_before_clipped_steps_were_counted_is_taken(module, content):
    del content["progress"]["clipped_steps"], content["progress"]["bad_steps_in_a_row"]
    check_state(content, module, source="FILE")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"global_step": "3"}, r"global_step must be a count, got '3'"),
        ({"global_step": True}, r"global_step must be a count, got True"),
        ({"callbacks": None}, r"callbacks must be a mapping"),
        ({"callbacks": {"Checkpoints": 7}}, r"callbacks must be mappings by name"),
        ({"callbacks": {"Checkpoints": {"rows": -1, "best_loss": None}}}, r"Checkpoints\.rows must be a count"),
        ({"callbacks": {"Checkpoints": {"rows": 1}}}, r"callbacks\.Checkpoints has other entries .*: 'best_loss'"),
        ({"callbacks": {"TimeBudget": {"total_steps": 1.5, "seconds": 1, "max_steps": 1}}}, r"steps must be a count"),
    ],
)  # fmt: skip
def test_what_is_read_before_there_is_a_network_is_checked_before(changes, message):
    content = {"global_step": 3, "callbacks": {}} | changes
    with pytest.raises(UserError, match=rf"^FILE is no checkpoint of brushnet train, or a damaged one: .*{message}"):
        check_frame(content, source="FILE")


def test_a_budget_that_was_not_decided_and_callbacks_of_others_are_taken():
    budget = {"total_steps": None, "seconds": 60, "max_steps": 10}
    check_frame({"global_step": 0, "callbacks": {"TimeBudget": budget, "Other": {"a": 1}}}, source="FILE")
