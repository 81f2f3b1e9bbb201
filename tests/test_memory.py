import ctypes
import platform
import subprocess
import sys

import pytest

from brushnet.commands.memory import keep_freed_memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is asked")
def test_freed_blocks_are_used_again_without_new_pages():
    program = """
import resource, numpy
from brushnet.commands.memory import keep_freed_memory
assert keep_freed_memory()
numpy.ones(8_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    numpy.ones(8_000_000)  # 64 MB: 15,600 pages
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 5_000


def test_a_system_without_it_is_left_alone(monkeypatch):
    def missing(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert keep_freed_memory() is False
