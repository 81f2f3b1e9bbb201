"""What became of each photo when it was last looked at: a pure function of the samples used so far.

Loader workers run ahead of the training, so what they have loaded says nothing. Each sample carries its looks instead,
and those of the samples that a step has used are noted, in order, all ranks' by every rank.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from brushnet.errors import UserError

STATES = ("not looked at", "fine", "broken", "too small", "too large", "unreadable", "unreachable", "enlarged",
          "came back")  # fmt: skip
BAD = ("broken", "too small", "too large", "unreadable", "unreachable")
JUDGED_FROM = 100  # photos looked at: of fewer, a few bad ones would be a large fraction
NOBODY = -1  # fills up the looks of a sample: as many for each, so that they make a batch
_CODES = {state: code for code, state in enumerate(STATES)}
_BASE = 16  # above every code


def pack(looks: Sequence[tuple[int, str]], *, length: int) -> Tensor:
    """(photo number, state) of each look that one sample took, as int64 (length,)."""
    packed = [number * _BASE + _CODES[state] for number, state in looks]
    return torch.tensor(packed + [NOBODY] * (length - len(packed)))


class Looks:
    """States of `size` photos, counted over the whole run and over this session of it."""

    def __init__(self, size: int) -> None:
        self.run, self.session = _Tally(bytes(size)), _Tally(bytes(size))

    def note(self, packed: Tensor) -> None:
        """The looks of the samples of one step."""
        for look in packed.flatten().tolist():
            if look != NOBODY:
                number, code = divmod(look, _BASE)
                self.run.set(number, code)
                self.session.set(number, code)

    def counts(self) -> dict[str, int]:
        """Photos in each state that is worth telling: {"broken": 1, "enlarged": 3}; only what occurred."""
        return {state: count for state, count in self.run.counts().items() if state not in STATES[:2]}

    def too_bad(self, max_fraction: float) -> bool:
        """Whether more than that fraction of the photos looked at is bad.

        Of this session's too: photos that were mended before a run went on are no reason to stop it again.
        """
        return all(tally.is_judged() and tally.bad > max_fraction * tally.looked for tally in (self.run, self.session))

    def worst(self, place_of: Callable[[int], str], *, count: int = 3) -> list[tuple[str, list[int]]]:
        """(shard or folder, bad photos in it) of those that hold most of them."""
        codes = {_CODES[state] for state in BAD}
        found: dict[str, list[int]] = {}
        for number, code in enumerate(self.run.codes):
            if code in codes:
                found.setdefault(place_of(number), []).append(number)
        return sorted(found.items(), key=lambda each: len(each[1]), reverse=True)[:count]

    def state_dict(self) -> dict[str, Any]:
        return {"looks": torch.tensor(self.run.codes, dtype=torch.uint8)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """UserError for anything else than was saved of as many photos: a checkpoint may come from anywhere."""
        codes, size = state_dict["looks"], len(self.run.codes)
        fits = isinstance(codes, Tensor) and codes.dtype == torch.uint8 and codes.shape == (size,)
        if not fits or (size and int(codes.max()) >= len(STATES)):
            raise UserError(f"the checkpoint's data state is not of these {size} photos: its looks do not fit")
        self.run = _Tally(codes.numpy().tobytes())


class _Tally:
    def __init__(self, codes: bytes) -> None:
        self.codes = bytearray(codes)
        self._counts = [self.codes.count(code) for code in range(len(STATES))]

    @property
    def looked(self) -> int:
        return len(self.codes) - self._counts[0]

    @property
    def bad(self) -> int:
        return sum(self._counts[_CODES[state]] for state in BAD)

    def is_judged(self) -> bool:
        return self.looked >= min(JUDGED_FROM, len(self.codes))

    def counts(self) -> dict[str, int]:
        return {state: count for state, count in zip(STATES, self._counts, strict=True) if count}

    def set(self, number: int, code: int) -> None:
        before = STATES[self.codes[number]]
        if STATES[code] == "fine" and before in (*BAD, "came back"):
            code = _CODES["came back"]
        self._counts[self.codes[number]] -= 1
        self._counts[code] += 1
        self.codes[number] = code
