"""Put a trained model among those that ship, with what was measured of it in its metadata.

    brushnet evaluate RUN --style PAINTING --content DIR --encoder NAME -o control
    python scripts/embed_model.py RUN NAME --painting "Van Gogh, The Starry Night, 1889" --control control/control.json

`brushnet stylize NAME photo.jpg` then paints with it, and `brushnet models --json` tells all of it.
"""

import argparse
import dataclasses
import json
import re
import sys
from pathlib import Path
from typing import Any

import brushnet
from brushnet import samples
from brushnet.errors import BrushnetError, UserError
from brushnet.models import save

LARGEST_BYTES = 3_000_000


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="run folder or model file")
    parser.add_argument("name", help="what users will type")
    parser.add_argument("--painting", required=True, help="artist, title, year")
    parser.add_argument("--control", type=Path, required=True, metavar="FILE", help="control.json of brushnet evaluate")
    parser.add_argument("--out", type=Path, help="default: data/models")
    arguments = parser.parse_args(argv)
    try:
        path = embed(arguments)
    except (BrushnetError, OSError) as error:
        print(f"embed_model: error: {error}", file=sys.stderr)
        return getattr(error, "exit_code", BrushnetError.exit_code)
    print(f"{path}: {path.stat().st_size} bytes")
    return 0


def embed(arguments: argparse.Namespace) -> Path:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", arguments.name):
        raise UserError(f"NAME must be of small letters, digits and -, got {arguments.name}")
    model = brushnet.load(arguments.run, device="cpu")
    control = _control(arguments.control)
    training = {**model.meta.training, "painting": arguments.painting, "control": control}
    folder = arguments.out or samples.samples_dir() / "models"
    path, aside = (folder / f"{start}{arguments.name}.safetensors" for start in ("", "."))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        save(aside, model.net, dataclasses.replace(model.meta, training=training))
        if (size := aside.stat().st_size) > LARGEST_BYTES:
            raise UserError(f"{arguments.run} has {size} bytes; at most {LARGEST_BYTES} may ship")
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return path


def _control(path: Path) -> dict[str, Any]:
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))["summaries"][0]
        return {name: round(summary[name], 3) for name in ("slope", "mean_absolute_error_octaves")}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"--control {path} is no control.json of brushnet evaluate: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
