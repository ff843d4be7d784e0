"""The embedded store's files, and what a crash or the disk does to them."""

import os
import sqlite3
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.timeseries.samples import ACCOUNT, NODE, frame
from timeseries.embedded import EmbeddedStore
from timeseries.errors import StoreUnavailable
from timeseries.frames import Frame, runs
from timeseries.hot import HotFrames
from timeseries.segment import OFFSET_BITS, Segment, encode_run
from timeseries.segment_index import SegmentIndex
from timeseries.store import HOUR_MS

KEY = (ACCOUNT, NODE)
FRAMES = [frame(time_ms, f"a:{time_ms}", b"payload %d" % time_ms * 20) for time_ms in range(50)]
ALL = 1000
FULL = OSError(28, "No space left on device")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def kept(path: Path) -> list[Frame]:
    """What a segment that is opened anew has of the node, in the order of arrival."""
    segment = Segment(path)
    found = list(segment.thd_read(segment.places(KEY)))
    segment.close()
    return found


def encoded(one: Frame) -> bytes:
    """The record of a frame."""
    (run,) = runs([one])
    return b"".join(encode_run(run)[0])


def written(path: Path) -> None:
    segment = Segment(path)
    segment.thd_append(FRAMES)
    segment.close()


def test_a_record_has_little_more_bytes_than_its_payload() -> None:
    assert len(encoded(FRAMES[0])) < len(FRAMES[0].payload) + 70


