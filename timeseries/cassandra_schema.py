"""The tables of the distributed store, and the numbered migrations that make and change them.

    frames        (account, node, day)          time, origin           as they came; TTL
    rows_raw      (account, node, part)         check, key, period     blocks of an hour; TTL
    rows_5m       the same                      the same               rollups of a day; TTL
    rows_1h       the same                      the same               rollups of a month; TTL
    series        (account, node)               check, key             what has rows
    due           (shard)                       account, node, hour    marks, newest write wins
    migrations    (part)                        version                those that were made; who is migrating

A node's rows are parted by time alone, so that what a pass reads and writes of a level is in one partition.
Frames and blocks expire a window at a time and are never deleted one by one. A mark is deleted with the
timestamp of the write that made it, so that a newer mark of the same hour stays. A mark that comes back costs
a pass too many, so tombstones of marks need not be kept.
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import NAMESPACE_URL, uuid5

from timeseries.store import DAY_MS, Level


class Space(NamedTuple):
    """A keyspace, and how many copies of each row the nodes of `datacenter` have."""

    keyspace: str
    datacenter: str
    replication: int


class Migration(NamedTuple):
    """A step of the schema, made once.

    It may be begun again after it was broken off, so each statement has to bear being run twice. Processes of
    the version before work on while it is made and after, so it takes nothing away that they use.
    """

    version: int
    name: str
    statements: Sequence[str]


ROWS = {Level.RAW: "rows_raw", Level.FIVE_MINUTES: "rows_5m", Level.HOUR: "rows_1h"}
WINDOW_DAYS = {Level.RAW: 1, Level.FIVE_MINUTES: 7, Level.HOUR: 30}
PART_DAYS = {Level.RAW: 1, Level.FIVE_MINUTES: 28, Level.HOUR: 366}
"""How many days of a node's rows are in a partition."""

FRAMES = """
CREATE TABLE IF NOT EXISTS {keyspace}.frames (
    account text, node text, day int, time bigint, origin text, received bigint, payload blob,
    PRIMARY KEY ((account, node, day), time, origin)
) WITH gc_grace_seconds = 86400 AND compaction = {{
    'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'DAYS', 'compaction_window_size': 1}}
"""
ROW_TABLE = """
CREATE TABLE IF NOT EXISTS {{keyspace}}.{table} (
    account text, node text, part int, "check" text, key text, period bigint, data blob,
    PRIMARY KEY ((account, node, part), "check", key, period)
) WITH gc_grace_seconds = 86400 AND compaction = {{{{
    'class': 'TimeWindowCompactionStrategy',
    'compaction_window_unit': 'DAYS', 'compaction_window_size': {days}}}}}
"""
SERIES = """
CREATE TABLE IF NOT EXISTS {keyspace}.series (
    account text, node text, "check" text, key text, PRIMARY KEY ((account, node), "check", key)
)
"""
DUE = """
CREATE TABLE IF NOT EXISTS {keyspace}.due (
    shard int, account text, node text, hour bigint, mark bigint,
    PRIMARY KEY ((shard), account, node, hour)
) WITH gc_grace_seconds = 3600
"""
ROW_TABLES = [ROW_TABLE.format(table=table, days=WINDOW_DAYS[level]) for level, table in ROWS.items()]

MIGRATIONS = (Migration(1, "frames, rows, series and due hours", (FRAMES, SERIES, DUE, *ROW_TABLES)),)
"""In order of their versions. What was released is never changed; a change of the schema is a new one."""

MADE = """
CREATE TABLE IF NOT EXISTS {keyspace}.migrations (
    part text, version int, name text, made timestamp, holder text STATIC, PRIMARY KEY ((part), version)
) WITH id = {id}
"""


def part_of(level: Level, time_ms: int) -> int:
    """The part that the rows of a period are in which began then."""
    return time_ms // (PART_DAYS[level] * DAY_MS)


def table_of_migrations(keyspace: str) -> str:
    """The statement that makes it. Whoever makes it, on whichever node, gives it the same id."""
    return MADE.format(keyspace=keyspace, id=uuid5(NAMESPACE_URL, f"picket:{keyspace}.migrations"))
