"""What a style model says of itself: its network's shape, its trained stroke range, its paintings.

One JSON text, the same in model.safetensors and in a training checkpoint. Files come from strangers: every field is
checked here, before anything is allocated from it.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import brushnet
from brushnet.errors import UserError

if TYPE_CHECKING:  # torch takes seconds, and whoever only asks what a model is needs none
    from torch import nn

    from brushnet.nets import ResidualTransformer

FORMAT = 3  # raised when an older brushnet could no longer read a file, or would read it wrongly
CONTINUED = 2  # oldest format of a checkpoint whose network is trained as today's
KEY = "brushnet"  # under which the JSON lies in the safetensors metadata and in a checkpoint
TRUNKS = ("scaled", "plain")
ENDS = ("full", "patch")
STROKE_MODES = ("conditioned", "mixed", "fixed")

LARGEST_JSON_CHARS = 1_000_000
NET_LIMITS = {"width": 256, "blocks": 64, "stroke_embedding": 1024, "styles": 4096}
NET_SHAPE = (*NET_LIMITS, "trunk", "trunk_px", "ends")
TRUNK_PX_LIMITS = (2.0, 32.0)
STROKE_LIMITS = (1 / 64, 64.0)
REFERENCE_LIMITS_PX = (16, 16384)


@dataclass(frozen=True, kw_only=True)
class ModelMeta:
    """`stroke_min` and `stroke_max` are stroke scales (equal in mode `fixed`); `training` is a free summary."""

    width: int
    blocks: int
    stroke_embedding: int
    styles: int
    trunk: str
    trunk_px: float
    ends: str
    stroke_mode: str
    stroke_min: float
    stroke_max: float
    reference_px: int
    style_names: tuple[str, ...]
    training: Mapping[str, Any] = field(default_factory=dict)
    version: str = brushnet.__version__
    format: int = field(default=FORMAT, compare=False)  # of the file that it was read from

    @classmethod
    def of(
        cls,
        net: "nn.Module",
        *,
        stroke_mode: str,
        stroke_min: float,
        stroke_max: float,
        reference_px: int,
        style_names: Sequence[str],
        training: Mapping[str, Any] | None = None,
    ) -> "ModelMeta":
        """Of a network at hand: its shape is read off its attributes. Style names are made printable and different."""
        from brushnet.nets import ResidualTransformer

        assert isinstance(net, ResidualTransformer)
        return cls(
            **{name: getattr(net, name) for name in NET_SHAPE},
            stroke_mode=stroke_mode,
            stroke_min=float(stroke_min),
            stroke_max=float(stroke_max),
            reference_px=reference_px,
            style_names=clean_names(style_names),
            training=training or {},
        )

    def build_net(self) -> "ResidualTransformer":
        """A fresh network of this shape (on the device that is torch's default at the call)."""
        from brushnet.nets import ResidualTransformer

        return ResidualTransformer(**{name: getattr(self, name) for name in NET_SHAPE})

    def blank_net(self) -> "ResidualTransformer":
        """A network of this shape without memory: to ask for names and shapes, and to be given weights.

        Its initial values are not drawn: that would take from the caller's generator, and on the meta device torch
        imports sympy for it, a second.
        """
        import torch
        from torch.overrides import TorchFunctionMode

        class Undrawn(TorchFunctionMode):
            def __torch_function__(
                self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
            ) -> Any:
                if func.__name__ in ("normal_", "uniform_", "kaiming_uniform_"):
                    return args[0] if args else (kwargs or {})["tensor"]
                return func(*args, **(kwargs or {}))

        with torch.device("meta"), Undrawn():
            return self.build_net()

    def to_json(self) -> str:
        content = {
            "format": FORMAT,
            "version": self.version,
            "net": {name: getattr(self, name) for name in NET_SHAPE},
            "stroke": {"mode": self.stroke_mode, "min": self.stroke_min, "max": self.stroke_max},
            "reference_px": self.reference_px,
            "style_names": list(self.style_names),
            "training": _finite(dict(self.training)),
        }
        # Sorted: the same model gives the same bytes.
        return json.dumps(content, sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str, *, source: str) -> "ModelMeta":
        """Checked against every limit. UserError names `source`, the field, its value and what is allowed.

        Fields that this version does not know are left out: a file that must not be read so has a higher format.
        """
        fields = _Fields(_parse(text, source), source=source)
        number = _checked_format(fields)
        net, stroke = fields.group("net"), fields.group("stroke")
        shape = {name: net.integer(name, 1, largest) for name, largest in NET_LIMITS.items()}
        # Earlier formats knew no other.
        trunk = net.choice("trunk", TRUNKS) if number > 1 else "plain"
        trunk_px = net.number("trunk_px", *TRUNK_PX_LIMITS) if number > 2 else 4.0
        ends = net.choice("ends", ENDS) if number > 2 else "full"
        mode = stroke.choice("mode", STROKE_MODES)
        low, high = stroke.number("min", *STROKE_LIMITS), stroke.number("max", *STROKE_LIMITS)
        if low > high or (mode == "fixed") != (low == high):
            expected = "equal to stroke.max (mode fixed)" if mode == "fixed" else "below stroke.max"
            raise fields.error("stroke.min", low, f"{expected}, which is {high}")
        return cls(
            **shape,
            trunk=trunk,
            trunk_px=trunk_px,
            ends=ends,
            stroke_mode=mode,
            stroke_min=low,
            stroke_max=high,
            reference_px=fields.integer("reference_px", *REFERENCE_LIMITS_PX),
            style_names=fields.names("style_names", count=shape["styles"]),
            training=fields.mapping("training"),
            version=fields.name("version"),
            format=number,
        )


def _finite(value: Any) -> Any:
    """NaN and infinity become null: JSON has neither, and a loss may be one at the moment of saving."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _parse(text: str, source: str) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON number")

    if len(text) > LARGEST_JSON_CHARS:
        raise UserError(f"{source}: its metadata is {len(text)} characters long, at most {LARGEST_JSON_CHARS} allowed")
    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{source}: its metadata is not valid JSON ({error})") from error


def _checked_format(fields: "_Fields") -> int:
    number = fields.integer("format", 1, 2**31)
    if number > FORMAT:
        raise UserError(
            f"{fields.source}: written by brushnet {fields.name('version')} in format {number}; "
            f"this brushnet {brushnet.__version__} reads formats up to {FORMAT}: a newer brushnet is needed"
        )
    return number


class _Fields:
    """A JSON object of unknown origin, read field by field."""

    def __init__(self, content: Any, *, source: str, prefix: str = ""):
        self.source, self.prefix = source, prefix
        if not isinstance(content, dict):
            raise UserError(
                f"{source}: metadata {prefix.rstrip('.') or KEY!r} must be a JSON object, got {_short(content)}"
            )
        self.content = content

    def error(self, name: str, value: Any, allowed: str) -> UserError:
        return UserError(f"{self.source}: metadata {self.prefix}{name} must be {allowed}, got {_short(value)}")

    def _get(self, name: str, allowed: str) -> Any:
        if name not in self.content:
            raise UserError(f"{self.source}: metadata {self.prefix}{name} is missing, must be {allowed}")
        return self.content[name]

    def group(self, name: str) -> "_Fields":
        return _Fields(self._get(name, "a JSON object"), source=self.source, prefix=f"{self.prefix}{name}.")

    def mapping(self, name: str) -> dict[str, Any]:
        return self.group(name).content

    def integer(self, name: str, low: int, high: int) -> int:
        allowed = f"a whole number from {low} to {high}"
        value = self._get(name, allowed)
        if type(value) is not int or not low <= value <= high:  # bool is an int to isinstance
            raise self.error(name, value, allowed)
        return value

    def number(self, name: str, low: float, high: float) -> float:
        allowed = f"a number from {low:g} to {high:g}"
        value = self._get(name, allowed)
        if type(value) not in (int, float) or not low <= value <= high or not math.isfinite(value):
            raise self.error(name, value, allowed)
        return float(value)

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        allowed = f"one of {', '.join(choices)}"
        value = self._get(name, allowed)
        if value not in choices:
            raise self.error(name, value, allowed)
        return str(value)

    def name(self, name: str) -> str:
        allowed = "printable text of 1 to 200 characters"
        value = self._get(name, allowed)
        if not _is_name(value):
            raise self.error(name, value, allowed)
        return str(value)

    def names(self, name: str, *, count: int) -> tuple[str, ...]:
        allowed = f"a list of {count} different names (printable, 1 to 200 characters), one a style"
        values = self._get(name, allowed)
        fits = isinstance(values, list) and len(values) == count and all(_is_name(value) for value in values)
        if not fits or len(set(values)) != count:
            raise self.error(name, values, allowed)
        return tuple(values)


def clean_names(names: Sequence[str]) -> tuple[str, ...]:
    """File names may hold what `_is_name` refuses; that must not come out after hours of training.

    Names that can stay do.
    """
    clean: list[str] = []
    for number, name in enumerate(names, start=1):
        text = "".join(letter if letter.isprintable() else "_" for letter in name) or "painting"
        text = text if _is_name(text) and text not in clean else text[:150]
        while text in clean:
            text += f"-{number}"
        clean.append(text)
    return tuple(clean)


def _is_name(value: Any) -> bool:
    # Names are printed: control characters could drive the reader's terminal.
    return isinstance(value, str) and 1 <= len(value) <= 200 and value.isprintable()


def _short(value: Any) -> str:
    try:
        text = json.dumps(value)
    except (ValueError, RecursionError):
        text = f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:60]}..."
