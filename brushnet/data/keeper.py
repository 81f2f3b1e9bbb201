"""Remote shards that are away or damaged come back beside the training, which never waits for them."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from brushnet.data import index, remote
from brushnet.data.reading import Place, Remote
from brushnet.errors import BrushnetError

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 10.0, 600.0  # before a shard that did not come is asked for again


class Keeper:
    """Looks every few seconds whether each shard is in the cache as its index says, and fetches what is not.

    `came(place)` is called for each that was fetched.
    """

    def __init__(self, shards: Sequence[Remote], came: Callable[[Place], None]) -> None:
        self.shards, self.came = shards, came
        self._waits: dict[Path, float] = {}
        self._due: dict[Path, float] = {}
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Call it when loader workers have been started: a thread should not be copied into them."""
        if self.shards and self._thread is None and not self._ended.is_set():
            self._thread = threading.Thread(target=self._run, name="shards", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends a transfer that is under way, and leaves nothing of it."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=10)  # a disk that hangs must not hold the end of a run

    def _run(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            for place, listed in self.shards:
                if self._ended.is_set():
                    return
                if time.monotonic() >= self._due.get(place.path, 0) and not remote.is_whole(place.path, listed):
                    self._fetch(place, listed)

    def _fetch(self, place: Place, listed: index.Shard) -> None:
        try:
            remote.fetch(place.name, place.path.parent, listed=listed, tries=1, ended=self._ended.is_set)
        except BrushnetError as error:
            if not self._ended.is_set():
                wait = min(LONGEST_WAIT_SECONDS, 2 * self._waits.get(place.path, FIRST_WAIT_SECONDS / 2))
                self._waits[place.path], self._due[place.path] = wait, time.monotonic() + wait
                log.warning("%s; asked for again in %.0f s", error, wait)
            return
        self._waits.pop(place.path, None)
        log.info("%s has come: its %d photos are used again", place.name, len(listed.samples))
        self.came(place)
