"""What a checkpoint must hold so that a run can go on from it: all of it is checked before Lightning sees any.

It is compared with what this very run would have saved: the same keys, the same shapes, counts from 0, finite numbers.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from brushnet.errors import UserError
from brushnet.training.module import PROGRESS, StyleTraining

MOST = 2**40  # steps, seconds, losses
_VERSION = re.compile(r"2(\.[0-9]{1,6}){1,2}((a|b|rc|\.post|\.dev)[0-9]{1,6})?")  # an older one is migrated: by code
_CALLBACKS: dict[str, dict[str, Any]] = {
    "Checkpoints": {"best_loss": 0.0, "rows": 0},
    "TimeBudget": {"total_steps": 0, "seconds": 0.0, "max_steps": 0},
}
_MAY_BE_NULL = ("best_loss", "total_steps")
_LATER = ("bad_steps_in_a_row", "clipped_steps")  # not saved by earlier brushnets


class _Unlike(Exception):  # noqa: N818  (carries what is wrong to where the file is named)
    pass


def check_frame(content: Mapping[str, Any], *, source: str) -> None:
    """What is read of a checkpoint before there is a network to compare it with. UserError names what is wrong."""
    with_callbacks = {"global_step": content.get("global_step"), "callbacks": content.get("callbacks")}
    known = {name: state for name, state in _CALLBACKS.items() if name in (with_callbacks["callbacks"] or ())}
    try:
        _check("global_step", with_callbacks["global_step"], 0)
        if not isinstance(with_callbacks["callbacks"], dict):
            raise _Unlike("callbacks must be a mapping")
        for name, state in with_callbacks["callbacks"].items():
            if not isinstance(name, str) or not isinstance(state, dict):
                raise _Unlike("callbacks must be mappings by name")
            if name in known:
                _check(f"callbacks.{name}", state, known[name])
    except _Unlike as error:
        raise UserError(f"{source} is no checkpoint of brushnet train, or a damaged one: {error}") from error


def check_state(content: Mapping[str, Any], module: StyleTraining, *, source: str) -> None:
    """Weights, averaged weights, optimiser, schedule and counters against those of `module`. UserError as above."""
    (optimizer,), (schedule,) = module.configure_optimizers()
    try:
        if not _VERSION.fullmatch(str(content.get("pytorch-lightning_version"))):
            raise _Unlike("pytorch-lightning_version must be one of 2.x")
        _check("state_dict", content.get("state_dict"), module.state_dict())
        _check_optimizer(content.get("optimizer_states"), optimizer)
        _check("lr_schedulers", content.get("lr_schedulers"), [schedule.state_dict()])
        _check_progress(content.get("progress"))
    except _Unlike as error:
        raise UserError(f"{source} is no checkpoint of this run, or a damaged one: {error}") from error


def _check_optimizer(saved: Any, optimizer: torch.optim.Optimizer) -> None:
    fresh = optimizer.state_dict()
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    moments = {
        index: {"step": torch.zeros(()), "exp_avg": parameter, "exp_avg_sq": parameter}
        for index, parameter in enumerate(parameters)
    }
    fits = isinstance(saved, list) and len(saved) == 1 and isinstance(saved[0], dict)
    if not fits or not isinstance(saved[0].get("param_groups"), list):
        raise _Unlike("optimizer_states must be those of one optimizer")
    before_any_step = saved[0].get("state") == {}
    _check("optimizer_states", saved[0], {**fresh, "state": {} if before_any_step else moments})
    for index, state in saved[0]["state"].items():
        if float(state["step"]) < 0 or float(state["exp_avg_sq"].min()) < 0:
            raise _Unlike(f"optimizer_states.state.{index} holds a count or a square below 0")
    for group, own in zip(saved[0]["param_groups"], fresh["param_groups"], strict=True):
        for name, value in own.items():
            if name != "lr" and group[name] != value:
                raise _Unlike(f"optimizer_states.{name} must be {value!r:.60}, got {group[name]!r:.60}")


def _check_progress(saved: Any) -> None:
    if not isinstance(saved, dict):
        raise _Unlike("progress is missing")
    expected: dict[str, Any] = dict.fromkeys(PROGRESS, 0) | {"seconds_trained": 0.0, "last_losses": {}}
    losses = saved.get("last_losses")
    if not isinstance(losses, dict) or not all(isinstance(loss, float) for loss in losses.values()):
        raise _Unlike("progress.last_losses must be numbers by name")
    absent = {name: 0 for name in _LATER if name not in saved}
    _check("progress", {**saved, **absent, "last_losses": {}}, expected)


def _check(place: str, value: Any, like: Any) -> None:
    """Of the same kind as `like` through and through. `_Unlike` names the first place where it is not."""
    match like:
        case Tensor():
            _check_tensor(place, value, like)
        case dict():
            if not isinstance(value, dict) or value.keys() != like.keys():
                odd = sorted(map(str, value.keys() ^ like.keys()))[:1] if isinstance(value, dict) else ["mapping"]
                raise _Unlike(f"{place} has other entries than this run's: {odd[0]!r:.60}")
            for key, each in like.items():
                _check(f"{place}.{key}", value[key], each)
        case list() | tuple():
            if not isinstance(value, list | tuple) or len(value) != len(like):
                raise _Unlike(f"{place} must have {len(like)} entries")
            for number, each in enumerate(like):
                _check(f"{place}.{number}", value[number], each)
        case bool() | None:
            if type(value) is not type(like):
                raise _Unlike(f"{place} must be {like}, got {value!r:.60}")
        case _:
            _check_number(place, value, like)


def _check_tensor(place: str, value: Any, like: Tensor) -> None:
    if not isinstance(value, Tensor) or value.shape != like.shape or value.dtype != like.dtype:
        found = f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise _Unlike(f"{place} must be {like.dtype} {tuple(like.shape)}, got {found}")
    if not value.isfinite().all() or (not value.is_floating_point() and (value < 0).any()):
        raise _Unlike(f"{place} holds NaN or infinite values, or counts below 0")


def _check_number(place: str, value: Any, like: float) -> None:
    if value is None and place.endswith(_MAY_BE_NULL):
        return
    kinds = (int,) if type(like) is int else (int, float)
    if type(value) not in kinds or not math.isfinite(value) or abs(value) >= MOST or (type(like) is int and value < 0):
        raise _Unlike(f"{place} must be {'a count' if kinds == (int,) else 'a finite number'}, got {value!r:.60}")
