"""The process that answers in `bench query`: the services `query` and `live` on RPC, over an embedded store.

`python -m bench.query_server FOLDER` answers commands, JSON arrays, one a line, each with a JSON value:

    ["fill", {Data}]   how many frames and rows there are now
    ["serve"]          {"TimeSeries": port, "Live": port}
    ["come", number]   one more frame of the day's node came
    ["beat", count]    a fresh frame of every node of the fleet came by the stream: what they are
"""

import json
import sys
import time
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.internet.threads import deferToThread

from bench import query_data
from bench.points import payload, values
from bench.query_data import ACCOUNT, GRAPHS, Data, hour_rows, name_of, whole_frame
from eventframework.stream import Batch
from ops.engines.ports import HOST
from picket.settings import Settings
from rpc.dispatcher import Dispatcher
from rpc.server import RpcServer
from services.live import Live
from services.query import Query
from statslib import Stats
from timeseries.compaction import compact
from timeseries.embedded import EmbeddedStore
from timeseries.frames import Frame, encode_batch
from timeseries.store import Hour, Level

reactor: Any = installed


class Server:
    """What the commands work on."""

    def __init__(self, folder: Path) -> None:
        self.store = EmbeddedStore(folder, reactor)
        stats = Stats("bench")
        self.dispatcher = Dispatcher(reactor, stats)
        settings, none = Settings(), cast("Any", None)
        bus: Any = SimpleNamespace(stream=lambda _name: none)
        self.query = Query(rpc=self.dispatcher, store=self.store, reactor=reactor, settings=settings)
        self.live = Live(
            clock=reactor,
            reactor=reactor,
            bus=bus,
            settings=settings,
            rpc=self.dispatcher,
            query=none,
            stats=stats,
        )
        self.data = Data(0)

    async def fill(self, fields: dict[str, int]) -> list[int]:
        """The day by passes of compaction but for its last half hour; the rest as rows."""
        self.data = Data(**fields)
        frames = [whole_frame(measured) for measured in self.data.day()]
        await self.store.write(frames)
        for hour in await self.store.due_of(ACCOUNT, name_of(query_data.DAY_NODE)):
            if hour.start_ms < self.data.end_ms:
                await compact(self.store, partial(deferToThread), hour)
        return [len(frames), await self._fill_rows()]

    async def _fill_rows(self) -> int:
        months = [(list(GRAPHS), self.data.year())]
        months += [([query_data.RANKED[:2]], self.data.month(node)) for node in self.data.nodes()]
        rows = 0
        for wanted, measured in months:
            for month, some in groupby(measured, key=lambda each: Level.HOUR.period(each.time_ms)):
                made = list(hour_rows(list(some), wanted))
                await self.store.put(Hour(*made[0].place.series[:2], month, 1), made)
                rows += len(made)
        return rows

    async def serve(self) -> dict[str, int]:
        """The ports."""
        await self.query.setup()
        self.dispatcher.serve("Live", self.live)
        names = ("TimeSeries", "Live")
        return {name: RpcServer(name, self.dispatcher).start(reactor, HOST, 0) for name in names}

    async def come(self, number: int) -> int:
        """As every ten seconds while its page is open."""
        await self.store.write([whole_frame(self.data.late(number))])
        return number

    async def beat(self, count: int) -> int:
        """Frames that nobody has decoded yet, as most are when they are asked for."""
        now_ms = int(time.time() * 1000)
        frames = [
            Frame(ACCOUNT, name_of(node), "a:1", now_ms, now_ms, _payload(node % 100, count % 2), layout=1)
            for node in self.data.nodes()
        ]
        await self.live.on_batch(Batch("results", 0, encode_batch(frames), redelivered=False))
        return self.data.fleet


@cache
def _payload(node: int, number: int) -> bytes:
    """Made once: all that matters is that each node has one of its own."""
    (row,) = values(node, number, 1)
    return payload(0, row)


async def main(_reactor: Any, folder: str) -> None:
    """Answer commands until the input ends."""
    server = Server(Path(folder))
    await server.store.open()
    while line := await deferToThread(sys.stdin.readline):
        name, *arguments = json.loads(line)
        print(json.dumps(await getattr(server, name)(*arguments)), flush=True)
    await server.query.stop()
    await server.store.close()


if __name__ == "__main__":
    react(lambda *given: Deferred.fromCoroutine(main(*given)), sys.argv[1:])
