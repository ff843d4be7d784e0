"""One question to one Cassandra node, for commands that have no reactor."""

import asyncio
from typing import Any

import acsylla
from acsylla import errors as driver

from timeseries.errors import StoreUnavailable

ANSWER_S = 5.0
TABLES = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? LIMIT 1"


def ask(host: str, port: int, keyspace: str) -> str:
    """What the node says of itself and of our keyspace; raises StoreUnavailable."""
    try:
        return asyncio.run(_ask(host, port, keyspace))
    except driver.CassException as error:
        raise StoreUnavailable(f"Cassandra at {host}:{port}: {error!r}") from error


async def _ask(host: str, port: int, keyspace: str) -> str:
    cluster = acsylla.create_cluster(
        [host], port=port, connect_timeout=ANSWER_S, request_timeout=ANSWER_S, whitelist_hosts=host
    )
    session = await cluster.create_session()
    try:
        version = await _one(session, "SELECT release_version FROM system.local")
        there = await _one(session, TABLES, keyspace)
    finally:
        await session.close()
    made = "is there" if there else "is missing and made at the next start"
    return f"{host}:{port} answers, Cassandra {version}; the keyspace {keyspace} {made}"


async def _one(session: Any, question: str, *values: str) -> Any:
    statement = acsylla.create_statement(question, len(values))
    for number, value in enumerate(values):
        statement.bind(number, value)
    row = (await session.execute(statement)).first()
    return row[0] if row else None
