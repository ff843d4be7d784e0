"""The observer that writes lines: those of its level and above."""

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
    """Writes each event of `level` or above to `stream`, in the form `human` or `json`."""

    def __init__(self, stream: TextIO, form: str, level: str, redact: Redactor) -> None:
        self._stream = stream
        self._form = FORMS[form]
        self._least = LogLevel.lookupByName(level)
        self._redact = redact
        self._lock = threading.Lock()

    def __call__(self, event: LogEvent) -> None:
        """Take an event, in any thread."""
        if level_of(event) >= self._least:
            self._write(event, correlation.current())

    def _write(self, event: LogEvent, correlation_id: str) -> None:
        line = self._form(record_of(event, correlation_id, self._redact))
        with self._lock:
            self._stream.write(line)
            self._stream.flush()
