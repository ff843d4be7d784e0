"""What measuring costs in the measured code: nanoseconds a call, beside Prometheus's own Python client."""

from collections.abc import Callable, Iterator
from timeit import Timer

from prometheus_client import CollectorRegistry, Counter, Histogram

from statslib import Stats

CALLS = 100_000
ROUNDS = 7


def run(calls: int) -> tuple[list[str], dict[str, float]]:
    """Lines for people, and the figures: the best of the rounds, which other work disturbed least."""
    found = {name: _nanoseconds(call, calls) for name, call in _calls()}
    lines = [f"{name:28}{cost:>8.0f} ns" for name, cost in found.items()]
    counter, theirs = found["increment"], found["prometheus_client inc"]
    figures = {
        "counter_ns": counter,
        "average_ns": found["add_average"],
        "vs_prometheus_counter": counter / theirs,
    }
    return lines, {name: round(value, 2) for name, value in figures.items()}


def _calls() -> Iterator[tuple[str, Callable[[], object]]]:
    stats, registry = Stats("bench"), CollectorRegistry()
    counter = Counter("frames", "Frames", registry=registry)
    histogram = Histogram("write_s", "Seconds", registry=registry)
    yield "increment", lambda: stats.increment("frames")
    yield "add_average", lambda: stats.add_average("write_s", 0.0123)
    yield "operation", lambda: _enter(stats)
    yield "count_calls", stats.count_calls("counted")(_nothing)
    yield "time_calls", stats.time_calls("timed")(_nothing)
    yield "prometheus_client inc", lambda: counter.inc()
    yield "prometheus_client observe", lambda: histogram.observe(0.0123)


def _enter(stats: Stats) -> None:
    with stats.operation("write"):
        pass


def _nothing() -> None:
    """The call that is watched."""


def _nanoseconds(call: Callable[[], object], calls: int) -> float:
    return min(Timer(call).repeat(ROUNDS, calls)) / calls * 1e9
