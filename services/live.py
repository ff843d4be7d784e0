"""Live pages: the newest frame of every node in memory, and Server-Sent Events of them to browsers.

Frames are decoded as they come only where somebody watches.

`/live/events?ticket=T` sends a summary of each node of the account (`event: node`); with `&node=ID` the
frames of one node (`event: frame`), as far as they are news. What is known comes first, at once. Ids are
frame times. `event: gap` says that something was missed and the page must fetch anew.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from twisted.internet.defer import maybeDeferred
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import Site

from eventframework.clock import Clock, sleep
from eventframework.framework import Framework
from eventframework.policy import Share
from eventframework.stream import Batch
from picket.settings import Endpoint, Settings
from rpc import idl
from rpc.dispatcher import Dispatcher
from rpc.errors import RpcError
from services.asked import fields, ranked_answer, told
from services.base import Service
from services.periodic import Periodic
from statslib import Stats
from timeseries.errors import InvalidFrame
from timeseries.frames import CheckResult, Frame, Value, decode_runs
from timeseries.rank import Rank, check_rank, ranked
from webapp.dashboard.event_resource import Events
from webapp.dashboard.event_stream import GAP, WHOLE_ACCOUNT, QuietSite, Viewer
from webapp.dashboard.latest import Latest, NodeLatest, Summary, result_of, summarize

PING_S = 15.0
STREAMS_PER_ACCOUNT = 200
NODES_A_TURN = 100
"""Nodes whose newest frames are decoded before others' work has its turn."""

TOGETHER_S = 1.0
"""Gaps of this time are told to a browser once."""

PING = b": ping\n\n"

_json = msgspec.json.Encoder()


