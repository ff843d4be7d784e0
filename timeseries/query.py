"""Range queries: from stored frames to the columns of one check's metrics, reduced to what a graph can show."""

import msgspec


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What to read of one check of one node: start_ms <= time < end_ms; empty `metrics` means all of them.

    At most `max_points` points a metric come back; 0 means every point.
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
    empty. `kind` is the API's type word: int, float, gauge (a rate) or string; `texts` holds a string metric.
    """

    name: str
    kind: str
    values: bytes = b""
    minimum: bytes = b""
    maximum: bytes = b""
    texts: list[str] = []


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a Query: `times` are int64 milliseconds, little-endian, ascending, shared by all columns.

    `resolution` says what was read: "raw", or "raw/N" where N milliseconds were folded into one point.
    """

    times: bytes
    columns: list[Column]
    resolution: str
