"""Proxies whose servers die, hang, come back, or talk nonsense; both kinds, by one set of tests."""

import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from rpc import client, idl
from rpc.dispatcher import Dispatcher
from rpc.errors import Unavailable
from rpc.server import RpcServer
from statslib import Stats
from tests.rpc.twin import TimeSeriesTwin

reactor: Any = installed

HOST = "127.0.0.1"


class Named(TimeSeriesTwin):
    """A handler that says which server it is, or that it is away."""

    def __init__(self, name: str, away: bool = False) -> None:
        self.name = name
        self.away = away

    async def query(
        self, account_id: str, context: idl.Context, node_id: str, query: idl.Query
    ) -> idl.Series:
        if self.away:
            raise Unavailable(f"{self.name} is away")
        if query.check == "later":
            turn: Deferred[None] = Deferred()
            reactor.callLater(0.05, turn.callback, None)
            await turn
        return idl.Series(times=b"", columns=[], resolution=self.name)

    async def latest(self, account_id: str, context: idl.Context, node_id: str) -> list[idl.CheckState]:
        return "nonsense"  # type: ignore[return-value]


class Scripted(Protocol):
    """A server that, at the first bytes, does what `act` says."""

    def __init__(self, act: Callable[[Any], None]) -> None:
        self.act = act

    def dataReceived(self, data: bytes) -> None:
        self.act(self.transport)


