"""Two processes beside one: the arithmetic, and a real pair of them."""

import pytest

from brushnet.bench.ranks import Block, Counting, efficiency, environment, measure_ranks, ring_bytes


def block(processes, seconds, *, steps=10, cpu=4.0):
    return Block(processes, steps, seconds, cpu, images=steps * 4 * processes, gradient_bytes=8e6 * (processes > 1))


def test_efficiency_is_of_as_many_times_one_process():
    found = efficiency([block(1, 10), block(2, 12.5), block(1, 10), block(2, 12.5)])
    assert found["images_s"] == {"1": 4.0, "2": 6.4}
    assert found["efficiency"] == pytest.approx(0.8)
    assert found["cpu_ms_per_image"] == {"1": 100.0, "2": 100.0}
    assert found["gradient_bytes_per_step"] == 8e6
    assert found["sent_bytes_per_step"] == {"2": 8e6, "4": 12e6, "8": 14e6}


def test_one_process_sends_nothing():
    assert ring_bytes(5.0, 1) == 0


def test_one_and_several_are_trained_in_turn_by_as_many_steps():
    asked = []

    def run(processes, steps):
        asked.append((processes, steps))
        return block(processes, 10, steps=7)

    assert measure_ranks(run, processes=2, rounds=2)["processes"] == 2
    assert asked == [(1, None), (2, 7), (1, 7), (2, 7)]


def test_a_process_is_told_nothing_of_another_launcher():
    inherited = {"PATH": "/bin", "SLURM_NTASKS": "8", "TORCHELASTIC_RUN_ID": "a", "OMP_NUM_THREADS": "64"}
    found = environment(1, 4000, inherited)
    assert found["PATH"] == "/bin"
    assert (found["LOCAL_RANK"], found["MASTER_PORT"], found["OMP_NUM_THREADS"]) == ("1", "4000", "1")
    assert not [key for key in found if key.startswith(("SLURM", "TORCHELASTIC"))]


def test_a_block_is_over_after_its_steps_or_its_time(clock):
    by_steps, by_time = Counting(clock, steps=3, seconds=0), Counting(clock, steps=None, seconds=5)
    by_time.begun = clock()
    assert [by_steps._is_over(steps) for steps in (2, 3)] == [False, True]
    clock.pass_by(6)
    assert [by_time._is_over(steps) for steps in (1, 2)] == [False, True]
