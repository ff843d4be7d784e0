"""Hands errors to Sentry. Imported only where `log.sentry_dsn` is set, and so is its library."""

import time
from collections.abc import Callable
from typing import Any

import sentry_sdk
from twisted.logger import ILogObserver, LogEvent, LogLevel
from zope.interface import implementer

from picket.log.record import Record, level_of
from picket.log.redact import Redactor

A_MINUTE = 60
"""Errors that are handed over in a minute, at most; each costs about a millisecond."""


@implementer(ILogObserver)
class ErrorsToSentry:
    """Hands on what is logged as an error, with its correlation id as a tag and without secrets.

    None of the library's integrations is used: it learns of no user, no request and no variable.
    """

    def __init__(self, dsn: str, record: Callable[[LogEvent], Record], redact: Redactor) -> None:
        self._record = record
        self._began = self._handed = 0.0
        sentry_sdk.init(
            dsn=dsn,
            default_integrations=False,
            auto_enabling_integrations=False,
            include_local_variables=False,
            max_breadcrumbs=0,
            auto_session_tracking=False,
            before_send=lambda event, _hint: _without_secrets(redact, "", event),
        )

    def __call__(self, event: LogEvent) -> None:
        """Queue an error, in any thread; Sentry's own thread sends it."""
        if level_of(event) < LogLevel.error or self._too_many():
            return
        record = self._record(event)
        with sentry_sdk.new_scope() as scope:
            scope.set_level("fatal" if record.level == "critical" else "error")
            scope.set_extra("message", record.message)
            for name, value in record.fields.items():
                scope.set_extra(name, value)
            tags = {"logger": record.logger, "account": record.account, "node": record.node}
            for name, value in (tags | {"correlation_id": record.correlation_id}).items():
                if value:
                    scope.set_tag(name, value)
            failure = event.get("log_failure")
            if failure is None:
                scope.capture_message(record.message)
            else:
                scope.capture_exception((failure.type, failure.value, failure.getTracebackObject()))

    def stop(self, within_s: float = 2.0) -> None:
        """Send what is queued."""
        sentry_sdk.get_client().close(timeout=within_s)

    def _too_many(self) -> bool:
        now = time.monotonic()
        if now - self._began >= 60:
            self._began, self._handed = now, 0
        self._handed += 1
        return self._handed > A_MINUTE


def _without_secrets(redact: Redactor, name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_secrets(redact, str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(redact, name, inner) for inner in value]
    return redact.field(name, value) if isinstance(value, str) else value
