"""A run that starts from the weights of another (`fork`): what it can take over, and what it tells of its origin.

Only the weights: step, optimiser and schedule are new. Another stroke range can be taken over, since the network is
told log2 s itself and not its place in the range: a scale that was trained before is painted as before.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brushnet import models
from brushnet.errors import UserError
from brushnet.model_meta import KEY, NET_SHAPE, ModelMeta
from brushnet.nets import ResidualTransformer
from brushnet.training.run import read_checkpoint

LONGEST_COMMAND_CHARS = 20_000


@dataclass(frozen=True)
class Origin:
    """`summary` is for the new model's metadata. Without a `net` the run has gone on since, and has its own weights."""

    net: ResidualTransformer | None
    summary: Any


def open_origin(name: str, *, net: dict[str, Any], given: Collection[str], stroke_mode: str) -> Origin:
    """An embedded model, a file, a checkpoint (its averaged weights) or a run folder.

    `net` is what the new run's network is to be, its `NET_SHAPE`, as far as the user has chosen it: `given` are the
    options and groups that he has. UserError lists all that differs.
    """
    model = models.load(name, device="cpu")
    own = {key: getattr(model.meta, key) for key in NET_SHAPE}
    chosen = {key: net[key] for key in NET_SHAPE if key == "styles" or {"net", f"net.{key}"} & set(given)}
    wrong = _differences(model.meta, own | chosen, stroke_mode)
    if wrong:
        raise UserError(
            f"fork={name}: its weights cannot be taken over with {', '.join(wrong)}; leave that as it is, or start a "
            "new run without a fork"
        )
    return Origin(model.net.train().requires_grad_(True), _summary(name, model.meta))


def resumed_origin(checkpoint: Path) -> Origin:
    """Of a run that was stopped."""
    meta = ModelMeta.from_json(str(read_checkpoint(checkpoint)[KEY]), source=str(checkpoint))
    return Origin(None, meta.training.get("fork"))


def _differences(meta: ModelMeta, net: dict[str, Any], stroke_mode: str) -> list[str]:
    wrong = []
    for name in NET_SHAPE:
        before, now = getattr(meta, name), net[name]
        if before != now:
            option = "number of style.files" if name == "styles" else f"net.{name}"
            wrong.append(f"{option}: {before} -> {now}")
    # mixed and fixed networks are both told 0.
    if (meta.stroke_mode == "conditioned") != (stroke_mode == "conditioned"):
        told = "was told" if meta.stroke_mode == "conditioned" else "was not told"
        wrong.append(f"stroke.mode: {meta.stroke_mode} -> {stroke_mode} (it {told} the stroke scale)")
    return wrong


def _summary(name: str, meta: ModelMeta) -> dict[str, Any]:
    """Of what a stranger's file tells, only what it should be."""
    step, command = meta.training.get("steps"), meta.training.get("command")
    told: dict[str, Any] = {"model": name}
    if isinstance(step, int):
        told["step"] = step
    if isinstance(command, str):
        told["command"] = command[:LONGEST_COMMAND_CHARS]
    return told
