import pytest
import torch

from brushnet.bench import inference
from brushnet.bench.clock import Clock
from brushnet.bench.inference import measure_inference, variants
from brushnet.nets import ResidualTransformer

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def nets():
    torch.manual_seed(0)
    return {
        "scaled": ResidualTransformer(width=4, blocks=1, stroke_embedding=8),
        "plain": ResidualTransformer(width=4, blocks=1, stroke_embedding=8, trunk="plain"),
    }


@pytest.fixture(scope="module")
def compared(nets):
    return variants(nets, CPU, arithmetics=["float32", "bfloat16"], compiled=False)


def test_every_network_runs_in_every_way_and_a_plain_trunk_once(compared):
    assert [each.label for each in compared] == [
        "reference", "scaled s=0.5", "scaled s=1", "scaled s=2", "scaled s=0.5 bf16", "scaled s=1 bf16",
        "scaled s=2 bf16", "plain", "plain bf16",
    ]  # fmt: skip
    assert all(each.paint(torch.rand(1, 3, 24, 32)).shape == (1, 3, 24, 32) for each in compared)


def test_what_is_timed_is_the_painting_that_a_model_gives(nets, compared):
    photo = torch.rand(1, 3, 24, 32)
    found = next(each for each in compared if each.label == "scaled s=2").paint(photo)
    with torch.no_grad():
        wanted = nets["scaled"](photo, torch.ones(1, 1, 1, 1), torch.ones(1, 1))
    torch.testing.assert_close(found, wanted)
    half = next(each for each in compared if each.label == "scaled s=2 bf16").paint(photo)
    assert (half - wanted).abs().mean() < 0.02
    assert not torch.equal(half, found)


def test_there_is_a_row_for_each_size_and_way_and_the_reference_is_as_fast_as_itself(compared):
    rows = measure_inference(compared, Clock(CPU), seconds=0.01, sizes=[(24, 32), (40, 48)])
    assert [(row["height"], row["width"]) for row in rows] == [(24, 32)] * 9 + [(40, 48)] * 9
    assert all(row["ms"] > 0 and row["rounds"] >= 3 and row["ratio"] > 0 for row in rows)
    assert [row["ratio"] for row in rows if row["network"] == "reference"] == [1, 1]
    assert {row["arithmetic"] for row in rows} == {"float32", "bfloat16"}


def measured(clock, per_px, *, sizes=None, bytes_per_px=0, free=None, monkeypatch):
    """(Sizes, what was said) of one network that takes `per_px` seconds a pixel."""
    told = []

    def paint(photo):
        clock.pass_by(per_px * photo[0, 0].numel())

    monkeypatch.setattr(
        inference, "peak_bytes", lambda once, device: once() or bytes_per_px * once.args[0][0, 0].numel()
    )
    monkeypatch.setattr(inference, "free_bytes", lambda device: free)
    one = inference.Variant("reference", None, "float32", False, paint)
    rows = measure_inference([one], clock, seconds=1, sizes=sizes, tell=told.append)
    return [row["width"] for row in rows], told


def test_sizes_go_as_far_as_time_allows_unless_they_are_asked_for(clock, monkeypatch):
    found, told = measured(clock, 2 / 512**2, monkeypatch=monkeypatch)
    assert found == [256, 512]
    assert told[-1] == "1024 x 1024 px left out: about 8 s a picture; --sizes 1024 measures it"
    assert measured(clock, 2 / 512**2, sizes=[(512, 512), (1024, 1024)], monkeypatch=monkeypatch)[0] == [512, 1024]


def test_a_size_that_needs_more_memory_than_is_free_is_left_out(clock, monkeypatch):
    found, told = measured(clock, 1e-9, bytes_per_px=4000, free=2e9, monkeypatch=monkeypatch)
    assert found == [256, 512]
    assert told[-1] == "1024 x 1024 px left out: about 4 GB, more than is free"


def test_a_size_that_does_not_fit_ends_the_table(clock, monkeypatch):
    def paint(photo):
        if photo.shape[-1] > 256:
            raise torch.OutOfMemoryError
        clock.pass_by(1e-3)

    told = []
    one = inference.Variant("reference", None, "float32", False, paint)
    rows = measure_inference([one], clock, seconds=0.01, sizes=None, tell=told.append)
    assert [row["width"] for row in rows] == [256]
    assert told[-1] == "512 x 512 px left out: it does not fit into memory"
