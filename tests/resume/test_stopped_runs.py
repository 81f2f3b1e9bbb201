"""Stopped by a signal to all processes, as terminals and Slurm send it: exit code 3, and resumable."""

import signal

import pytest

from tests.resume.compare import assert_equal_runs
from tests.resume.runs import VARIANTS, Processes, Trial, tail

STEP = "brushnet.training.module:StyleTraining.training_step"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("variant", VARIANTS[:4], ids=lambda variant: variant.name)
def test_a_signal_to_the_group_stops_a_run_that_can_be_resumed(forks, data, unbroken, tmp_path, variant, number):
    whole, broken = unbroken(variant), Trial(forks, variant, data, tmp_path)
    attempt = broken.go_on(kill={"call": STEP, "number": 5, "signal": number})
    assert attempt.code == 3, tail(tmp_path)
    assert f"continue with: brushnet train resume={broken.run_folder}" in tail(tmp_path)
    broken.finish()
    # The checkpoint of the stop is one more than an unbroken run has.
    assert_equal_runs(whole.run_folder, broken.run_folder, left_out=r"checkpoints/step_\d+\.ckpt")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_as_a_user_sends_it(data, unbroken, tmp_path, number):
    whole, broken = unbroken(VARIANTS[1]), Trial(Processes(), VARIANTS[1], data, tmp_path)
    assert broken.go_on(kill={"call": STEP, "number": 5, "signal": number}).code == 3, tail(tmp_path)
    broken.finish()
    assert_equal_runs(whole.run_folder, broken.run_folder, left_out=r"checkpoints/step_\d+\.ckpt")
