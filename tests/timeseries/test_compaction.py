"""Whatever is written comes back the same, however passes, lateness, repeats and crashes fall between."""

import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from tests.threads import at_once
from tests.timeseries.samples import ACCOUNT, NODE, frame, measured, result
from timeseries.compaction import compact
from timeseries.embedded import EmbeddedStore
from timeseries.errors import StoreUnavailable
from timeseries.memory import MemoryStore
from timeseries.query import run_query
from timeseries.question import Query, Series
from timeseries.retention import Retention
from timeseries.rollup_rows import decode_rollup, encode_rollup
from timeseries.rollups import FINE_MS
from timeseries.store import DAY_MS, HOUR_MS, Level, Place, SeriesKey, TimeSeriesStore

START = 1_795_000_000_000 // DAY_MS * DAY_MS
RETENTION = Retention(START + DAY_MS)
HOURS = 4

floats = st.floats(allow_nan=False, allow_infinity=False)
values = st.integers(-(2**70), 2**70) | floats | st.sampled_from("ab")
frames = st.builds(
    lambda time, origin, value: measured(START + time, result(user=value), origin=f"a:{origin}"),
    st.integers(0, HOURS * HOUR_MS - 1) | st.integers(0, 5).map(lambda step: step * 600_000),
    st.integers(0, 2),
    values,
)
Script = list[tuple[str, Any]]
scripts = st.lists(
    st.tuples(st.just("write"), st.lists(frames, min_size=1, max_size=8))
    | st.tuples(st.sampled_from(["pass", "crash", "restart", "drop"]), st.none()),
    min_size=1,
    max_size=12,
)


class Crashing:
    """A store that goes away between what a pass reads and what it writes."""

    def __init__(self, store: TimeSeriesStore) -> None:
        self._store = store

    async def put(self, *_: Any) -> None:
        raise StoreUnavailable("gone")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def everything(store: TimeSeriesStore, **asked: Any) -> Series:
    fields: dict[str, Any] = {"check": "cpu", "start_ms": START, "end_ms": START + DAY_MS}
    return await run_query(store, at_once, ACCOUNT, NODE, Query(**fields | asked), RETENTION)


async def run(
    store: TimeSeriesStore, script: Script, restart: Callable[[Any], Awaitable[TimeSeriesStore]]
) -> TimeSeriesStore:
    for step, written in script:
        if step == "write":
            await store.write(written)
        elif step == "restart":
            store = await restart(store)
        elif step == "drop":
            await store.expire(Level.RAW, 0)
        else:
            await passes(store, crash=step == "crash")
    return store


async def passes(store: TimeSeriesStore, crash: bool = False) -> None:
    for hour in await store.due_of(ACCOUNT, NODE):
        try:
            await compact(Crashing(store) if crash else store, at_once, hour)
        except StoreUnavailable:
            continue


