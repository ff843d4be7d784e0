"""`python -m bench ingest`: frames through TLS into the embedded store, and the same points into its peers.

All contenders run side by side and take turns: in each round every one of them takes the same points while
the others rest, in an order that moves on by one each round. The first warm up and are not counted.
A round is an hour of every node, and ours counts until all of it is in rows: compaction is in the figure.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
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
    """How much is sent: `frames` a node and round, of 100 points each; `warm` rounds are not counted."""

    nodes: int = 20
    frames: int = HOUR_MS // INTERVAL_MS
    warm: int = 1
    rounds: int = 9
    in_flight: int = 16

    def spans(self) -> list[Span]:
        """The span of every round, one after the other, the last of them up to the full hour."""
        whole = (self.warm + self.rounds) * self.frames
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
    compared = compete(Picket(size.nodes, size.in_flight), size, peers)
    return list(table(compared)), figures(compared)


def compete(
    ours: Contender, size: Size, peers: Sequence[str], also: Callable[[Server], None] = lambda _: None
) -> "Compared":
    """All rounds, and then what ours `also` does; raises BenchError."""
    contenders: list[Contender] = [ours, *(PEERS[name]() for name in peers)]
    spans = size.spans()
    with tempfile.TemporaryDirectory(prefix="picket-bench-") as folder, ExitStack() as running:
        servers = {c.name: running.enter_context(c.running(_home(folder, c))) for c in contenders}
        sending, settling = _rounds(servers, spans, size.warm)
        also(servers[ours.name])
        lost = {name: server.lost() for name, server in servers.items()}
    if unfair := [name for name in lost if lost[name] and name != ours.name]:
        raise BenchError(f"{', '.join(unfair)} lost points, so that comparing means nothing: {lost}")
    return Compared(sending, settling, spans[0].points, lost[ours.name])


def _home(folder: str, contender: Contender) -> Path:
    home = Path(folder, contender.name)
    home.mkdir()
    return home


class Compared(NamedTuple):
    """What each round took while it was sent, and what the server did with it afterwards.

    A round is of `points` points; `lost` are frames of ours.
    """

    sending: report.Rounds
    settling: report.Rounds
    points: int
    lost: int

    def whole(self) -> report.Rounds:
        """The CPU of both, in the time of sending."""
        both = {name: zip(self.sending[name], self.settling[name], strict=True) for name in self.sending}
        return {
            name: [Cost(sent.cpu_s + settled.cpu_s, sent.wall_s) for sent, settled in rounds]
            for name, rounds in both.items()
        }


def _rounds(
    servers: dict[str, Server], spans: Sequence[Span], warm: int
) -> tuple[report.Rounds, report.Rounds]:
    costs: dict[str, list[Cost]] = {name: [] for name in servers}
    settling: dict[str, list[Cost]] = {name: [] for name in servers}
    for number, span in enumerate(spans):
        for name in turns(list(servers), number):
            costs[name].append(cost(servers[name].pids, servers[name].prepare(span)))
            settling[name].append(cost(servers[name].pids, servers[name].settle))
    return _counted(costs, warm), _counted(settling, warm)


def _counted(costs: report.Rounds, warm: int) -> report.Rounds:
    return {name: measured[warm:] for name, measured in costs.items()}


def table(compared: Compared) -> Iterator[str]:
    """Lines for people."""
    yield from report.table(compared.whole(), compared.points)
    compaction = median(report.per_mpoint(compared.settling[Picket.name], compared.points))
    yield f"of {Picket.name}, after the last frame was in the store: {compaction:.3f}"


def figures(compared: Compared) -> dict[str, float]:
    """The last line."""
    rounds, points = compared.whole(), compared.points
    spent = {name: median(report.per_mpoint(costs, points)) for name, costs in rounds.items()}
    compaction = median(report.per_mpoint(compared.settling[Picket.name], points))
    ours = spent[Picket.name]
    shares = {f"vs_{key}_cpu": PEERS[key].name for key in PEERS if PEERS[key].name in spent}
    return {
        "cpu_s_per_mpoint": round(ours, 4),
        **{figure: round(ours / spent[name], 4) for figure, name in shares.items()},
        "points_per_s": round(report.points_per_s(rounds[Picket.name], points)),
        "lost": compared.lost,
        "compaction_cpu_s_per_mpoint": round(compaction, 4),
    }
