"""Frames on disk: bounded in bytes and age, whatever happened to the file."""

import os
from pathlib import Path

import pytest

from agent.journal import Entry, Journal


def entry(seq: int, payload: bytes = b"x") -> Entry:
    return Entry(seq, "zlib", payload)


def seqs(journal: Journal) -> list[int]:
    return [entry.seq for entry in journal.thd_read(0, 1 << 60)]


def test_what_is_saved_is_there_for_the_next_run_until_it_is_gone(tmp_path: Path) -> None:
    Journal(tmp_path).thd_save([entry(1), entry(2, b"\x00\xff")], [], 0)
    journal = Journal(tmp_path)
    assert (seqs(journal), journal.thd_last_seq()) == ([1, 2], 2)
    journal.thd_save([], [1], 0)
    assert Journal(tmp_path).thd_read(0, 10) == [entry(2, b"\x00\xff")]


def test_frames_between_two_seqs_are_read(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.thd_save(map(entry, range(1, 200)), [], 0)
    assert [one.seq for one in journal.thd_read(100, 104)] == [101, 102, 103]
    assert len(journal.thd_read(0, 200)) == 64


def test_large_frames_are_read_a_few_at_a_time(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.thd_save([entry(seq, bytes(100_000)) for seq in range(1, 6)], [], 0)
    assert seqs(journal) == [1, 2]


def test_past_its_bytes_the_oldest_go_and_the_newest_stay(tmp_path: Path) -> None:
    journal = Journal(tmp_path, most_bytes=200_000)
    dropped = sum(journal.thd_save([entry(seq, os.urandom(10_000))], [], 0) for seq in range(1, 51))
    kept: list[int] = []
    while more := journal.thd_read(kept[-1] if kept else 0, 1000):
        kept += [one.seq for one in more]
    assert kept == list(range(51 - len(kept), 51))
    assert dropped == 50 - len(kept)
    assert 10 < len(kept) < 20
    assert (tmp_path / "spool.db").stat().st_size < 250_000


def test_past_its_age_the_oldest_go(tmp_path: Path) -> None:
    journal = Journal(tmp_path, longest_ms=1000)
    journal.thd_save([entry(1)], [], 0)
    journal.thd_save([entry(2)], [], 500)
    assert journal.thd_save([entry(3)], [], 1200) == 1
    assert seqs(journal) == [2, 3]


@pytest.mark.parametrize("damage", [b"no database" * 1000, bytes(4096), None])
def test_a_damaged_file_is_put_aside_and_begun_anew(tmp_path: Path, damage: bytes | None) -> None:
    journal = Journal(tmp_path)
    journal.thd_save([entry(seq, os.urandom(1000)) for seq in range(1, 100)], [], 0)
    journal.thd_close()
    path = tmp_path / "spool.db"
    whole = path.read_bytes()
    (tmp_path / "spool.db.bad-1").touch()
    path.write_bytes(damage if damage else whole[:8192] + os.urandom(20_000) + whole[28_192:])
    journal.thd_save([entry(7)], [], 0)
    assert seqs(journal) == [7]
    (bad,) = tmp_path.glob("spool.db.bad-*")
    assert bad.name != "spool.db.bad-1"


def test_the_file_is_for_this_user_only(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.thd_save([entry(1)], [], 0)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
