"""The statements on the tables of `timeseries.cassandra_schema`."""

from timeseries.cassandra_schema import ROWS, Space

STATEMENTS = {
    "insert": (
        "INSERT INTO {keyspace}.frames (account, node, day, time, origin, received, payload) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) USING TTL ?"
    ),
    "read": (
        "SELECT origin, time, received, payload FROM {keyspace}.frames "
        "WHERE account = ? AND node = ? AND day = ? AND time >= ? AND time < ?"
    ),
    "latest": (
        "SELECT origin, time, received, payload FROM {keyspace}.frames "
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
        'INSERT INTO {keyspace}.{table} (account, node, part, "check", key, period, data) '
        "VALUES (?, ?, ?, ?, ?, ?, ?) USING TTL ?"
    ),
    "rows": (
        "SELECT period, data FROM {keyspace}.{table} WHERE account = ? AND node = ? AND part = ? "
        'AND "check" = ? AND key = ? AND period >= ? AND period < ?'
    ),
    "find": (
        'SELECT "check", key, period, data FROM {keyspace}.{table} '
        'WHERE account = ? AND node = ? AND part = ? AND ("check", key, period) IN ?'
    ),
    "delete": "DELETE FROM {keyspace}.{table} WHERE account = ? AND node = ? AND part = ?",
}


def statements(space: Space) -> dict[str, str]:
    """Every statement by its name; those on rows as `put:raw`."""
    filled = {"keyspace": space.keyspace}
    found = {name: text.format_map(filled) for name, text in STATEMENTS.items()}
    for level, table in ROWS.items():
        for name, text in ROW_STATEMENTS.items():
            found[f"{name}:{level.value}"] = text.format_map(filled | {"table": table})
    return found
