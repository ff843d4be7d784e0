"""A load that runs: its processes, what is done to them, and what came of it."""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import ClassVar, Self
from urllib.parse import urlsplit

import msgspec
import pika

from eventframework.broker import DeadLetter
from eventframework.dead import letter_of
from eventframework.declare import WAITS_S, wait_name
from eventframework.topology import DEAD
from ops.cluster import CHECKOUT
from ops.engines import rabbitmq
from ops.engines.processes import tail
from tests.engines import Private
from tests.faults.counts import Counts, count
from tests.faults.load import TOPOLOGY, Load
from tests.faults.proxy import Proxy
from tests.faults.record import Record
from tests.product import environment, eventually

PUBLISHER = "publisher"
CONSUMERS = ("c0", "c1", "c2")


class Run(ABC):
    """A load and the processes of it that were started; `told` is what a fault has to report."""

    roles: ClassVar[dict[str, str]]

    def __init__(self, folder: Path, load: Load) -> None:
        self.folder = folder
        self.load = load
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.told: list[str] = []
        self.record = Record(folder)
        load.save(folder)

    @abstractmethod
    def __enter__(self) -> Self:
        """Start every process and wait until all are connected."""

    def __exit__(self, *_: object) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()

    @abstractmethod
    def dead(self) -> int:
        """How many dead letters there are."""

    @abstractmethod
    def left(self) -> int:
        """How much is in the queues and on its way back to them."""

    def start(self, *names: str) -> None:
        """Start the processes of these names, again if they have been killed."""
        for name in names:
            (self.folder / f"{name}.ready").unlink(missing_ok=True)
            with (self.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    [sys.executable, "-m", "tests.faults", self.roles[name], str(self.folder), name],
                    stdout=log,
                    stderr=log,
                    cwd=CHECKOUT,
                    env=environment(),
                )

    def await_ready(self, *names: str) -> None:
        """Return once they are connected."""
        for name in names:
            self.eventually(lambda name=name: self._is_ready(name), within_s=30)  # type: ignore[misc]

    def _is_ready(self, name: str) -> bool:
        assert self.processes[name].poll() is None, (self.folder / f"{name}.log").read_text()
        return (self.folder / f"{name}.ready").exists()

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process; one that is killed is gone when this returns."""
        self.processes[name].send_signal(number)
        if number is signal.SIGKILL:
            self.processes[name].wait()

    @property
    def confirmed(self) -> int:
        """How many events and batches are confirmed."""
        return len(self.record.look().confirmed)

    def await_progress(self, share: float, within_s: float = 180) -> None:
        """Return once that share of the load is confirmed."""
        self.eventually(lambda: self.confirmed >= share * self.load.total, within_s)

    def eventually(self, look: Callable[[], bool], within_s: float = 20) -> None:
        """Return once it is so; otherwise fail with the ends of the processes' logs."""
        try:
            eventually(look, within_s)
        except AssertionError as error:
            logs = [f"{name}:\n{tail(self.folder / f'{name}.log')}" for name in self.processes]
            raise AssertionError("\n".join([f"{error}; confirmed {self.confirmed:,}", *logs])) from error

    def finish(self, within_s: float = 60) -> Counts:
        """Wait until everything is confirmed and handled, repeats too; stop the processes, and count.

        What does not come in time is left to the counts to tell.
        """
        self.await_progress(1, within_s)
        with suppress(AssertionError):
            eventually(self._is_settled, within_s)
        for name in self.processes:
            self.send(name, signal.SIGTERM)
        for process in self.processes.values():
            process.wait(15)
        return self._count()

    def _is_settled(self) -> bool:
        """Nothing is lost or left, and nothing comes: RabbitMQ's count is without what it has delivered."""
        counts = self._count()
        if counts.lost or counts.left:
            return False
        time.sleep(1)
        return self._count() == counts

    def _count(self) -> Counts:
        return count(self.load, self.record.look(), self.dead(), self.left())


class RabbitRun(Run):
    """On a RabbitMQ, in a vhost of its own, a process each; `proxied`: by way of `self.proxy`."""

    roles: ClassVar = {PUBLISHER: "publisher"} | dict.fromkeys(CONSUMERS, "consumer")

    def __init__(self, broker: Private, folder: Path, load: Load, *, proxied: bool = False) -> None:
        self.broker = broker
        self.space = folder.name
        broker.engine.add_space(broker.running, self.space)
        self._url = broker.engine.url(broker.running, self.space)
        there = urlsplit(self._url)
        self.proxy = Proxy(("127.0.0.1", there.port or 0))
        through = self._url.replace(f":{there.port}/", f":{self.proxy.port}/")
        super().__init__(folder, msgspec.structs.replace(load, url=through if proxied else self._url))

    def __enter__(self) -> Self:
        """All at once, in a vhost without any queue."""
        with ExitStack() as undo:
            undo.push(self.__exit__)
            self.start(*self.roles)
            self.await_ready(*self.roles)
            undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.proxy.close()
        self.control("delete_vhost", self.space)

    def control(self, *command: str) -> None:
        """Run `rabbitmqctl`."""
        rabbitmq.control(self.broker.running, *command)

    def any_consumer(self) -> str:
        """One of the consumers, by chance."""
        return random.choice(CONSUMERS)

    def dead(self) -> int:
        """By RabbitMQ's own count."""
        return self._depths(DEAD)

    def left(self) -> int:
        """By RabbitMQ's own count."""
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


class EmbeddedRun(Run):
    """Over the memory broker, its journal in `folder`, all in one process."""

    roles: ClassVar = {"both": "both"}

    def __enter__(self) -> Self:
        """There is nothing to wait for."""
        self.start("both")
        return self

    def dead(self) -> int:
        """Those in the journal."""
        return self._rows("dead")

    def left(self) -> int:
        """Those in the journal."""
        return self._rows("message")

    def _rows(self, table: str) -> int:
        with closing(sqlite3.connect(self.folder / "journal.db")) as journal:
            return int(journal.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
