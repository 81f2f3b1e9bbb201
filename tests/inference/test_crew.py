"""Work by several threads: all of it, in order of beginning, within a bound, ended by a signal or a failure."""

import threading
import time

import pytest

from brushnet.errors import BrushnetError, Stopped
from brushnet.inference.crew import work_through


@pytest.mark.parametrize("jobs", [1, 2, 5, 30])
def test_all_is_done_once_and_begun_in_order(jobs):
    begun, lock = [], threading.Lock()

    def work(index):
        with lock:
            begun.append(index)
        time.sleep(0.001)

    work_through(20, work, jobs=jobs)
    assert sorted(begun) == list(range(20))
    assert jobs > 1 or begun == list(range(20))


def test_nothing_to_do_ends():
    work_through(0, lambda index: pytest.fail("nothing was to be done"), jobs=3)


def test_so_many_at_a_time_and_no_more():
    at_a_time, most, lock = 0, 0, threading.Lock()

    def work(index):
        nonlocal at_a_time, most
        with lock:
            at_a_time += 1
            most = max(most, at_a_time)
        time.sleep(0.01)
        with lock:
            at_a_time -= 1

    work_through(12, work, jobs=3)
    assert most == 3


def test_what_costs_too_much_together_is_done_one_by_one_and_alone_in_any_case():
    costs = [1, 9, 2, 30, 1, 1, 9]
    in_hand, most, lock = [], [], threading.Lock()

    def work(index):
        with lock:
            in_hand.append(costs[index])
            most.append(list(in_hand))
        time.sleep(0.005)
        with lock:
            in_hand.remove(costs[index])

    work_through(len(costs), work, jobs=4, cost=lambda index: costs[index], most=10)
    assert all(sum(each) <= 10 or len(each) == 1 for each in most)
    assert max(map(len, most)) > 1


def test_a_failure_ends_the_rest_and_is_raised_here():
    done, lock = [], threading.Lock()

    def work(index):
        if index == 3:
            raise BrushnetError("the disk is full")
        time.sleep(0.002)
        with lock:
            done.append(index)

    stop = threading.Event()
    with pytest.raises(BrushnetError, match="the disk is full"):
        work_through(1000, work, jobs=2, stop=stop)
    assert stop.is_set()
    assert len(done) < 20


def test_stop_ends_it_without_an_error_and_lets_what_is_in_hand_come_to_its_end():
    stop, done = threading.Event(), []

    def work(index):
        if index == 2:
            stop.set()
        done.append(index)

    work_through(1000, work, jobs=1, stop=stop)
    assert done == [0, 1, 2]


def test_who_stops_in_the_middle_is_no_failure():
    stop, done = threading.Event(), []

    def work(index):
        if index == 1:
            stop.set()
            raise Stopped("stopped")
        done.append(index)

    work_through(9, work, jobs=1, stop=stop)
    assert done == [0]


def test_ctrl_c_where_nobody_handles_it_ends_the_threads(monkeypatch):
    stop, ended = threading.Event(), []

    def work(index):
        assert stop.wait(10)
        ended.append(index)

    join, calls = threading.Thread.join, []

    def interrupted(thread, timeout=None):
        calls.append(timeout)
        if len(calls) == 1:
            raise KeyboardInterrupt
        join(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        work_through(5, work, jobs=2, stop=stop)
    assert sorted(ended) == [0, 1]
