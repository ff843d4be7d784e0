"""Frames of hostile content that came into a store all the same: a pass takes in what can be read."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from tests.threads import at_once
from tests.timeseries.hostile import ACCEPTED, REFUSED
from tests.timeseries.samples import ACCOUNT, NODE, frame, measured, result
from timeseries.compaction import Passed, compact
from timeseries.embedded import EmbeddedStore
from timeseries.frames import Bounds, decode_payload
from timeseries.memory import MemoryStore
from timeseries.query import run_query
from timeseries.question import Query, Series
from timeseries.retention import Retention
from timeseries.store import DAY_MS, HOUR_MS, TimeSeriesStore

NOW_MS = 20_000 * DAY_MS
ALL = REFUSED | ACCEPTED
READABLE = ("too_many", "text_too_long", "bad_time")
"""The gateway refuses them for what they say; there is nothing in them that a row could not have."""


def now(coroutine: Any) -> Any:
    outcome: list[Any] = []
    Deferred.fromCoroutine(coroutine).addBoth(outcome.append)
    if isinstance(outcome[0], Exception) or hasattr(outcome[0], "raiseException"):
        outcome[0].raiseException()
    return outcome[0]


async def asked(store: TimeSeriesStore, check: str, key: str) -> Series:
    query = Query(check=check, key=key, start_ms=NOW_MS, end_ms=NOW_MS + HOUR_MS)
    return await run_query(store, at_once, ACCOUNT, NODE, query, Retention(NOW_MS))


async def passed(store: TimeSeriesStore, payload: bytes) -> Passed:
    """The frame between two good ones becomes rows, and every query is as it was."""
    good = [measured(NOW_MS + n, result(user=n), origin=f"a:{n}") for n in (0, 2)]
    await store.write([good[0], frame(NOW_MS + 1, "a:1", payload), good[1]])
    which = {("cpu", "")} | {(one.check, one.key) for one in readable(payload)}
    before = {one: await asked(store, *one) for one in which}
    (hour,) = await store.due_of(ACCOUNT, NODE)
    made = await compact(store, at_once, hour)
    assert {one: await asked(store, *one) for one in which} == before
    assert before["cpu", ""].times != b""
    return made


def readable(payload: bytes) -> Any:
    try:
        return decode_payload(payload).results
    except Exception:  # noqa: BLE001 - the test's own measure of it
        return []


@pytest.mark.parametrize("name", sorted(ALL.keys() - {"too_many_metrics: in one result"}))
def test_a_pass_takes_in_what_can_be_read_and_counts_what_cannot(name: str) -> None:
    made = now(passed(MemoryStore(Clock()), ALL[name](NOW_MS)))
    unreadable = name in REFUSED and not name.startswith(READABLE)
    assert (made.frames, made.unreadable) == (3, unreadable)


@pytest.mark.parametrize("name", ["an integer of 300 digits", "duplicate results"])
def test_bounds_are_of_what_is_there(name: str) -> None:
    assert decode_payload(ACCEPTED[name](NOW_MS), Bounds(10_000, 65_536))


class OnEmbeddedTest(TestCase):
    async def test_the_embedded_store_keeps_them_all(self) -> None:
        for name, payload in ALL.items():
            if "metrics" in name:
                continue  # Nothing else than in memory, and they take seconds.
            with tempfile.TemporaryDirectory() as folder:
                store = EmbeddedStore(Path(folder, "series"), reactor)
                await store.open()
                try:
                    assert (await passed(store, payload(NOW_MS))).frames == 3, name
                finally:
                    await store.close()
