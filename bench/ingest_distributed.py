"""`python -m bench ingest --distributed`: the same load into separate processes on RabbitMQ and Cassandra.

First the archive alone beside the bare driver, on the same Cassandra, which also warms it; then rounds beside
the peers, as those of the embedded form; then one long load as fast as it goes. A round and the long load end
when every frame is in Cassandra, and past its hold.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bench import ingest, limit
from bench.distributed import Distributed, Picket, Sustained
from bench.points import INTERVAL_MS
from bench.server import Server
from timeseries.store import DAY_MS, HOUR_MS

LONG_AGO_MS = 10 * DAY_MS
"""The long load is of hours that the rounds do not touch."""


@dataclass(frozen=True)
class Size(ingest.Size):
    """Besides, how long the long load is to last, and how `cassandra-limit` is measured.

    A round is of several hours: what the engines do while the last of it waits counts less. Several warm
    up, for the JVM compiles what passes ask of Cassandra while they are the first.
    """

    frames: int = 3 * HOUR_MS // INTERVAL_MS
    warm: int = 3
    rounds: int = 3
    in_flight: int = 32
    sustain_s: float = 60.0
    alone: limit.Size = field(default_factory=lambda: limit.Size(rounds=4, seconds=5.0, warm=10))


QUICK = Size(
    frames=HOUR_MS // INTERVAL_MS,
    warm=1,
    rounds=2,
    sustain_s=8.0,
    alone=limit.Size(rounds=2, seconds=2.5, warm=5),
)


def run(size: Size, peers: Sequence[str]) -> tuple[list[str], dict[str, float]]:
    """The table's lines, and the figures by their names; raises BenchError."""
    flows: list[limit.Flows] = []
    long: list[Sustained] = []

    def sustain(server: Server) -> None:
        assert isinstance(server, Picket)
        long.append(server.sustain(size.sustain_s, int(time.time() * 1000) - LONG_AGO_MS))

    ours = Distributed(size.nodes, size.in_flight, lambda at: flows.append(limit.measure(at, size.alone)))
    compared = ingest.compete(ours, size, peers, sustain)
    lines = [*limit.table(flows[0]), "", *ingest.table(compared), "", *_table(long[0])]
    return lines, ingest.figures(compared) | _figures(long[0], flows[0])


def _table(long: Sustained) -> Iterator[str]:
    """Where the CPU went, the greatest share first."""
    yield f"{'CPU-s per million points':26}{'rounds':>10}{'long load':>12}"
    before, now = long.by_process_before, long.by_process
    for name, share in sorted(before.items(), key=lambda item: -item[1]):
        yield f"{name:26}{share:>10.3f}{now.get(name, 0):>12.3f}"
    yield f"{'all':26}{sum(before.values()):>10.3f}{sum(now.values()):>12.3f}"
    yield f"long load: {long.points / 1e6:.1f} million points in {long.cost.wall_s:.0f} s"


def _figures(long: Sustained, flows: limit.Flows) -> dict[str, float]:
    """Points a second are those of the long load."""
    share = limit.figures(flows)["archive_vs_cassandra_limit"]
    return {
        "points_per_s": round(long.points / long.cost.wall_s),
        "sustained_s": round(long.cost.wall_s, 1),
        "sustained_cpu_s_per_mpoint": round(long.cost.cpu_s / long.points * 1e6, 4),
        "archive_vs_cassandra_limit": share,
    }
