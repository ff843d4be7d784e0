"""Reading of the rows file.

Every call is within a transaction, so that all it reads is of one moment. A bundle is read whole, also for
one of its rows, and once for all rows that a call wants of it.
"""

import sqlite3
from collections.abc import Callable, Container, Iterator, Sequence
from typing import NamedTuple, ParamSpec, TypeVar

from twisted.logger import Logger

from timeseries.bundle import Bundle, Members, members_of, unpack, unpack_alone
from timeseries.errors import DamagedBlock
from timeseries.rows_schema import ALONE
from timeseries.store import Level, Place, Row, SeriesKey, Span

P = ParamSpec("P")
T = TypeVar("T")

Node = tuple[str, str]
"""Account and node."""

Which = tuple[str, str]
"""Check and key."""

NODE = "SELECT id FROM node WHERE account = ? AND node = ?"
NUMBERS = 'SELECT "check", key, number FROM series WHERE node = ? ORDER BY "check", key'
PERIOD = "SELECT series, members, data FROM bundle WHERE node = ? AND level = ? AND period = ?"
BUNDLES = (
    "SELECT period, members, data FROM bundle "
    "WHERE node = ? AND level = ? AND period >= ? AND period < ? AND series = 0 ORDER BY period"
)
ROWS_ALONE = (
    "SELECT period, data FROM node JOIN series ON series.node = node.id JOIN bundle ON bundle.node = node.id "
    'WHERE account = ? AND node.node = ? AND "check" = ? AND key = ? '
    "AND level = ? AND period >= ? AND period < ? AND bundle.series = number ORDER BY period"
)

_log = Logger(namespace="timeseries.rows")


class Asked(NamedTuple):
    """The bundles of a node whose periods began in the range."""

    node: Node
    level: Level
    start_ms: int
    end_ms: int


def rows_of(database: sqlite3.Connection, spans: Sequence[Span]) -> list[list[Row]]:
    """The rows of each span, ascending."""
    asked: dict[Asked, set[Which]] = {}
    for series, level, start_ms, end_ms in spans:
        if level not in ALONE:
            asked.setdefault(Asked(series[:2], level, start_ms, end_ms), set()).add(series[2:])
    bundled = {each: _of_bundles(database, each, wanted) for each, wanted in asked.items()}
    return [
        _rows_alone(database, *span)
        if span.level in ALONE
        else bundled[Asked(span.series[:2], *span[1:])].get(span.series, [])
        for span in spans
    ]


def found(database: sqlite3.Connection, places: Sequence[Place]) -> Iterator[Row]:
    """Those of these rows that there are."""
    numbers: dict[Node, tuple[int, dict[Which, int]]] = {}
    for (node, level, period_ms), some in _by_period(places).items():
        if level in ALONE and len(some) == 1:
            yield from _rows_alone(database, some[0].series, level, period_ms, period_ms + 1)
            continue
        if node not in numbers:
            number = node_number(database, node)
            numbers[node] = number, node_numbers(database, number)
        number, of_series = numbers[node]
        data = whole(database, number, level, period_ms)
        there = ((place, of_series.get(place.series[2:])) for place in some)
        yield from (Row(place, data[series]) for place, series in there if series in data)


def _rows_alone(
    database: sqlite3.Connection, series: SeriesKey, level: Level, start_ms: int, end_ms: int
) -> list[Row]:
    asked = *series, level.value, start_ms, end_ms
    return [
        Row(Place(series, level, period_ms), row)
        for period_ms, data in database.execute(ROWS_ALONE, asked)
        if (row := _alone(data)) is not None
    ]


def _of_bundles(
    database: sqlite3.Connection, asked: Asked, wanted: Container[Which]
) -> dict[SeriesKey, list[Row]]:
    """What the bundles have of these series."""
    (account_id, node_id), level, *within = asked
    node = node_number(database, asked.node)
    numbers = node_numbers(database, node).items()
    series = {number: SeriesKey(account_id, node_id, *which) for which, number in numbers if which in wanted}
    found: dict[int, list[Row]] = {number: [] for number in series}
    for period_ms, *bundle in database.execute(BUNDLES, (node, level.value, *within)):
        for number, data in _unpacked(Bundle(*bundle), series).items():
            found[number].append(Row(Place(series[number], level, period_ms), data))
    return {series[number]: rows for number, rows in found.items()}


def node_number(database: sqlite3.Connection, node: Node) -> int:
    """Or 0, which no node has."""
    found = database.execute(NODE, node).fetchone()
    return int(found[0]) if found else 0


def node_numbers(database: sqlite3.Connection, node: int) -> dict[Which, int]:
    """Those of the node's series, in the order of check and key."""
    return {(check, key): number for check, key, number in database.execute(NUMBERS, (node,))}


def whole(database: sqlite3.Connection, node: int, level: Level, period_ms: int) -> dict[int, bytes]:
    """All rows of a node and period, by the numbers of their series."""
    found: dict[int, bytes] = {}
    for series, members, data in database.execute(PERIOD, (node, level.value, period_ms)):
        if not series:
            found |= _unpacked(Bundle(members, data))
        elif (row := _alone(data)) is not None:
            found[series] = row
    return found


def decoded(encoded: bytes) -> Members | None:
    """A directory, or None if it is damaged: then the rows are as lost as if they were damaged themselves."""
    return _readable("a bundle", members_of, encoded)


def _alone(data: bytes) -> bytes | None:
    """The row, unless it is damaged."""
    return _readable("a row", unpack_alone, data)


def _unpacked(bundle: Bundle, wanted: Container[int] | None = None) -> dict[int, bytes]:
    return _readable("a bundle", unpack, bundle, wanted) or {}


def _readable(what: str, read: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T | None:
    """What is read, or None if it is damaged, which is told."""
    try:
        return read(*arguments, **named)
    except DamagedBlock as error:
        _log.error("{what} is left out: {error}", what=what, error=error)
        return None


def _by_period(places: Sequence[Place]) -> dict[tuple[Node, Level, int], list[Place]]:
    groups: dict[tuple[Node, Level, int], list[Place]] = {}
    for place in places:
        series, level, period_ms = place
        groups.setdefault((series[:2], level, period_ms), []).append(place)
    return groups
