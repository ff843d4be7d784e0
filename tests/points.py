"""A ledger of acknowledged values: what queries answer, from rows and from due frames, is compared with it.

`python -m tests.points NODE…` prints what the store of this home (PICKET_HOME) answers about these nodes.
"""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from twisted.internet import task
from twisted.internet.defer import Deferred, succeed

from picket import relational
from picket.settings import Endpoint, load
from services.engines import make_store
from tests.ledger import Ledger
from tests.product import environment
from timeseries.query import run_query
from timeseries.question import Query, Series
from timeseries.retention import kept
from timeseries.store import DAY_MS, HOUR_MS, SeriesKey, TimeSeriesStore

LOOKS_S = 0.5

CHECK = "points"
HOURS = 6
STRIDE = 7919 * 13
"""Has no factor in common with the milliseconds of the hours: no two frames of a node have one time."""

Values = dict[str, float | str]
"""Metrics of one moment by name; "" and NaN are none."""


def compacting(home: Path) -> Endpoint:
    """Make a home with settings by which a pass is under way nearly always; where its measures are shown."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        stats = Endpoint(*free.getsockname())
    home.mkdir(parents=True)
    compact = f"[compact]\nafter_s = 0\nevery_s = {LOOKS_S}\nshare = 1.0\n"
    (home / "picket.toml").write_text(f'{compact}[stats]\nlisten = "{stats}"\n')
    return stats


def wait_for_passes(stats: Endpoint, within_s: float = 60) -> None:
    """Return when no hour is due, and none was for several looks."""
    deadline, quiet = time.monotonic() + within_s, 0
    while quiet < 5:
        assert time.monotonic() < deadline, "hours are still due"
        time.sleep(LOOKS_S)
        quiet = quiet + 1 if measured(stats, "picket_compact_due") == 0 else 0


def measured(stats: Endpoint, name: str) -> float:
    """What a process shows of this name."""
    with urllib.request.urlopen(f"http://{stats}/metrics", timeout=10) as page:
        lines = [line.split() for line in page.read().decode().splitlines()]
    return next((float(words[1]) for words in lines if words[0] == name), -1)


def age(home: Path) -> None:
    """As if three hours had passed since the last frame: segments without due hours go at the next start."""
    folder = home / "series/frames"
    newest = max(int(path.stem) for path in folder.glob("*.frames"))
    (folder / f"{newest + 3:010}.frames").touch()


class Answer(NamedTuple):
    """Node -> time_ms -> values; how many hours of these nodes are due, and how many nodes have rows."""

    nodes: dict[str, dict[str, Values]]
    due: int
    series: int


class PointLedger(Ledger):
    """Frames of past hours, each in another hour than the one before it, with values of every kind."""

    def result(self, seq: int) -> dict[str, Any]:
        """Some metrics are in every frame, some are not."""
        return {"check": CHECK, "status": f"{seq} is odd" if seq % 2 else "even", "metrics": values(seq)}

    def time_ms(self, seq: int) -> int:
        """All hours have been over for an hour."""
        first_ms = self._began_ms // HOUR_MS * HOUR_MS - HOURS * HOUR_MS
        return first_ms + seq * STRIDE % (HOURS * HOUR_MS)

    def compare(self, found: Answer) -> None:
        """Nothing is lost, altered or too much."""
        promised = {str(self.time_ms(seq)): plain(values(seq)) for seq in range(1, self.sent + 1)}
        for node in self.nodes:
            there = found.nodes[node]
            lost, extra = promised.keys() - there.keys(), there.keys() - promised.keys()
            altered = [at for at in promised.keys() & there.keys() if promised[at] != there[at]]
            assert (len(lost), len(extra), altered[:3]) == (0, 0, []), (
                node,
                sorted(lost)[:5],
                sorted(extra)[:5],
            )

    @property
    def points(self) -> int:
        """Values acknowledged, of all nodes."""
        return len(self.nodes) * sum(len(values(seq)) for seq in range(1, self.sent + 1))


def values(seq: int) -> dict[str, int | float | str]:
    """Those of a frame."""
    metrics: dict[str, int | float | str] = {
        "count": seq,
        "tenths": seq / 10,
        "third": seq / 3,
        "large": 2**60 + seq,
        "word": f"w{seq % 5}",
    }
    return metrics | ({"sometimes": -seq} if seq % 3 == 0 else {})


def plain(metrics: dict[str, int | float | str]) -> Values:
    """As a query gives them."""
    return {name: value if isinstance(value, str) else float(value) for name, value in metrics.items()}


def answered(home: Path, nodes: Sequence[str]) -> Answer:
    """What the store of a home answers, while no other process has it open unless it is Cassandra."""
    command = [sys.executable, "-m", "tests.points", *nodes]
    env = environment(PICKET_HOME=str(home))
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return Answer(*json.loads(done.stdout))


def _at_once(thd_function: Any, *arguments: Any) -> Any:
    return succeed(thd_function(*arguments))


async def _answer(store: TimeSeriesStore, account_id: str, nodes: Sequence[str], now_ms: int) -> Answer:
    retention = kept(load().retention).of(account_id, now_ms)
    query = Query(check=CHECK, start_ms=now_ms - 2 * DAY_MS, end_ms=now_ms + DAY_MS)
    found, due, series = {}, 0, 0
    for node in nodes:
        found[node] = _by_time(await run_query(store, _at_once, account_id, node, query, retention))
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


async def _print(reactor: Any, account_id: str, nodes: Sequence[str]) -> None:
    store = make_store(load(), reactor)
    await store.open()
    try:
        print(json.dumps(await _answer(store, account_id, nodes, int(reactor.seconds() * 1000))))
    finally:
        await store.close()


def main() -> None:
    """Of the only account that there is."""
    relational.set_up(load())
    from webapp.accounts.models import Account

    account_id = Account.objects.get().id
    task.react(lambda reactor: Deferred.fromCoroutine(_print(reactor, account_id, sys.argv[1:])))


if __name__ == "__main__":
    main()
