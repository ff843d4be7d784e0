"""`python -m bench events`, small, on a RabbitMQ of its own; and what its figures are made of."""

import json

import pytest

from bench.events import BARE, MEMORY, OURS, Measured, figures
from bench.turns import turns
from tests.bench.command import bench


@pytest.mark.usefixtures("rabbitmq_url")  # Not used: left out where there is no RabbitMQ to be started.
def test_a_small_run_loses_nothing_and_prints_its_figures_last() -> None:
    sizes = ["--rounds", "1", "--events", "200", "--batches", "20", "--rate", "100", "--seconds", "0.5"]
    run = bench("events", *sizes)
    assert run.returncode == 0, run.stderr
    printed = json.loads(run.stdout.splitlines()[-1])
    assert printed.pop("lost") == 0
    assert min(printed.values()) > 0
    assert {"vs_bare_pika_events_per_s", "vs_bare_pika_stream_mb_per_s", "memory_events_per_s"} < set(printed)


def test_what_is_compared_is_the_median_of_the_rounds_shares_of_bare_pika() -> None:
    measured = Measured()
    for work in ("events", "batches"):
        measured.rates[work, OURS] = [60.0, 10.0, 90.0]
        measured.rates[work, BARE] = [100.0, 20.0, 100.0]
        measured.rates[work, MEMORY] = [5.0]
    measured.latencies[OURS] = [float(ms) for ms in range(1, 101)]
    measured.latencies[BARE] = [2.0, 2.0]
    measured.lost |= {OURS: 1, MEMORY: 2}
    assert figures(measured) == {
        "vs_bare_pika_events_per_s": 0.6,
        "vs_bare_pika_stream_mb_per_s": 0.6,
        "publish_to_handler_p99_ms": pytest.approx(100, abs=1),
        "bare_pika_publish_to_handler_p99_ms": 2.0,
        "events_per_s": 60,
        "stream_mb_per_s": 60,
        "memory_events_per_s": 5,
        "lost": 3,
    }


def test_nobody_is_always_first() -> None:
    assert [turns("abc", number) for number in range(4)] == [
        list("abc"),
        list("bca"),
        list("cab"),
        list("abc"),
    ]
