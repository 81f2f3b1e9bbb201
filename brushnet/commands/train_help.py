"""Second half of `brushnet train --help`: the groups of conf/ and the common options, without importing Hydra."""

from typing import Any

from brushnet.config.folder import conf_dir, groups
from brushnet.config.schema import Config, Rule, options, rule_of

_EXAMPLES = """examples:
  brushnet train style.files=[painting.jpg] data.path=PHOTOS
  brushnet train experiment=quickstart trainer.max_time=00:00:05:00
  brushnet train resume=runs/painting-2026-01-31-120000
  brushnet train resume=runs/painting-2026-01-31-120000 --fork loss.style_weight=1
  brushnet train experiment=add_style style.base=MODEL style.files=[new.jpg]
  brushnet train -m stroke=three_octaves,one_octave seed=0,1
  brushnet train -m sweep=scale_x_layers budget=cpu launcher=joblib
  brushnet train -m resume=multirun/2026-01-31-120000
  brushnet train --cfg job                         shows every option and its value

A run's folder holds model.safetensors, samples/, metrics.csv, train.log, config.yaml and checkpoints/;
hydra.run.dir=DIR chooses it, hydra.sweep.dir=DIR that of a sweep."""


def epilog() -> str:
    group_lines = [f"  {group + '=':<12}{', '.join(values)}" for group, values in groups(conf_dir()).items()]
    common = [(key, value, rule_of(each)) for key, each, value in options(Config()) if rule_of(each).common]
    option_lines = [f"  {key + '=' + _shown(value):<36}{_explained(rule)}" for key, value, rule in common]
    parts = ["groups (the first word of an option, set as a whole):", *group_lines, ""]
    return "\n".join([*parts, "common options and their defaults:", *option_lines, "", _EXAMPLES])


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_shown, value))}]" if len(value) < 2 else "[...]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _explained(rule: Rule) -> str:
    return f"{rule.help} ({rule.unit})" if rule.unit and rule.unit not in rule.help else rule.help
