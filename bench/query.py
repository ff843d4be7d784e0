"""`python -m bench query`: what pages ask for, of us and of VictoriaMetrics, on the same points.

Each asks for the same: of a range mean, least and greatest value a point; of a fleet the ten greatest means,
and of each of 24 hours the 95th percentile of all.
"""

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from bench import query_data
from bench.child import Child, child
from bench.errors import BenchError
from bench.peers import victoriametrics
from bench.peers.victoriametrics import VictoriaMetrics
from bench.query_data import ACCOUNT, DAY_NODE, GRAPHS, YEAR_NODE, Data, name_of
from bench.turns import turns
from ops.engines.ports import HOST
from rpc import client, idl
from timeseries.store import DAY_MS, HOUR_MS

POINTS = 800
"""Of a graph: two screens' columns have no more."""

OURS, THEIRS = "Picket", VictoriaMetrics.name
TOP = 10
PERCENTILE = 95.0
METRICS = sum(map(len, GRAPHS.values()))
Times = dict[str, dict[str, list[list[float]]]]
"""By question and contender, milliseconds of each ask of each round."""


class Question(NamedTuple):
    """What is measured, and what is done before each time."""

    ask: Callable[[], Any]
    before: Callable[[], object] = bool


@dataclass(frozen=True)
class Size:
    """How often is asked, and how dense the year is."""

    rounds: int = 9
    asks: int = 40
    year_interval_ms: int = 60_000


QUICK = Size(rounds=5, asks=20, year_interval_ms=300_000)


def missing() -> list[str]:
    """The Debian packages that are still needed."""
    return [package for package in [VictoriaMetrics().missing()] if package]


