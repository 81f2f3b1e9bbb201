import io
import logging
import sys

import pytest

from brushnet.commands.progress import Progress, pace


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_message_begins_a_line_of_its_own_and_not_behind_the_progress(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    handler = logging.StreamHandler(screen)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        with Progress("pictures") as progress:
            progress.show(10, 10, "cat.jpg")
            logging.getLogger("brushnet").warning("clamped")
    finally:
        root.removeHandler(handler)
    lines = [line.rpartition("\r")[2] for line in screen.getvalue().split("\n")]
    assert "clamped" in lines
    assert not handler.filters


def test_elsewhere_nothing_is_drawn_over(monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    with Progress("pictures") as progress:
        progress.shown -= 60
        progress.show(3, 10, "cat.jpg")
    assert "\r" not in log.getvalue()
    assert log.getvalue().startswith("3/10 pictures, ")


@pytest.mark.parametrize(
    ("done", "total", "passed_s", "said"),
    [
        (0, 10, 3, "0.0/s"),  # nothing to tell from yet
        (5, 10, 2, "2.5/s, 2 s left"),
        (10, 130, 10, "1.0/s, 2 min left"),
        (2, 5, 60, "30 s each, 90 s left"),
        (1, 271, 60, "60 s each, 4 h 30 min left"),
        (10, 10, 2, "5.0/s"),
    ],
)
def test_time_left_is_told_as_soon_as_there_is_a_pace(done, total, passed_s, said):
    assert pace(done, total, passed_s) == said


def test_the_clock_starts_with_0_done(monkeypatch):
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    now = iter([0.0, 100.0, 102.0])  # 100 s of loading
    monkeypatch.setattr("time.monotonic", lambda: next(now))
    with Progress("pictures") as progress:
        progress.show(0, 4)
        progress.show(2, 4)
    assert "2/4 pictures, 1.0/s, 2 s left" in screen.getvalue()


def test_a_share_of_the_first_tells_its_pace_when_it_is_large_enough_to_tell():
    assert pace(0.001, 1, 20) == "0.0/s"
    assert pace(0.25, 1, 20) == "80 s each, 60 s left"
