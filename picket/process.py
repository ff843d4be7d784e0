"""A server process: the asyncio reactor, and something that starts and stops on it.

SIGTERM and SIGINT let it finish what is under way, for DRAIN_S at most; a second one ends it at once.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger
from twisted.python.failure import Failure

from picket.errors import PicketError
from picket.log.begin import begin
from picket.reactor import Reactor
from picket.settings import Settings

DRAIN_S = 4.5
"""How long a process may finish what is under way before it is ended."""

log = Logger(namespace="process")


class Process(Protocol):
    """What `serve` runs: `start` raises PicketError with a clear line, `stop` drains."""

    async def start(self) -> None:
        """Open everything; returns once the process is ready to work."""

    async def stop(self) -> None:
        """Finish what is under way and close everything, after a failed start too."""


def serve(build: Callable[[Reactor], Process], settings: Settings, *, verbose: bool = False) -> int:
    """Run what `build` makes until SIGINT or SIGTERM; returns the exit code."""
    from twisted.internet import reactor

    end_log = begin(settings, verbose=verbose)
    return _Run(reactor, build(reactor), end_log).until_stopped()


class _Run:
    """One life of a process: its start, its end, and the exit code."""

    def __init__(self, reactor: Reactor, process: Process, end_log: Callable[[], None]) -> None:
        self.reactor = reactor
        self.process = process
        self.end_log = end_log
        self.exit_code = 0
        self.stopping = self.stopped = False

    def until_stopped(self) -> int:
        self.reactor.callWhenRunning(self._start)
        self.reactor.addSystemEventTrigger("before", "shutdown", self._stop)
        self.reactor.run()
        self.end_log()
        if not self.stopped:
            # Threads that still wait for something would keep the interpreter for as long.
            sys.stderr.flush()
            os._exit(1)
        return self.exit_code

    def _start(self) -> None:
        Deferred.fromCoroutine(self.process.start()).addErrback(self._failed)

    def _stop(self) -> Deferred[None]:
        self.stopping = True
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        stopping = Deferred.fromCoroutine(self._stop_process()).addTimeout(DRAIN_S, self.reactor)
        return stopping.addErrback(lambda failure: log.failure("did not stop cleanly", failure))

    async def _stop_process(self) -> None:
        await self.process.stop()
        self.stopped = True

    def _failed(self, failure: Failure) -> None:
        if self.stopping:
            log.info("stopped while it was starting: {error}", error=failure.value)
            return
        self.exit_code = 1
        if isinstance(failure.value, PicketError | CannotListenError):
            print(f"picket: {explain(failure.value)}", file=sys.stderr)
        else:
            log.failure("could not start", failure)
        self.reactor.stop()


def explain(error: PicketError | CannotListenError) -> str:
    """What went wrong and what to do, in one line."""
    if isinstance(error, CannotListenError):
        return (
            f"cannot listen on {error.interface}:{error.port}: {error.socketError.strerror}; "
            "stop what uses it, or choose another address"
        )
    return str(error)
