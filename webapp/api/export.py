"""Any range of one check of a node as CSV or as OpenMetrics text, made and sent piece by piece.

Both hold what is still kept: every raw value, before these the 5-minute rollups, before these the hourly
ones. A piece is asked of the query service when the one before is on its way, so memory is bounded.
"""

import csv
import io
import math
import re
import struct
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import NamedTuple

from django.http import StreamingHttpResponse

import picket.settings
from rpc import idl
from timeseries.question import MAX_RANGE_MS, WIDTH_MS
from timeseries.retention import kept
from timeseries.store import DAY_MS, HOUR_MS, Level
from webapp import backend
from webapp.errors import Refused

PIECE_MS = {Level.RAW: HOUR_MS, Level.FIVE_MINUTES: DAY_MS, Level.HOUR: 28 * DAY_MS}
HEADER = ("time", "metric", "resolution", "value", "minimum", "maximum")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet may take a text for that begins so."""


class Export(NamedTuple):
    """What to export: start_ms <= time < end_ms of one check and key."""

    account_id: str
    node_id: str
    check: str
    key: str
    start_ms: int
    end_ms: int


def response(export: Export, wanted: str) -> StreamingHttpResponse:
    """The answer, begun: what is wrong with the question is raised, as the query service's Refused."""
    if not export.check or not 0 <= export.start_ms < export.end_ms <= export.start_ms + MAX_RANGE_MS:
        raise Refused(
            "bad_query", f"say which check, start before end, {MAX_RANGE_MS // DAY_MS} days at most"
        )
    text, kind, suffix = FORMATS[wanted]
    rest = text(export, int(time.time() * 1000))
    name = f"{export.node_id}-{_safe(export.check)}.{suffix}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return StreamingHttpResponse(chain([next(rest)], rest), content_type=kind, headers=headers)


def as_csv(export: Export, now_ms: int) -> Iterator[str]:
    """A header, and a line a value, which of rollups is the mean; a ' before what looks like a formula."""
    lines: list[tuple[str, ...]] = [HEADER]
    for start_ms, end_ms, max_points in pieces(export, now_ms):
        series = _ask(export, start_ms, end_ms, max_points, [])
        yield _written([*lines, *_csv_lines(series)])
        lines = []


def as_openmetrics(export: Export, now_ms: int) -> Iterator[str]:
    """Gauges, metric after metric as the format demands, times in seconds; means of rollups, and no texts."""
    whole = _ask(export, export.start_ms, export.end_ms, 1, [])
    names = sorted((_family(export.check, column.name), column.name) for column in _numeric(whole))
    last = ""
    for family, name in names:
        yield f"# TYPE {family} gauge\n" if family != last else ""
        last = family
        for start_ms, end_ms, max_points in pieces(export, now_ms):
            series = _ask(export, start_ms, end_ms, max_points, [name])
            yield "".join(_samples(series, family, _labels(export, name)))
    yield "# EOF\n"


FORMATS: dict[str, tuple[Callable[[Export, int], Iterator[str]], str, str]] = {
    "csv": (as_csv, "text/csv; charset=utf-8", "csv"),
    "openmetrics": (as_openmetrics, "application/openmetrics-text; version=1.0.0; charset=utf-8", "txt"),
}


def pieces(export: Export, now_ms: int) -> Iterator[tuple[int, int, int]]:
    """(start_ms, end_ms, max_points) of queries that give every value of the finest level that is kept."""
    retention = kept(picket.settings.load().retention).of(export.account_id, now_ms)
    start_ms = export.start_ms
    while start_ms < export.end_ms:
        there = (level for level in Level if start_ms >= retention.begin_ms(level))
        level = next(there, Level.HOUR)
        end_ms = min(export.end_ms, (start_ms // PIECE_MS[level] + 1) * PIECE_MS[level])
        yield start_ms, end_ms, PIECE_MS[level] // WIDTH_MS[level] + 1 if level in WIDTH_MS else 0
        start_ms = end_ms


def _ask(export: Export, start_ms: int, end_ms: int, max_points: int, metrics: list[str]) -> idl.Series:
    query = idl.Query(
        check=export.check,
        key=export.key,
        metrics=metrics,
        start_ms=start_ms,
        end_ms=end_ms,
        max_points=max_points,
    )
    found: idl.Series = backend.timeseries().query(export.account_id, export.node_id, query)
    return found


def _csv_lines(series: idl.Series) -> Iterator[tuple[str, ...]]:
    columns = [(_plain(column.name), list(_cells(column))) for column in series.columns]
    for row, time_ms in enumerate(_integers(series.times)):
        moment = datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        time = f"{moment}.{time_ms % 1000:03d}Z"
        for name, cells in columns:
            if cells[row][0]:
                yield time, name, series.resolution, *cells[row]


def _cells(column: idl.Column) -> Iterator[tuple[str, str, str]]:
    """(value, minimum, maximum) of each time, "" where there is none."""
    if column.kind == "string":
        yield from ((_plain(text), "", "") for text in column.texts or [])
        return
    values = _floats(column.values)
    edges = [_floats(edge) if edge else [None] * len(values) for edge in (column.minimum, column.maximum)]
    for row in zip(values, *edges, strict=True):
        value, minimum, maximum = (_number(each, column.kind) for each in row)
        yield value, minimum, maximum


def _samples(series: idl.Series, family: str, labels: str) -> Iterator[str]:
    times = _integers(series.times)
    for column in _numeric(series):
        for time_ms, value in zip(times, _floats(column.values), strict=True):
            if not math.isnan(value):
                yield f"{family}{labels} {value!r} {time_ms // 1000}.{time_ms % 1000:03d}\n"


def _numeric(series: idl.Series) -> list[idl.Column]:
    return [column for column in series.columns if column.kind != "string"]


def _labels(export: Export, name: str) -> str:
    """What tells the metric from others of its family; its own name where the family's had to differ."""
    found = {"node": export.node_id, "key": export.key, "metric": name if _safe(name) != name else ""}
    text = ",".join(f'{label}="{_quoted(value)}"' for label, value in found.items() if value)
    return f"{{{text}}}"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _family(check: str, name: str) -> str:
    return f"picket_{_safe(check)}_{_safe(name)}"


def _safe(name: str) -> str:
    return re.sub("[^a-zA-Z0-9_]", "_", name)


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def _number(value: float | None, kind: str) -> str:
    if value is None or math.isnan(value):
        return ""
    return str(int(value)) if kind == "int" and value.is_integer() else repr(value)


def _written(lines: list[tuple[str, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue()


def _integers(packed: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(packed) // 8}q", packed)


def _floats(packed: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(packed) // 8}d", packed)
