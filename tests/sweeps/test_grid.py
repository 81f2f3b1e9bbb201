"""Axes and the jobs that they span."""

import pytest

from brushnet.config.compose import engine
from brushnet.errors import UserError
from brushnet.sweeps.grid import Axis, Grid, grid_of


@pytest.fixture(scope="module")
def loader():
    with engine() as hydra:
        yield hydra.config_loader


def test_axes_and_what_all_jobs_share_are_told_apart(loader):
    grid = grid_of(loader, {"stroke": "half,fixed"}, ["net.width=8", "seed=0,1", "style.files=['a b.jpg']"])
    assert grid.axes == (Axis("stroke", ("half", "fixed")), Axis("seed", ("0", "1")))
    assert grid.shared == ("net.width=8", "style.files=['a b.jpg']")
    assert grid.overrides({"stroke": "half", "seed": "1"}) == ["stroke=half", "seed=1", *grid.shared]


def test_the_command_line_counts_where_a_sweep_names_the_option_too(loader):
    grid = grid_of(loader, {"stroke": "half,fixed", "layers": "all,deep"}, ["stroke=mixed,narrow,half", "layers=deep"])
    assert grid.axes == (Axis("stroke", ("mixed", "narrow", "half")),)
    assert grid.shared == ("layers=deep",)


def test_every_combination_is_a_job_once():
    grid = Grid((Axis("a", ("1", "2")), Axis("b", ("x", "y", "z"))), ())
    jobs = grid.jobs()
    assert len(jobs) == len({tuple(job.items()) for job in jobs}) == 6
    assert jobs[:2] == [{"a": "1", "b": "x"}, {"a": "1", "b": "y"}]
    assert Grid((), ()).jobs() == [{}]


def test_seeds_change_last_and_keep_their_place():
    jobs = Grid((Axis("a", ("1", "2")), Axis("seed", ("0", "1")), Axis("b", ("x", "y"))), ()).jobs()
    assert [job["seed"] for job in jobs] == ["0"] * 4 + ["1"] * 4
    assert all(list(job) == ["a", "seed", "b"] for job in jobs)


def test_smoke_leaves_the_ends_of_two_axes():
    axes = (Axis("a", ("1", "2", "3")), Axis("b", ("x",)), Axis("c", ("u", "v")), Axis("d", ("p", "q", "r")))
    assert Grid(axes, ("net.width=8",)).cut() == Grid(
        (Axis("a", ("1", "3")), Axis("b", ("x",)), Axis("c", ("u",)), Axis("d", ("p",))), ("net.width=8",)
    )


def test_ranges_are_lists_and_intervals_are_refused(loader):
    assert grid_of(loader, {}, ["seed=range(0,3)"]).axes == (Axis("seed", ("0", "1", "2")),)
    with pytest.raises(UserError, match=r"loss\.style_weight must be swept over a list of values .* got an interval"):
        grid_of(loader, {}, ["loss.style_weight=interval(0,1)"])


def test_a_sweep_without_end_is_refused(loader):
    message = r"a sweep may have 10000 jobs at most, got 100000000 or more: seed, trainer\.max_steps"
    with pytest.raises(UserError, match=message):
        grid_of(loader, {}, ["seed=range(0,10000)", "trainer.max_steps=range(1,10001)"])
    with pytest.raises(UserError, match=r"a sweep may have 10000 jobs at most, got 10001 or more: seed"):
        grid_of(loader, {}, ["seed=range(0,100000000000)"])  # not unfolded
