"""One event of a log as it is told: formatted, without secrets, ready for any form."""

from dataclasses import dataclass, field
from typing import Any

from twisted.logger import LogEvent, LogLevel, formatEvent

from picket.log.redact import Redactor, text_of

_OWN = {"time", "system", "format", "message", "isError", "why", "traceback", "account_id", "node_id"}
"""Keys of an event that are no fields: Twisted's older ones, and those that a record has a place for."""


@dataclass(frozen=True, slots=True)
class Record:
    """What every form and every receiver works from. `level` is debug, info, warn, error or critical."""

    time_s: float
    level: str
    logger: str
    message: str
    correlation_id: str = ""
    account: str = ""
    node: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    traceback: str = ""


def record_of(event: LogEvent, correlation_id: str, redact: Redactor) -> Record:
    """The record of an event of twisted.logger; never raises."""
    fields = {name: redact.field(name, value) for name, value in _fields(event)}
    return Record(
        time_s=event.get("log_time", 0.0),
        level=level_of(event).name,
        logger=text_of(event.get("log_namespace", "")),
        message=redact(formatEvent(event)),
        correlation_id=correlation_id,
        account=text_of(fields.pop("account", None) or event.get("account_id", "")),
        node=text_of(fields.pop("node", None) or event.get("node_id", "")),
        fields=fields,
        traceback=redact(_traceback(event)),
    )


def level_of(event: LogEvent) -> Any:
    """The LogLevel of an event; that of one without any is info."""
    return event.get("log_level") or LogLevel.info


def template_of(event: LogEvent) -> str:
    """The message before its fields were put in, and the type of its error where there is one."""
    said = text_of(event.get("log_template") or event.get("log_format") or "")
    failure = event.get("log_failure")
    return f"{said} [{failure.type.__qualname__}]" if failure is not None else said


def _fields(event: LogEvent) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in event.items() if name[:4] != "log_" and name not in _OWN]


def _traceback(event: LogEvent) -> str:
    """Of the failure, or what the event brings as `traceback`."""
    failure = event.get("log_failure")
    if failure is None:
        return text_of(event.get("traceback") or "")
    try:
        return str(failure.getTraceback())
    except Exception:  # noqa: BLE001 - an error that cannot be shown must not cost the line
        return f"<{failure.type.__qualname__} whose traceback cannot be shown>"
