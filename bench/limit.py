"""`python -m bench cassandra-limit`: rows a second that Cassandra takes from the bare driver, and from us.

One Cassandra of our own, and a process for each. In each round both write for the same time, one after the
other, in an order that changes each round, once the JVM is warm.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench.child import Child, child
from bench.turns import turns
from ops.engines.cassandra import Cassandra
from ops.engines.engine import Running

WORK = "bench.limit_work"
KEYSPACE = "bench_limit"
BARE, ARCHIVE = "bare", "archive"
NAMES = {BARE: "bare driver", ARCHIVE: "archive"}
WARM_S = 2.0
STEADY = 1.05
"""Warm: twice running no more than this times the best before."""


class Flow(NamedTuple):
    """Rows that were written, the time, and the CPU of who wrote them and of the server, all in seconds."""

    rows: int
    seconds: float
    client_cpu_s: float
    server_cpu_s: float


Flows = Mapping[str, Sequence[Flow]]


@dataclass(frozen=True)
class Size:
    """Rounds, of so many `seconds` each for both; at most `warm` times WARM_S before.

    `batches` are under way in the archive, which holds each for a second, and `rows` in the bare driver.
    """

    rounds: int = 8
    seconds: float = 6.0
    warm: int = 15
    batches: int = 256
    rows: int = 512


QUICK = Size(rounds=4, seconds=3.0, warm=6)


def run(size: Size) -> tuple[list[str], dict[str, float]]:
    """The table's lines, and the figures by their names; raises BenchError."""
    with tempfile.TemporaryDirectory(prefix="picket-bench-") as folder, _cassandra(Path(folder)) as running:
        flows = measure(running, size)
    return list(table(flows)), figures(flows)


@contextmanager
def _cassandra(folder: Path) -> Iterator[Running]:
    engine = Cassandra()
    running = engine.start(folder)
    try:
        yield running
    finally:
        engine.stop(running)


def measure(running: Running, size: Size) -> Flows:
    """What each wrote in each round, in a keyspace of their own."""
    place = running.host, str(running.port), KEYSPACE
    loops = {ARCHIVE: size.batches, BARE: size.rows}
    flows: dict[str, list[Flow]] = {who: [] for who in NAMES}
    with ExitStack() as children:
        both = {who: children.enter_context(child(WORK, who, *place, str(loops[who]))) for who in loops}
        _warm(lambda: _flow(both[BARE], WARM_S, running.pid), size.warm)
        for number in range(size.rounds):
            for who in turns(list(NAMES), number):
                flows[who].append(_flow(both[who], size.seconds, running.pid))
    return flows


def _flow(process: Child, seconds: float, pid: int) -> Flow:
    return Flow(*process.ask("flow", seconds, pid))


def _warm(write: Callable[[], Flow], most: int) -> None:
    best, steady = 0.0, 0
    for _ in range(most):
        rate = _rate(write())
        steady = steady + 1 if rate < best * STEADY else 0
        best = max(best, rate)
        if steady == 2:
            return


def _rate(flow: Flow) -> float:
    return flow.rows / flow.seconds


def shares(flows: Flows) -> list[float]:
    """The archive's rows a second divided by the bare driver's, of each round."""
    return [_rate(ours) / _rate(bare) for ours, bare in zip(flows[ARCHIVE], flows[BARE], strict=True)]


def table(flows: Flows) -> Iterator[str]:
    """Lines for people."""
    spread, cpu = f"{'rows/s: median':>16}{'lowest':>10}{'highest':>10}", f"{'own':>8}{'Cassandra':>12}"
    yield f"{'':16}{spread}  µs CPU a row:{cpu}"
    for who, name in NAMES.items():
        rates = [_rate(flow) for flow in flows[who]]
        spread = f"{median(rates):>16,.0f}{min(rates):>10,.0f}{max(rates):>10,.0f}"
        yield f"{name:16}{spread}{_client_us(flows[who]):>23.1f}{_server_us(flows[who]):>12.1f}"
    found = shares(flows)
    spread = f"{median(found):.2f} ({min(found):.2f} to {max(found):.2f})"
    yield f"archive / bare driver, median of the rounds: {spread}"


def _client_us(flows: Sequence[Flow]) -> float:
    return median(flow.client_cpu_s / flow.rows * 1e6 for flow in flows)


def _server_us(flows: Sequence[Flow]) -> float:
    return median(flow.server_cpu_s / flow.rows * 1e6 for flow in flows)


def figures(flows: Flows) -> dict[str, float]:
    """The last line."""
    return {
        "archive_vs_cassandra_limit": round(median(shares(flows)), 3),
        "bare_rows_per_s": round(median(map(_rate, flows[BARE]))),
        "archive_rows_per_s": round(median(map(_rate, flows[ARCHIVE]))),
        "bare_cpu_us_per_row": round(_client_us(flows[BARE]), 1),
        "archive_cpu_us_per_row": round(_client_us(flows[ARCHIVE]), 1),
        "cassandra_cpu_us_per_bare_row": round(_server_us(flows[BARE]), 1),
        "cassandra_cpu_us_per_archive_row": round(_server_us(flows[ARCHIVE]), 1),
    }
