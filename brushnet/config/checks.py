"""Which configurations make sense: each option's range, and options that contradict each other."""

import math
import re
from typing import Any

from brushnet.config.schema import Config, LayerWeight, Rule, options, rule_of
from brushnet.errors import ConfigError

SMALLEST_LEVEL_PX = 16  # below this the deepest default layer sees a handful of positions: no statistics
SMALLEST_STYLE_LEVEL_PX = 8  # below this the painting has no statistics, and soon too little for reflect padding
_CONVS_PER_BLOCK = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4), "compact": (2, 2, 4)}
_TIME = re.compile(r"\d+:\d+:\d+:\d+")


def check(cfg: Config) -> Config:
    """The same configuration; ConfigError names the first option that is wrong."""
    for key, each, value in options(cfg):
        _check_option(key, value, rule_of(each))
    _check_stroke(cfg)
    _check_layers("loss.style_layers", cfg.loss.style_layers, cfg)
    _check_layers("loss.content_layers", cfg.loss.content_layers, cfg)
    _check_pyramid(cfg)
    _check_smallest_style(cfg)
    _check_time(cfg.trainer.max_time)
    _check_names(cfg)
    _check_fork(cfg)
    return cfg


def _check_option(key: str, value: Any, rule: Rule) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{key} must be a finite number, got {value}")
    if rule.choices and value not in rule.choices:
        raise ConfigError(f"{key} must be {rule.allowed()}, got {value}")
    if isinstance(value, int | float) and not _within(value, rule):
        unit = f" {rule.unit}" if rule.unit else ""
        raise ConfigError(f"{key} must be {rule.allowed()}{unit}, got {value:g}")


def _within(value: float, rule: Rule) -> bool:
    return (
        (rule.min is None or value >= rule.min)
        and (rule.max is None or value <= rule.max)
        and (rule.above is None or value > rule.above)
        and (rule.below is None or value < rule.below)
    )


def _check_stroke(cfg: Config) -> None:
    stroke = cfg.stroke
    got = f"got {stroke.min:g} and {stroke.max:g}"
    if stroke.mode == "fixed" and stroke.min != stroke.max:
        raise ConfigError(f"stroke.min and stroke.max must be equal with stroke.mode=fixed, {got}")
    if stroke.mode != "fixed" and stroke.min >= stroke.max:
        raise ConfigError(f"stroke.min must be below stroke.max (or stroke.mode=fixed with both equal), {got}")


def _check_layers(key: str, layers: list[LayerWeight], cfg: Config) -> None:
    known = known_layers(cfg)
    names = [layer.name for layer in layers]
    if not names:
        raise ConfigError(f"{key} must name at least one layer, e.g. [{{name: relu3_1, weight: 1}}], got []")
    for layer in layers:
        if layer.name not in known:
            raise ConfigError(f"{key} must name layers of the loss network ({', '.join(known)}), got {layer.name}")
        if not (math.isfinite(layer.weight) and layer.weight > 0):
            raise ConfigError(f"{key}: the weight of {layer.name} must be above 0, got {layer.weight:g}")
        if names.count(layer.name) > 1:
            raise ConfigError(f"{key} must name each layer once, got {layer.name} {names.count(layer.name)} times")


def known_layers(cfg: Config) -> list[str]:
    """Layers the loss network can have. A weight file brings its own architecture, so there the larger one counts."""
    by_name = {"torchvision": cfg.lossnet.arch, "auto": cfg.lossnet.arch, "compact": "compact"}
    arch = by_name.get(cfg.lossnet.weights, "vgg19")
    convs = _CONVS_PER_BLOCK[arch]
    return [f"relu{block}_{conv}" for block, count in enumerate(convs, 1) for conv in range(1, count + 1)]


def _check_pyramid(cfg: Config) -> None:
    coarsest = {
        f"loss.pyramid_levels={cfg.loss.pyramid_levels}": cfg.loss.pyramid_levels - 1,
        f"loss.content_level={cfg.loss.content_level}": cfg.loss.content_level,
    }
    for option, level in coarsest.items():
        needed_px = SMALLEST_LEVEL_PX * 2**level
        if cfg.trainer.crop_px < needed_px:
            raise ConfigError(
                f"trainer.crop_px must be at least {needed_px} with {option} "
                f"(the coarsest level needs {SMALLEST_LEVEL_PX} px), got {cfg.trainer.crop_px}"
            )


def _check_smallest_style(cfg: Config) -> None:
    stroke_min, reference_px, levels = cfg.stroke.min, cfg.style.reference_px, cfg.loss.pyramid_levels
    px = stroke_min * reference_px / 2 ** (levels - 1)
    if px < SMALLEST_STYLE_LEVEL_PX:
        raise ConfigError(
            f"stroke.min * style.reference_px / 2**(loss.pyramid_levels-1), the painting's coarsest level, must be at "
            f"least {SMALLEST_STYLE_LEVEL_PX} px, got {stroke_min:g} * {reference_px} / 2**{levels - 1} = {px:.1f}"
        )


def _check_time(max_time: str | None) -> None:
    allowed = "trainer.max_time must be dd:hh:mm:ss and more than zero, e.g. 00:00:10:00 for ten minutes"
    if max_time is not None and (not _TIME.fullmatch(max_time) or not any(map(int, max_time.split(":")))):
        raise ConfigError(f"{allowed}, got {max_time}")


def _check_names(cfg: Config) -> None:
    if not cfg.style.files:
        raise ConfigError("style.files must name at least one painting, e.g. [painting.jpg], got []")
    for file in cfg.style.files:
        if not file.strip():
            raise ConfigError("style.files must name paintings, e.g. [painting.jpg], got an empty name")
    if cfg.style.base is not None and not cfg.style.base.strip():
        raise ConfigError(
            "style.base must name the trained model to which style.files are added (an embedded name, a file or a run "
            "folder), got nothing"
        )
    for key, value in {"data.path": cfg.data.path, "lossnet.weights": cfg.lossnet.weights}.items():
        if not value.strip():
            raise ConfigError(f"{key} must not be empty")
    if cfg.loss.style_weight == 0 and cfg.loss.content_weight == 0:
        raise ConfigError("loss.style_weight and loss.content_weight must not both be 0, got 0 and 0")


def _check_fork(cfg: Config) -> None:
    if cfg.fork is not None and not cfg.fork.strip():
        raise ConfigError("fork must name the model whose weights the run starts from, got nothing")
    if cfg.fork is not None and cfg.style.base is not None:
        raise ConfigError(
            f"fork={cfg.fork} and style.base={cfg.style.base} cannot be combined: a fork trains the whole network, and "
            f"what is added to a base only its own paintings; style.base takes a run or a checkpoint of it too"
        )
