"""The product, a process each, on a RabbitMQ and a Cassandra that a test may break, and a load on it.

Hours of the load are made into rows seconds after their last frame.
"""

import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple, Self

from ops.cluster import COMMANDS, Cluster
from ops.engines.rabbitmq import control
from tests.engines import Keyspace, Private
from tests.faults.background import Background
from tests.points import COMPACT, Differences, PointLedger, measured, sum_up
from tests.product import Product, engine_settings, eventually
from tests.readback import answered

STORE = "mark_s = 0.5\nslack_s = 1.0"
GAUGES = 70
WITHIN_S = 120.0
"""In which a burst has to be acknowledged, whatever is broken meanwhile."""


class Found(NamedTuple):
    """What queries answer, held against a ledger; how many hours are due, and how many nodes have rows."""

    differences: Differences
    due: int
    series: int


class Rig:
    """`kills` counts the kills by name: a process of the product, `rabbitmq` or `cassandra`."""

    def __init__(self, folder: Path, broker: Private, cassandra: Private, database_url: str) -> None:
        self.rabbitmq, self.cassandra = broker, cassandra
        self.kills: Counter[str] = Counter()
        self._space = folder.name
        self._passes = 0.0
        broker.engine.add_space(broker.running, self._space)
        rabbitmq_url = broker.engine.url(broker.running, self._space)
        keyspace = Keyspace([cassandra.running.host], cassandra.running.port, "rig")
        engines = engine_settings(rabbitmq_url, keyspace, database_url, STORE)
        self.cluster = Cluster(folder / "home", engines + COMPACT)

    def __enter__(self) -> Self:
        self.cluster.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cluster.stop()

    def ledger(self, name: str, agents: int) -> PointLedger:
        """Of agents that nobody has heard of yet."""
        ca = self.cluster.home / "tls/ca.pem"
        product = Product(self.cluster.url, self.cluster.agents, ca, self.cluster.command)
        return PointLedger(product, name, agents, GAUGES)

    def kill(self, name: str) -> None:
        """End it without warning, and start it again."""
        self.kills[name] += 1
        if name in ("rabbitmq", "cassandra"):
            engine: Private = getattr(self, name)
            engine.kill()
            engine.start()
            return
        self._passes += self._passes_of_this_start() if name == "compact" else 0
        self.cluster.kill(name)
        self.cluster.start_one(name)

    @property
    def passes(self) -> int:
        """How many hours were made into rows, but for those between the last look and a kill."""
        return int(self._passes + self._passes_of_this_start())

    def _passes_of_this_start(self) -> float:
        return max(0, measured(self.cluster.stats("compact"), "picket_compact_hours_total"))

    def drain(self, within_s: float = 60) -> None:
        """Return when the archive has acknowledged everything."""
        eventually(lambda: self.waiting() == 0, within_s)

    def waiting(self) -> int:
        """Batches that the archive has not acknowledged."""
        command = ("list_queues", "-p", self._space, "--no-table-headers", "name", "messages")
        rows = control(self.rabbitmq.running, *command).split("\n")
        return sum(int(row.split("\t")[1]) for row in rows if ".archive." in row)

    @property
    def stored(self) -> int:
        """Frames that the archive has stored since its start."""
        return int(measured(self.cluster.stats("archive"), "picket_archive_frames_total"))

    def is_cassandra_there(self) -> bool:
        """Whether it answers."""
        try:
            self.cassandra.engine.ask(self.cassandra.running)
        except OSError:
            return False
        return True

    def found(self, ledger: PointLedger) -> Found:
        """Node by node, so that no more is in memory."""
        differences, due, series = [], 0, 0
        for node in ledger.nodes:
            answer = answered(self.cluster.home, [node])
            differences.append(ledger.differences(answer))
            due, series = due + answer.due, series + answer.series
        return Found(sum_up(differences), due, series)

    def pids(self) -> dict[str, int]:
        """All processes of the product, and RabbitMQ's."""
        ours = {name: self.cluster.process(name).pid for name in COMMANDS}
        return ours | {"rabbitmq": self.rabbitmq.running.pid}


class Sending(Background):
    """From `with` on, sends `burst` frames of each agent of a ledger every `every_s`, if nothing is broken.

    At the end of the `with` all are acknowledged.
    """

    def __init__(self, ledger: PointLedger, burst: int = 25, every_s: float = 1.5) -> None:
        super().__init__()
        self._ledger, self._burst, self._every_s = ledger, burst, every_s
        self._failed: BaseException | None = None

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        self.check()

    def check(self) -> None:
        """Raise what has ended the load, if something has."""
        if self._failed:
            raise self._failed

    def await_progress(self, bursts: int = 1, within_s: float = WITHIN_S) -> None:
        """Return when that many more are acknowledged."""
        before = self._ledger.sent
        deadline = time.monotonic() + within_s
        while self._ledger.sent < before + bursts * self._burst:
            self.check()
            assert time.monotonic() < deadline, f"not {bursts} bursts acknowledged within {within_s} s"
            time.sleep(0.05)

    def run(self) -> None:
        """Send, and keep what it fails with."""
        try:
            while not self.over.is_set():
                began = time.monotonic()
                self._ledger.send(self._burst, within_s=WITHIN_S)
                self.over.wait(max(0, began + self._every_s - time.monotonic()))
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            self._failed = error
