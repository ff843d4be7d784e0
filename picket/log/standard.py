"""Brings what the standard library's loggers are told (Django, pika) into Twisted's stream."""

import logging
from typing import Any

from twisted.logger import LogLevel, globalLogPublisher
from twisted.python.failure import Failure

LEVELS = [
    (logging.DEBUG, LogLevel.debug),
    (logging.INFO, LogLevel.info),
    (logging.WARNING, LogLevel.warn),
    (logging.ERROR, LogLevel.error),
]
TOLD_BY_US = ("pika", "acsylla")
"""Libraries whose complaints our drivers handle, and tell: theirs come as debug lines."""

QUIETER = {
    **dict.fromkeys(TOLD_BY_US, logging.WARNING),
    "django.request": logging.ERROR,  # A 404 is the asker's affair,
    "django.security.DisallowedHost": logging.CRITICAL,  # and so is a name that is not ours.
    "django.db.backends.schema": logging.INFO,
    "django.template": logging.INFO,
    "asyncio": logging.INFO,
}


class ToTwisted(logging.Handler):
    """Hands each record on as an event of twisted.logger, with its level, name, time and traceback."""

    def emit(self, record: logging.LogRecord) -> None:
        """Never raises, whatever the message's arguments are."""
        event = {
            "log_level": _level(record),
            "log_namespace": record.name,
            "log_time": record.created,
            "log_format": "{log_text}",
            "log_text": _text(record),
            "log_template": str(record.msg),
        }
        if record.exc_info and record.exc_info[1]:
            event["log_failure"] = Failure(record.exc_info[1], record.exc_info[0], record.exc_info[2])
        globalLogPublisher(event)


def take_over(level: int) -> None:
    """Have every standard logger write to Twisted's stream, from `level` on."""
    logging.basicConfig(level=level, handlers=[ToTwisted()], force=True)
    logging.captureWarnings(True)
    for name, least in QUIETER.items():
        logging.getLogger(name).setLevel(least)


def _level(record: logging.LogRecord) -> Any:
    if record.name.partition(".")[0] in TOLD_BY_US:
        return LogLevel.debug
    return next((ours for theirs, ours in LEVELS if record.levelno <= theirs), LogLevel.critical)


def _text(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - arguments that do not fit the message
        return f"{record.msg} {record.args!r}"
