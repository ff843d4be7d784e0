"""A load that runs: its processes over a broker of its own, what is done to them, and what came of it."""

import random
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import msgspec
import pika

from eventframework.broker import DeadLetter
from eventframework.dead import letter_of
from eventframework.declare import WAITS_S, wait_name
from eventframework.topology import DEAD
from ops.cluster import CHECKOUT
from ops.engines import rabbitmq
from tests.engines import Private
from tests.faults.counts import Counts, count
from tests.faults.load import TOPOLOGY, Load
from tests.faults.proxy import Proxy
from tests.product import environment, eventually

CONSUMERS = ("c0", "c1", "c2")
PUBLISHER = "publisher"


class Run:
    """A load on a RabbitMQ, in a vhost of its own; `proxied`: by way of `self.proxy`."""

    def __init__(self, broker: Private, folder: Path, load: Load, *, proxied: bool = False) -> None:
        self.broker = broker
        self.folder = folder
        self._space = folder.name
        broker.engine.add_space(broker.running, self._space)
        self._url = broker.engine.url(broker.running, self._space)
        there = urlsplit(self._url)
        self.proxy = Proxy(("127.0.0.1", there.port or 0))
        through = self._url.replace(f":{there.port}/", f":{self.proxy.port}/")
        self.load = msgspec.structs.replace(load, url=through if proxied else self._url)
        self.load.save(folder)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.told: list[str] = []

    def __enter__(self) -> Self:
        """Start the consumers, then the publisher; return once all are connected and the queues settled."""
        with ExitStack() as undo:
            undo.push(self.__exit__)
            for name in CONSUMERS:
                self.start(name)
            for name in CONSUMERS:
                self.await_ready(name)
            rabbitmq.settle(self.broker.running)
            self.start(PUBLISHER)
            self.await_ready(PUBLISHER)
            undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.proxy.close()
        rabbitmq.control(self.broker.running, "delete_vhost", self._space)

    def start(self, name: str) -> None:
        """Start the process of that name, again if it has been killed."""
        role = PUBLISHER if name == PUBLISHER else "consumer"
        (self.folder / f"{name}.ready").unlink(missing_ok=True)
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "tests.faults", role, str(self.folder), name],
                stdout=log,
                stderr=log,
                cwd=CHECKOUT,
                env=environment(),
            )

    def await_ready(self, name: str) -> None:
        """Return once it is connected."""
        eventually((self.folder / f"{name}.ready").exists, within_s=30)

    def any_consumer(self) -> str:
        """One of the consumers, by chance."""
        return random.choice(CONSUMERS)

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process; one that is killed is gone when this returns."""
        self.processes[name].send_signal(number)
        if number is signal.SIGKILL:
            self.processes[name].wait()

    @property
    def progress(self) -> float:
        """The share of the load that is confirmed."""
        return self.lines("confirmed") / self.load.total

    def lines(self, name: str) -> int:
        """How many lines a file has."""
        path = self.folder / name
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def await_progress(self, share: float, within_s: float = 180) -> None:
        """Return once that share of the load is confirmed."""
        eventually(lambda: self.progress >= share, within_s)

    def finish(self, within_s: float = 60) -> Counts:
        """Wait until everything is confirmed and handled, stop the consumers, and count."""
        self.await_progress(1, within_s)
        self.processes[PUBLISHER].wait(30)
        _eventually_or_not(lambda: self._counted(self.dead()), within_s)
        for name in CONSUMERS:
            self.send(name, signal.SIGTERM)
        for name in CONSUMERS:
            self.processes[name].wait(15)
        return count(self.load, self.folder, self.dead(), self.left())

    def _counted(self, dead: int) -> bool:
        return count(self.load, self.folder, dead).lost == 0

    def dead(self) -> int:
        """How many dead letters there are."""
        return self._depths(DEAD)

    def left(self) -> int:
        """How much is in the queues and on its way back to them."""
        queues = [queue.name for queue in TOPOLOGY.queues(self.load.partitions)]
        return self._depths(*queues, *map(wait_name, WAITS_S))

    def letters(self) -> list[DeadLetter]:
        """Take the dead letters out, by a client that is not the framework's."""
        letters = []
        with pika.BlockingConnection(pika.URLParameters(self._url)) as connection:
            channel = connection.channel()
            while (got := channel.basic_get(DEAD, auto_ack=True))[0]:
                letters.append(letter_of(got[1], got[2]))
        return letters

    def _depths(self, *queues: str) -> int:
        with pika.BlockingConnection(pika.URLParameters(self._url)) as connection:
            channel = connection.channel()
            return sum(channel.queue_declare(queue, passive=True).method.message_count for queue in queues)


def _eventually_or_not(look: Callable[[], bool], within_s: float) -> None:
    """Wait for it, but leave it to the counts to say what is wrong when it does not come."""
    try:
        eventually(look, within_s)
    except AssertionError:
        return
