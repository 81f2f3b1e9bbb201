"""Readable names for the jobs of a sweep, made from what differs: `three_octaves-shallow-starry_night-seed1`."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

LONGEST = 100  # bytes: a folder's name
NOT_OURS = ("report",)  # what else lies in a sweep's folder
_DIGEST_CHARS = 6


def names_of(jobs: Sequence[Mapping[str, str]], *, taken: Sequence[str] = ()) -> list[str]:
    """One for each job, all different, also from those `taken`. Jobs are the values of their axes."""
    plain = [name_of(values) for values in jobs]
    found: list[str] = []
    for values, name in zip(jobs, plain, strict=True):
        clash = plain.count(name) > 1 or name in (*taken, *NOT_OURS) or len(name.encode()) > LONGEST
        short = name.encode()[: LONGEST - _DIGEST_CHARS - 1].decode(errors="ignore")
        found.append(f"{short}-{_digest(values)}" if clash else name)
    return found


def name_of(values: Mapping[str, str]) -> str:
    """Of a group its value, of a list of files the files' names, of any other option its last word and its value."""
    parts = [_part(key, value) for key, value in values.items()]
    return "-".join(part for part in parts if part) or "job"


def shown(key: str, value: str) -> str:
    """An axis's value for people: of files their names, the rest as it is."""
    return "+".join(Path(name).stem for name in _files(value)) if key == "style.files" else value.strip("'\"")


def _part(key: str, value: str) -> str:
    text = _plain(shown(key, value))
    is_group = "." not in key and key != "seed"
    return text if is_group or key == "style.files" else _plain(key.rsplit(".", 1)[-1]) + text


def _files(value: str) -> list[str]:
    names = value.strip().removeprefix("[").removesuffix("]").split(",")
    return [name.strip().strip("'\"").removeprefix("sample:") for name in names]


def _plain(text: str) -> str:
    """Without `-`, which stands between the parts, and whatever a folder's name or a shell might not like."""
    return re.sub(r"[^\w.+]+", "_", text).strip("_.")


def _digest(values: Mapping[str, str]) -> str:
    return hashlib.blake2b(json.dumps(dict(values)).encode(), digest_size=16).hexdigest()[:_DIGEST_CHARS]
