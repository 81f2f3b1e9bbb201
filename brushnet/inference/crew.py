"""Work done by several threads at a time, which a signal or a failure ends."""

import math
import threading
from collections.abc import Callable

from brushnet.errors import Stopped

LOOK_EVERY_S = 0.2  # whether a signal has come: it is handled by the main thread, which waits here


def work_through(
    count: int,
    work: Callable[[int], None],
    *,
    jobs: int = 1,
    stop: threading.Event | None = None,
    cost: Callable[[int], float] = lambda index: 0.0,
    most: float = math.inf,
) -> None:
    """work(0), work(1) ... begun in this order, in `jobs` threads.

    `cost` of an index is asked before its work begins, and no two are in hand whose costs together exceed `most`; one
    alone may be. Once `stop` is set nothing begins any more, and what is in hand may end with Stopped. What else `work`
    raises sets `stop`, and is raised here when all threads have ended. Threads also where `jobs` is 1: the caller's
    then hears signals at once.
    """
    crew = _Crew(count, work, threading.Event() if stop is None else stop, cost, most)
    threads = [threading.Thread(target=crew.run, name=f"job {number}") for number in range(min(jobs, count))]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(LOOK_EVERY_S)
    finally:
        if any(thread.is_alive() for thread in threads):  # Ctrl-C, where nobody handles it
            crew.stop.set()
        for thread in threads:
            thread.join()
    if crew.error is not None:
        raise crew.error


class _Crew:
    def __init__(
        self,
        count: int,
        work: Callable[[int], None],
        stop: threading.Event,
        cost: Callable[[int], float],
        most: float,
    ):
        self.count, self.work, self.stop, self.cost, self.most = count, work, stop, cost, most
        self.next = 0
        self.turn = threading.Lock()  # to take the next
        self.in_hand: dict[int, float] = {}
        self.less_in_hand = threading.Condition()
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            while (index := self._taken()) is not None:
                try:
                    self.work(index)
                finally:
                    with self.less_in_hand:
                        del self.in_hand[index]
                        self.less_in_hand.notify_all()
        except Stopped:
            self.stop.set()
        except BaseException as error:  # also a KeyboardInterrupt: here it would end this thread alone
            self.error = self.error or error
            self.stop.set()

    def _taken(self) -> int | None:
        with self.turn:
            if self.next >= self.count or self.stop.is_set():
                return None
            index, cost = self.next, self.cost(self.next)
            with self.less_in_hand:
                while self.in_hand and sum(self.in_hand.values()) + cost > self.most:
                    self.less_in_hand.wait(LOOK_EVERY_S)
                if self.stop.is_set():
                    return None
                self.in_hand[index] = cost
            self.next += 1
            return index
