"""A clip of any length is painted in the same memory."""

from pathlib import Path

import pytest

from brushnet.inference.video.stylize import stylize_video

pytest.importorskip("av")
from tests.inference.video.clips import pattern, write_clip

STATM = Path("/proc/self/statm")
PAGE = 4096


@pytest.mark.skipif(not STATM.exists(), reason="no figure of a process's memory on this system")
def test_memory_does_not_grow_with_the_length(tmp_path, model):
    size = (160, 120)
    pictures = [pattern(number, size) for number in range(20)]
    clip = write_clip(tmp_path / "a.mp4", pictures * 15, sound="aac", options={"preset": "ultrafast"})
    used = {}

    def look(done, *_):
        used[done] = int(STATM.read_text().split()[1]) * PAGE

    report = stylize_video(model, clip, tmp_path / "b.mp4", progress=look)
    assert report.frames == 300
    frame_bytes = size[0] * size[1] * 3
    assert used[300] - used[100] < 0.5 * 200 * frame_bytes  # half of what the frames between take
