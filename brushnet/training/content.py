"""What a checkpoint must hold so that a run can go on from it: all of it is checked before Lightning sees any.

It is compared with what this very run would have saved: the same keys, the same shapes, counts from 0, finite numbers.
"""

import re
from collections.abc import Mapping
from typing import Any

from brushnet.alike import UnlikeError, check_alike, check_optimizer, check_schedule
from brushnet.errors import UserError
from brushnet.training.module import PROGRESS, StyleTraining

_VERSION = re.compile(r"2(\.[0-9]{1,6}){1,2}((a|b|rc|\.post|\.dev)[0-9]{1,6})?")  # an older one is migrated: by code
_CALLBACKS: dict[str, dict[str, Any]] = {
    "Checkpoints": {"best_loss": 0.0, "rows": 0},
    "TimeBudget": {"total_steps": 0, "seconds": 0.0, "max_steps": 0},
}
_MAY_BE_NULL = {"best_loss", "total_steps"}
_LATER = ("bad_steps_in_a_row", "clipped_steps")  # not saved by earlier brushnets


def check_frame(content: Mapping[str, Any], *, source: str) -> None:
    """What is read of a checkpoint before there is a network to compare it with. UserError names what is wrong."""
    callbacks = content.get("callbacks")
    try:
        check_alike("global_step", content.get("global_step"), 0)
        if not isinstance(callbacks, dict):
            raise UnlikeError("callbacks must be a mapping")
        for name, state in callbacks.items():
            if not isinstance(name, str) or not isinstance(state, dict):
                raise UnlikeError("callbacks must be mappings by name")
            if name in _CALLBACKS:
                null = {key: None for key in _MAY_BE_NULL & _CALLBACKS[name].keys() if state.get(key, 0) is None}
                check_alike(f"callbacks.{name}", state, _CALLBACKS[name] | null)
    except UnlikeError as error:
        raise UserError(f"{source} is no checkpoint of brushnet train, or a damaged one: {error}") from error


def check_state(content: Mapping[str, Any], module: StyleTraining, *, source: str) -> None:
    """Weights, averaged weights, optimiser, schedule and counters against those of `module`. UserError as above."""
    (optimizer,), (schedule,) = module.configure_optimizers()
    try:
        if not _VERSION.fullmatch(str(content.get("pytorch-lightning_version"))):
            raise UnlikeError("pytorch-lightning_version must be one of 2.x")
        check_alike("state_dict", content.get("state_dict"), module.state_dict())
        check_optimizer(_only(content, "optimizer_states"), optimizer)
        check_schedule(_only(content, "lr_schedulers"), schedule)
        _check_progress(content.get("progress"))
    except UnlikeError as error:
        raise UserError(f"{source} is no checkpoint of this run, or a damaged one: {error}") from error


def _only(content: Mapping[str, Any], name: str) -> Any:
    states = content.get(name)
    if not isinstance(states, list) or len(states) != 1:
        raise UnlikeError(f"{name} must have one entry")
    return states[0]


def _check_progress(saved: Any) -> None:
    if not isinstance(saved, dict):
        raise UnlikeError("progress is missing")
    expected: dict[str, Any] = dict.fromkeys(PROGRESS, 0) | {"seconds_trained": 0.0, "last_losses": {}}
    losses = saved.get("last_losses")
    if not isinstance(losses, dict) or not all(isinstance(loss, float) for loss in losses.values()):
        raise UnlikeError("progress.last_losses must be numbers by name")
    absent = {name: 0 for name in _LATER if name not in saved}
    check_alike("progress", {**saved, **absent, "last_losses": {}}, expected)
