"""The runner with small services of its own, on the memory broker and store."""

import tempfile
from pathlib import Path
from typing import Any, ClassVar, cast
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from eventframework.catalogue import Heartbeat, NodeUpdated
from eventframework.framework import Framework
from eventframework.policy import Policy, Share
from eventframework.topology import Subscription, Tap
from picket.settings import Settings
from rpc import idl
from rpc.dispatcher import Dispatcher
from rpc.proxy import Proxy
from services.base import Service
from services.runner import Runner, topology
from services.threads import DjangoThreads
from statslib import Stats
from tests.rpc.twin import TimeSeriesTwin
from timeseries.frames import Frame
from timeseries.store import TimeSeriesStore

steps: list[str] = []


class Recorder(Service):
    """Writes down what happens to it."""

    async def setup(self) -> None:
        steps.append(f"{self.name} setup")

    async def start(self) -> None:
        steps.append(f"{self.name} start")

    async def drain(self) -> None:
        steps.append(f"{self.name} drain")

    async def stop(self) -> None:
        steps.append(f"{self.name} stop")


class First(TimeSeriesTwin, Recorder):
    """Serves time series."""

    name = "query"

    def __init__(self, *, rpc: Dispatcher, store: TimeSeriesStore, stats: Stats) -> None:
        rpc.serve("TimeSeries", self)
        self.store = store
        self.stats = stats

    async def query(
        self, account_id: str, context: idl.Context, node_id: str, query: idl.Query
    ) -> idl.Series:
        return idl.Series(times=b"", columns=[], resolution=f"{account_id}/{node_id}")

    async def latest(self, account_id: str, context: idl.Context, node_id: str) -> list[idl.CheckState]:
        return []


class Second(Recorder):
    """Asks the first."""

    name = "second"
    streams = (("results", Share.SCOPED),)
    subscriptions = (Subscription(NodeUpdated, Policy.SCOPED_ROUND_ROBIN, "second"),)
    seen: ClassVar[list[str]] = []

    def __init__(self, *, bus: Framework, query: Proxy, threads: DjangoThreads, clock: Any) -> None:
        self.query, self.threads, self.clock, self.bus = query, threads, clock, bus

    async def setup(self) -> None:
        await super().setup()
        self.bus.subscribe(NodeUpdated, self.updated, Policy.SCOPED_ROUND_ROBIN, tag=self.name)

    async def updated(self, event: NodeUpdated) -> None:
        self.seen.append(event.node_id)


class Talkative(Recorder):
    """Has something to say at the end."""

    name = "talkative"

    def __init__(self, *, bus: Framework) -> None:
        self.bus = bus

    async def drain(self) -> None:
        await self.bus.publish(NodeUpdated(account_id="a1", node_id="last", changes={}))


class Listener(Service):
    """Hears heartbeats."""

    name = "listener"
    subscriptions = (Subscription(Heartbeat, Policy.FANOUT),)
    heard: ClassVar[list[tuple[str, str]]] = []

    def __init__(self, *, bus: Framework) -> None:
        self.bus = bus

    async def setup(self) -> None:
        self.bus.subscribe(Heartbeat, self.hear, Policy.FANOUT)

    async def hear(self, beat: Heartbeat) -> None:
        self.heard.append((beat.service, beat.state))


class Broken(Recorder):
    """Cannot start."""

    name = "broken"

    async def start(self) -> None:
        raise OSError("no luck")


class Curious(Service):
    """Asks for what there is not."""

    name = "curious"

    def __init__(self, *, moon: object) -> None:
        self.moon = moon


def settings(**sections: Any) -> Settings:
    home = Path(tempfile.mkdtemp(prefix="picket-test-"))
    values = {"home": home, "store": {"kind": "memory"}, "rpc": {"query": "127.0.0.1:0"}}
    return Settings.model_validate(values | sections)


