"""Picket as separate processes on TLS, RabbitMQ and Cassandra: the gateway, the web, and every service.

The relational database is SQLite here: of the ingest path only the hello of an agent asks it.
"""

import json
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench import load
from bench.cpu import Cost, cost, cpu_seconds
from bench.embedded import limits, run_module
from bench.errors import BenchError
from bench.fleet import Target
from bench.passes import Passes
from bench.points import Span, metrics
from bench.shown import shown
from ops.cluster import COMMANDS, Cluster, ClusterError
from ops.engines import fleet, ports, processes
from ops.engines.cassandra import Cassandra
from ops.engines.engine import Running, start_all
from ops.engines.rabbitmq import RabbitMQ
from picket.settings import Endpoint

Engines = dict[str, Running]
SHOWN = ("archive", "compact")
"""Processes whose stats are looked at."""

MARKS = {"PICKET_STORE__MARK_S": "2", "PICKET_STORE__SLACK_S": "2"}
"""A pass clears a mark 4 s after the last one of its hour was made, where it would be 690 s."""

SPAN_FRAMES = 360
"""Of a node, that are made at once."""

ARCHIVED_S = 120.0
LOOK_S = 0.1


class Distributed:
    """Runs it with as many agents as the spans have nodes; `warm` is done with Cassandra before all else."""

    name = "Picket"

    def __init__(self, nodes: int, in_flight: int, warm: Callable[[Running], None] = lambda _: None) -> None:
        self._nodes, self._in_flight, self._warm = nodes, in_flight, warm

    def missing(self) -> str:
        """Nothing of Debian alone: the engines install themselves."""
        return ""

    @contextmanager
    def running(self, home: Path) -> Iterator["Picket"]:
        """Run everything in `home` on free ports, and the load beside it with all its agents connected."""
        with _engines(home / "engines") as engines, ports.reserved(SHOWN, {}) as held:
            self._warm(engines["cassandra"])
            stats = {name: Endpoint(ports.HOST, held[name]) for name in SHOWN}
            cluster = Cluster(home / "picket", fleet.settings(engines), _variables(stats))
            try:
                cluster.start()
                with load.process() as agents:
                    agents.connect(self._target(cluster))
                    yield Picket(cluster, engines, agents, self._nodes, stats)
            except ClusterError as error:
                raise BenchError(str(error)) from error
            finally:
                cluster.stop()

    def _target(self, cluster: Cluster) -> Target:
        key = json.loads(cluster.command("keys", "create", "--name", "bench", "--json"))
        ca = str(cluster.home / "tls/ca.pem")
        return Target(*cluster.agents, ca, key["key"], key["secret"], self._nodes, self._in_flight)


class Sustained(NamedTuple):
    """A long load, what it took until all was in the store, and CPU-seconds per million points by process.

    The latter are of this load, and of the rounds before it with what was done afterwards.
    """

    points: int
    cost: Cost
    by_process: dict[str, float]
    by_process_before: dict[str, float]


class Picket:
    """The running processes, those of the engines included."""

    def __init__(
        self,
        cluster: Cluster,
        engines: Engines,
        agents: load.Load,
        nodes: int,
        stats: dict[str, Endpoint],
    ) -> None:
        self._cluster, self._engines, self._agents = cluster, engines, agents
        self._nodes, self._archive, self._passes = nodes, stats["archive"], Passes(stats["compact"])
        self._families = {name: [cluster.process(name).pid] for name in COMMANDS}
        self._families |= {name: [each.pid for each in of.processes] for name, of in engines.items()}
        self._sent = self._last = 0
        self._frames_per_s = 1.0
        self._began = self._spent()

    @property
    def pids(self) -> list[int]:
        """All that run."""
        return [pid for pids in self._families.values() for pid in pids]

    def prepare(self, span: Span) -> Callable[[], None]:
        """The frames of a span, made in the load process; sending them ends when the archive has them all."""
        self._agents.prepare(span)
        return lambda: self._send(span.nodes * span.count)

    def _send(self, frames: int) -> None:
        began = time.monotonic()
        self._agents.send()
        self._frames_per_s = frames / (time.monotonic() - began)
        self._sent, self._last = self._sent + frames, frames
        self._await_archive()

    def _spent(self) -> dict[str, float]:
        return {name: cpu_seconds(*pids) for name, pids in self._families.items()}

    def _await_archive(self) -> None:
        """What it counts is in Cassandra, and past its hold."""
        deadline = time.monotonic() + ARCHIVED_S
        while shown(self._archive, "picket_archive_frames_total") < self._sent:
            if time.monotonic() > deadline:
                raise BenchError(f"not every frame is in Cassandra after {ARCHIVED_S:.0f} s")
            time.sleep(LOOK_S)

    def settle(self) -> None:
        """All is in rows."""
        self._passes.wait(self._last)

    def lost(self) -> int:
        """Acknowledged frames that Cassandra does not give back, after all are killed without warning."""
        acknowledged = self._agents.acknowledged()
        for name in COMMANDS.keys() & self._families:
            self._cluster.kill(name)
        for engine in self._engines.values():
            for process in engine.processes:
                processes.end(process, signal.SIGKILL, 0)
        Cassandra().start(Path(self._engines["cassandra"].home).parent)
        return int(run_module(["bench.readback"], self._cluster.environment(), json.dumps(acknowledged)))

    def sustain(self, seconds: float, epoch_ms: int) -> Sustained:
        """As much as goes in that time, by the load before this one; the first frames are of `epoch_ms`.

        Nothing is made into rows meanwhile, as it is not in the first hour of a true load.
        """
        count = math.ceil(self._frames_per_s * seconds / self._nodes)
        for first in range(0, count, SPAN_FRAMES):
            self._agents.prepare(Span(self._nodes, first, min(SPAN_FRAMES, count - first), epoch_ms))
        before = _shares(self._began, self._spent(), self._sent)
        self._cluster.stop_one("compact")
        del self._families["compact"]
        began, frames = self._spent(), self._nodes * count
        took = cost(self.pids, lambda: self._send(frames))
        return Sustained(frames * len(metrics()), took, _shares(began, self._spent(), frames), before)


def _shares(began: dict[str, float], ended: dict[str, float], frames: int) -> dict[str, float]:
    """CPU-seconds per million points."""
    return {name: (cpu_s - began[name]) / frames / len(metrics()) * 1e6 for name, cpu_s in ended.items()}


@contextmanager
def _engines(state: Path) -> Iterator[Engines]:
    state.mkdir()
    try:
        yield start_all([Cassandra(), RabbitMQ()], state)
    finally:
        fleet.stop(["cassandra", "rabbitmq"], state)


def _variables(stats: dict[str, Endpoint]) -> dict[str, dict[str, str]]:
    shown = {name: {"PICKET_STATS__LISTEN": str(endpoint)} for name, endpoint in stats.items()}
    return {name: limits() | MARKS | shown.get(name, {}) for name in COMMANDS}
