"""What watches the others sees a leak where there is one, and none where there is none."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.soak.watch import Sample, growth, needs_proc, settled, slow_down, watch

WORK = """
import os, subprocess, sys, time
leaking, kept, pipes = sys.argv[1] == "leaking", [], []
for done in range(1, 101):
    piece = os.urandom(1 << 19)
    deadline = time.process_time() + (0.02 * done / 100 if leaking else 0.01)
    while time.process_time() < deadline:
        pass
    if leaking:
        kept.append(piece)
        pipes.append(os.pipe())
    print(done, flush=True)
"""


def watched(tmp_path: Path, kind: str, *, child: bool = False) -> list[Sample]:
    arguments = [sys.executable, "-c", WORK, kind]
    if child:
        arguments = [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])", *arguments]
    with (tmp_path / "done").open("w") as out:
        process = subprocess.Popen(arguments, stdout=out)
        return watch(process, lambda: len((tmp_path / "done").read_text().split()), every_seconds=0.02)


@needs_proc
def test_a_leak_of_half_a_megabyte_and_two_descriptors_a_piece_is_seen_in_children_too(tmp_path):
    samples = watched(tmp_path, "leaking", child=True)
    assert growth(samples, "megabytes") == pytest.approx(50, rel=0.2)
    assert growth(samples, "descriptors") == pytest.approx(200, rel=0.2)
    assert slow_down(samples) > 1.5


@needs_proc
def test_work_that_holds_nothing_does_not_grow(tmp_path):
    samples = watched(tmp_path, "steady")
    assert abs(growth(samples, "megabytes")) < 2
    assert abs(growth(samples, "descriptors")) < 1
    assert abs(growth(samples, "threads")) < 0.5
    assert 0.5 < slow_down(samples) < 1.5
    assert min(sample.done for sample in settled(samples)) > 20
