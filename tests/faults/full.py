"""A full disk, and what systemd does for a server that ends of it."""

import errno
from contextlib import suppress
from pathlib import Path
from typing import Self

from ops.engines.errors import EngineError
from tests.engines import Private
from tests.faults.background import Background

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


class Supervisor(Background):
    """Starts an engine again whenever it has ended; `ends` counts how often it did."""

    def __init__(self, engine: Private) -> None:
        super().__init__()
        self.ends = 0
        self._engine = engine

    def run(self) -> None:
        """Look whether it is there."""
        while not self.over.wait(AGAIN_S):
            if not self._engine.running.alive():
                self.ends += 1
                self._start()

    def _start(self) -> None:
        while not self.over.is_set():
            with suppress(EngineError):
                self._engine.running = self._engine.engine.start(self._engine.state)
                return
            self.over.wait(AGAIN_S)
