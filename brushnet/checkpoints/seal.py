"""A digest inside the file: the comment of the zip archive that a checkpoint is.

In the file itself, because a second file beside it could be of another moment; every zip reader skips it. It tells
damage, not malice: whoever changes a file on purpose can seal it anew.
"""

import hashlib
import zipfile
from pathlib import Path

_PREFIX = b"sha256:"
_SEAL_BYTES = len(_PREFIX) + 64
_END_BYTES = 22  # of the archive's end record, whose last two bytes are the length of the comment
_END = b"PK\x05\x06"


def sealed(archive: bytes) -> bytes:
    """A zip archive without comment -> the same with the digest of all its bytes."""
    assert archive[-_END_BYTES:].startswith(_END), "no zip archive, or one with a comment"
    seal = _PREFIX + hashlib.sha256(archive).hexdigest().encode()
    return archive[:-2] + len(seal).to_bytes(2, "little") + seal


def damage(path: Path) -> str | None:
    """What is wrong with a checkpoint's bytes, or None. One without a seal is held to the check sums of its members.

    OSError where it cannot be read.
    """
    with path.open("rb") as file:
        if file.seek(0, 2) == 0:
            return "it is empty"
        file.seek(max(0, file.tell() - _END_BYTES - _SEAL_BYTES))
        tail = file.read()
        if tail.startswith(_END) and tail[_END_BYTES:].startswith(_PREFIX):
            return None if _digest(path) == tail[_END_BYTES:] else "its digest does not match its content"
    return _damage_of_members(path)


def _digest(path: Path) -> bytes:
    """Of the archive as it was before it was sealed."""
    left = path.stat().st_size - _SEAL_BYTES - 2
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while left and (block := file.read(min(left, 1 << 20))):
            digest.update(block)
            left -= len(block)
    digest.update(b"\0\0")
    return _PREFIX + digest.hexdigest().encode()


def _damage_of_members(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                return "it has compressed members, which no PyTorch checkpoint has"
            broken = archive.testzip()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, RuntimeError) as error:
        return f"it is cut off or no checkpoint ({' '.join(str(error).split())})"
    return None if broken is None else f"its member {broken!r} is damaged"