def test_a_record_that_a_crash_cut_short_is_cut_off_and_what_comes_next_is_kept(folder: Path) -> None:
    path = folder / "1.frames"
    written(path)
    os.truncate(path, path.stat().st_size - 1)
    assert kept(path) == FRAMES[:-1]
    segment = Segment(path)
    segment.thd_append([FRAMES[-1]])
    segment.close()
    assert kept(path) == FRAMES


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), min_size=1, max_size=5))
@settings(
    max_examples=200,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_damage_on_the_disk_costs_the_damaged_records_alone(
    folder: Path, damage: list[tuple[float, int]]
) -> None:
    path = folder / "2.frames"
    path.unlink(missing_ok=True)
    written(path)
    data = bytearray(path.read_bytes())
    ends = [sum(len(encoded(one)) for one in FRAMES[: n + 1]) for n in range(len(FRAMES))]
    hit = set()
    for where, change in damage:
        offset = min(int(where * len(data)), len(data) - 1)
        data[offset] ^= change
        hit.add(next(n for n, end in enumerate(ends) if offset < end))
    path.write_bytes(data)
    found = [one.time_ms for one in kept(path)]
    assert found == sorted(set(range(len(FRAMES))) - hit | set(found))
    assert all(one == FRAMES[one.time_ms] for one in kept(path))


def test_a_record_that_is_damaged_after_the_start_is_left_out_of_what_is_read(folder: Path) -> None:
    path = folder / "3.frames"
    segment = Segment(path)
    segment.thd_append(FRAMES)
    with path.open("r+b") as file:
        file.seek(len(encoded(FRAMES[0])) + 40)
        file.write(b"damaged")
    assert list(segment.thd_read(segment.places(KEY))) == [FRAMES[0], *FRAMES[2:]]
    segment.close()


@pytest.mark.parametrize("call", ["pwrite", "fdatasync"])
def test_a_write_that_the_disk_refuses_leaves_nothing_and_the_next_one_succeeds(
    folder: Path, call: str
) -> None:
    path = folder / "4.frames"
    segment = Segment(path)
    segment.thd_append(FRAMES[:10])
    with mock.patch.object(os, call, side_effect=FULL), pytest.raises(OSError, match="No space"):
        segment.thd_append(FRAMES[10:20])
    segment.thd_append(FRAMES[20:])
    assert list(segment.thd_read(segment.places(KEY))) == FRAMES[:10] + FRAMES[20:]
    segment.close()
    assert kept(path) == FRAMES[:10] + FRAMES[20:]


def test_every_hour_has_a_segment_and_a_clock_set_back_goes_on_in_the_newest(folder: Path) -> None:
    now = [10 * HOUR_MS]
    hot = HotFrames(folder, lambda: now[0])
    hot.thd_open()
    for hour in (10, 11, 9):
        now[0] = hour * HOUR_MS
        hot.thd_append([frame(hour)])
    assert [path.stem for path in sorted(folder.glob("*.frames"))] == ["0000000010", "0000000011"]
    hot.thd_close()
    hot.thd_open()
    assert [one.time_ms for one in hot.thd_read(KEY, 0, ALL)] == [9, 10, 11]
    hot.thd_close()


def test_a_frame_that_came_again_in_another_hour_is_read_once_as_it_came_last(folder: Path) -> None:
    now = [0]
    hot = HotFrames(folder, lambda: now[0])
    hot.thd_open()
    for payload in (b"first", b"last"):
        now[0] += HOUR_MS
        hot.thd_append([frame(7, "a:1", payload)])
    assert [one.payload for one in hot.thd_read(KEY, 0, ALL)] == [b"last"]
    latest = hot.thd_latest(KEY, ALL)
    assert latest is not None
    assert latest.payload == b"last"
    hot.thd_close()


def indexed(path: Path, *parts: list[Frame]) -> Path:
    """A segment with the parts, and its index with a chunk of each."""
    segment = Segment(path)
    for part in parts:
        segment.thd_append(part)
        segment.thd_index()
    segment.close()
    return path.with_suffix(".index")


def without_scan(path: Path) -> list[Frame]:
    """The same as `kept`, where nothing may be looked for in the segment itself."""
    with mock.patch("timeseries.segment._scan", side_effect=AssertionError):
        return kept(path)


def test_a_segment_with_an_index_is_opened_without_reading_it(folder: Path) -> None:
    indexed(folder / "5.frames", FRAMES[:10], FRAMES[10:])
    assert without_scan(folder / "5.frames") == FRAMES


def test_what_came_after_the_index_is_found_and_joins_it(folder: Path) -> None:
    path = folder / "5.frames"
    indexed(path, FRAMES[:10])
    segment = Segment(path)
    segment.thd_append(FRAMES[10:20])
    segment.close()
    assert kept(path) == FRAMES[:20]
    indexed(path, FRAMES[20:])
    assert without_scan(path) == FRAMES


def test_the_index_goes_on_by_itself_while_a_segment_grows(folder: Path) -> None:
    path = folder / "5.frames"
    with mock.patch("timeseries.segment.UNINDEXED_BYTES", 10 * len(encoded(FRAMES[10]))):
        segment = Segment(path)
        for one in FRAMES:
            segment.thd_append([one])
        segment.close()
    assert SegmentIndex(path.with_suffix(".index")).thd_load(path.stat().st_size).keys() == {KEY}
    assert kept(path) == FRAMES


@given(st.data())
@settings(max_examples=100, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_becomes_of_the_index_the_frames_are_found(folder: Path, data: st.DataObject) -> None:
    path = folder / "5.frames"
    path.unlink(missing_ok=True)
    path.with_suffix(".index").unlink(missing_ok=True)
    index = indexed(path, FRAMES[:20], FRAMES[20:])
    content = bytearray(index.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    index.write_bytes(content)
    assert kept(path) == FRAMES
    segment = Segment(path)
    segment.thd_index()
    segment.close()
    assert without_scan(path) == FRAMES


def test_an_index_of_more_than_there_is_does_not_count(folder: Path) -> None:
    path = folder / "5.frames"
    indexed(path, FRAMES[:10], FRAMES[10:])
    os.truncate(path, path.stat().st_size - 1)
    assert kept(path) == FRAMES[:-1]


def test_a_disk_that_refuses_the_index_loses_nothing(folder: Path) -> None:
    with mock.patch.object(os, "fdopen", side_effect=FULL):
        indexed(folder / "5.frames", FRAMES)
    assert kept(folder / "5.frames") == FRAMES


def test_a_segment_stays_for_an_hour_after_its_own_and_goes_with_its_index(folder: Path) -> None:
    now = [10 * HOUR_MS]
    hot = HotFrames(folder, lambda: now[0])
    hot.thd_open()
    for hour in (10, 11):
        now[0] = hour * HOUR_MS
        hot.thd_append([frame(now[0])])
    for due in hot.due(lambda _: True):
        hot.settle(due)
    hot.thd_drop()
    assert len(hot.thd_read(KEY, 0, ALL * HOUR_MS)) == 2
    now[0] = 12 * HOUR_MS
    hot.thd_append([frame(now[0])])
    assert hot.thd_drop() >> OFFSET_BITS == 11
    assert not list(folder.glob("0000000010.*"))
    assert len(hot.thd_read(KEY, 0, ALL * HOUR_MS)) == 2
    hot.thd_close()


class EmbeddedStoreTest(TestCase):
    """A store in a folder of the test's own."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "series")

    def make(self) -> EmbeddedStore:
        store = EmbeddedStore(self.path, reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(store.close()))
        return store

    async def test_a_full_disk_is_told_as_unavailable_and_the_store_goes_on(self) -> None:
        store = self.make()
        await store.open()
        with mock.patch.object(os, "fdatasync", side_effect=FULL), pytest.raises(StoreUnavailable):
            await store.write(FRAMES[:10])
        await store.write(FRAMES[:10])
        assert await store.read(*KEY, 0, ALL) == FRAMES[:10]

    async def test_frames_of_the_first_embedded_store_move_in_once(self) -> None:
        old = self.path.with_suffix(".db")
        self.fill_old(old)
        store = self.make()
        await store.open()
        assert await store.read(*KEY, 0, ALL) == FRAMES
        assert not old.exists()

    def fill_old(self, path: Path) -> None:
        database = sqlite3.connect(path)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE frames (account, node, time, origin, received, payload)")
        database.executemany("INSERT INTO frames VALUES (?, ?, ?, ?, ?, ?)", map(_row, FRAMES))
        database.commit()
        database.close()


def _row(one: Frame) -> tuple[Any, ...]:
    return one.account_id, one.node_id, one.time_ms, one.origin, one.received_ms, one.payload
