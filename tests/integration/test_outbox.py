"""Django commits, and whatever becomes of the broker and of the relays, every event arrives in its order."""

import json
import re
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pika
import pytest

from eventframework.catalogue import NodeUpdated
from eventframework.event import decode
from eventframework.policy import event_queue
from eventframework.topology import EVENTS
from ops.cluster import CHECKOUT
from tests.engines import SHARED, Private, PrivateEngine
from tests.product import environment, eventually

CHANGES = 1000
QUEUE = event_queue(NodeUpdated.topic, "test")

pytestmark = pytest.mark.xdist_group("serial")


class Inbox:
    """A service's queue of NodeUpdated; `seen` is event id -> (node, which change of it), as they came."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.copies = 0
        self.seen: dict[str, tuple[str, str]] = {}
        with channel_of(url) as channel:
            channel.exchange_declare(EVENTS, "direct", durable=True)
            channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
            channel.queue_bind(QUEUE, EVENTS, NodeUpdated.topic)

    def has(self, count: int) -> bool:
        """Whether so many events have come, each counted once; what came after is still in the queue."""
        with channel_of(self._url) as channel:
            while len(self.seen) < count:
                method, _, body = channel.basic_get(QUEUE, auto_ack=True)
                if method is None:
                    return False
                self._take(body)
        return True

    def empty(self) -> None:
        """Take what is left."""
        self.has(sys.maxsize)

    def check(self) -> None:
        """Each change is there, and each node's first copies came in the order of their commits."""
        assert len(self.seen) == CHANGES
        for node in {node for node, _ in self.seen.values()}:
            came = [int(change) for of, change in self.seen.values() if of == node]
            assert came == list(range(1, len(came) + 1))

    def _take(self, body: bytes) -> None:
        envelope, event = decode(body)
        assert isinstance(event, NodeUpdated)
        self.copies += envelope.id in self.seen
        self.seen.setdefault(envelope.id, (event.node_id, str(event.changes["changes"][1])))


@contextmanager
def channel_of(url: str) -> Iterator[Any]:
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        yield connection.channel()


class Site:
    """The processes around one broker and one database."""

    def __init__(self, home: Path, broker: Private, database: str) -> None:
        self.home = home
        self._environment = environment(
            PICKET_HOME=str(home),
            PICKET_SECRET_KEY="a secret of tests",
            PICKET_BROKER__KIND="rabbitmq",
            PICKET_BROKER__URLS=json.dumps([broker.url]),
            PICKET_DATABASE__URL=database,
        )
        self._relays: list[subprocess.Popen[bytes]] = []

    def commit(self) -> None:
        """Let CHANGES be committed."""
        self._run("tests.committing", str(CHANGES))

    def pending(self) -> int:
        """How many events wait in the outbox."""
        return int(self._run("tests.committing"))

    def relay(self) -> subprocess.Popen[bytes]:
        """A process of the outbox service, once it is ready."""
        log = self.home / f"relay{len(self._relays)}.log"
        with log.open("w") as output:
            command = [sys.executable, "-m", "picket", "run", "outbox"]
            started = subprocess.Popen(
                command, env=self._environment, cwd=CHECKOUT, stdout=output, stderr=subprocess.STDOUT
            )
        self._relays.append(started)
        eventually(lambda: re.search("ready", log.read_text()), within_s=60)
        return started

    def close(self) -> None:
        """End what still runs."""
        for relay in self._relays:
            relay.terminate()
        for relay in self._relays:
            try:
                relay.wait(10)
            finally:
                relay.kill()

    def _run(self, module: str, *arguments: str) -> str:
        command = [sys.executable, "-m", module, *arguments]
        run = subprocess.run(
            command, env=self._environment, cwd=CHECKOUT, capture_output=True, text=True, timeout=120
        )
        assert run.returncode == 0, run.stderr
        return run.stdout


@pytest.fixture(params=["sqlite", "mariadb", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """The URL of a database that nobody else knows; empty for the SQLite of the home."""
    if request.param == "sqlite":
        return ""
    shared = request.config.stash[SHARED]
    engine, running = shared.start(request.param)
    name = f"picket_outbox_{uuid.uuid4().hex[:8]}"
    engine.add_space(running, name)
    return engine.url(running, name)


@pytest.fixture
def broker(private_engine: PrivateEngine) -> Private:
    return private_engine("rabbitmq")


@contextmanager
def site_of(broker: Private, database: str) -> Iterator[Site]:
    with tempfile.TemporaryDirectory(prefix="picket-outbox-") as folder:
        site = Site(Path(folder), broker, database)
        try:
            assert site.pending() == 0
            yield site
        finally:
            site.close()


def test_changes_committed_while_the_broker_is_away_are_told_in_order_when_it_is_back(
    broker: Private, database: str
) -> None:
    inbox = Inbox(broker.url)
    with site_of(broker, database) as site:
        site.relay()
        broker.stop()
        site.commit()
        assert site.pending() == CHANGES
        broker.start()
        eventually(lambda: inbox.has(CHANGES), within_s=60)
        eventually(lambda: site.pending() == 0)
        inbox.empty()
    inbox.check()


def test_relays_that_are_killed_lose_nothing_and_keep_the_order(broker: Private) -> None:
    inbox = Inbox(broker.url)
    with site_of(broker, "") as site, ThreadPoolExecutor(1) as other:
        relays = [site.relay(), site.relay()]
        committing = other.submit(site.commit)
        for count, relay in zip((CHANGES // 10, CHANGES // 4), relays, strict=True):
            eventually(lambda count=count: inbox.has(count), within_s=30)  # type: ignore[misc]
            relay.kill()
        committing.result()
        left = site.pending()
        site.relay()
        eventually(lambda: inbox.has(CHANGES), within_s=30)
        eventually(lambda: site.pending() == 0)
        inbox.empty()
    inbox.check()
    print(f"killed with {left} left; {inbox.copies} came twice")
