"""`python -m bench ingest`: frames through TLS into the embedded store, and the same points into its peers.

All contenders run side by side and take turns: in each round every one of them takes the same points while
the others rest, in an order that moves on by one each round. Round 0 warms up and is not counted.
A round is an hour of every node, and ours counts until all of it is in rows: compaction is in the figure.
"""

import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench import report
from bench.cpu import Cost, cost
from bench.embedded import Picket
from bench.errors import BenchError
from bench.peers.carbon import SLOTS, Carbon
from bench.peers.victoriametrics import VictoriaMetrics
from bench.points import INTERVAL_MS, Span
from bench.server import Contender, Server
from bench.turns import turns
from timeseries.store import HOUR_MS

PEERS: dict[str, type[Contender]] = {"victoriametrics": VictoriaMetrics, "carbon": Carbon}


@dataclass(frozen=True)
class Size:
    """How much is sent: `frames` a node and round, of 100 points each."""

    nodes: int = 20
    frames: int = HOUR_MS // INTERVAL_MS
    rounds: int = 9
    in_flight: int = 16

    def spans(self) -> list[Span]:
        """The span of every round, one after the other, the last of them up to the full hour."""
        whole = (self.rounds + 1) * self.frames
        if whole > SLOTS:
            raise BenchError(f"{whole} frames a node are more than the {SLOTS} that whisper files keep here")
        epoch_ms = int(time.time() * 1000) // HOUR_MS * HOUR_MS - whole * INTERVAL_MS
        starts = range(0, whole, self.frames)
        return [Span(self.nodes, first, self.frames, epoch_ms) for first in starts]


QUICK = Size(rounds=4)


def missing(peers: Sequence[str]) -> list[str]:
    """The Debian packages that these peers still need."""
    return [package for name in peers if (package := PEERS[name]().missing())]


def run(size: Size, peers: Sequence[str]) -> tuple[list[str], dict[str, float]]:
    """The table's lines, and the figures by their names; raises BenchError."""
    ours = Picket(size.nodes, size.in_flight)
    contenders: list[Contender] = [ours, *(PEERS[name]() for name in peers)]
    spans = size.spans()
    with tempfile.TemporaryDirectory(prefix="picket-bench-") as folder, ExitStack() as running:
        servers = {c.name: running.enter_context(c.running(_home(folder, c))) for c in contenders}
        measured = _rounds(servers, spans)
        lost = {name: server.lost() for name, server in servers.items()}
    if unfair := [name for name in lost if lost[name] and name != ours.name]:
        raise BenchError(f"{', '.join(unfair)} lost points, so that comparing means nothing: {lost}")
    points = spans[0].points
    rounds = measured.whole()
    figures = _figures(rounds, points, lost[ours.name])
    compaction = median(report.per_mpoint(measured.settling[ours.name], points))
    return list(report.table(rounds, points)), figures | {"compaction_cpu_s_per_mpoint": round(compaction, 4)}


def _home(folder: str, contender: Contender) -> Path:
    home = Path(folder, contender.name)
    home.mkdir()
    return home


class _Measured(NamedTuple):
    """What each round took while it was sent, and what the server did with it afterwards."""

    sending: report.Rounds
    settling: report.Rounds

    def whole(self) -> report.Rounds:
        """The CPU of both, in the time of sending."""
        return {
            name: [Cost(sent.cpu_s + settled.cpu_s, sent.wall_s) for sent, settled in zip(*both, strict=True)]
            for name, both in ((name, (self.sending[name], self.settling[name])) for name in self.sending)
        }


def _rounds(servers: dict[str, Server], spans: Sequence[Span]) -> _Measured:
    costs: dict[str, list[Cost]] = {name: [] for name in servers}
    settling: dict[str, list[Cost]] = {name: [] for name in servers}
    for number, span in enumerate(spans):
        for name in turns(list(servers), number):
            costs[name].append(cost(servers[name].pid, servers[name].prepare(span)))
            settling[name].append(cost(servers[name].pid, servers[name].settle))
    return _Measured(_warm(costs), _warm(settling))


def _warm(costs: report.Rounds) -> report.Rounds:
    return {name: measured[1:] for name, measured in costs.items()}


def _figures(rounds: report.Rounds, points: int, lost: int) -> dict[str, float]:
    spent = {name: median(report.per_mpoint(costs, points)) for name, costs in rounds.items()}
    ours = spent[Picket.name]
    shares = {f"vs_{key}_cpu": PEERS[key].name for key in PEERS if PEERS[key].name in spent}
    return {
        "cpu_s_per_mpoint": round(ours, 4),
        **{figure: round(ours / spent[name], 4) for figure, name in shares.items()},
        "points_per_s": round(report.points_per_s(rounds[Picket.name], points)),
        "lost": lost,
    }
