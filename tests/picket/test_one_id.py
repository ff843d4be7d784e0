"""One id from an HTTP request, through an event and its handler, to a remote call that the handler makes."""

from collections.abc import Callable
from typing import Any, cast
from urllib.request import Request, urlopen

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.logger import Logger, globalLogPublisher
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import TestCase
from twisted.web.server import Site
from twisted.web.wsgi import WSGIResource

from eventframework import Framework, Policy, sync
from eventframework.memory import MemoryBroker
from rpc import client, idl
from rpc.dispatcher import Dispatcher
from rpc.server import RpcServer
from statslib import Stats
from tests.contract.brokers import ringing, until
from tests.picket.log.logs import Logged
from tests.rpc.twin import TimeSeriesTwin
from webapp.correlated import Correlated

reactor: Any = installed
HOST = "127.0.0.1"


class OneIdTest(TimeSeriesTwin, TestCase):
    """A web process, a service and the service behind it, each with its logger, joined as processes are."""

    def setUp(self) -> None:
        self.logged = Logged(level="debug")
        globalLogPublisher.addObserver(self.logged.output)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged.output)
        self.handled: Deferred[None] = Deferred()
        self.rung = ringing()

    async def latest(self, account_id: str, context: idl.Context, node_id: str) -> list[idl.CheckState]:
        Logger(namespace="store").debug("read {node}", node=node_id)
        return []

    async def query(self, account_id: str, context: idl.Context, node_id: str, query: idl.Query) -> None:
        """Not asked for."""

    async def test_every_line_has_it(self) -> None:
        bus = Framework(MemoryBroker(None, reactor), reactor)
        reader = self.remote()

        async def heard(event: Any) -> None:
            Logger(namespace="service").debug("rung at {door}", door=event.door)
            await reader.latest("a1", f"n{event.door}")
            self.handled.callback(None)

        bus.subscribe(self.rung, heard, Policy.SCOPED_ROUND_ROBIN, tag="bell")
        await bus.start()
        port = self.web(sync.publisher(bus, reactor))
        request = Request(f"http://{HOST}:{port}/ring", headers={"X-Request-ID": "request-81"})
        answer = await deferToThread(urlopen, request, timeout=10)
        await self.handled
        # It is logged once the answer is sent.
        await until(lambda: "web" in {line["logger"] for line in self.logged.lines})
        await bus.stop()
        await reader.close()
        assert answer.headers["X-Request-ID"] == "request-81"
        ids = {line["logger"]: line.get("correlation_id") for line in self.logged.lines}
        assert {ids[one] for one in ("view", "web", "service", "eventframework", "rpc", "store")} == {
            "request-81"
        }

    def remote(self) -> Any:
        """A client of a server that is reached over a socket."""
        dispatcher = Dispatcher(reactor, Stats("tests"))
        dispatcher.serve("TimeSeries", self)
        server = RpcServer("TimeSeries", dispatcher)
        port = server.start(reactor, HOST, 0)
        self.addCleanup(lambda: Deferred.fromCoroutine(server.stop()))
        return client.connect("TimeSeries", [(HOST, port)])

    def web(self, publish: Callable[[Any], None]) -> int:
        """A web server whose view publishes from its thread; its port."""

        def view(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            Logger(namespace="view").debug("ringing")
            publish(self.rung(door=1))
            start_response("200 OK", [])
            return [b"rung"]

        threads = ThreadPool(1, 1)
        threads.start()
        self.addCleanup(threads.stop)
        resource = WSGIResource(reactor, threads, Correlated(view))
        listening = reactor.listenTCP(0, Site(cast(Any, resource)), interface=HOST)
        self.addCleanup(listening.stopListening)
        port: int = listening.getHost().port
        return port
