"""The services of one process take the same batch, decoded once between them."""

import tempfile
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from eventframework import Batch, Framework
from eventframework.memory import MemoryBroker
from picket.settings import Settings
from rpc.dispatcher import Dispatcher
from services.archive import Archive
from services.live import Live
from services.state import State
from statslib import Stats
from tests.timeseries.samples import ACCOUNT, NODE, frame
from timeseries import frames as codec
from timeseries.frames import Frame, decode_batch, decode_runs, encode_batch, runs
from timeseries.memory import MemoryStore

NOW_MS = 1_700_000_000_000


class Counting:
    """Stands for msgspec's decoder, and keeps what it made."""

    def __init__(self) -> None:
        self.made: list[list[Frame]] = []
        self._decoder = codec._frames

    def decode(self, body: bytes) -> list[Frame]:
        self.made.append(self._decoder.decode(body))
        return self.made[-1]


class TestOneProcess(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        reactor: Any = MemoryReactorClock()
        reactor.advance(NOW_MS / 1000)
        settings = Settings.model_validate({"home": Path(folder.name), "secret_key": "only tests use it"})
        self.bus = Framework(MemoryBroker(None, reactor, partitions=1), reactor)
        self.store = MemoryStore(reactor)
        self.archive = Archive(bus=self.bus, store=self.store, stats=Stats("archive"), settings=settings)
        self.state = State(bus=self.bus, clock=reactor, stats=Stats("state"))
        self.live = Live(
            clock=reactor,
            reactor=reactor,
            bus=self.bus,
            settings=settings,
            rpc=Dispatcher(reactor, Stats("rpc")),
            query=None,
            stats=Stats("live"),
        )
        for service in (self.archive, self.state, self.live):
            self.result(service.setup())
        self.result(self.bus.start())
        self.addCleanup(lambda: self.result(self.bus.stop()))

    def result(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def test_archive_state_and_live_share_one_decoded_batch_and_leave_it_as_it_was(self) -> None:
        frames = [frame(NOW_MS + n, received_ms=NOW_MS) for n in range(2)]
        body = encode_batch(frames)
        counting = Counting()
        with patch.object(codec, "_frames", counting):
            self.result(self.bus.stream("results").publish(0, body))
        assert counting.made == [frames]
        assert self.result(self.store.read(ACCOUNT, NODE, 0, 10**14)) == frames
        assert self.live._latest.find(ACCOUNT, NODE)
        assert self.state._partitions[0].nodes

    def test_what_the_publisher_knows_of_a_batch_is_not_decoded_at_all(self) -> None:
        frames = [frame(NOW_MS + n, received_ms=NOW_MS) for n in range(2)]
        counting = Counting()
        with patch.object(codec, "_frames", counting):
            known = {decode_runs: runs(frames)}
            self.result(self.bus.stream("results").publish(0, encode_batch(frames), known))
        assert counting.made == []
        assert self.result(self.store.read(ACCOUNT, NODE, 0, 10**14)) == frames
        assert self.live._latest.find(ACCOUNT, NODE)

    def test_a_batch_of_a_broker_elsewhere_is_decoded_once_by_its_consumer(self) -> None:
        batch = Batch("results", 0, encode_batch([frame(1)]), redelivered=False)
        assert batch.decoded(decode_batch) is batch.decoded(decode_batch)
        assert cast(Any, batch.decoded(len)) == len(batch.body)
