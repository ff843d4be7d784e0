"""Reading of the rows file.

Every call is within a transaction, so that all it reads is of one moment. A bundle is read whole, also for
one of its rows: SQLite would have to pass the pages before it anyway.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from twisted.logger import Logger

from timeseries.bundle import Bundle, Members, members_of, unpack
from timeseries.errors import DamagedBlock
from timeseries.rows_schema import ALONE
from timeseries.store import Level, Place, Row, SeriesKey

Node = tuple[str, ...]
"""Account and node."""

Which = tuple[str, ...]
"""Check and key."""

NODE = "SELECT id FROM node WHERE account = ? AND node = ?"
NUMBER = (
    "SELECT number FROM node JOIN series ON series.node = node.id "
    'WHERE account = ? AND node.node = ? AND "check" = ? AND key = ?'
)
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


class BundleOf(NamedTuple):
    """A bundle's directory, decoded, and its bytes; `period_ms` is the start of its period."""

    period_ms: int
    members: Members
    data: bytes


class Asked(NamedTuple):
    """The bundles of a node whose periods began in the range."""

    node: Node
    level: Level
    start_ms: int
    end_ms: int


def rows_alone(database: sqlite3.Connection, series: SeriesKey, asked: Asked) -> Iterator[Row]:
    """The rows of a series that stand alone, ascending."""
    _, level, *within = asked
    for period_ms, data in database.execute(ROWS_ALONE, (*series, level.value, *within)):
        yield Row(Place(series, level, period_ms), data)


def bundles(database: sqlite3.Connection, asked: Asked) -> Iterator[BundleOf]:
    """Ascending; damaged ones are left out."""
    node, level, *within = asked
    number = node_number(database, node)
    for period_ms, encoded, data in database.execute(BUNDLES, (number, level.value, *within)):
        if members := decoded(encoded):
            yield BundleOf(period_ms, members, data)


def rows_of(
    database: sqlite3.Connection, series: SeriesKey, level: Level, bundles: Iterable[BundleOf]
) -> Iterator[Row]:
    """The rows that the bundles have of the series."""
    number = series_number(database, series)
    for period_ms, members, data in bundles:
        if part := members.part(number):
            yield Row(Place(series, level, period_ms), part.of(data))


def found(database: sqlite3.Connection, places: Sequence[Place]) -> Iterator[Row]:
    """Those of these rows that there are."""
    numbers: dict[Node, tuple[int, dict[Which, int]]] = {}
    for (node, level, period_ms), some in _by_period(places).items():
        if len(some) == 1:
            yield from _found_one(database, some[0])
            continue
        if node not in numbers:
            number = node_number(database, node)
            numbers[node] = number, node_numbers(database, number)
        number, of_series = numbers[node]
        data = whole(database, number, level, period_ms)
        there = ((place, of_series.get(place.series[2:])) for place in some)
        yield from (Row(place, data[series]) for place, series in there if series in data)


def _found_one(database: sqlite3.Connection, place: Place) -> Iterable[Row]:
    series, level, period_ms = place
    if level in ALONE:
        within = level.value, period_ms, period_ms + 1
        return [Row(place, data) for _, data in database.execute(ROWS_ALONE, (*series, *within))]
    return rows_of(
        database, series, level, bundles(database, Asked(series[:2], level, period_ms, period_ms + 1))
    )


def series_number(database: sqlite3.Connection, series: SeriesKey) -> int:
    """Or 0, which no series has."""
    found = database.execute(NUMBER, series).fetchone()
    return int(found[0]) if found else 0


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
        if series:
            found[series] = data
        else:
            found |= _unpacked(Bundle(members, data))
    return found


def decoded(encoded: bytes) -> Members | None:
    """A directory, or None if it is damaged: then the rows are as lost as if they were damaged themselves."""
    try:
        return members_of(encoded)
    except DamagedBlock as error:
        _log.error("a bundle is left out: {error}", error=error)
        return None


def _unpacked(bundle: Bundle) -> dict[int, bytes]:
    try:
        return unpack(bundle)
    except DamagedBlock as error:
        _log.error("a bundle is left out: {error}", error=error)
        return {}


def _by_period(places: Sequence[Place]) -> dict[tuple[Node, Level, int], list[Place]]:
    groups: dict[tuple[Node, Level, int], list[Place]] = {}
    for place in places:
        series, level, period_ms = place
        groups.setdefault((series[:2], level, period_ms), []).append(place)
    return groups
