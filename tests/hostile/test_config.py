"""config.yaml of a run, which may come with a stranger's run folder."""

import random
from pathlib import Path

import pytest
import yaml

from brushnet.config import Config, load_run, to_dict
from tests.hostile.mutations import bytes_mutated, values_mutated
from tests.hostile.watch import outcome

LINES = (
    "hydra: {run: {dir: /tmp/ran}}", "hydra: {launcher: {_target_: os.system}}", "_target_: os.system",
    "net: {_target_: os.system}", "defaults: [base]", "data: {path: 'pipe:touch ran'}", "seed: ${now:%S}",
    "logger: {name: '${oc.env:HOME}'}", "style: {files: ['${oc.decode:x}']}", "a: &a [x]\nb: *a", "<<: {seed: 1}",
    "a: !!python/object/apply:os.system [touch ran]", "a: !!python/name:os.system", "a: !!timestamp x",
    "a: !!bool x", "a: !!int ''", "a: !!float .", "a: !!binary '*'", "a: !!set {x}", "a: !!omap [x]", "a: !!pairs x",
    "a: !x y", "? [a]\n: b", "? {a: b}\n: c", "seed: 2001-99-99", "seed: 0b_", "seed: 0x" + "f" * 6000,
    "seed: " + "9" * 6000, "seed: 1:99999999999", "seed: .nan", "seed: -.inf", "seed: 0o7", "~: ~", "1.5: x",
    "2001-01-01: x", "true: x", "---", "...", "%YAML 9.9", "\t", "seed: ???", "net: {width: ???}", "#" * 5000,
    "[" * 3000, "- " * 3000, "a: |\n  x", "'", '"\\ud800"', "trainer: {max_steps: 1e400}", "net.width: 4",
)  # fmt: skip


def yaml_mutated(text: str, rng: random.Random) -> bytes:
    match rng.randrange(3):
        case 0:
            return bytes_mutated(text.encode(), rng)
        case 1:
            lines = text.splitlines()
            for _ in range(rng.randint(1, 2)):
                lines.insert(rng.randint(0, len(lines)), rng.choice(LINES))
            return "\n".join(lines).encode()
        case _:
            content = values_mutated(yaml.safe_load(text), rng)
            try:
                return yaml.safe_dump(content).encode("utf-8", "surrogatepass")
            except (yaml.YAMLError, RecursionError):
                return b"a: " + b"[" * 5000


def test_saved_configuration(attack, tmp_path: Path):
    text = yaml.safe_dump(to_dict(Config()), sort_keys=False)

    def act(rng):
        (tmp_path / "config.yaml").write_bytes(yaml_mutated(text, rng))
        outcome(lambda: load_run(tmp_path), names="config.yaml")

    attack(act)


@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
def test_each_hostile_line_alone(tmp_path, line):
    (tmp_path / "config.yaml").write_text(line)
    outcome(lambda: load_run(tmp_path), names="config.yaml")
