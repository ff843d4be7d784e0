"""The web server: Django under WSGI, built assets under /static, and server-sent events under /live."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from twisted.internet.defer import succeed
from twisted.internet.interfaces import IListeningPort
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool
from twisted.web.proxy import ProxyClient, ProxyClientFactory, ReverseProxyResource
from twisted.web.resource import IResource, NoResource, Resource
from twisted.web.server import Request
from twisted.web.static import File
from twisted.web.wsgi import WSGIResource
from zope.interface import implementer

from picket.reactor import Reactor
from picket.settings import Endpoint
from statslib import Stats
from webapp.dashboard.event_stream import QuietSite

BUILT = Path(__file__).parents[1] / "webapp/static/built"
THREADS = 8
LONGEST_BODY_BYTES = 2 << 20


class Web:
    """Serves the web app at `listen`; `live` is the resource of server-sent events, here or elsewhere."""

    def __init__(self, reactor: Reactor, listen: Endpoint, live: IResource, stats: Stats) -> None:
        self._reactor = reactor
        self._stats = stats
        self._listen = listen
        self._live = live
        self._threads = ThreadPool(1, THREADS, name="wsgi")
        self._port: IListeningPort | None = None

    @property
    def address(self) -> Endpoint:
        """Where it listens, once started; tells the port where the settings said 0."""
        if self._port is None:
            raise RuntimeError("the web server is not started")
        return Endpoint(self._listen.host, self._port.getHost().port)  # type: ignore[attr-defined]

    def start(self) -> None:
        """Listen; raises CannotListenError."""
        from webapp.wsgi import application

        root = Root(WSGIResource(self._reactor, self._threads, application))
        root.putChild(b"static", Static(str(BUILT)))
        root.putChild(b"live", self._live)
        site = CountedSite(self._stats, root)
        self._port = self._reactor.listenTCP(self._listen.port, site, interface=self._listen.host)
        self._threads.start()
        self._stats.unready = ""

    async def stop(self) -> None:
        """Take no new connections; what threads are doing is finished."""
        self._stats.unready = "stopping"
        if self._port is not None:
            await (self._port.stopListening() or succeed(None))
            # Its threads may be waiting for the reactor, so the reactor must not wait for them.
            await deferToThread(self._threads.stop)


@implementer(IResource)
class Root(Resource):
    """Everything that is not a child belongs to Django."""

    def __init__(self, app: WSGIResource) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._app = app

    def getChild(self, name: bytes, request: Request) -> Resource:  # noqa: N802 - Twisted's name
        """Django gets the whole path back."""
        request.prepath = (request.prepath or [])[:-1]
        request.postpath = [name, *(request.postpath or [])]
        return self._app  # type: ignore[return-value]


class Static(File):
    """Built assets, without listings of folders."""

    def directoryListing(self) -> Resource:  # noqa: N802 - Twisted's name
        """There is nothing to list."""
        return NoResource()


class BoundedRequest(Request):
    """A request whose body has a limit."""

    def gotLength(self, length: int | None) -> None:  # noqa: N802 - Twisted's name
        """Refuse a body that is too long before it arrives."""
        if length is not None and length > LONGEST_BODY_BYTES:
            self.setResponseCode(413)
            self.channel.loseConnection()
            length = 0
        super().gotLength(length)  # type: ignore[no-untyped-call]


class CountedSite(QuietSite):
    """Counts the answers, by the first digit of their status: responses_2xx."""

    def __init__(self, stats: Stats, root: IResource) -> None:
        super().__init__(root, requestFactory=BoundedRequest)  # type: ignore[no-untyped-call]
        self._stats = stats

    def log(self, request: Any) -> None:
        """A request is finished."""
        self._stats.increment(f"responses_{request.code // 100}xx")


class _PassingClient(ProxyClient):
    """One request on its way to the other process."""

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        super().connectionMade()  # type: ignore[no-untyped-call]
        self.father.registerProducer(self.transport, True)
        self.father.notifyFinish().addErrback(self._hang_up)

    def handleResponseEnd(self) -> None:  # noqa: N802 - Twisted's name
        if not self._finished:
            self.father.unregisterProducer()
        super().handleResponseEnd()  # type: ignore[no-untyped-call]

    def _hang_up(self, _: Failure) -> None:
        self._finished = True
        self.transport.abortConnection()  # type: ignore[union-attr]


class _PassingFactory(ProxyClientFactory):
    protocol = _PassingClient


class PassedOn(ReverseProxyResource):
    """Passes requests on to another server of ours, and hangs up there when the browser hangs up here.

    `to` is where that listens, None while it does not: then the answer is 503.
    """

    def __init__(self, reactor: Reactor, to: Callable[[], Endpoint | None], path: bytes) -> None:
        super().__init__("", 0, path, reactor)  # type: ignore[no-untyped-call]
        self._to = to

    proxyClientFactoryClass = _PassingFactory  # noqa: N815 - Twisted's name

    def getChild(self, path: bytes, request: Request) -> Resource:  # noqa: ARG002, N802 - Twisted's name
        """The same path on the other side."""
        return PassedOn(self.reactor, self._to, b"%b/%b" % (self.path, quote(path).encode()))

    def render(self, request: Request) -> Any:
        """Have it answered there."""
        to = self._to()
        if to is None:
            request.setResponseCode(503)
            return b"not there yet\n"
        self.host, self.port = to
        return super().render(request)  # type: ignore[no-untyped-call]
