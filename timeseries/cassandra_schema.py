"""The tables of the distributed store, and the statements on them.

    frames        (account, node, day)          time, origin           as they came; TTL
    rows_raw      (account, node, check, key)   period (an hour)       blocks; TTL
    rows_5m       the same                      period (a day)         rollups; TTL
    rows_1h       the same                      period (a month)       rollups; TTL
    series        (account, node)               check, key             what has rows
    due           (shard)                       account, node, hour    marks, newest write wins

Frames and blocks expire a window at a time and are never deleted one by one. A mark is deleted with the
timestamp of the write that made it, so that a newer mark of the same hour stays. A mark that comes back costs
a pass too many, so tombstones of marks need not be kept.
"""

from timeseries.retention import LATE_DAYS, Retention
from timeseries.store import Level

DAY_S = 86_400

ROWS = {Level.RAW: "rows_raw", Level.FIVE_MINUTES: "rows_5m", Level.HOUR: "rows_1h"}
WINDOW_DAYS = {Level.RAW: 1, Level.FIVE_MINUTES: 7, Level.HOUR: 30}

KEYSPACE = """
CREATE KEYSPACE IF NOT EXISTS {keyspace}
WITH replication = {{'class': 'NetworkTopologyStrategy', '{datacenter}': {replication}}}
"""
FRAMES = """
CREATE TABLE IF NOT EXISTS {keyspace}.frames (
    account text, node text, day int, time bigint, origin text, received bigint, payload blob,
    PRIMARY KEY ((account, node, day), time, origin)
) WITH gc_grace_seconds = 86400 AND compaction = {{
    'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'DAYS', 'compaction_window_size': 1}}
"""
ROW_TABLE = """
CREATE TABLE IF NOT EXISTS {keyspace}.{table} (
    account text, node text, "check" text, key text, period bigint, data blob,
    PRIMARY KEY ((account, node, "check", key), period)
) WITH gc_grace_seconds = 86400 AND compaction = {{
    'class': 'TimeWindowCompactionStrategy',
    'compaction_window_unit': 'DAYS', 'compaction_window_size': {days}}}
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

STATEMENTS = {
    "insert": (
        "INSERT INTO {keyspace}.frames (account, node, day, time, origin, received, payload) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) USING TTL {ttl_s}"
    ),
    "read": (
        "SELECT account, node, origin, time, received, payload FROM {keyspace}.frames "
        "WHERE account = ? AND node = ? AND day = ? AND time >= ? AND time < ?"
    ),
    "latest": (
        "SELECT account, node, origin, time, received, payload FROM {keyspace}.frames "
        "WHERE account = ? AND node = ? AND day = ? AND time < ? ORDER BY time DESC, origin DESC LIMIT 1"
    ),
    "delete_day": "DELETE FROM {keyspace}.frames WHERE account = ? AND node = ? AND day = ?",
    "mark": (
        "INSERT INTO {keyspace}.due (shard, account, node, hour, mark) VALUES (?, ?, ?, ?, ?) "
        "USING TIMESTAMP ?"
    ),
    "settle": (
        "DELETE FROM {keyspace}.due USING TIMESTAMP ? "
        "WHERE shard = ? AND account = ? AND node = ? AND hour = ?"
    ),
    "due": "SELECT account, node, hour, mark FROM {keyspace}.due WHERE shard = ?",
    "due_of": (
        "SELECT account, node, hour, mark FROM {keyspace}.due WHERE shard = ? AND account = ? AND node = ?"
    ),
    "delete_due": "DELETE FROM {keyspace}.due WHERE shard = ? AND account = ? AND node = ?",
    "add_series": 'INSERT INTO {keyspace}.series (account, node, "check", key) VALUES (?, ?, ?, ?)',
    "series": 'SELECT account, node, "check", key FROM {keyspace}.series WHERE account = ? AND node = ?',
    "delete_series": "DELETE FROM {keyspace}.series WHERE account = ? AND node = ?",
    "generation": "SELECT host_id, gossip_generation FROM system.local",
}
ROW_STATEMENTS = {
    "put": (
        'INSERT INTO {keyspace}.{table} (account, node, "check", key, period, data) '
        "VALUES (?, ?, ?, ?, ?, ?) USING TTL {ttl_s}"
    ),
    "rows": (
        "SELECT period, data FROM {keyspace}.{table} "
        'WHERE account = ? AND node = ? AND "check" = ? AND key = ? AND period >= ? AND period < ?'
    ),
    "find": (
        "SELECT period, data FROM {keyspace}.{table} "
        'WHERE account = ? AND node = ? AND "check" = ? AND key = ? AND period = ?'
    ),
    "delete": 'DELETE FROM {keyspace}.{table} WHERE account = ? AND node = ? AND "check" = ? AND key = ?',
}

Names = dict[str, str | int]
"""What statements have to be filled in with: keyspace, datacenter, replication."""


def tables(names: Names) -> list[str]:
    """The statements that make the keyspace and its tables where they are missing."""
    made = [text.format_map(names) for text in (KEYSPACE, FRAMES, SERIES, DUE)]
    for level, table in ROWS.items():
        options = {"table": table, "days": WINDOW_DAYS[level]}
        made.append(ROW_TABLE.format_map(names | options))
    return made


def statements(names: Names, retention: Retention) -> dict[str, str]:
    """Every statement by its name; those on rows as `put:raw`. What is written lives as long as is kept."""
    seconds = {level: (retention.days(level) + LATE_DAYS) * DAY_S for level in Level}
    filled = {"ttl_s": seconds[Level.RAW]} | names
    found = {name: text.format_map(filled) for name, text in STATEMENTS.items()}
    for level, table in ROWS.items():
        filled = names | {"table": table, "ttl_s": seconds[level]}
        for name, text in ROW_STATEMENTS.items():
            found[f"{name}:{level.value}"] = text.format_map(filled)
    return found
