"""A live service in its surroundings: a fake clock, browsers whose connections are in memory."""

import json
from typing import Any, ClassVar

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock, StringTransport

from eventframework import Batch
from picket.settings import Settings
from rpc import idl
from rpc.dispatcher import Dispatcher
from rpc.errors import Unavailable
from services import base
from services.live import Live
from statslib import Stats
from timeseries.frames import CheckResult, Frame, FrameBody, encode_batch, layout_of
from webapp import live_ticket

KEY = "only tests use it"
OURS, THEIRS = "a0000000001", "a0000000002"
NODE, OTHER = "n0000000001", "n0000000002"
NOW_MS = 1_700_000_000_000


class Stream:
    """Stands where the bus and its stream are: hands batches to the service."""

    handler: Any = None
    released: Any = None
    missed: Any = None

    def stream(self, name: str) -> "Stream":
        assert name == "results"
        return self

    def consume(self, _tag: str, handler: Any, _share: Any, released: Any, missed: Any) -> None:
        self.handler, self.released, self.missed = handler, released, missed

    def partition(self, node_id: str) -> int:
        return int(node_id[1:], 16) % 16


class Store:
    """The query service: what it knows, how often it was asked."""

    def __init__(self) -> None:
        self.states: list[idl.CheckState] = []
        self.asked = 0
        self.is_away = False

    async def latest(self, _account_id: str, _node_id: str) -> list[idl.CheckState]:
        self.asked += 1
        if self.is_away:
            raise Unavailable("away")
        return self.states


class Connection(StringTransport):
    """A connection whose other end has not gone."""

    disconnected = False

    def abortConnection(self) -> None:
        self.disconnected = True


class Browser:
    """One connection to the service, and what came over it."""

    def __init__(self, live: Live, path: str, **headers: str) -> None:
        self.transport: Any = Connection()
        site: Any = live.site()
        self.channel = site.buildProtocol(None)
        self.channel.makeConnection(self.transport)
        lines = [f"GET {path} HTTP/1.0", *(f"{name}: {value}" for name, value in headers.items())]
        self.channel.dataReceived("\r\n".join([*lines, "", ""]).encode())

    @property
    def text(self) -> str:
        return str(self.transport.value(), "utf-8")

    @property
    def status(self) -> int:
        return int(self.text.split(" ", 2)[1])

    @property
    def events(self) -> list[tuple[str, Any]]:
        """(event, data) of each message, comments left out."""
        body = self.text.partition("\r\n\r\n")[2]
        messages = [
            dict(line.split(": ", 1) for line in part.splitlines()) for part in body.split("\n\n") if part
        ]
        return [(each["event"], json.loads(each["data"])) for each in messages if "event" in each]


class House:
    """A live service that has been set up, and its surroundings."""

    settings: ClassVar[Settings] = Settings.model_validate({"secret_key": KEY})

    def __init__(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.reactor.advance(NOW_MS / 1000)
        self.bus, self.store = Stream(), Store()
        self.stats = Stats("live")
        self.live = self.start()

    def start(self) -> Live:
        """A service that has just started, with nothing in memory."""
        live = Live(
            clock=self.reactor,
            reactor=self.reactor,
            bus=self.bus,  # type: ignore[arg-type]
            settings=self.settings,
            rpc=Dispatcher(self.reactor, self.stats),
            query=self.store,
            stats=self.stats,
        )
        done(base.set_up(live))
        done(base.start(live))
        return live

    def browse(self, node: str = "", account: str = OURS, **headers: str) -> Browser:
        ticket = live_ticket.make(account, KEY)
        return Browser(
            self.live, f"/live/events?ticket={ticket}" + (f"&node={node}" if node else ""), **headers
        )

    def frame(self, time_ms: int, *results: CheckResult, node: str = NODE, account: str = OURS) -> None:
        body = FrameBody(time_ms, list(results))
        payload, layout = msgspec.json.encode(body), layout_of(body)
        self.batch(Frame(account, node, f"a:{time_ms}", time_ms, time_ms + 5, payload, layout))

    def batch(self, *frames: Frame) -> None:
        done(self.bus.handler(Batch("results", 0, encode_batch(list(frames)), redelivered=False)))

    def snapshot(self, *nodes: str, account: str = OURS) -> list[idl.NodeSnapshot]:
        found: list[idl.NodeSnapshot] = done(self.live.snapshot(account, idl.Context(), list(nodes)))
        return found


def done(coroutine: Any) -> Any:
    """The result of a coroutine that waits for nothing."""
    results: list[Any] = []
    Deferred.fromCoroutine(coroutine).addBoth(results.append)
    assert results, "it waits for something"
    assert not hasattr(results[0], "raiseException"), results[0]
    return results[0]


def cpu(idle: float) -> CheckResult:
    return CheckResult("cpu", metrics={"cpu_idle": idle})