def get(address: str) -> tuple[int, str]:
    try:
        with urlopen(address, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


class RunnerTest(TestCase):
    def setUp(self) -> None:
        steps.clear()
        Second.seen.clear()

    def make(self, *services: type[Service], listen: bool = False, **sections: Any) -> Runner:
        return Runner(services, settings(**sections), reactor, enabled=services, listen=listen)

    async def test_services_start_in_order_and_stop_in_reverse(self) -> None:
        runner = self.make(First, Second)
        await runner.start()
        await runner.stop()
        assert steps == [
            "query setup",
            "second setup",
            "query start",
            "second start",
            "second drain",
            "query drain",
            "second stop",
            "query stop",
        ]

    async def test_a_service_is_given_what_its_constructor_names(self) -> None:
        runner = self.make(First, Second)
        await runner.start()
        first, second = runner.services
        assert isinstance(first, First)
        assert isinstance(second, Second)
        assert second.clock is reactor
        assert first.stats.name == "query"
        frame = Frame("a1", "n1", "a:1", 5, 6, b"{}")
        await first.store.write([frame])
        assert await first.store.latest("a1", "n1") == frame
        assert await second.threads.run(lambda word: word.upper(), "done") == "DONE"
        answer = await second.query.query("a1", "n1", idl.Query(check="cpu"))
        assert answer.resolution == "a1/n1"
        await runner.stop()

    async def test_events_reach_a_hosted_service(self) -> None:
        runner = self.make(Second)
        await runner.start()
        await runner.bus.publish(NodeUpdated(account_id="a1", node_id="n1", changes={}))
        await runner.stop()
        assert Second.seen == ["n1"]

    async def test_a_service_that_drains_can_still_publish(self) -> None:
        runner = self.make(Second, Talkative)
        await runner.start()
        await runner.stop()
        assert Second.seen == ["last"]

    async def test_every_service_and_entrance_beats_and_says_when_it_stops(self) -> None:
        runner = self.make(Listener, Broken)
        runner.stats("gateway").unready = ""
        await runner.start()
        await runner.stop()
        beats = [("listener", "ok"), ("broken", "err"), ("gateway", "ok")]
        assert Listener.heard == [*beats, *((service, "stopped") for service, _ in beats)]
        self.flushLoggedErrors(OSError)

    async def test_interfaces_listen_and_blocking_proxies_answer(self) -> None:
        runner = self.make(First, listen=True)
        await runner.start()
        elsewhere = Runner(
            [],
            settings(rpc={"query": [("127.0.0.1", runner.ports["query"])]}),
            reactor,
            enabled=[],
            listen=False,
        )
        for proxy in (runner.blocking("query"), elsewhere.blocking("query")):
            answer = await deferToThread(proxy.query, "a1", "n1", idl.Query(check="cpu"))
            assert answer.resolution == "a1/n1"
            proxy.close()
        await elsewhere.stop()
        await runner.stop()

    async def test_stats_are_served_where_the_settings_say(self) -> None:
        runner = self.make(First, listen=True, stats={"listen": "127.0.0.1:0"})
        runner.client("directory")
        runner.blocking("live")
        await runner.start()
        where = f"http://127.0.0.1:{runner.ports['stats']}"
        assert await deferToThread(get, f"{where}/readyz") == (200, "ready\n")
        _, metrics = await deferToThread(get, f"{where}/metrics")
        assert "picket_process_call_Directory_hello_total 0" in metrics
        assert "picket_process_call_Live_snapshot_total 0" in metrics
        await runner.stop()

    async def test_a_service_that_cannot_start_keeps_no_other_from_it_and_readyz_says_why(self) -> None:
        runner = self.make(First, Broken, Second, stats={"listen": "127.0.0.1:0"})
        await runner.start()
        whole = Deferred.fromCoroutine(runner.all_up())
        assert [service.name for service in runner.services] == ["query", "second"]
        await runner.bus.publish(NodeUpdated(account_id="a1", node_id="n1", changes={}))
        where = f"http://127.0.0.1:{runner.ports['stats']}/readyz"
        status, text = await deferToThread(get, where)
        assert (status, text) == (503, "broken: OSError: no luck\n")
        assert runner.stats("broken").counters["starts_failed"] == 1
        await runner.stop()
        assert not whole.called
        assert Second.seen == ["n1"]
        assert [len(self.flushLoggedErrors(OSError)), steps.count("broken stop")] == [1, 1]

    async def test_an_address_that_is_taken_ends_the_start_and_takes_down_what_was_up(self) -> None:
        taken: Any = cast(Any, reactor).listenTCP(0, Factory(), interface="127.0.0.1")
        address = f"127.0.0.1:{taken.getHost().port}"
        runner = self.make(Second, First, listen=True, rpc={"query": address})
        with pytest.raises(CannotListenError):
            await runner.start()
        assert steps[-1] == "second stop"
        await runner.stop()
        assert steps.count("second stop") == 1
        await taken.stopListening()

    def test_asking_for_the_unknown_is_an_error(self) -> None:
        with pytest.raises(TypeError, match="Curious asks for 'moon'; there are: clock"):
            self.make(Curious)

    def test_the_topology_has_the_streams_and_events_of_all(self) -> None:
        found = topology([First, Second])
        assert found.taps == (Tap("results", "second", Share.SCOPED),)
        assert found.subscriptions == Second.subscriptions
