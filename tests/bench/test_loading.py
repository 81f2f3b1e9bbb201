from pathlib import Path

import pytest
import torch

from brushnet.bench.clock import Clock
from brushnet.bench.loading import measure_loading, sample_photos, worker_counts
from brushnet.data.sources import open_source


@pytest.mark.parametrize(
    ("cores", "counts"), [(1, [0, 1]), (2, [0, 1, 2]), (3, [0, 1, 2, 3]), (4, [0, 1, 2, 4]), (16, [0, 1, 2, 4, 8, 16])]
)
def test_workers_are_doubled_up_to_the_cores(cores, counts):
    assert worker_counts(cores) == counts


def test_every_number_of_workers_has_its_rate(photos_dir):
    clock = Clock(torch.device("cpu"))
    rows = measure_loading(
        str(photos_dir), kind="folder", crop_px=32, batch_size=2, workers=[0, 1], seconds=0.05, clock=clock
    )
    assert [(row["source"], row["workers"]) for row in rows] == [("folder", 0), ("folder", 1)]
    assert all(row["images_s"] > 1 for row in rows)


def test_the_sample_photos_are_the_same_in_both_ways():
    with sample_photos() as paths:
        folder, shards = (open_source(paths[kind]) for kind in ("folder", "shards"))
        contents = [{source.read(number) for number in range(len(source))} for source in (folder, shards)]
        assert contents[0] == contents[1]
        assert len(contents[0]) > 4
    assert not Path(paths["folder"]).exists()
