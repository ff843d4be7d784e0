"""The observer that writes lines: those of its level and above, and those that led to a failure."""

import threading
from typing import TextIO

from twisted.logger import ILogObserver, LogEvent, LogLevel
from zope.interface import implementer

from picket import correlation
from picket.log.lines import human, json_line
from picket.log.record import level_of, record_of
from picket.log.redact import Redactor

FORMS = {"human": human, "json": json_line}


@implementer(ILogObserver)
class Output:
    """Writes each event of `level` or above to `stream`, in the form `human` or `json`.

    A lesser one within a scope is kept, the newest `kept_lines` of it, until the scope fails or is over.
    """

    def __init__(
        self, stream: TextIO, form: str, level: str, redact: Redactor, *, kept_lines: int = 0
    ) -> None:
        self._stream = stream
        self._form = FORMS[form]
        self._least = LogLevel.lookupByName(level)
        self._redact = redact
        self._kept_lines = kept_lines
        self._lock = threading.Lock()

    def __call__(self, event: LogEvent) -> None:
        """Take an event, in any thread."""
        work = correlation.here()
        level = level_of(event)
        if work is not None and level >= LogLevel.error:
            work.fail()
        if level >= self._least or (work is not None and work.failed and self._kept_lines):
            self._write(event, work.id if work is not None else "")
        elif work is not None and self._kept_lines:
            work.keep(self._write, event, self._kept_lines)

    def _write(self, event: LogEvent, correlation_id: str) -> None:
        line = self._form(record_of(event, correlation_id, self._redact))
        with self._lock:
            self._stream.write(line)
            self._stream.flush()
