"""Starts a process's log as its settings say."""

import logging
import sys

from twisted.logger import globalLogBeginner

from picket.log.output import Output
from picket.log.redact import Redactor, secrets_of
from picket.log.standard import take_over
from picket.settings import Settings


def begin(settings: Settings, *, verbose: bool = False) -> None:
    """Log to standard error from now on; `verbose`: no less than info."""
    chosen = settings.log
    form = chosen.format or ("human" if sys.stderr.isatty() else "json")
    level = "info" if verbose and chosen.level != "debug" else chosen.level
    redact = Redactor(secrets_of(settings))
    output = Output(sys.stderr, form, level, redact, kept_lines=chosen.kept_lines)
    globalLogBeginner.beginLoggingTo([output], redirectStandardIO=False, discardBuffer=True)
    take_over(logging.DEBUG if chosen.kept_lines else getattr(logging, level.upper()))
