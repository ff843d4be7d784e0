"""Writing of the rows file, within a transaction of the caller."""

import sqlite3
from collections.abc import Iterable, Sequence

from timeseries.bundle import pack, pack_alone
from timeseries.rows_read import Node, Which, decoded, node_number, node_numbers, whole
from timeseries.rows_schema import ALONE
from timeseries.store import Level, Row

NEW_NODE = "INSERT INTO node (account, node) VALUES (?, ?) RETURNING id"
NEW_SERIES = 'INSERT INTO series (node, "check", key, number) VALUES (?, ?, ?, ?)'
MEMBERS = "SELECT members FROM bundle WHERE node = ? AND level = ? AND period = ? AND series = 0"
PUT = (
    "INSERT INTO bundle (node, level, period, series, members, data) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET members = excluded.members, data = excluded.data"
)

Periods = dict[tuple[Level, int], dict[Which, bytes]]
"""By level and start of the period, a node's rows."""


def keep(database: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Each row in place of its former self; other rows of the same bundle stay."""
    for of_node, periods in _by_node(rows).items():
        node = node_number(database, of_node) or _new_node(database, of_node)
        numbers = node_numbers(database, node)
        for (level, period_ms), some in periods.items():
            _give_numbers(database, node, numbers, some)
            _keep_period(database, node, level, period_ms, {numbers[which]: some[which] for which in some})


def _keep_period(
    database: sqlite3.Connection, node: int, level: Level, period_ms: int, rows: dict[int, bytes]
) -> None:
    period = node, level.value, period_ms
    if level in ALONE:
        database.executemany(PUT, [(*period, number, b"", pack_alone(row)) for number, row in rows.items()])
        return
    there = database.execute(MEMBERS, period).fetchone()
    members = decoded(there[0]) if there else None
    if members and not rows.keys() >= set(members.numbers):
        rows = whole(database, node, level, period_ms) | rows
    database.execute(PUT, (*period, 0, *pack(rows)))


def _give_numbers(
    database: sqlite3.Connection, node: int, numbers: dict[Which, int], wanted: Iterable[Which]
) -> None:
    for which in wanted:
        if which not in numbers:
            numbers[which] = max(numbers.values(), default=0) + 1
            database.execute(NEW_SERIES, (node, *which, numbers[which]))


def _new_node(database: sqlite3.Connection, node: Node) -> int:
    return int(database.execute(NEW_NODE, node).fetchone()[0])


def _by_node(rows: Sequence[Row]) -> dict[Node, Periods]:
    nodes: dict[Node, Periods] = {}
    for (series, level, period_ms), data in rows:
        periods = nodes.setdefault(series[:2], {})
        periods.setdefault((level, period_ms), {})[series[2:]] = data
    return nodes
