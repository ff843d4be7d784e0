"""What busy servers measure, made up: 100 metrics of seven checks every ten seconds, the same in every run.

Gauges walk at random and keep two decimals, as the agent rounds them; sizes are whole numbers; rates of
counters jump and rest at zero; totals never change.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import orjson

INTERVAL_MS = 10_000
CHUNK = 64
"""Frames that are made at once. Chunks have seeds of their own, so that any range can be made alone."""


Row = list[float]
"""The values of one frame, in the order of `metrics()`."""


class Kind(Enum):
    """How a metric moves."""

    GAUGE = auto()
    SIZE = auto()
    RATE = auto()
    CONSTANT = auto()


class Metric(NamedTuple):
    """One metric of one check; `high` is the largest value that it takes."""

    check: str
    key: str
    name: str
    kind: Kind
    high: float


@dataclass(frozen=True)
class Span:
    """Frames `first` to `first + count` (exclusive) of the first `nodes` nodes; frame 0 is of `epoch_ms`."""

    nodes: int
    first: int
    count: int
    epoch_ms: int

    @property
    def points(self) -> int:
        """Values of all metrics of all its frames."""
        return self.nodes * self.count * len(metrics())

    def times(self) -> list[int]:
        """Milliseconds since the epoch, one a frame; every node has the same."""
        return [self.epoch_ms + frame * INTERVAL_MS for frame in range(self.first, self.first + self.count)]

    def frames(self) -> Iterator[tuple[int, int, Row]]:
        """(time in ms, node, values) of each frame, in the order of time, as a fleet sends them."""
        nodes = [values(node, self.first, self.count) for node in range(self.nodes)]
        for index, time_ms in enumerate(self.times()):
            for node, rows in enumerate(nodes):
                yield time_ms, node, rows[index]


@cache
def metrics() -> tuple[Metric, ...]:
    """The metrics of a node, those of one check and key side by side."""
    disks = [made for path in ("/", "/var", "/home", "/srv", "/boot") for made in _disk(path)]
    nets = [made for name in ("eth0", "eth1", "lo", "docker0") for made in _net(name)]
    devices = [f"{name}{number}" for name in ("sda", "sdb", "nvme0n1p") for number in range(1, 5)]
    io = [_of("io", "", Kind.RATE, 900, f"{device}_reads {device}_writes") for device in devices]
    return (
        *_of("cpu", "", Kind.GAUGE, 100, "cpu_user cpu_sys cpu_idle cpu_iowait cpu_irq cpu_steal"),
        *_of("cpu", "", Kind.RATE, 9e3, "intr"),
        *_of("mem", "", Kind.CONSTANT, 2**34, "mem_total swap_total"),
        *_of("mem", "", Kind.SIZE, 2**34, "mem_used mem_free swap_used"),
        *_of("mem", "", Kind.GAUGE, 100, "mem_percent_used"),
        *disks,
        *nets,
        *[metric for device in io for metric in device],
        *_of("loadaverage", "", Kind.GAUGE, 8, "loadaverage_1m loadaverage_5m loadaverage_15m"),
        *_of("processes", "", Kind.SIZE, 400, "total running sleeping blocked zombies threads"),
        *_of("processes", "", Kind.RATE, 40, "forks"),
    )


def _of(check: str, key: str, kind: Kind, high: float, names: str) -> list[Metric]:
    return [Metric(check, key, name, kind, high) for name in names.split()]


def _disk(path: str) -> list[Metric]:
    return [
        *_of("disk", path, Kind.GAUGE, 100, "capacity"),
        *_of("disk", path, Kind.CONSTANT, 61_865_984, "bsize blocks"),
        *_of("disk", path, Kind.SIZE, 61_865_984, "bfree bavail"),
    ]


def _net(name: str) -> list[Metric]:
    return [
        *_of("net", name, Kind.RATE, 9e6, "in_bytes out_bytes"),
        *_of("net", name, Kind.RATE, 9e3, "in_packets out_packets"),
        *_of("net", name, Kind.CONSTANT, 0, "in_err out_err in_mcast"),
    ]


def values(node: int, first: int, count: int) -> list[Row]:
    """The values of `count` frames of a node: a list a frame, in the order of `metrics()`."""
    start, end = first // CHUNK, (first + count + CHUNK - 1) // CHUNK
    rows = [row for chunk in range(start, end) for row in _chunk(node, chunk)]
    skipped = first - start * CHUNK
    return rows[skipped : skipped + count]


@cache
def _kinds() -> dict[Kind, np.ndarray[Any, np.dtype[np.intp]]]:
    kinds = [metric.kind for metric in metrics()]
    return {kind: np.array([i for i, k in enumerate(kinds) if k is kind]) for kind in Kind}


def _chunk(node: int, chunk: int) -> list[Row]:
    """CHUNK frames. Walks go on through all chunks of a node: each begins where the one before was bound."""
    high = np.array([metric.high for metric in metrics()])
    begin, end = (np.random.default_rng((node, c)).random(len(high)) for c in (chunk, chunk + 1))
    noise = np.random.default_rng((node, chunk, 1)).standard_normal((CHUNK, len(high)))
    way = np.linspace(begin, end, CHUNK, endpoint=False)
    walk = np.clip(way + np.cumsum(noise, axis=0) * 0.004, 0, 1) * high
    walk[:, _kinds()[Kind.SIZE]] = np.floor(walk[:, _kinds()[Kind.SIZE]])
    rates = _kinds()[Kind.RATE]
    walk[:, rates] *= np.random.default_rng((node, chunk, 2)).random((CHUNK, len(rates))) < 0.7
    walk[:, _kinds()[Kind.CONSTANT]] = high[_kinds()[Kind.CONSTANT]]
    return [_whole(row) for row in np.round(walk, 2).tolist()]


def _whole(row: Row) -> Row:
    for kind in (Kind.SIZE, Kind.CONSTANT):
        for index in _kinds()[kind]:
            row[index] = int(row[index])
    return row


@cache
def results() -> tuple[tuple[str, str, dict[str, int], list[str]], ...]:
    """Of each result in a frame: check, key, where in a row the value of each metric is, and the rates."""
    grouped = groupby(enumerate(metrics()), key=lambda item: item[1][:2])
    of_results = [(name, list(found)) for name, found in grouped]
    return tuple(
        (
            check,
            key,
            {metric.name: index for index, metric in found},
            [metric.name for _, metric in found if metric.kind is Kind.RATE],
        )
        for (check, key), found in of_results
    )


def payload(time_ms: int, row: Row) -> bytes:
    """A frame as an agent sends it: JSON that `timeseries.frames` reads, packed by zlib at its quickest."""
    body = [
        {
            "check": check,
            "key": key,
            "state": "ok",
            "metrics": {name: row[index] for name, index in where.items()},
            "rates": rates,
        }
        for check, key, where, rates in results()
    ]
    return zlib.compress(orjson.dumps({"time": time_ms, "results": body}), 1)
