"""Mails errors: all of a storm in one mail, and no more than one mail an interval."""

import threading
import time
from collections.abc import Callable

from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel
from zope.interface import implementer

from picket.log.digest import Digest
from picket.log.record import Record, level_of, template_of

GATHER_S = 2.0
"""How long the first error waits for more: a storm is one mail."""

_log = Logger(namespace="log.mail")


@implementer(ILogObserver)
class MailErrors:
    """Hands what is logged as an error to `send` (subject, text), in a thread of its own.

    What could not be sent is sent with the next mail; that is logged as a warning, which is never mailed.
    """

    def __init__(
        self,
        send: Callable[[str, str], None],
        record: Callable[[LogEvent], Record],
        where: str,
        *,
        interval_s: float,
        gather_s: float = GATHER_S,
    ) -> None:
        self._send = send
        self._record = record
        self._where = where
        self._interval_s = interval_s
        self._gather_s = gather_s
        self._digest = Digest()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._thd_run, name="log.mail", daemon=True)

    def __call__(self, event: LogEvent) -> None:
        """Count an error, in any thread; never waits for a mail."""
        if level_of(event) < LogLevel.error:
            return
        kind = (str(event.get("log_namespace")), template_of(event))
        with self._changed:
            self._digest.add(kind, lambda: self._record(event))
            if not self._thread.is_alive() and not self._stopping:
                self._thread.start()
            self._changed.notify()

    def stop(self, within_s: float = 3.0) -> None:
        """Send what has gathered, if it is time for a mail; the rest is in the log."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(within_s)

    def _thd_run(self) -> None:
        may_send_at = 0.0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._digest.total or self._stopping)
                self._wait_until(max(may_send_at, time.monotonic() + self._gather_s))
                if not self._digest.total or time.monotonic() < may_send_at:
                    return  # Only a stop ends the wait early.
                digest, self._digest = self._digest, Digest()
            self._thd_send(digest)
            may_send_at = time.monotonic() + self._interval_s

    def _wait_until(self, when: float) -> None:
        while not self._stopping and (left_s := when - time.monotonic()) > 0:
            self._changed.wait(left_s)

    def _thd_send(self, digest: Digest) -> None:
        try:
            self._send(digest.subject(self._where), digest.text())
        except Exception as error:  # noqa: BLE001 - whatever the server or the network does
            _log.warn("errors could not be mailed: {error!r}", error=error)
            with self._changed:
                digest.absorb(self._digest)
                self._digest = digest
