"""What makes a run the run that it is: its configuration, photos, paintings and loss network, as digests.

Kept in every checkpoint, so that a run which goes on finds out where one of them was replaced since. Where the files
lie plays no part.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from brushnet.errors import UserError
from brushnet.lossnet import LossNetwork
from brushnet.strokes import Painting

LONGEST_CHARS = 1_000_000  # of an identity as text; a configuration takes some thousand


@dataclass(frozen=True)
class Identity:
    """`config` are plain values; `paintings` are digests by name, `lossnet` by layer: a deeper one may follow."""

    config: dict[str, Any]
    photos: str
    paintings: dict[str, str]
    lossnet: dict[str, str]

    @classmethod
    def of(
        cls, config: dict[str, Any], *, photos: str, paintings: Sequence[Painting], lossnet: LossNetwork
    ) -> "Identity":
        """Reads all weights and pixels: 0.3 s for VGG-19 as a whole, as much for 50 megapixels.

        Before they are moved to another device.
        """
        return cls(config, photos, {each.name: digest([each.pixels]) for each in paintings}, _layer_digests(lossnet))


class RunIdentity(pl.Callback):
    """Puts the identity into each checkpoint, as one JSON text: bounded, and without anything to run."""

    def __init__(self, identity: Identity):
        self.identity = identity

    def state_dict(self) -> dict[str, Any]:
        return {"identity": json.dumps(asdict(self.identity), sort_keys=True)}


def saved_identity(content: Mapping[str, Any], *, source: str) -> Identity | None:
    """Of a checkpoint's content, which may come from a stranger; None where a brushnet of before kept none.

    UserError where it is no identity. What its `config` holds is not checked here.
    """
    callbacks = content["callbacks"]
    state = callbacks.get(RunIdentity.__qualname__) if isinstance(callbacks, dict) else None
    if state is None:
        return None
    text = state.get("identity") if isinstance(state, dict) else None
    try:
        if not isinstance(text, str) or len(text) > LONGEST_CHARS:
            raise ValueError(f"must be text of at most {LONGEST_CHARS} characters")
        return _parsed(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{source}: what the checkpoint tells of its run is damaged ({error})") from error


def replaced(saved: Identity, found: Identity) -> list[str]:
    """What is no longer what the run has learnt from, in words. Configurations are not compared here."""
    words = []
    if saved.photos != found.photos:
        words.append(f"photos of data.path: {saved.photos} -> {found.photos}")
    for option, before, now in (
        ("style.files", saved.paintings, found.paintings),
        ("lossnet.weights", saved.lossnet, found.lossnet),
    ):
        others = [name for name, each in before.items() if now.get(name, each) != each]
        if others:
            words.append(f"content of {option}: {', '.join(others)}")
    return words


def digest(tensors: Iterable[Tensor]) -> str:
    """Of shapes and values, whatever the memory format."""
    found = hashlib.blake2b(digest_size=16)
    for tensor in tensors:
        found.update(f"{tensor.dtype} {tuple(tensor.shape)} ".encode())
        found.update(tensor.detach().cpu().contiguous().numpy().data)
    return found.hexdigest()


def _layer_digests(lossnet: LossNetwork) -> dict[str, str]:
    metric = lossnet.metric
    return {
        layer: digest([*conv.parameters(), *([metric[layer]] if layer in metric else [])])
        for layer, conv in zip(lossnet.layers, lossnet.convs, strict=True)
    }


def _parsed(values: Any) -> Identity:
    """ValueError names what is missing or of another kind."""
    if not isinstance(values, dict):
        raise ValueError("must be a JSON object")
    for name, kind in {"config": dict, "photos": str, "paintings": dict, "lossnet": dict}.items():
        if not isinstance(values.get(name), kind):
            raise ValueError(f"its {name!r} is missing or no {kind.__name__}")
    if len(values["photos"]) > 200 or not values["photos"].isprintable():
        raise ValueError("its 'photos' must be printable and at most 200 characters")
    for name in ("paintings", "lossnet"):
        if not all(isinstance(each, str) for each in values[name].values()):
            raise ValueError(f"its {name!r} holds other things than text")
    return Identity(values["config"], values["photos"], values["paintings"], values["lossnet"])
