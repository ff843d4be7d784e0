"""The spool: live before backlog, the same SEQ again, on disk where that works, bounded where it does not."""

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from agent.journal import Entry, Journal
from agent.spool import Spool

Play = Callable[[], Coroutine[Any, Any, None]]
PAYLOAD = b"1234567890"


class Broken(Journal):
    """A disk that takes nothing while `broken`."""

    broken = True
    saves = 0

    def thd_save(self, *arguments: Any) -> int:
        self.saves += 1
        if self.broken:
            raise sqlite3.OperationalError("database or disk is full")
        return super().thd_save(*arguments)


def nowhere(folder: Path) -> Journal:
    """A disk on which nothing works at all."""
    return Journal(folder / "missing")


def played(play: Play) -> None:
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(play())


async def opened(journal: Journal, **more: Any) -> Spool:
    spool = Spool(journal, lambda: 1000, **more)
    await spool.open(lambda kept: max(kept + 1, 10))
    return spool


async def filled(journal: Journal, count: int, **more: Any) -> Spool:
    spool = await opened(journal, **more)
    for _ in range(count):
        spool.add("json", PAYLOAD)
    return spool


async def taken(spool: Spool) -> list[int]:
    """All that can be taken on this connection."""
    seqs = []
    while True:
        while entry := spool.take():
            seqs.append(entry.seq)
        await spool.step()
        if (entry := spool.take()) is None:
            return seqs
        seqs.append(entry.seq)


def test_a_frame_is_taken_once_on_a_connection(tmp_path: Path) -> None:
    async def play() -> None:
        spool = await filled(Journal(tmp_path), 2)
        assert await taken(spool) == [10, 11]
        assert await taken(spool) == []

    played(play)


@pytest.mark.parametrize("journal", [Journal, Broken, nowhere])
def test_after_a_reconnect_the_unacknowledged_are_sent_again_with_their_seq(
    tmp_path: Path, journal: Callable[[Path], Journal]
) -> None:
    async def play() -> None:
        spool = await filled(journal(tmp_path), 3)
        await taken(spool)
        spool.forget(11)
        spool.rewind()
        assert await taken(spool) == [10, 12]

    played(play)


@pytest.mark.parametrize("journal", [Journal, Broken, nowhere])
def test_a_live_frame_goes_before_the_backlog(tmp_path: Path, journal: Callable[[Path], Journal]) -> None:
    async def play() -> None:
        spool = await filled(journal(tmp_path), 2)
        await spool.step()
        spool.rewind()
        spool.add("json", b"live")
        assert await taken(spool) == [12, 10, 11]

    played(play)


def test_a_later_run_sends_what_an_earlier_one_left_byte_for_byte_and_counts_on(tmp_path: Path) -> None:
    async def play() -> None:
        first = await filled(Journal(tmp_path), 3)
        await first.step()
        first.forget(10)
        await first.step()
        later = await filled(Journal(tmp_path), 1)
        assert later.take() == Entry(13, "json", PAYLOAD)
        assert later.take() is None
        await later.step()
        assert [later.take(), later.take(), later.take()] == [
            Entry(11, "json", PAYLOAD),
            Entry(12, "json", PAYLOAD),
            None,
        ]

    played(play)


def test_a_backlog_of_any_size_is_taken_whole_and_in_order(tmp_path: Path) -> None:
    async def play() -> None:
        spool = await filled(Journal(tmp_path), 1000, live_bytes=100)
        assert sorted(await taken(spool)) == list(range(10, 1010))
        spool.rewind()
        assert await taken(spool) == list(range(10, 1010))

    played(play)


def test_a_rewind_while_backlog_is_read_leaves_nothing_out(tmp_path: Path) -> None:
    async def play() -> None:
        spool = await filled(Journal(tmp_path), 200)
        await spool.step()
        spool.rewind()
        assert spool.take() is None
        await spool.step()
        while spool.take():
            pass
        reading = asyncio.create_task(spool.step())
        await asyncio.sleep(0)
        spool.rewind()
        await reading
        assert await taken(spool) == list(range(10, 210))

    played(play)


def test_without_a_disk_the_oldest_is_dropped_and_counted(tmp_path: Path) -> None:
    async def play() -> None:
        spool = await filled(Broken(tmp_path), 5, most_bytes=30)
        assert (await taken(spool), spool.dropped, len(spool)) == ([12, 13, 14], 2, 3)

    played(play)


def test_a_disk_that_fails_is_told_once_and_tried_again_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def play() -> None:
        journal = Broken(tmp_path)
        spool = await filled(journal, 1, retry_s=3600)
        for _ in range(3):
            await spool.step()
        assert (journal.saves, spool.failures) == (1, 1)
        spool.rewind()
        assert await taken(spool) == [10]
        spool._retry_at = 0
        await spool.step()
        assert (journal.saves, spool.failures) == (2, 2)
        journal.broken, spool._retry_at = False, 0
        await spool.step()
        assert spool._unsaved == {}

    played(play)
    assert caplog.text.count("disk is full") == 1


def test_nothing_is_remembered_of_frames_that_no_disk_ever_had(tmp_path: Path) -> None:
    async def play() -> None:
        spool = await filled(Broken(tmp_path), 3)
        await spool.step()
        for seq in (10, 11, 12):
            spool.forget(seq)
        assert (len(spool), spool._bytes, spool._gone) == (0, 0, set())

    played(play)


def test_what_is_not_yet_saved_is_saved_at_the_end(tmp_path: Path) -> None:
    async def play() -> None:
        spool = await filled(Journal(tmp_path), 2)
        assert await spool.close()
        assert len(Journal(tmp_path).thd_read(0, 100)) == 2

    played(play)


def test_a_frame_that_is_acknowledged_while_it_is_saved_does_not_stay_on_disk(tmp_path: Path) -> None:
    async def play() -> None:
        spool = await filled(Journal(tmp_path), 1)
        saving = asyncio.create_task(spool.step())
        await asyncio.sleep(0)
        spool.forget(10)
        await saving
        await spool.step()
        assert Journal(tmp_path).thd_read(0, 100) == []

    played(play)


def test_a_frame_that_is_acknowledged_while_backlog_is_read_is_not_sent_again(tmp_path: Path) -> None:
    async def play() -> None:
        spool = await filled(Journal(tmp_path), 3)
        await spool.step()
        spool.rewind()
        assert spool.take() is None
        reading = asyncio.create_task(spool.step())
        await asyncio.sleep(0)
        spool.forget(11)
        await reading
        assert await taken(spool) == [10, 12]

    played(play)
