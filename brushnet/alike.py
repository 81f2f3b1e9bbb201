"""Whether what a stranger's file holds is of the same kind as what this program would have written.

The same keys, lengths, shapes and types; counts from 0, finite numbers.
"""

import math
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor

MOST = 2**40  # steps, seconds, losses
MOVING = ("last_epoch", "_step_count", "_last_lr", "_is_initial", "_get_lr_called_within_step")  # of a schedule


class UnlikeError(Exception):
    """Names the first place that is different; whoever checks adds the file."""


def check_alike(place: str, value: Any, like: Any) -> None:
    """Of the same kind as `like` through and through. UnlikeError names the first place where it is not."""
    match like:
        case Tensor():
            _check_tensor(place, value, like)
        case dict():
            if not isinstance(value, dict) or value.keys() != like.keys():
                odd = sorted(map(str, value.keys() ^ like.keys()))[:1] if isinstance(value, dict) else ["mapping"]
                raise UnlikeError(f"{place} has other entries than this run's: {odd[0]!r:.60}")
            for key, each in like.items():
                check_alike(f"{place}.{key}", value[key], each)
        case list() | tuple():
            if not isinstance(value, list | tuple) or len(value) != len(like):
                raise UnlikeError(f"{place} must have {len(like)} entries")
            for number, each in enumerate(like):
                check_alike(f"{place}.{number}", value[number], each)
        case bool() | None | str():
            if type(value) is not type(like):
                raise UnlikeError(f"{place} must be {like}, got {value!r:.60}")
        case _:
            _check_number(place, value, like)


def check_optimizer(saved: Any, optimizer: torch.optim.Optimizer, *, moving: Collection[str] = ("lr",)) -> None:
    """State of Adam over the parameters of `optimizer`, with its settings but for those that the schedule moves."""
    fresh = optimizer.state_dict()
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    moments = {
        index: {"step": torch.zeros(()), "exp_avg": parameter, "exp_avg_sq": parameter}
        for index, parameter in enumerate(parameters)
    }
    before_any_step = isinstance(saved, dict) and saved.get("state") == {}
    check_alike("optimizer", saved, {**fresh, "state": {} if before_any_step else moments})
    for index, state in saved["state"].items():
        if float(state["step"]) < 0 or float(state["exp_avg_sq"].min()) < 0:
            raise UnlikeError(f"optimizer.state.{index} holds a count or a square below 0")
    for group, own in zip(saved["param_groups"], fresh["param_groups"], strict=True):
        _check_settings("optimizer", group, own, moving)
        if not all(0 <= beta < 1 for beta in group["betas"]):
            raise UnlikeError(f"optimizer.betas must be from 0 to 1, got {group['betas']!r:.60}")


def check_schedule(saved: Any, schedule: torch.optim.lr_scheduler.LRScheduler) -> None:
    fresh = schedule.state_dict()
    check_alike("schedule", saved, fresh)
    _check_settings("schedule", saved, fresh, MOVING)


def _check_settings(place: str, saved: Mapping[str, Any], own: Mapping[str, Any], moving: Collection[str]) -> None:
    for name, value in own.items():
        if name not in moving and saved[name] != value:
            raise UnlikeError(f"{place}.{name} must be {value!r:.60}, got {saved[name]!r:.60}")


def _check_tensor(place: str, value: Any, like: Tensor) -> None:
    if not isinstance(value, Tensor) or value.shape != like.shape or value.dtype != like.dtype:
        found = f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise UnlikeError(f"{place} must be {like.dtype} {tuple(like.shape)}, got {found}")
    if not value.isfinite().all() or (not value.is_floating_point() and (value < 0).any()):
        raise UnlikeError(f"{place} holds NaN or infinite values, or counts below 0")


def _check_number(place: str, value: Any, like: float) -> None:
    kinds = (int,) if type(like) is int else (int, float)
    if type(value) not in kinds or not math.isfinite(value) or abs(value) >= MOST or (type(like) is int and value < 0):
        raise UnlikeError(f"{place} must be {'a count' if kinds == (int,) else 'a finite number'}, got {value!r:.60}")