class Failing:
    """The tests; subclasses say how a proxy is made and called."""

    addCleanup: Callable[..., None]  # noqa: N815 - trial's
    flushLoggedErrors: Callable[..., list[Any]]  # noqa: N815 - trial's

    def connect(self, *ports: int, deadline_s: float = 5.0, stats: Stats | None = None) -> Any:
        raise NotImplementedError

    async def run_call(self, call: Callable[..., Any], *args: Any) -> Any:
        return await call(*args)

    async def who(self, proxy: Any, check: str = "cpu") -> str:
        series = await self.run_call(proxy.query, "a1", "n1", idl.Query(check=check))
        answered: str = series.resolution
        return answered

    def serve(self, name: str, port: int = 0, *, away: bool = False) -> tuple[RpcServer, int]:
        dispatcher = Dispatcher(reactor, Stats("test"))
        dispatcher.serve("TimeSeries", Named(name, away))
        server = RpcServer("TimeSeries", dispatcher)
        return server, server.start(reactor, HOST, port)

    def script(self, act: Callable[[Any], None]) -> int:
        factory: Any = Factory.forProtocol(lambda: Scripted(act))
        listening: Any = reactor.listenTCP(0, factory, interface=HOST)
        self.addCleanup(listening.stopListening)
        port: int = listening.getHost().port
        return port

    async def test_a_server_that_restarts_is_found_again(self) -> None:
        server, port = self.serve("old")
        proxy = self.connect(port)
        assert await self.who(proxy) == "old"
        await server.stop()
        server, _ = self.serve("new", port)
        assert await self.who(proxy) == "new"
        await server.stop()

    async def test_a_dead_server_is_passed_over_for_the_next(self) -> None:
        first, first_port = self.serve("first")
        second, second_port = self.serve("second")
        proxy = self.connect(first_port, second_port)
        assert await self.who(proxy) == "first"
        await first.stop()
        assert await self.who(proxy) == "second"
        assert await self.who(proxy) == "second"
        await second.stop()

    async def test_a_server_that_dies_during_a_call_is_passed_over(self) -> None:
        dying = self.script(lambda transport: transport.abortConnection())
        server, port = self.serve("second")
        assert await self.who(self.connect(dying, port)) == "second"
        await server.stop()

    async def test_a_hanging_server_costs_its_share_of_the_deadline_only(self) -> None:
        hanging = self.script(lambda transport: None)
        server, port = self.serve("second")
        proxy = self.connect(hanging, port, deadline_s=0.6)
        assert await self.who(proxy) == "second"
        await server.stop()

    async def test_a_service_that_says_it_is_away_is_passed_over(self) -> None:
        first, first_port = self.serve("first", away=True)
        second, second_port = self.serve("second")
        assert await self.who(self.connect(first_port, second_port)) == "second"
        await first.stop()
        await second.stop()

    async def test_a_hanging_server_alone_is_unavailable_at_the_deadline(self) -> None:
        proxy = self.connect(self.script(lambda transport: None), deadline_s=0.2)
        with pytest.raises(Unavailable):
            await self.who(proxy)

    async def test_nobody_there_is_unavailable_at_once(self) -> None:
        with socket.create_server((HOST, 0)) as free:
            port = free.getsockname()[1]
        with pytest.raises(Unavailable, match="refused"):
            await self.who(self.connect(port, deadline_s=60))

    async def test_nonsense_instead_of_an_answer_is_unavailable(self) -> None:
        for nonsense in (b"HTTP/1.1 400 Bad Request\r\n\r\n", struct.pack("!I", 9) + b"nonsense!"):
            talking = self.script(lambda transport, nonsense=nonsense: transport.write(nonsense))  # type: ignore[misc]
            with pytest.raises(Unavailable):
                await self.who(self.connect(talking, deadline_s=1.0))

    async def test_a_handler_whose_answer_is_no_struct_is_unavailable(self) -> None:
        server, port = self.serve("first")
        proxy = self.connect(port)
        with pytest.raises(Unavailable, match="internal error"):
            await self.run_call(proxy.latest, "a1", "n1")
        assert len(self.flushLoggedErrors()) == 1
        assert await self.who(proxy) == "first"
        await server.stop()

    async def test_calls_are_measured_where_they_are_made(self) -> None:
        first, first_port = self.serve("first", away=True)
        second, second_port = self.serve("second")
        stats = Stats("test")
        assert await self.who(self.connect(first_port, second_port, stats=stats)) == "second"
        with pytest.raises(Unavailable):
            await self.who(self.connect(first_port, stats=stats))
        found = {metric.name: metric.value for metric in stats.metrics()}
        names = ("query_total", "query_failed", "query_pending", "query_s_count", "latest_total")
        assert [found[f"call_TimeSeries_{name}"] for name in names] == [2, 1, 0, 2, 0]
        assert found["call_TimeSeries_query_s_p95"] > 0
        await first.stop()
        await second.stop()

    async def test_a_server_that_stops_answers_the_calls_under_way(self) -> None:
        server, port = self.serve("first")
        proxy = self.connect(port)
        assert await self.who(proxy) == "first"
        answer = Deferred.fromCoroutine(self.who(proxy, "later"))
        while not any(connection.calls for connection in server.connections):
            turn: Deferred[None] = Deferred()
            reactor.callLater(0.001, turn.callback, None)
            await turn
        await server.stop()
        assert await answer == "first"


class AwaitedTest(Failing, TestCase):
    def connect(self, *ports: int, deadline_s: float = 5.0, stats: Stats | None = None) -> Any:
        proxy = client.connect(
            "TimeSeries", [(HOST, port) for port in ports], deadline_s=deadline_s, stats=stats
        )
        self.addCleanup(lambda: Deferred.fromCoroutine(proxy.close()))
        return proxy

    async def test_a_slow_call_does_not_hold_up_others(self) -> None:
        server, port = self.serve("first")
        proxy = self.connect(port)
        order: list[str] = []

        async def note(check: str) -> None:
            await self.who(proxy, check)
            order.append(check)

        for call in [Deferred.fromCoroutine(note(check)) for check in ("later", "cpu")]:
            await call
        assert order == ["cpu", "later"]
        assert len(server.connections) == 1
        await server.stop()


class BlockingTest(Failing, TestCase):
    def connect(self, *ports: int, deadline_s: float = 5.0, stats: Stats | None = None) -> Any:
        return client.blocking(
            "TimeSeries", [(HOST, port) for port in ports], deadline_s=deadline_s, stats=stats
        )

    async def run_call(self, call: Callable[..., Any], *args: Any) -> Any:
        return await deferToThread(call, *args)
