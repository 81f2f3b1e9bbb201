"""An HTTP server of one folder that can be told to misbehave, in a thread."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class FlakyServer:
    """`moods` says how files of a name are answered, the last one from then on; others come as they are.

    A number is an HTTP status; "cut" closes the line after half of the file; "hang" sends the head and then nothing;
    "drip" a byte now and then; "whole" is a good answer.
    """

    address: str
    moods: dict[str, list[object]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def mood(self, name: str) -> object:
        moods = self.moods.get(name, ["whole"])
        return moods.pop(0) if len(moods) > 1 else moods[0]


@contextmanager
def serving(folder: Path) -> Iterator[FlakyServer]:
    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(folder))

        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            flaky.asked.append(name)
            mood = flaky.mood(name)
            if isinstance(mood, int):
                self.send_error(mood)
            elif mood == "whole":
                super().do_GET()
            else:
                self._misbehave(mood, (folder / name).read_bytes())

        def _misbehave(self, mood: object, data: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if mood == "cut":
                self.wfile.write(data[: len(data) // 2])
            while mood in ("hang", "drip") and not flaky.ended.wait(0.05):
                if mood == "drip":
                    self.wfile.write(b"x")
                    self.wfile.flush()
            self.close_connection = True

        def handle(self) -> None:
            with suppress(ConnectionError):  # the client has given up
                super().handle()

        def finish(self) -> None:
            with suppress(ConnectionError):
                super().finish()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    flaky = FlakyServer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield flaky
    finally:
        flaky.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
