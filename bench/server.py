"""The servers that are measured: what each offers, and how one is started, waited for and ended."""

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from bench.errors import BenchError
from bench.points import Span
from ops.engines import processes

START_S = 60.0


class Server(Protocol):
    """A running server under measurement."""

    @property
    def pids(self) -> list[int]:
        """The processes that its CPU is read of."""

    def prepare(self, span: Span) -> Callable[[], None]:
        """All that clients compute beforehand; calling the result sends it, and returns when it is durable
        and queryable."""

    def settle(self) -> None:
        """Return when the server has done all that it does with it afterwards, such as compaction."""

    def lost(self) -> int:
        """How much of what was sent is not in the store: points, or frames of ours. May end the server."""


class Contender(Protocol):
    """A kind of server; `name` heads its row of the table."""

    name: str

    def missing(self) -> str:
        """What has to be installed before it can run; empty if nothing."""

    def running(self, home: Path) -> AbstractContextManager[Server]:
        """Run it with its state in `home` for the length of the context."""


@contextmanager
def running(
    argv: Sequence[str], *, home: Path, answers: Callable[[], bool], env: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Run `argv` in `home` from the moment when it `answers`; gives its pid, and ends it afterwards."""
    log = home / "log"
    process = processes.spawn(argv, log=log, cwd=home, env=env)
    try:
        _wait(process, answers, log)
        yield process.pid
    finally:
        processes.end(process, signal.SIGTERM, within_s=10)


def _wait(process: processes.Process, answers: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while not answers():
        if not process.find():
            raise BenchError(f"the server ended at its start:\n{processes.tail(log)}")
        if time.monotonic() > deadline:
            raise BenchError(f"the server does not answer after {START_S:.0f} s:\n{processes.tail(log)}")
        time.sleep(0.1)
