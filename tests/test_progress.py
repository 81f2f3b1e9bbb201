import io
import logging
import sys

from brushnet.commands.progress import Progress


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
