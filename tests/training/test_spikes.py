import logging
import re

import pytest

from brushnet.training.metrics_csv import MetricsCsv
from brushnet.training.module import StyleTraining
from brushnet.training.spikes import GradientSpikes
from tests.training.conftest import AT_THE_END

# Of the norm to the median of the 100 before it, default options, 2 cores: at most 6.4 in 300 steps of the embedded
# painting, 2.2 in 200 of the Great Wave, 4.2 in 200 of an engraving with style.target=crop and one photo a step, 1.7 in
# 60 of experiment=johnson; 12.7 where learning_rate=0.1 without a clip was about to end in one flat colour.
USUAL = [20.0, 30.0, 25.0] * 40


def warnings_of(norms, caplog, *, clip=1.0):
    caplog.clear()
    spikes = GradientSpikes(clip=clip)
    with caplog.at_level(logging.WARNING):
        for step, norm in enumerate(norms, start=1):
            spikes.see(norm, step=step)
    return [record.getMessage() for record in caplog.records]


def test_a_spike_is_told_with_what_was_done_about_it(caplog):
    assert warnings_of([*USUAL, 300.0], caplog) == [
        "gradient spike at step 121: norm 300, 12 times the usual 25; clipped to 1 (1 spikes so far)"
    ]
    (told,) = warnings_of([*USUAL, 300.0], caplog, clip=0)
    assert "not clipped, since trainer.gradient_clip=0" in told


def test_spikes_that_follow_are_counted_but_not_each_told(caplog):
    told = warnings_of([*USUAL, 300.0, 400.0, *USUAL, 500.0], caplog)
    assert [re.search(r"step (\d+): .*\((\d) spikes", line).groups() for line in told] == [("121", "1"), ("243", "3")]


@pytest.mark.parametrize(
    "norms",
    [
        [*USUAL, 160.0],
        [40 * 0.992**step for step in range(300)],  # a training that goes well
        [30.0, 300.0, 30.0],  # nothing is usual yet
        [*[0.0] * 60, 5.0],  # nothing is learnt any more: another warning's business
    ],
)
def test_what_is_no_spike_is_not_told(caplog, norms):
    assert warnings_of(norms, caplog) == []


def test_a_training_tells_its_spikes_and_counts_what_was_clipped(train, monkeypatch, caplog):
    original = StyleTraining.manual_backward
    monkeypatch.setattr(
        StyleTraining,
        "manual_backward",
        lambda self, loss: original(self, loss * (1000 if self.batches_done == 27 else 1)),
    )
    run = train("trainer.max_steps=30", "trainer.gradient_clip=13", "trainer.validate_every_steps=100", *AT_THE_END)
    assert len(re.findall("gradient spike at", caplog.text)) == 1
    assert re.search(
        r"gradient spike at step 28: norm \S+, \S+ times the usual \S+; clipped to 13 \(1 spikes", caplog.text
    )
    rows = [row for row in MetricsCsv(run / "metrics.csv").rows() if row["train/loss"]]
    clipped = 0
    for row in rows:
        clipped += float(row["train/gradient_norm"]) > 13
        assert float(row["train/clipped_steps"]) == clipped
    assert 1 <= clipped < 30
