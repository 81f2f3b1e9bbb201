"""The engine is Microsoft's, unchanged."""

import gzip
import hashlib
import re
from pathlib import Path

import brushnet.web

VENDOR = Path(brushnet.web.__file__).parent / "vendor"


def test_every_file_has_the_digest_that_the_note_states():
    note = (VENDOR / "README.md").read_text(encoding="utf-8")
    stated = dict(re.findall(r"^\| (\S+\.(?:mjs|wasm\.gz)) \|.*`([0-9a-f]{64})` \|$", note, re.MULTILINE))
    assert set(stated) == {path.name for path in VENDOR.iterdir() if path.suffix in (".mjs", ".gz")} - {
        "ThirdPartyNotices.txt.gz"
    }
    for name, digest in stated.items():
        content = (VENDOR / name).read_bytes()
        assert hashlib.sha256(gzip.decompress(content) if name.endswith(".gz") else content).hexdigest() == digest


def test_the_licence_and_notices_are_there():
    assert "MIT License" in (VENDOR / "LICENSE").read_text(encoding="utf-8")
    assert b"Eigen" in gzip.decompress((VENDOR / "ThirdPartyNotices.txt.gz").read_bytes())
