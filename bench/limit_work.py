"""The processes that write rows in `bench cassandra-limit`: a bare loop on the driver, and the archive.

`python -m bench.limit_work bare|archive HOST PORT KEYSPACE LOOPS` answers commands, JSON arrays, one a line:

    ["flow", seconds, pid]   {Flow}: what was written, and the CPU of this process and of that of the pid

Both write the same rows by the same statement: frames of 100 points, of many nodes, each once. Nothing new is
begun after `seconds`, and a flow ends when all is written. The archive holds its last rows for a second more,
in which it writes nothing: that second is not in its time, whatever is done in it is in its CPU.
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any, Protocol, cast

import acsylla
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater, react
from twisted.internet.threads import deferToThread

from bench.cpu import cpu_seconds
from bench.limit import Flow
from bench.points import payload, values
from eventframework.stream import Batch
from picket import reactor as asyncios
from picket.settings import Settings
from services.archive import Archive
from statslib import Stats
from timeseries.cassandra import CassandraStore, frame_row
from timeseries.cassandra_migrate import migrate
from timeseries.cassandra_schema import Space
from timeseries.cassandra_statements import statements
from timeseries.cql import Access, from_asyncio
from timeseries.frames import Frame, encode_batch
from timeseries.hold import GATHER_S, HOLD_S
from timeseries.retention import USUAL
from timeseries.store import Level

DATACENTER = "datacenter1"
NODES = 200
PAYLOADS = 2_000
STEP_MS = 100
BATCH_FRAMES = 100


class Tally:
    """Rows written so far, by loops that go on while it is `open`."""

    def __init__(self) -> None:
        self.rows = 0
        self.open = True


class Writer(Protocol):
    """Who writes, and how long it waits for nothing but the clock before it has written the last row."""

    held_s: float

    async def prepare(self, store: CassandraStore) -> None:
        """Given the store, open, whose tables are there."""

    def loop(self, tally: Tally) -> Deferred[Any]:
        """Go on while the tally is open."""


def frames() -> Iterator[Frame]:
    """Without end, each another one; the payloads come again."""
    begun_ms = int(time.time() * 1000)
    payloads = cycle(_payloads())
    for number in count():
        node, time_ms = f"n{number % NODES:010x}", begun_ms + number // NODES * STEP_MS
        yield Frame("bench", node, f"a:{number}", time_ms, time_ms, next(payloads))


@cache
def _payloads() -> list[bytes]:
    rows = [row for node in range(PAYLOADS // 100) for row in values(node, 0, 100)]
    return [payload(number * STEP_MS, row) for number, row in enumerate(rows)]


class Bare:
    """The driver as its documentation shows it, in loops that each have one row in flight."""

    held_s = 0.0

    def __init__(self, host: str, port: int, keyspace: str) -> None:
        self._host, self._port, self._keyspace = host, port, keyspace
        lives_s = USUAL.lives_s("", Level.RAW)
        self._rows = (frame_row(frame, lives_s) for frame in frames())

    async def prepare(self, store: CassandraStore) -> None:
        """A session of its own, and the statement of the store."""
        await store.close()
        text = statements(Space(self._keyspace, DATACENTER, 1))["insert"]
        cluster = acsylla.create_cluster([self._host], port=self._port, consistency="LOCAL_QUORUM")
        self._session: Any = await from_asyncio(cast(Any, cluster.create_session()))
        self._insert: Any = await from_asyncio(cast(Any, self._session.create_prepared(text)))

    def loop(self, tally: Tally) -> Deferred[Any]:
        """A task of asyncio, with one row in flight: Twisted has no part in it."""
        return from_asyncio(self._loop(tally))

    async def _loop(self, tally: Tally) -> None:
        execute, bind = self._session.execute, self._insert.bind
        while tally.open:
            await execute(bind(next(self._rows)))
            tally.rows += 1


class Archived:
    """The service and its store, given batches as the stream gives them; nobody asks them for the stream."""

    held_s = GATHER_S + HOLD_S

    def __init__(self, home: Path) -> None:
        self._home = home
        self._frames = frames()

    async def prepare(self, store: CassandraStore) -> None:
        """The service is given the store."""
        bus, settings = cast(Any, None), Settings(home=self._home)
        self._archive = Archive(bus=bus, store=store, stats=Stats("archive"), settings=settings)

    def loop(self, tally: Tally) -> Deferred[Any]:
        """One batch after the other."""
        return Deferred.fromCoroutine(self._loop(tally))

    async def _loop(self, tally: Tally) -> None:
        while tally.open:
            body = encode_batch(list(islice(self._frames, BATCH_FRAMES)))
            await self._archive.on_batch(Batch("results", 0, body, False))
            tally.rows += BATCH_FRAMES


async def flow(reactor: Any, writer: Writer, loops: int, seconds: float, pid: int) -> Flow:
    """Write for that time, and until all that was begun has ended."""
    tally, server_before = Tally(), cpu_seconds(pid)
    begun, cpu_before = time.perf_counter(), time.process_time()
    ended = gatherResults([writer.loop(tally) for _ in range(loops)])
    await deferLater(reactor, seconds)
    tally.open = False
    await ended
    took = time.perf_counter() - begun - writer.held_s
    return Flow(tally.rows, took, time.process_time() - cpu_before, cpu_seconds(pid) - server_before)


async def main(reactor: Any, kind: str, host: str, port: str, keyspace: str, loops: str) -> None:
    """Answer commands until the input ends."""
    with tempfile.TemporaryDirectory(prefix="picket-bench-") as home:
        writer: Writer = Bare(host, int(port), keyspace) if kind == "bare" else Archived(Path(home))
        access = Access([host], int(port), DATACENTER)
        await migrate(access, reactor, Space(keyspace, DATACENTER, 1), str)
        store = CassandraStore(access, keyspace, reactor)
        await store.open()
        await writer.prepare(store)
        while line := await deferToThread(sys.stdin.readline):
            _, *arguments = json.loads(line)
            print(json.dumps(await flow(reactor, writer, int(loops), *arguments)), flush=True)


if __name__ == "__main__":
    asyncios.install()
    react(lambda *given: Deferred.fromCoroutine(main(*given)), sys.argv[1:])
