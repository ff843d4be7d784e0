"""What the store of a home answers to queries about nodes: `python -m tests.readback NODE…` (PICKET_HOME)."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from twisted.internet import task
from twisted.internet.defer import Deferred

from picket import reactor, relational
from picket.settings import load
from services.engines import make_store
from tests.product import environment
from tests.threads import at_once
from timeseries.query import run_query
from timeseries.question import Query, Series
from timeseries.retention import kept
from timeseries.store import DAY_MS, SeriesKey, TimeSeriesStore

CHECK = "points"
"""The check that is asked for."""

Values = dict[str, float | str]
"""Metrics of one moment by name; "" and NaN are none."""


class Answer(NamedTuple):
    """Node -> time_ms -> values; how many hours of these nodes are due, and how many nodes have rows."""

    nodes: dict[str, dict[str, Values]]
    due: int
    series: int


def answered(home: Path, nodes: Sequence[str]) -> Answer:
    """What the store of a home answers, while no other process has it open unless it is Cassandra."""
    command = [sys.executable, "-m", "tests.readback", *nodes]
    env = environment(PICKET_HOME=str(home))
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return Answer(*json.loads(done.stdout))


async def _answer(store: TimeSeriesStore, account_id: str, nodes: Sequence[str], now_ms: int) -> Answer:
    retention = kept(load().retention).of(account_id, now_ms)
    query = Query(check=CHECK, start_ms=now_ms - 2 * DAY_MS, end_ms=now_ms + DAY_MS)
    found, due, series = {}, 0, 0
    for node in nodes:
        found[node] = _by_time(await run_query(store, at_once, account_id, node, query, retention))
        due += len(await store.due_of(account_id, node))
        series += SeriesKey(account_id, node, CHECK, "") in await store.keys(account_id, node)
    return Answer(found, due, series)


def _by_time(series: Series) -> dict[str, Values]:
    """The metrics that there are at each time; a time without any is a gap, put there for graphs."""
    found: dict[str, Values] = {}
    times = np.frombuffer(series.times, np.int64).tolist()
    for column in series.columns:
        for at, value in zip(times, column.texts or np.frombuffer(column.values).tolist(), strict=True):
            if value != "" and value == value:
                found.setdefault(str(at), {})[column.name] = value
    return found


async def _print(clock: Any, account_id: str, nodes: Sequence[str]) -> None:
    store = make_store(load(), clock)
    await store.open()
    try:
        print(json.dumps(await _answer(store, account_id, nodes, int(clock.seconds() * 1000))))
    finally:
        await store.close()


def main() -> None:
    """Of the only account that there is."""
    reactor.install()
    relational.set_up(load())
    from webapp.accounts.models import Account

    account_id = Account.objects.get().id
    task.react(lambda clock: Deferred.fromCoroutine(_print(clock, account_id, sys.argv[1:])))


if __name__ == "__main__":
    main()