class Live(Service):
    """Newest frames of every node, and their way to browsers by Server-Sent Events."""

    name = "live"
    streams = (("results", Share.FANOUT),)
    _log = Logger()

    def __init__(
        self,
        *,
        clock: Clock,
        reactor: Any,
        bus: Framework,
        settings: Settings,
        rpc: Dispatcher,
        query: Any,
        stats: Stats,
    ) -> None:
        self._clock, self._reactor, self._rpc = clock, reactor, rpc
        self._stream = bus.stream("results")
        self._query, self._stats = query, stats
        self._settings = settings
        self._latest = Latest()
        self._viewers: dict[tuple[str, str], set[Viewer]] = {}
        self._missed: set[int] = set()
        ping, gaps = Periodic(clock, PING_S, self._ping), Periodic(clock, TOGETHER_S, self._tell_of_gaps)
        self.parts = (ping, gaps)
        self._port: Any = None

    async def setup(self) -> None:
        """Take every batch of the stream, and calls for snapshots."""
        self._stream.consume(
            self.name,
            self.on_batch,
            Share.FANOUT,
            released=self._miss,
            missed=lambda partition, _: self._miss(partition),
        )
        self._rpc.serve("Live", self)
        self._stats.gauge("viewers", lambda: sum(map(len, self._viewers.values())))

    async def start(self) -> None:
        """Listen for browsers' streams."""
        host, port = self._settings.live.listen
        self._port = self._reactor.listenTCP(port, self.site(), interface=host)

    async def stop(self) -> None:
        """End every stream; browsers come back by themselves."""
        for viewer in [viewer for viewers in self._viewers.values() for viewer in viewers]:
            viewer.end()
        if self._port is not None:
            await maybeDeferred(self._port.stopListening)

    def site(self) -> Site:
        """What is served over HTTP: `/live/events`."""
        root: Any = Resource()
        live: Any = Resource()
        root.putChild(b"live", live)
        live.putChild(b"events", Events(self, self._settings.secret_key))
        return QuietSite(root, reactor=self._reactor)  # type: ignore[no-untyped-call]

    @property
    def address(self) -> Endpoint | None:
        """Where it listens, once started."""
        if self._port is None:
            return None
        address = self._port.getHost()
        return Endpoint(address.host, address.port)

    async def snapshot(self, account_id: str, context: object, node_ids: list[str]) -> list[idl.NodeSnapshot]:  # noqa: ARG002 - the IDL's
        """Live.snapshot of rpc/picket.thrift; no ids: every node of the account that is in memory."""
        for node_id in node_ids:
            await self._prime(account_id, node_id)
        found = [(node_id, self._latest.find(account_id, node_id)) for node_id in node_ids]
        known = found if node_ids else self._latest.of_account(account_id).items()
        return [_snapshot(node_id, node) for node_id, node in known if node]

    async def rank(self, account_id: str, _context: object, rank: idl.Rank) -> idl.Ranked:
        """Live.rank of rpc/picket.thrift: what is in memory. Refused: bad_query."""
        with told():
            asked = msgspec.convert(fields(rank), Rank)
            check_rank(asked, ("latest",))
        values: dict[str, float] = {}
        for first in range(0, len(asked.node_ids), NODES_A_TURN):
            if first:
                await sleep(self._clock, 0)
            nodes = asked.node_ids[first : first + NODES_A_TURN]
            values |= self._latest.numbers(account_id, nodes, asked, self._now_ms())
        return ranked_answer(ranked(values, asked))

    async def watch(self, viewer: Viewer, last_id: str) -> None:
        """Send what is known, then what comes, until the viewer goes."""
        if viewer.node_id != WHOLE_ACCOUNT:
            await self._prime(viewer.account_id, viewer.node_id)
        if viewer.gone:
            return
        for message in self._first(viewer, last_id):
            viewer.send(message)
        self._viewers.setdefault(viewer.topic, set()).add(viewer)

    def leave(self, viewer: Viewer) -> None:
        """Send no more to this one."""
        viewers = self._viewers.get(viewer.topic, set())
        viewers.discard(viewer)
        if not viewers:
            self._viewers.pop(viewer.topic, None)

    def is_full(self, account_id: str) -> bool:
        """Whether the account has as many streams as it may."""
        counts = (len(viewers) for topic, viewers in self._viewers.items() if topic[0] == account_id)
        return sum(counts) >= STREAMS_PER_ACCOUNT

    def _first(self, viewer: Viewer, last_id: str) -> Iterator[bytes]:
        yield PING
        if viewer.node_id == WHOLE_ACCOUNT:
            for node_id, known in self._latest.of_account(viewer.account_id).items():
                yield _message("node", known.time_ms, _summary(node_id, known))
            return
        node = self._latest.find(*viewer.topic)
        if node is None:
            return
        if last_id and last_id != str(node.time_ms):
            yield GAP
        for time_ms, results in node.frames():
            yield _frame_message(viewer.node_id, time_ms, node.received_ms, results)

    async def on_batch(self, batch: Batch) -> None:
        """Keep its frames, and show them to those who watch."""
        now_ms = int(self._clock.seconds() * 1000)
        for account_id, node_id, frames in batch.decoded(decode_runs):
            watched = [self._viewers.get((account_id, topic)) for topic in (node_id, WHOLE_ACCOUNT)]
            take = self._show if any(watched) else self._latest.keep
            for frame in frames:
                try:
                    take(frame, now_ms)
                except InvalidFrame as error:
                    self._stats.increment("frames_invalid")
                    self._log.warn("frame of {node} left out: {error}", node=node_id, error=error)
            self._stats.increment("frames", len(frames))

    def _show(self, frame: Frame, now_ms: int) -> None:
        account_id, node_id = frame.account_id, frame.node_id
        if news := self._latest.take(frame, now_ms):
            if of_node := self._viewers.get((account_id, node_id)):
                self._send(of_node, _frame_message(node_id, frame.time_ms, frame.received_ms, news))
            if of_account := self._viewers.get((account_id, WHOLE_ACCOUNT)):
                known = self._latest.make(account_id, node_id)
                self._send(of_account, _message("node", known.time_ms, _summary(node_id, known)))

    def _now_ms(self) -> int:
        return int(self._clock.seconds() * 1000)

    def _miss(self, partition: int) -> None:
        """Frames of its nodes went by: forget what may be stale, and soon have pages fetch anew."""
        self._latest.forget(lambda node_id: self._stream.partition(node_id) == partition)
        self._missed.add(partition)

    async def _tell_of_gaps(self) -> None:
        missed, self._missed = self._missed, set()
        for (_, node_id), viewers in list(self._viewers.items()):
            if node_id == WHOLE_ACCOUNT or self._stream.partition(node_id) in missed:
                self._send(viewers, GAP)

    def _send(self, viewers: set[Viewer], message: bytes) -> None:
        for viewer in list(viewers):
            viewer.send(message)

    async def _ping(self) -> None:
        for viewers in list(self._viewers.values()):
            self._send(viewers, PING)

    async def _prime(self, account_id: str, node_id: str) -> None:
        """After a start, a node's latest is in the store only: read it when it is first asked for."""
        if self._latest.find(account_id, node_id):
            return
        try:
            states = await self._query.latest(account_id, node_id)
        except RpcError as error:
            self._log.warn("no latest of {node}: {error}", node=node_id, error=error)
            return
        for state in states:
            node = self._latest.make(account_id, node_id)
            node.take(state.time_ms, state.time_ms, [result_of(state)])


def _message(event: str, time_ms: int, data: object) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (time_ms, event.encode(), _json.encode(data))


def _frame_message(node_id: str, time_ms: int, received_ms: int, results: list[CheckResult]) -> bytes:
    data = {"node": node_id, "time": time_ms, "received": received_ms, "results": results}
    return _message("frame", time_ms, data)


def _summary(node_id: str, known: NodeLatest) -> Summary:
    return summarize(node_id, known.time_ms, (seen.result for seen in known.checks.values()))


def _snapshot(node_id: str, known: NodeLatest) -> idl.NodeSnapshot:
    checks = [
        idl.CheckState(
            check=seen.result.check,
            key=seen.result.key,
            state=seen.result.state,
            status=seen.result.status,
            time_ms=seen.time_ms,
            metrics=[_metric(name, value, seen.result.rates) for name, value in seen.result.metrics.items()],
        )
        for seen in known.checks.values()
    ]
    times = {"time_ms": known.time_ms, "received_ms": known.received_ms}
    return idl.NodeSnapshot(node_id=node_id, checks=checks, **times)


def _metric(name: str, value: Value, rates: list[str]) -> idl.Metric:
    kind = "gauge" if name in rates else {int: "int", float: "float", str: "string"}[type(value)]
    return idl.Metric(name=name, kind=kind, value=value if isinstance(value, str) else repr(value))