async def same(store: TimeSeriesStore, script: Script) -> None:
    """It answers as a store does that holds the same frames, and of which no pass was ever made."""
    plain = MemoryStore(Clock())
    for step, written in script:
        if step == "write":
            await plain.write(written)
    for max_points, resolution in ((0, "raw"), (DAY_MS // FINE_MS, "5m"), (24, "1h")):
        found = await everything(store, max_points=max_points)
        assert found.resolution == resolution
        assert found == await everything(plain, max_points=max_points)


class OpenedHoursApart:
    """The real reactor, an hour later at each look at the clock: every write begins a segment."""

    def __init__(self) -> None:
        self._now_ms = START

    def seconds(self) -> float:
        self._now_ms += HOUR_MS
        return self._now_ms / 1000

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)


class CompactionTest(TestCase):
    @given(scripts)
    @settings(max_examples=150, deadline=None)
    def test_on_the_memory_twin(self, script: Script) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.on_memory(script)))

    async def on_memory(self, script: Script) -> None:
        async def stays(store: TimeSeriesStore) -> TimeSeriesStore:
            return store

        store = await run(MemoryStore(Clock()), script, stays)
        await same(store, script)
        await passes(store)
        await same(store, script)

    async def test_on_the_embedded_store(self) -> None:
        examples: list[Script] = []

        @given(scripts)
        @settings(max_examples=40, database=None)
        def collect(script: Script) -> None:
            examples.append(script)

        collect()
        for script in examples:
            with tempfile.TemporaryDirectory() as folder:
                await self.on_files(Path(folder, "series"), script)

    async def on_files(self, path: Path, script: Script) -> None:
        reactor = OpenedHoursApart()

        async def opened() -> EmbeddedStore:
            store = EmbeddedStore(path, reactor)
            await store.open()
            self.opened.append(store)
            return store

        async def reopened(store: Any) -> TimeSeriesStore:
            await store.close()
            return await opened()

        store = await run(await opened(), script, reopened)
        await same(store, script)
        await passes(store)
        await store.expire(Level.RAW, 0)
        assert len(list((path / "frames").glob("*.frames"))) <= 2
        store = await reopened(store)
        await same(store, script)
        await store.close()

    async def test_a_late_frame_joins_the_row_of_frames_that_are_gone(self) -> None:
        first, later, late = (
            ("write", [measured(START + time, result(user=time))]) for time in (0, HOUR_MS, 5)
        )
        gone = [first, ("pass", None), later, ("pass", None), ("drop", None)]
        with tempfile.TemporaryDirectory() as folder:
            await self.on_files(Path(folder, "series"), [*gone, late])

    def setUp(self) -> None:
        self.opened: list[EmbeddedStore] = []

    async def tearDown(self) -> None:  # type: ignore[override]
        for store in self.opened:
            await store.close()

    async def test_a_damaged_row_is_made_anew_from_the_frames_there_are(self) -> None:
        store = MemoryStore(Clock())
        await store.write([measured(START, result(user=1))])
        (hour,) = await store.due_of(ACCOUNT, NODE)
        await compact(store, at_once, hour)
        place = Place(SeriesKey(ACCOUNT, NODE, "cpu", ""), Level.RAW, START)
        (row,) = await store.find([place])
        await store.put(hour, [row._replace(data=row.data[:-1] + b"?")])
        assert (await everything(store)).times == b""
        await store.write([measured(START + 1, result(user=2), origin="a:2")])
        await passes(store)
        found = await everything(store)
        assert np.frombuffer(found.columns[0].values).tolist() == [1, 2]

    async def test_a_pass_tells_what_it_took_in(self) -> None:
        store = MemoryStore(Clock())
        written = [measured(START + n, result(user=n, system=1), origin=f"a:{n}") for n in range(5)]
        await store.write([*written, frame(START, "a:9", b"\xff")])
        (hour,) = await store.due_of(ACCOUNT, NODE)
        passed = await compact(store, at_once, hour)
        assert (passed.frames, passed.points, passed.unreadable) == (6, 10, 1)
        assert passed.row_bytes > 0

    async def test_the_last_hour_of_a_day_or_month_packs_its_row(self) -> None:
        last_ms = Level.HOUR.period(START + 31 * DAY_MS) - HOUR_MS
        for hour_ms, packed in (
            (last_ms, (True, True)),
            (last_ms - DAY_MS, (True, False)),
            (START, (False, False)),
        ):
            store = MemoryStore(Clock())
            await store.write([measured(hour_ms + n, result(user=n * n), origin=f"a:{n}") for n in range(5)])
            await passes(store)
            series = SeriesKey(ACCOUNT, NODE, "cpu", "")
            levels = (Level.FIVE_MINUTES, Level.HOUR)
            rows = await store.find([Place(series, level, level.period(hour_ms)) for level in levels])
            assert tuple(row.data == encode_rollup(decode_rollup(row.data)) for row in rows) == packed
