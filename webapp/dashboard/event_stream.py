"""A browser's stream of Server-Sent Events over a connection that may be slower than what comes."""

from collections import deque
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.web.server import Site
from zope.interface import implementer

BUFFER_BYTES = 256 * 1024
WHOLE_ACCOUNT = ""
GAP = b"event: gap\ndata: {}\n\n"


class QuietSite(Site):
    """Keeps addresses out of the log, because there are tickets in them."""

    noisy = False
    displayTracebacks = False  # noqa: N815 - Twisted's name

    def log(self, request: object) -> None:
        """Nothing."""


@implementer(IPushProducer)
class Viewer:
    """One browser's stream. While its connection is full, messages wait; past the bound they become a gap."""

    def __init__(self, request: Any, account_id: str, node_id: str) -> None:
        self.account_id, self.node_id = account_id, node_id
        self.gone = False
        self._request = request
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._paused = self._missed = False
        request.registerProducer(self, True)

    @property
    def topic(self) -> tuple[str, str]:
        """What it watches: (account, node), or (account, WHOLE_ACCOUNT)."""
        return self.account_id, self.node_id

    def send(self, message: bytes) -> None:
        """Write a message now, or keep it until the connection takes more."""
        if self.gone:
            return
        if not self._paused:
            self._request.write(message)
        elif not self._missed:
            self._keep(message)

    def end(self) -> None:
        """Close the stream."""
        if not self.gone:
            self.gone = True
            self._request.unregisterProducer()
            self._request.finish()

    def pauseProducing(self) -> None:  # noqa: N802
        """The connection is full."""
        self._paused = True

    def resumeProducing(self) -> None:  # noqa: N802
        """The connection takes more."""
        self._paused = False
        if self._missed:
            self._missed = False
            self._request.write(GAP)
        while self._waiting and not self._paused:
            message = self._waiting.popleft()
            self._waiting_bytes -= len(message)
            self._request.write(message)

    def stopProducing(self) -> None:  # noqa: N802
        """The connection is lost."""
        self.gone = True

    def _keep(self, message: bytes) -> None:
        self._waiting.append(message)
        self._waiting_bytes += len(message)
        if self._waiting_bytes > BUFFER_BYTES:
            self._waiting.clear()
            self._waiting_bytes = 0
            self._missed = True
