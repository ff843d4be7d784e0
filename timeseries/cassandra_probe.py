"""What one Cassandra node says, for commands that have no reactor."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import acsylla
from acsylla import errors as driver

from timeseries.cassandra_schema import Space
from timeseries.cassandra_version import Ask, check_known, check_schema, look
from timeseries.cql import Access, each_node, make_cluster
from timeseries.errors import StoreUnavailable

T = TypeVar("T")

ANSWER_S = 5.0


def ask(access: Access) -> str:
    """What the first contact point, and no other node, says of itself; raises StoreUnavailable."""
    return asyncio.run(_asked(access, _version))


def ask_schema(access: Access, space: Space) -> str:
    """Whether one may work on the keyspace, and what it has; raises StoreUnavailable, SchemaMismatch."""

    async def question(ask: Ask) -> str:
        schema = await look(ask, space.keyspace)
        check_schema(schema, space)
        check_known(schema, space)
        return f"the keyspace {space.keyspace} has schema {schema.version}"

    return asyncio.run(_asked(access, question))


async def _version(ask: Ask) -> str:
    ((version,),) = await ask("SELECT release_version FROM system.local")
    return f"answers, Cassandra {version}"


async def _asked(access: Access, question: Callable[[Ask], Awaitable[T]]) -> T:
    node = next(each_node(access))._replace(request_s=ANSWER_S)
    try:
        session = await make_cluster(node, connect_timeout=ANSWER_S).create_session()
        try:
            return await question(lambda text: _rows(session, text))
        finally:
            await session.close()
    except driver.CassException as error:
        raise StoreUnavailable(f"Cassandra at {access.contact_points[0]}:{access.port}: {error!r}") from error


async def _rows(session: Any, text: str) -> Sequence[Any]:
    return [row.as_tuple() for row in await session.execute(acsylla.create_statement(text))]
