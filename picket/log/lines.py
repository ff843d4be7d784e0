"""The two forms of a record: for people, and one JSON object a line."""

import json
from datetime import UTC, datetime

from picket.log.record import Record
from picket.log.redact import visible

MARGIN = "    | "
"""Before each further line of a record for people: only a record's first line begins with a time."""


def human(record: Record) -> str:
    """`TIME LEVEL LOGGER: MESSAGE [id=… account=… node=…]`, and the traceback below it."""
    about = {"id": record.correlation_id, "account": record.account, "node": record.node}
    told = " ".join(f"{name}={visible(value)}" for name, value in about.items() if value)
    head = f"{_time(record)} {record.level:8} {visible(record.logger)}: {visible(record.message)}"
    below = (MARGIN + visible(line) for line in record.traceback.splitlines())
    return "\n".join([f"{head} [{told}]" if told else head, *below, ""])


def json_line(record: Record) -> str:
    """`{"time", "level", "logger", "message"}`, and of the rest what there is; ASCII only."""
    optional = {
        "correlation_id": record.correlation_id,
        "account": record.account,
        "node": record.node,
        "fields": record.fields,
        "traceback": record.traceback,
    }
    said = {"time": _time(record), "level": record.level, "logger": record.logger, "message": record.message}
    return json.dumps(said | {name: value for name, value in optional.items() if value}) + "\n"


def _time(record: Record) -> str:
    """RFC 3339, UTC."""
    return datetime.fromtimestamp(record.time_s, UTC).isoformat(timespec="milliseconds")[:23] + "Z"
