"""What the contract tests of stores share: each runs on the memory twin, the embedded store and Cassandra."""

import tempfile
import uuid
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from tests.engines import Keyspace
from tests.timeseries.samples import frame
from timeseries.cassandra import CassandraStore
from timeseries.cassandra_migrate import migrate
from timeseries.cassandra_schema import Space
from timeseries.cql import Access
from timeseries.embedded import EmbeddedStore
from timeseries.frames import Frame
from timeseries.memory import MemoryStore
from timeseries.retention import USUAL, Kept
from timeseries.store import TimeSeriesStore


class StoreContract(TestCase):
    """Subclasses are the promises; `OnMemory`, `OnEmbedded` and `OnCassandra` make the stores."""

    __test__ = False

    store: TimeSeriesStore
    account: str
    now_ms: int

    def make_store(self) -> TimeSeriesStore:
        raise NotImplementedError

    async def setUp(self) -> None:  # type: ignore[override]
        self.account = f"a{uuid.uuid4().hex[:10]}"
        self.now_ms = round(reactor.seconds() * 1000)
        self.store = self.make_store()
        await self.store.open()

    async def tearDown(self) -> None:  # type: ignore[override]
        await self.store.close()

    def frame(self, time_ms: int, origin: str = "a:1", payload: bytes = b"{}", **fields: Any) -> Frame:
        return frame(time_ms, origin, payload, account_id=self.account, **fields)


class OnMemory(StoreContract):
    """The twin."""

    def make_store(self) -> TimeSeriesStore:
        return MemoryStore(reactor)


class OnEmbedded(StoreContract):
    """In a folder of the test's own."""

    def make_store(self) -> TimeSeriesStore:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "series")
        return EmbeddedStore(self.path, reactor)

    async def reopen(self) -> None:
        """Close the store and open it again, as a restart does."""
        await self.store.close()
        self.store = EmbeddedStore(self.path, reactor)
        await self.store.open()


class OnCassandra(StoreContract):
    """The real one; tests use accounts of their own."""

    @pytest.fixture(autouse=True)
    def _cassandra(self, cassandra_keyspace: Keyspace) -> None:
        self.cassandra = cassandra_keyspace

    async def setUp(self) -> None:  # type: ignore[override]
        hosts, port, keyspace = self.cassandra
        self.access = Access(hosts, port)
        await migrate(self.access, reactor, Space(keyspace, "datacenter1", 1), str)
        await super().setUp()

    def make_store(self, kept: Kept = USUAL) -> TimeSeriesStore:
        keyspace = self.cassandra.keyspace
        return CassandraStore(
            self.access, keyspace, reactor, gather_s=0, hold_s=0.01, mark_s=0, slack_s=0, kept=kept
        )
