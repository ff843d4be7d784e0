"""A full disk, and what systemd does for a server that ends of it."""

import errno
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from ops.engines.errors import EngineError
from tests.engines import Private

AGAIN_S = 2.0
"""From the end of a server to its next start."""


class Filler:
    """A file that takes all the space there is, from `with` on to its end."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "filler"

    def __enter__(self) -> Self:
        with self._path.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1 << 20))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
        return self

    def __exit__(self, *_: object) -> None:
        self._path.unlink()


class Supervisor:
    """Starts an engine again whenever it has ended; `ends` counts how often it did."""

    def __init__(self, engine: Private) -> None:
        self.ends = 0
        self._engine = engine
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(AGAIN_S):
            if not self._engine.running.alive():
                self.ends += 1
                self._start()

    def _start(self) -> None:
        while not self._over.is_set():
            with suppress(EngineError):
                self._engine.running = self._engine.engine.start(self._engine.state)
                return
            self._over.wait(AGAIN_S)
