"""One contract for every way to call: over a socket or in one process, awaited or blocking."""

import math
import struct
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import pytest
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from picket import correlation
from rpc import client, idl, local
from rpc.dispatcher import Dispatcher
from rpc.errors import Refused, Unavailable
from rpc.server import RpcServer
from statslib import Stats
from tests.rpc.twin import TimeSeriesTwin

reactor: Any = installed


class TimeSeries(TimeSeriesTwin):
    """A handler that shows what reached it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str]] = []
        self.never: Deferred[None] = Deferred()

    async def query(self, account_id: str, given: idl.Context, node_id: str, query: idl.Query) -> idl.Series:
        self.seen.append((account_id, node_id, correlation.current()))
        if query.check == "secret":
            raise Refused("unknown_check", "no check called secret")
        if query.check == "away":
            raise Unavailable("the store is away")
        if query.check == "bug":
            raise ZeroDivisionError
        if query.check == "slow":
            await self.never
        values = struct.pack("<2d", 1.5, math.nan)
        column = idl.Column(name="cpu_user", kind="float", values=values, minimum=b"", maximum=b"", texts=[])
        return idl.Series(times=struct.pack("<2q", 1, 2), columns=[column], resolution="raw")

    async def latest(self, account_id: str, given: idl.Context, node_id: str) -> list[idl.CheckState]:
        return []


class Contract:
    """What every proxy does; subclasses say how one is made, and how its calls are run."""

    handler: TimeSeries
    proxy: Any
    assertEqual: Callable[..., None]  # noqa: N815 - trial's
    flushLoggedErrors: Callable[..., list[Any]]  # noqa: N815 - trial's

    def make(self, dispatcher: Dispatcher, deadline_s: float) -> Any:
        raise NotImplementedError

    async def run_call(self, call: Callable[..., Any], *args: Any, **named: Any) -> Any:
        return await call(*args, **named)

    def build(self, deadline_s: float = 5.0) -> Any:
        self.stats = Stats("test")
        self.handler = TimeSeries()
        dispatcher = Dispatcher(reactor, self.stats)
        dispatcher.serve("TimeSeries", self.handler)
        self.proxy = self.make(dispatcher, deadline_s)
        return self.proxy

    async def failure_of(self, check: str) -> Exception:
        try:
            await self.run_call(self.proxy.query, "a1", "n1", idl.Query(check=check))
        except (Refused, Unavailable) as error:
            return error
        raise AssertionError("the call succeeded")

    async def test_an_answer_comes_back_whole(self) -> None:
        series = await self.run_call(self.build().query, "a1", "n1", idl.Query(check="cpu", metrics=["x"]))
        self.assertEqual(series.times, struct.pack("<2q", 1, 2))
        self.assertEqual(series.columns[0].name, "cpu_user")
        self.assertEqual(series.columns[0].values, struct.pack("<2d", 1.5, math.nan))
        self.assertEqual(self.handler.seen[0][:2], ("a1", "n1"))

    async def test_an_empty_list_is_an_answer(self) -> None:
        self.assertEqual(await self.run_call(self.build().latest, "a1", node_id="n1"), [])

    async def test_the_correlation_id_travels(self) -> None:
        self.build()
        with correlation.scope("c-1"):
            await self.run_call(self.proxy.query, "a1", "n1", idl.Query(check="cpu"))
        self.assertEqual(self.handler.seen[0][2], "c-1")

    async def test_a_refusal_keeps_its_code_and_message(self) -> None:
        self.build()
        error = await self.failure_of("secret")
        assert isinstance(error, Refused)
        self.assertEqual((error.code, error.message), ("unknown_check", "no check called secret"))

    async def test_unavailable_keeps_its_message(self) -> None:
        self.build()
        error = await self.failure_of("away")
        assert isinstance(error, Unavailable)
        assert "the store is away" in str(error)

    async def test_a_bug_in_a_handler_is_logged_and_becomes_unavailable(self) -> None:
        self.build()
        error = await self.failure_of("bug")
        assert isinstance(error, Unavailable)
        assert "internal error" in str(error)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_a_call_without_an_answer_ends_at_its_deadline(self) -> None:
        self.build(deadline_s=0.1)
        assert isinstance(await self.failure_of("slow"), Unavailable)

    async def test_calls_are_counted(self) -> None:
        self.build()
        await self.failure_of("secret")
        counted = {metric.name: metric.value for metric in self.stats.metrics()}
        self.assertEqual(counted["rpc_TimeSeries_query_total"], 1)
        self.assertEqual(counted["rpc_TimeSeries_query_failed"], 1)
        self.assertEqual(counted["rpc_TimeSeries_query_s_count"], 1)
        assert counted["rpc_TimeSeries_query_s_p99"] >= 0

    async def test_wrong_arguments_are_a_bug_of_the_caller(self) -> None:
        self.build()
        for arguments in ((), ("a1", "n1", idl.Query(), 4)):
            with pytest.raises(TypeError, match="account_id, node_id, query"):
                await self.run_call(self.proxy.query, *arguments)


class _InThreads(Contract):
    async def run_call(self, call: Callable[..., Any], *args: Any, **named: Any) -> Any:
        return await deferToThread(copy_context().run, call, *args, **named)


class _Listening(Contract):
    def listen(self, dispatcher: Dispatcher) -> list[tuple[str, int]]:
        server = RpcServer("TimeSeries", dispatcher)
        port = server.start(reactor, "127.0.0.1", 0)
        self.addCleanup(lambda: ensureDeferred(self.shut(server)))  # type: ignore[attr-defined]
        return [("127.0.0.1", port)]

    async def shut(self, server: RpcServer) -> None:
        for connection in list(server.connections):
            connection.transport.abortConnection()
        while server.connections:
            turn: Deferred[None] = Deferred()
            reactor.callLater(0, turn.callback, None)
            await turn
        await server.stop()


class AwaitedOverASocketTest(_Listening, TestCase):
    def make(self, dispatcher: Dispatcher, deadline_s: float) -> Any:
        proxy = client.connect("TimeSeries", self.listen(dispatcher), deadline_s=deadline_s)
        self.addCleanup(lambda: ensureDeferred(proxy.close()))
        return proxy


class BlockingOverASocketTest(_InThreads, _Listening, TestCase):
    def make(self, dispatcher: Dispatcher, deadline_s: float) -> Any:
        return client.blocking("TimeSeries", self.listen(dispatcher), deadline_s=deadline_s)


class AwaitedInOneProcessTest(Contract, TestCase):
    def make(self, dispatcher: Dispatcher, deadline_s: float) -> Any:
        return local.connect("TimeSeries", dispatcher, deadline_s)


class BlockingInOneProcessTest(_InThreads, TestCase):
    def make(self, dispatcher: Dispatcher, deadline_s: float) -> Any:
        return local.blocking("TimeSeries", dispatcher, reactor, deadline_s)
