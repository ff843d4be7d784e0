"""Whether a node sends data: silent for too long is `absent`, the next frame makes it `present`.

Silence is counted from the moment at which the gateway received the last frame, and only while the stream
flows: every sweep sends an empty batch through each partition, and while the one before has not come back, or
batches come late or are dropped, that partition's nodes are not judged. So a broker that is away makes nobody
absent. A partition that another instance has taken over is forgotten: its nodes are no longer judged here.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from eventframework.catalogue import StateChanged
from eventframework.errors import EventError
from eventframework.framework import Framework
from eventframework.policy import Share
from eventframework.stream import Batch
from services.base import Service
from services.periodic import Periodic
from statslib import Stats
from timeseries.errors import InvalidFrame
from timeseries.frames import OfNode, decode_runs, encode_batch

LIMIT_MS = 90_000
LATE_MS = LIMIT_MS // 2
"""A batch this much older than its frames' arrival at the gateway: the stream is behind."""

SWEEP_S = 10.0
PROBE = encode_batch([])

NodeKey = tuple[str, str]
"""(account_id, node_id)."""


@dataclass
class _Node:
    account_id: str
    node_id: str
    received_ms: int = 0
    state: str = "unknown"
    untold: bool = False


@dataclass
class _Partition:
    """Its nodes, whether a probe is out, and when it was last seen not to flow."""

    nodes: dict[NodeKey, _Node] = field(default_factory=dict)
    probe_out: bool = False
    stalled_ms: int = 0


class State(Service):
    """Tells when a node begins or ends to send data."""

    name = "state"
    streams = (("results", Share.SCOPED),)
    _log = Logger()

    def __init__(self, *, bus: Framework, clock: IReactorTime, stats: Stats) -> None:
        self._bus, self._clock, self._stats = bus, clock, stats
        self._stream = bus.stream("results")
        self._partitions: dict[int, _Partition] = defaultdict(_Partition)
        self.parts = (Periodic(clock, SWEEP_S, self.sweep),)

    async def setup(self) -> None:
        """Take every batch."""
        self._stream.consume(self.name, self.on_batch, Share.SCOPED, released=self.release, missed=self.miss)
        self._stats.gauge("nodes", lambda: sum(len(each.nodes) for each in self._partitions.values()))

    async def on_batch(self, batch: Batch) -> None:
        """Note whom it is from; nodes that were unknown or absent are present."""
        partition = self._partitions[batch.partition]
        try:
            heard = [_heard(run) for run in batch.decoded(decode_runs)]
        except InvalidFrame:
            return  # `archive` sets it aside.
        if not heard:
            partition.probe_out = False
        elif self._now_ms() - max([received_ms for _, received_ms in heard]) > LATE_MS:
            partition.stalled_ms = self._now_ms()
        for key, received_ms in heard:
            await self._hear(partition, key, received_ms)

    def release(self, number: int) -> None:
        """Forget the nodes of a partition: whoever has it now judges them."""
        self._partitions.pop(number, _Partition()).nodes.clear()

    def miss(self, number: int, batches: int) -> None:  # noqa: ARG002 - how many makes no difference
        """Some batches are lost to this tag, and nobody knows whose frames were in them."""
        self._partitions[number].stalled_ms = self._now_ms()

    async def sweep(self) -> None:
        """Judge the nodes of every partition that flows, and probe each for the next time."""
        for partition in list(self._partitions.values()):
            if partition.probe_out:
                partition.stalled_ms = self._now_ms()
            for node in list(partition.nodes.values()):
                node.untold = False
                last_ms = max(node.received_ms, partition.stalled_ms)
                is_silent = node.state == "present" and self._now_ms() - last_ms > LIMIT_MS
                if is_silent and (node.account_id, node.node_id) in partition.nodes:
                    await self._change(node, "absent")
        numbers = [number for number, partition in self._partitions.items() if partition.nodes]
        await DeferredList([Deferred.fromCoroutine(self._probe(number)) for number in numbers])

    async def _hear(self, partition: _Partition, key: NodeKey, received_ms: int) -> None:
        node = partition.nodes.get(key) or partition.nodes.setdefault(key, _Node(*key))
        node.received_ms = max(node.received_ms, received_ms)
        if node.state != "present" and not node.untold and self._now_ms() - node.received_ms <= LIMIT_MS:
            await self._change(node, "present")

    async def _change(self, node: _Node, new: str) -> None:
        """A change that cannot be told has not happened: it is tried again from the next sweep on."""
        old, node.state = node.state, new
        event = StateChanged(
            account_id=node.account_id,
            node_id=node.node_id,
            kind="data",
            old=old,
            new=new,
            time_ms=self._now_ms(),
        )
        try:
            await self._bus.publish(event)
        except EventError as error:
            node.state, node.untold = old, True
            self._log.warn("{node} {new} was not told: {error}", node=node.node_id, new=new, error=error)
        else:
            self._stats.increment(f"became_{new}")

    async def _probe(self, number: int) -> None:
        partition = self._partitions[number]
        partition.probe_out = True
        try:
            await self._stream.publish(number, PROBE)
        except EventError as error:
            partition.stalled_ms = self._now_ms()
            self._log.info("probe of partition {number} was not sent: {error}", number=number, error=error)

    def _now_ms(self) -> int:
        return round(self._clock.seconds() * 1000)


def _heard(run: OfNode) -> tuple[NodeKey, int]:
    """Whom frames are from, and when the last of them was received."""
    return (run.account_id, run.node_id), max([frame.received_ms for frame in run.frames])
