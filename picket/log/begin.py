"""Starts a process's log as its settings say, and ends it."""

import logging
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from twisted.logger import LogEvent, globalLogBeginner, globalLogPublisher

from picket import correlation
from picket.log.mail import MailErrors
from picket.log.output import Output
from picket.log.record import Record, record_of
from picket.log.redact import Redactor, secrets_of
from picket.log.smtp import thd_send
from picket.log.standard import take_over
from picket.settings import Settings

if TYPE_CHECKING:
    from picket.log.sentry import ErrorsToSentry


def begin(settings: Settings, *, verbose: bool = False) -> Callable[[], None]:
    """Log to standard error from now on; returns what ends it. `verbose`: no less than info."""
    chosen = settings.log
    form = chosen.format or ("human" if sys.stderr.isatty() else "json")
    level = "info" if verbose and chosen.level != "debug" else chosen.level
    redact = Redactor(secrets_of(settings))
    output = Output(sys.stderr, form, level, redact, kept_lines=chosen.kept_lines)
    globalLogBeginner.beginLoggingTo([output], redirectStandardIO=False, discardBuffer=True)
    take_over(logging.DEBUG if chosen.kept_lines else getattr(logging, level.upper()))
    ending = ExitStack()
    for errors in _receivers(settings, redact):
        globalLogPublisher.addObserver(errors)
        ending.callback(errors.stop)
        ending.callback(globalLogPublisher.removeObserver, errors)
    return ending.close


def _receivers(settings: Settings, redact: Redactor) -> "Iterator[MailErrors | ErrorsToSentry]":
    """Who is told of errors besides the log."""

    def record(event: LogEvent) -> Record:
        return record_of(event, correlation.current(), redact)

    chosen = settings.log
    if chosen.mail_to:
        where = f"{socket.gethostname()} ({' '.join(['picket', *sys.argv[1:3]])})"
        send = partial(thd_send, settings.mail, chosen.mail_to)
        yield MailErrors(send, record, where, interval_s=chosen.mail_interval_s)
    if chosen.sentry_dsn:
        from picket.log import sentry

        yield sentry.ErrorsToSentry(chosen.sentry_dsn, record, redact)
