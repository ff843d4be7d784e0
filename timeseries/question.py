"""Range queries: what is asked, what is answered, and which rows a question is answered from."""

import msgspec

from timeseries.errors import InvalidQuery
from timeseries.retention import Retention
from timeseries.rollups import FINE_MS
from timeseries.store import DAY_MS, HOUR_MS, MAX_TIME_MS, Level

MAX_RAW_MS = 31 * DAY_MS
MAX_RANGE_MS = 5 * 366 * DAY_MS
MAX_POINTS = 100_000
MAX_ROWS = 800
"""Of one check and key that a question reads, whatever its range; the frames of due hours come on top."""

MAX_QUERIES = 64
"""In one call."""

WIDTH_MS = {Level.FIVE_MINUTES: FINE_MS, Level.HOUR: HOUR_MS}
PERIOD_MS = {Level.RAW: HOUR_MS, Level.FIVE_MINUTES: DAY_MS, Level.HOUR: 28 * DAY_MS}
"""How long a row is at least."""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What to read of one check of one node: start_ms <= time < end_ms; empty `metrics` means all of them.

    At most `max_points` points a metric come back, with a NaN where the data pauses for over three times its
    usual interval, so that a graph does not join what was apart; 0 means every raw point and nothing else.
    """

    check: str
    key: str = ""
    metrics: list[str] = []
    start_ms: int
    end_ms: int
    max_points: int = 0


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of a series. `values` are float64, little-endian, one per time, NaN for a gap.

    When the series was reduced, `minimum` and `maximum` (same form) hold each point's envelope; else they are
    empty. `kind` is the API's type word: int, float, gauge (a rate) or string; `texts` holds a string metric,
    one a time, "" for a gap.
    """

    name: str
    kind: str
    values: bytes = b""
    minimum: bytes = b""
    maximum: bytes = b""
    texts: list[str] = []


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a Query: `times` are int64 milliseconds, little-endian, ascending, shared by all columns.

    `resolution` says what was read: "raw", "5m" or "1h", and "/N" after it where N milliseconds were folded
    into one point. Of rollups `values` are means; text metrics are in raw data only.
    """

    times: bytes
    columns: list[Column]
    resolution: str


def resolution(level: Level, width_ms: int) -> str:
    """What an answer says of the rows it was read from, and of the width of its points, 0 for as they are."""
    folded = width_ms and width_ms != WIDTH_MS.get(level)
    return f"{level.value}/{width_ms}" if folded else level.value


def check_query(query: Query) -> None:
    """Raise InvalidQuery for a question that no data could answer."""
    if not query.check:
        raise InvalidQuery("a query needs a check")
    check_range(query.start_ms, query.end_ms, MAX_RANGE_MS)
    if not query.max_points and query.end_ms - query.start_ms > MAX_RAW_MS:
        raise InvalidQuery(f"every point of more than {MAX_RAW_MS // DAY_MS} days; ask for max_points")
    if not 0 <= query.max_points <= MAX_POINTS:
        raise InvalidQuery(f"max_points is {query.max_points}, not between 0 and {MAX_POINTS}")


def check_range(start_ms: int, end_ms: int, longest_ms: int) -> None:
    """Raise InvalidQuery unless the range has a beginning, an end after it, and no more between them."""
    if not 0 <= start_ms < end_ms <= MAX_TIME_MS:
        raise InvalidQuery(f"the range from {start_ms} to {end_ms} ms is empty or out of bounds")
    if end_ms - start_ms > longest_ms:
        raise InvalidQuery(f"a range has at most {longest_ms // DAY_MS} days")


def level_of(query: Query, retention: Retention) -> Level:
    """The coarsest level whose slots are no wider than a point, or one that still goes back to the start.

    In either case one of which the range has no more than MAX_ROWS rows.
    """
    if not query.max_points:
        return Level.RAW
    length_ms = query.end_ms - query.start_ms
    kept = [
        level
        for level in Level
        if query.start_ms >= retention.begin_ms(level) and length_ms // PERIOD_MS[level] + 2 <= MAX_ROWS
    ]
    fitting = [level for level in kept if WIDTH_MS.get(level, 0) <= length_ms / query.max_points]
    return [Level.HOUR, *kept[:1], *fitting][-1]