def run(size: Size) -> tuple[list[str], dict[str, float]]:
    """The table's lines, and the figures by their names; raises BenchError."""
    now_ms = int(time.time() * 1000)
    data = Data(now_ms // HOUR_MS * HOUR_MS - HOUR_MS, size.year_interval_ms)
    with tempfile.TemporaryDirectory(prefix="picket-bench-") as folder, ExitStack() as running:
        home = Path(folder, THEIRS)
        home.mkdir()
        peer = running.enter_context(VictoriaMetrics("-retentionPeriod=5y").running(home))
        ours = running.enter_context(child("bench.query_server", f"{folder}/series"))
        ours.ask("fill", asdict(data))
        _feed(peer, data)
        ports = ours.ask("serve")
        asks = {OURS: _ours(data, ports, ours), THEIRS: _theirs(data, peer)}
        _check(asks[OURS], asks[THEIRS])
        times = _measure(asks, size)
    return list(_table(times)), _figures(times)


def _feed(peer: victoriametrics.Running, data: Data) -> None:
    checks = list(GRAPHS)
    peer.load(data.day())
    peer.load(data.year(), checks)
    for node in data.nodes():
        peer.load(data.month(node), [query_data.RANKED[:2]])
    peer.merge()


def _ours(data: Data, ports: Mapping[str, int], server: Child) -> dict[str, Question]:
    series = client.blocking("TimeSeries", [(HOST, ports["TimeSeries"])])
    live = client.blocking("Live", [(HOST, ports["Live"])])
    check, key, metric = query_data.RANKED
    rank: dict[str, Any] = {"check": check, "key": key, "metric": metric}
    rank["node_ids"] = list(map(name_of, data.nodes()))
    last_day: dict[str, Any] = {"start_ms": data.end_ms - DAY_MS, "end_ms": data.end_ms}
    of_day = idl.Rank(**rank, limit=TOP, **last_day)
    over_day = idl.Across(**rank, max_points=24, percentiles=[PERCENTILE], **last_day)
    beats, frames = itertools.count(), itertools.count()

    def graphs(node: int, start_ms: int, end_ms: int) -> Callable[[], Any]:
        queries = [
            idl.Query(
                check=check, key=key, metrics=names, start_ms=start_ms, end_ms=end_ms, max_points=POINTS
            )
            for (check, key), names in GRAPHS.items()
        ]
        return lambda: series.query_many(ACCOUNT, name_of(node), queries)

    return {
        "day": Question(
            graphs(DAY_NODE, *data.last_day()),
            lambda: server.ask("come", next(frames)),
        ),
        "year": Question(graphs(YEAR_NODE, *data.last_year())),
        "top10": Question(lambda: series.rank(ACCOUNT, of_day)),
        "across": Question(lambda: series.across(ACCOUNT, over_day)),
        "top10_latest": Question(
            lambda: live.rank(ACCOUNT, idl.Rank(**rank, limit=TOP, by="latest")),
            lambda: server.ask("beat", next(beats)),
        ),
    }


def _theirs(data: Data, peer: victoriametrics.Running) -> dict[str, Question]:
    names = "|".join(f"{check}_{name}" for (check, _), metrics in GRAPHS.items() for name in metrics)
    keys = "|".join(key for _, key in GRAPHS)

    def graphs(node: int, start_ms: int, end_ms: int, step_ms: int) -> Question:
        selected = f'{{__name__=~"{names}",key=~"{keys}",node="{name_of(node)}"}}'
        query = f"rollup({selected}[{step_ms}ms]) keep_metric_names"
        return Question(lambda: peer.query_range(query, start_ms, end_ms, step_ms))

    check, _, metric = query_data.RANKED
    fleet = f'{check}_{metric}{{node!~"{name_of(DAY_NODE)}|{name_of(YEAR_NODE)}"}}'
    top = f"topk({TOP}, avg_over_time({fleet}[24h]))"
    across = f"quantile({PERCENTILE / 100}, avg_over_time({fleet}[1h]))"
    return {
        "day": graphs(DAY_NODE, *data.last_day(), DAY_MS // POINTS),
        "year": graphs(YEAR_NODE, *data.last_year(), 11 * HOUR_MS),
        "top10": Question(lambda: peer.query(top, data.end_ms - 1)),
        "across": Question(
            lambda: peer.query_range(across, data.end_ms - DAY_MS + HOUR_MS - 1, data.end_ms - 1, HOUR_MS)
        ),
    }


def _check(ours: Mapping[str, Question], theirs: Mapping[str, Question]) -> None:
    """BenchError unless both answer everything, and the fleet with the same values."""
    for name in ("day", "year"):
        columns = [column for series in ours[name].ask() for column in series.columns]
        lines = theirs[name].ask()["data"]["result"]
        found = (len(columns), len(lines), min(len(line["values"]) for line in lines))
        if found[:2] != (METRICS, 3 * METRICS) or found[2] < POINTS * 0.9:
            raise BenchError(f"the answers of a {name} are not whole: {found}")
    values = [node.value for node in ours["top10"].ask().top]
    lines = theirs["top10"].ask()["data"]["result"]
    other = sorted((float(line["value"][1]) for line in lines), reverse=True)
    if not np.allclose(values, other):
        raise BenchError(f"the fleet's greatest means differ: {values}, {other}")
    line = np.frombuffer(ours["across"].ask().percentiles[0])
    (theirs_line,) = theirs["across"].ask()["data"]["result"]
    other_line = [float(value) for _, value in theirs_line["values"]]
    if not np.allclose(line, other_line):
        raise BenchError(f"the fleet's percentiles differ: {line}, {other_line}")


def _measure(asks: Mapping[str, Mapping[str, Question]], size: Size) -> Times:
    """Round 0 warms up and is not counted."""
    times: Times = {name: {who: [] for who in asks if name in asks[who]} for name in asks[OURS]}
    for number in range(size.rounds + 1):
        for name, found in times.items():
            for who in turns(list(found), number):
                found[who].append([_milliseconds(asks[who][name]) for _ in range(size.asks)])
    return {name: {who: rounds[1:] for who, rounds in found.items()} for name, found in times.items()}


def _milliseconds(question: Question) -> float:
    question.before()
    began = time.perf_counter()
    question.ask()
    return (time.perf_counter() - began) * 1000


def _table(times: Times) -> Iterator[str]:
    yield f"{'milliseconds':28}{'median':>10}{'p95':>10}{'p95 of rounds':>20}{'ours / theirs':>16}"
    for name, found in times.items():
        for who, rounds in found.items():
            every = [each for some in rounds for each in some]
            spread = sorted(map(_p95, rounds))
            share = f"{_share(found):>16.2f}" if who != OURS else ""
            yield (
                f"{name:13}{who:15}{median(every):>10.1f}{_p95(every):>10.1f}"
                f"{spread[0]:>12.1f} to{spread[-1]:>5.1f}{share}"
            )


def _p95(milliseconds: Sequence[float]) -> float:
    return float(np.percentile(milliseconds, 95))


def _share(found: Mapping[str, list[list[float]]]) -> float:
    """Ours by theirs: the median over the rounds of the medians' ratio."""
    pairs = zip(found[OURS], found[THEIRS], strict=True)
    return median(median(ours) / median(theirs) for ours, theirs in pairs)


def _figures(times: Times) -> dict[str, float]:
    p95 = {name: _p95([each for some in found[OURS] for each in some]) for name, found in times.items()}
    shares = {name: _share(found) for name, found in times.items() if THEIRS in found}
    figures = {f"{name}_p95_ms": value for name, value in p95.items()}
    figures["vs_victoriametrics"] = shares.pop("day")
    figures |= {f"{name}_vs_victoriametrics": share for name, share in shares.items()}
    return {name: round(value, 3) for name, value in figures.items()}
