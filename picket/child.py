"""An agent of this machine as a child process, started again when it dies."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from picket.reactor import Reactor

RESTART_S = 5.0

log = Logger(namespace="agent")


class AgentProcess:
    """Keeps one `picket-agent` running with the given arguments until `stop`.

    Its standard input is a pipe that ends with this process, however that ends: see `--end-with-input`.
    """

    def __init__(self, reactor: Reactor, arguments: Sequence[str], log_file: Path) -> None:
        self._reactor = reactor
        self._arguments = [sys.executable, "-m", "agent.cli", *arguments]
        self._log_file = log_file
        self._child: _Child | None = None
        self._restart: IDelayedCall | None = None
        self._stopping = False

    def start(self) -> None:
        """Start the agent; its messages go to the log file."""
        self._restart = None
        self._child = _Child(self._ended)
        with self._log_file.open("ab") as log_file:
            descriptors = {0: "w", 1: log_file.fileno(), 2: log_file.fileno()}
            self._reactor.spawnProcess(
                self._child, sys.executable, self._arguments, env=None, childFDs=descriptors
            )

    async def stop(self) -> None:
        """Ask the agent to end, and wait until it has."""
        self._stopping = True
        if self._restart is not None and self._restart.active():
            self._restart.cancel()
        if self._child is not None:
            await self._child.terminate()

    def _ended(self, reason: Failure) -> None:
        self._child = None
        if not self._stopping:
            log.warn("the agent ended ({reason}); starting it again", reason=reason.getErrorMessage())
            self._restart = self._reactor.callLater(RESTART_S, self.start)


class _Child(ProcessProtocol):
    """The running agent."""

    def __init__(self, ended: Callable[[Failure], None]) -> None:
        self._report = ended
        self._ended: Deferred[None] = Deferred()

    def processEnded(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        """Called once, when the process is gone and its output read."""
        self._report(reason)
        self._ended.callback(None)

    async def terminate(self) -> None:
        """SIGTERM, and wait for the end."""
        if self.transport is None:
            return
        try:
            self.transport.signalProcess("TERM")
        except ProcessExitedAlready:
            return
        await self._ended
