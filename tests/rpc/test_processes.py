"""Servers that are processes: killed in the middle of a call, started again, and stopped as they stand."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from rpc import client, idl
from rpc.errors import NoAnswer, Unavailable
from tests.product import environment

HOST = "127.0.0.1"


class ServerProcess:
    """One server; `port` stays the same when it is started again."""

    def __init__(self) -> None:
        self.port = 0
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.rpc.server_program", str(self.port)]
        self.process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True)
        self.port = int(self.said())

    def said(self) -> str:
        """The next line of its output."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


class Processes:
    """The tests; subclasses say how a proxy is made and called."""

    addCleanup: Callable[..., None]  # noqa: N815 - trial's

    def connect(self, *servers: ServerProcess, deadline_s: float) -> Any:
        raise NotImplementedError

    async def run_call(self, call: Callable[..., Any], *args: Any) -> Any:
        return await call(*args)

    def server(self) -> ServerProcess:
        made = ServerProcess()
        self.addCleanup(made.kill)
        return made

    async def ask(self, proxy: Any, check: str = "cpu") -> int:
        """The process that answered."""
        return int((await self.run_call(proxy.query, "a1", "n1", idl.Query(check=check))).resolution)

    async def test_one_that_is_killed_in_a_call_fails_fast_and_answers_once_it_is_back(self) -> None:
        server = self.server()
        proxy = self.connect(server, deadline_s=30)
        assert await self.ask(proxy) == server.process.pid
        asked = Deferred.fromCoroutine(self.ask(proxy, "never"))
        await deferToThread(server.said)
        began = time.monotonic()
        server.kill()
        with pytest.raises(Unavailable):
            await asked
        with pytest.raises(Unavailable, match="refused"):
            await self.ask(proxy)
        assert time.monotonic() - began < 10
        server.start()
        assert await self.ask(proxy) == server.process.pid

    async def test_one_that_is_killed_in_a_call_is_passed_over_for_the_next(self) -> None:
        first, second = self.server(), self.server()
        proxy = self.connect(first, second, deadline_s=2)
        asked = Deferred.fromCoroutine(self.ask(proxy, "never"))
        await deferToThread(first.said)
        first.kill()
        assert await deferToThread(second.said) == "begun"
        with pytest.raises(Unavailable):
            await asked
        assert await self.ask(proxy) == second.process.pid
        first.start()

    async def test_of_two_one_that_stands_still_costs_one_call_its_share_and_others_nothing(self) -> None:
        first, second = self.server(), self.server()
        proxy = self.connect(first, second, deadline_s=1.0)
        assert await self.ask(proxy) == first.process.pid
        first.process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        assert await self.ask(proxy) == second.process.pid
        assert time.monotonic() - began > 0.4
        began = time.monotonic()
        for _ in range(20):
            assert await self.ask(proxy) == second.process.pid
        assert time.monotonic() - began < 2

    async def test_one_that_stands_still_alone_costs_a_deadline_once_then_fails_fast(self) -> None:
        server = self.server()
        proxy = self.connect(server, deadline_s=2.5)
        assert await self.ask(proxy) == server.process.pid
        server.process.send_signal(signal.SIGSTOP)
        took_s = []
        for _ in range(2):
            began = time.monotonic()
            with pytest.raises(NoAnswer):
                await self.ask(proxy)
            took_s.append(time.monotonic() - began)
        assert took_s[0] > 2.4
        assert took_s[1] < 2
        server.process.send_signal(signal.SIGCONT)
        assert await self.ask(proxy) == server.process.pid


class AwaitedTest(Processes, TestCase):
    def connect(self, *servers: ServerProcess, deadline_s: float) -> Any:
        endpoints = [(HOST, server.port) for server in servers]
        proxy = client.connect("TimeSeries", endpoints, deadline_s=deadline_s)
        self.addCleanup(lambda: Deferred.fromCoroutine(proxy.close()))
        return proxy


class BlockingTest(Processes, TestCase):
    def connect(self, *servers: ServerProcess, deadline_s: float) -> Any:
        return client.blocking("TimeSeries", [(HOST, one.port) for one in servers], deadline_s=deadline_s)

    async def run_call(self, call: Callable[..., Any], *args: Any) -> Any:
        return await deferToThread(call, *args)
