"""Making and changing the schema of the distributed store: each migration once, whoever else is at it.

Who migrates holds a lock, a lightweight transaction, that ends by itself when its holder is gone; a migration
is noted in another, which the holder alone can make. After each change the nodes have to agree on the schema
before the next.
"""

import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from timeseries.cassandra_schema import MIGRATIONS, Migration, Space, table_of_migrations
from timeseries.cassandra_version import Schema, check_known, look
from timeseries.cql import Access, Cql, each_node
from timeseries.errors import StoreUnavailable

_log = Logger(namespace="timeseries.cassandra_migrate")

LOCK_S = 120
"""Longer than a statement takes, its agreement included: it is held anew before each."""

LOOK_S = 0.5
AGREE_S = 30.0
TAKEN_OVER = "another migration took over, because this one took too long: run it again"
KEYSPACE = "{verb} KEYSPACE {rest} WITH replication = {copies}"
NETWORK = {"class": "NetworkTopologyStrategy"}
LOCK = "UPDATE {}.migrations USING TTL {} SET holder = '{}' WHERE part = 'schema' IF holder = {}"
UNLOCK = "UPDATE {}.migrations SET holder = null WHERE part = 'schema' IF holder = '{}'"
NOTE = (
    "UPDATE {}.migrations SET name = '{}', made = '{}' "
    "WHERE part = 'schema' AND version = {} IF holder = '{}'"
)


class Migrating:
    """One run of the command over one node: `say` is told of each step."""

    def __init__(
        self,
        cql: Cql,
        clock: IReactorTime,
        space: Space,
        say: Callable[[str], object],
        migrations: Sequence[Migration] = MIGRATIONS,
    ) -> None:
        self._cql, self._clock, self._space, self._say = cql, clock, space, say
        self._migrations = migrations
        self._me = uuid.uuid4().hex

    async def run(self) -> None:
        """Do what is to be done; raises SchemaMismatch where it is newer than is known, StoreUnavailable."""
        await self._copies("CREATE", "IF NOT EXISTS ", {})
        await self._tell(table_of_migrations(self._space.keyspace))
        schema = await self._look()
        if schema.lacks(self._migrations) or not schema.has_copies(self._space):
            async with self._lock():
                await self._change(await self._look())
        self._say(f"the keyspace {self._space.keyspace} has schema {self._migrations[-1].version}")

    async def _look(self) -> Schema:
        schema = await look(self._cql.ask, self._space.keyspace)
        check_known(schema, self._space, self._migrations)
        return schema

    async def _change(self, schema: Schema) -> None:
        for migration in schema.lacks(self._migrations):
            for text in migration.statements:
                await self._hold()
                await self._tell(text.format(keyspace=self._space.keyspace))
            await self._note(migration)
            self._say(f"made {migration.version}: {migration.name}")
        if not schema.has_copies(self._space):
            await self._hold()
            await self._replicate(schema)

    async def _replicate(self, schema: Schema) -> None:
        """Have as many copies in our datacentre as the settings say; others are left as they are."""
        kept = schema.replication if schema.replication["class"].endswith(NETWORK["class"]) else {}
        await self._copies("ALTER", "", kept)
        name, copies = self._space.keyspace, self._space.replication
        self._say(
            f"{copies} copies of a row in {self._space.datacenter}: now run `nodetool repair -full {name}`"
        )

    async def _copies(self, verb: str, condition: str, kept: Any) -> None:
        copies = {**kept, **NETWORK, self._space.datacenter: str(self._space.replication)}
        await self._tell(KEYSPACE.format(verb=verb, rest=condition + self._space.keyspace, copies=copies))

    async def _tell(self, text: str) -> None:
        """Make a change of the schema, and wait until the nodes agree on it."""
        await self._cql.tell(text)
        until = self._clock.seconds() + AGREE_S
        while len(set((versions := await self._versions()).values())) > 1:
            if self._clock.seconds() > until:
                raise StoreUnavailable(f"these nodes do not agree on the schema; are all up? {versions}")
            await deferLater(self._clock, LOOK_S)

    async def _versions(self) -> dict[str, str]:
        """The version of the schema that each node has, as the one that we talk to knows it."""
        rows = [
            *await self._cql.ask("SELECT rpc_address, schema_version FROM system.local"),
            *await self._cql.ask("SELECT rpc_address, schema_version FROM system.peers"),
        ]
        return {str(address): str(version) for address, version in rows}

    @asynccontextmanager
    async def _lock(self) -> AsyncIterator[None]:
        """Ours alone, once nobody else has it."""
        waiting = False
        while not await self._transact(LOCK, LOCK_S, self._me, "null") and not await self._is_mine():
            if not waiting:
                self._say("another migration is under way: waiting for its end")
            waiting = True
            await deferLater(self._clock, LOOK_S)
        try:
            yield
        finally:
            await self._unlock()

    async def _unlock(self) -> None:
        """Where that fails, because more copies are to be now than nodes are up, the lock ends by itself."""
        try:
            await self._transact(UNLOCK, self._me)
        except StoreUnavailable as error:
            _log.info("the lock on migrations is left to end by itself: {error}", error=error)

    async def _is_mine(self) -> bool:
        """Whether a try that seemed to fail had succeeded."""
        return await self._transact(LOCK, LOCK_S, self._me, f"'{self._me}'")

    async def _hold(self) -> None:
        if not await self._is_mine():
            raise StoreUnavailable(TAKEN_OVER)

    async def _note(self, migration: Migration) -> None:
        made = datetime.fromtimestamp(self._clock.seconds(), UTC).isoformat(timespec="milliseconds")
        if not await self._transact(NOTE, migration.name, made, migration.version, self._me):
            raise StoreUnavailable(TAKEN_OVER)

    async def _transact(self, text: str, *values: object) -> bool:
        """Run a lightweight transaction; whether its condition held."""
        (applied, *_), *_ = await self._cql.ask(text.format(self._space.keyspace, *values))
        return bool(applied)


async def migrate(
    access: Access,
    clock: IReactorTime,
    space: Space,
    say: Callable[[str], object],
    migrations: Sequence[Migration] = MIGRATIONS,
) -> None:
    """Run the migrations over the first node that answers, and no other: one node knows what it has heard."""
    failure = StoreUnavailable("no contact points")
    for node in each_node(access):
        cql = Cql(node, clock)
        try:
            await cql.open()
        except StoreUnavailable as error:
            failure = error
            continue
        try:
            return await Migrating(cql, clock, space, say, migrations).run()
        finally:
            await cql.close()
    raise failure
