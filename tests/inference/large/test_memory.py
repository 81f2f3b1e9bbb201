import mmap
import subprocess
import sys

import pytest
import torch

from brushnet.errors import UserError
from brushnet.inference.large.memory import parse_memory, resident_bytes
from brushnet.inference.large.paint import needed_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GB", 2 * 10**9), ("1.5GiB", 1.5 * 2**30), ("1200 mb", 1.2e9), ("3g", 3e9), ("1000000000", 1e9), ("2TB", 2e12)],
)
def test_sizes_as_they_are_typed(text, size):
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "much", "2 apples", "-2GB", "nan", "2GB2", "1,5GB", "GB"])
def test_what_is_no_size(text):
    with pytest.raises(UserError, match=rf"--max-memory must be a size such as 2GB, 800MB or 1\.5GiB, got '{text}'"):
        parse_memory(text)


@pytest.mark.parametrize("text", ["800MB", "0", "999MB", "64"])
def test_too_little(text):
    with pytest.raises(UserError, match=rf"--max-memory must be at least 1GB, got {text}"):
        parse_memory(text)


def test_resident_memory_grows_with_what_is_in_use():
    before, size = resident_bytes(), 200_000_000
    with mmap.mmap(-1, size) as fresh:  # not what an earlier test had and the allocator kept
        fresh.write(b"x" * size)
        assert resident_bytes() - before > 150_000_000


def test_twelve_megapixels_are_beyond_three_gigabytes(model):
    wide = type(model)(type(model.net)(width=16), model.meta)
    assert needed_bytes(wide, (3000, 4000), 1.0) > 3e9 > needed_bytes(wide, (1500, 2000), 1.0)
    assert needed_bytes(wide, (1500, 2000), torch.ones(1, 1, 4, 4)) > needed_bytes(wide, (1500, 2000), 1.0)


def test_parsing_a_size_needs_no_torch():
    code = "import sys, brushnet.inference.large.memory; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("stroke", ["0.5", "2.0", "torch.linspace(0.35, 2.8, 40).expand(1, 1, 30, 40)"])
def test_what_painting_whole_takes_is_known_beforehand(stroke):
    code = f"""
import re, torch, brushnet
from pathlib import Path
from brushnet.inference.large.paint import needed_bytes
model = brushnet.load("starry-night")
# Not ru_maxrss, which begins with the peak of the process that started this one.
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
stroke, photo = {stroke}, torch.rand(1, 3, 1500, 2000)
before = peak()
model(photo, stroke)
print((peak() - before) / needed_bytes(model, (1500, 2000), stroke))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0.5 < float(done.stdout) < 1
