"""The schema of Cassandra: made by a command, changed in numbered steps, each once whoever else is at it."""

import uuid
from collections.abc import Sequence

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.contract.brokers import until
from tests.engines import Keyspace
from tests.timeseries.samples import NODE, frame
from timeseries import cassandra_migrate
from timeseries.cassandra import CassandraStore
from timeseries.cassandra_migrate import migrate
from timeseries.cassandra_schema import MIGRATIONS, Migration, Space
from timeseries.cassandra_version import REPLICATION, Schema, check_schema, look
from timeseries.cql import Access, Cql
from timeseries.errors import SchemaMismatch, StoreUnavailable
from timeseries.stop import together

THINGS = Migration(1, "things", ["CREATE TABLE IF NOT EXISTS {keyspace}.things (id int PRIMARY KEY)"])
COLOURS = Migration(2, "colours", ["ALTER TABLE {keyspace}.things ADD IF NOT EXISTS colour text"])
SIZES = Migration(3, "sizes", ["ALTER TABLE {keyspace}.things ADD IF NOT EXISTS size int"])
OLDER, LATER = (THINGS,), (THINGS, COLOURS, SIZES)
STEPS = ["made 1: things", "made 2: colours", "made 3: sizes"]

BEFORE = "CREATE KEYSPACE {} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"


class MigrateTest(TestCase):
    """Each in a keyspace of its own."""

    @pytest.fixture(autouse=True)
    def _cassandra(self, cassandra_keyspace: Keyspace) -> None:
        self.access = Access(cassandra_keyspace.contact_points, cassandra_keyspace.port)

    async def setUp(self) -> None:  # type: ignore[override]
        self.space = Space(f"picket_{uuid.uuid4().hex[:12]}", "datacenter1", 1)
        self.said: list[str] = []
        self.cql = Cql(self.access, reactor)
        await self.cql.open()

    async def tearDown(self) -> None:  # type: ignore[override]
        await self.cql.tell(f"DROP KEYSPACE IF EXISTS {self.space.keyspace}")
        await self.cql.close()

    async def migrate(self, migrations: Sequence[Migration] = MIGRATIONS) -> None:
        await migrate(self.access, reactor, self.space, self.said.append, migrations)

    async def look(self) -> Schema:
        return await look(self.cql.ask, self.space.keyspace)

    def store(self) -> CassandraStore:
        store = CassandraStore(
            self.access, self.space.keyspace, reactor, gather_s=0, hold_s=0.01, mark_s=0, slack_s=0
        )
        self.addCleanup(store.close)
        return store

    def made(self) -> list[str]:
        return [line for line in self.said if line.startswith("made ")]

    async def test_of_nothing_it_makes_a_keyspace_that_a_store_works_in(self) -> None:
        await self.migrate()
        store = self.store()
        await store.open()
        now_ms = round(reactor.seconds() * 1000)
        await store.write([frame(now_ms)])
        assert await store.read(frame(now_ms).account_id, NODE, now_ms, now_ms + 1)

    async def test_a_store_without_its_keyspace_says_which_command_makes_it(self) -> None:
        with pytest.raises(SchemaMismatch, match=r"no keyspace .*: run `picket store migrate`"):
            await self.store().open()

    async def test_tables_of_before_there_were_migrations_are_refused_and_then_taken_over(self) -> None:
        await self.cql.tell(BEFORE.format(self.space.keyspace))
        for text in MIGRATIONS[0].statements:
            await self.cql.tell(text.format(keyspace=self.space.keyspace))
        await self.cql.tell(
            f"INSERT INTO {self.space.keyspace}.due (shard, account, node, hour) VALUES (1, 'a1', 'n1', 2)"
        )
        with pytest.raises(SchemaMismatch, match=r"has schema 0, older than .*: run `picket store migrate`"):
            await self.store().open()
        await self.migrate()
        assert await self.cql.ask(f"SELECT account FROM {self.space.keyspace}.due") == [("a1",)]
        assert (await self.look()).replication["class"].endswith("NetworkTopologyStrategy")
        await self.store().open()

    async def test_an_older_schema_gets_what_it_lacks_in_order_and_once(self) -> None:
        await self.migrate(OLDER)
        with pytest.raises(SchemaMismatch, match="has schema 1, older than 3"):
            check_schema(await self.look(), self.space, LATER)
        await self.migrate(LATER)
        await self.migrate(LATER)
        assert self.made() == STEPS
        check_schema(await self.look(), self.space, LATER)

    async def test_of_several_that_run_at_once_each_step_is_made_by_one(self) -> None:
        await together(self.migrate(LATER) for _ in range(4))
        assert self.made() == STEPS
        assert len([line for line in self.said if line.endswith("has schema 3")]) == 4

    async def test_one_that_fails_lets_go_and_the_next_goes_on_where_it_was(self) -> None:
        broken = SIZES._replace(statements=[*SIZES.statements, "ALTER TABLE {keyspace}.nothing ADD a int"])
        with pytest.raises(StoreUnavailable):
            await self.migrate((THINGS, COLOURS, broken))
        assert (await self.look()).version == COLOURS.version
        await self.migrate(LATER)
        assert self.made() == STEPS

    async def test_the_lock_of_one_that_was_killed_ends_by_itself(self) -> None:
        await self.migrate(OLDER)
        await self.lock_as_another(60, "null")
        migrating = Deferred.fromCoroutine(self.migrate(LATER))
        await until(lambda: "another migration is under way: waiting for its end" in self.said)
        await self.lock_as_another(1, "'dead'")
        await migrating
        assert (await self.look()).version == SIZES.version

    async def lock_as_another(self, lives_s: int, holder: str) -> None:
        """Lock, if this is the holder until now, and do nothing more."""
        lock = cassandra_migrate.LOCK.format(self.space.keyspace, lives_s, "dead", holder)
        assert [row[0] for row in await self.cql.ask(lock)] == [True]

    async def test_who_lost_the_lock_changes_nothing_more(self) -> None:
        await self.migrate(OLDER)
        lock = cassandra_migrate.LOCK.format(self.space.keyspace, 60, "thief", "null")
        thief = COLOURS._replace(
            statements=[f"DELETE holder FROM {self.space.keyspace}.migrations WHERE part = 'schema'", lock]
        )
        with pytest.raises(StoreUnavailable, match="took over"):
            await self.migrate((THINGS, thief))
        assert (await self.look()).version == THINGS.version

    async def test_a_newer_schema_is_worked_on_and_not_changed(self) -> None:
        await self.migrate((*MIGRATIONS, THINGS._replace(version=1000)))
        await self.store().open()
        with pytest.raises(SchemaMismatch, match=r"has schema 1000, newer than .*update it"):
            await self.migrate()

    async def test_another_replication_is_refused_until_the_command_has_applied_it(self) -> None:
        await self.migrate(OLDER)
        space = self.space._replace(replication=2)
        with pytest.raises(SchemaMismatch, match=r"has 1 copies .* store.replication says 2: run `picket"):
            check_schema(await self.look(), space, OLDER)
        hasty = self.access._replace(retry_s=())  # One node cannot have two copies.
        await migrate(hasty, reactor, space, self.said.append, OLDER)
        ((copies,),) = await self.cql.ask(REPLICATION.format(space.keyspace))
        assert copies["datacenter1"] == "2"
        assert "now run `nodetool repair -full" in self.said[-2]
