"""What an exported file says of itself: the model's metadata as brushnet reads it, and the same in plain words."""

import json
from pathlib import Path

from brushnet import __version__, samples
from brushnet.errors import UserError
from brushnet.model_meta import KEY, ModelMeta

LONGEST_LICENCE = 1000
NOT_STATED = "not stated"
OF_EMBEDDED = "MIT; the painting is in the public domain"  # as data/README.md has it of each


def about(meta: ModelMeta, licence: str) -> dict[str, str]:
    """Keys and texts. The first, KEY, is all that brushnet itself would read."""
    return {
        KEY: meta.to_json(),
        "brushnet_version": __version__,
        "stroke_mode": meta.stroke_mode,
        "stroke_min": f"{meta.stroke_min:g}",
        "stroke_max": f"{meta.stroke_max:g}",
        "reference_px": str(meta.reference_px),
        "style_names": json.dumps(list(meta.style_names), ensure_ascii=False),
        "licence": licence,
    }


def licence_of(meta: ModelMeta, given: str | None) -> str:
    """The text that was given, else what is known of the models that ship."""
    if given is not None:
        return given
    if not _is_embedded(meta):
        return NOT_STATED
    painting = meta.training.get("painting")
    return f"{OF_EMBEDDED} ({painting})" if isinstance(painting, str) else OF_EMBEDDED


def licence_in(path: Path) -> str | None:
    """The note in a .safetensors that was exported before; None where there is none."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            note = (file.metadata() or {}).get("licence")
        return check_licence(note) if note is not None and note != NOT_STATED else None
    except (SafetensorError, OSError, UserError):
        return None


def check_licence(text: str) -> str:
    if not (1 <= len(text) <= LONGEST_LICENCE and text.isprintable()):
        raise UserError(f"--licence must be printable text of 1 to {LONGEST_LICENCE} characters, got {text[:60]!r}")
    return text


def _is_embedded(meta: ModelMeta) -> bool:
    from brushnet.model_header import read_meta

    return any(read_meta(path) == meta for path in samples.models().values())
