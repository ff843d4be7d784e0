"""`python -m bench record` and `storage`, small."""

import json
from pathlib import Path

import pytest

from bench.disk import OnDisk
from bench.errors import BenchError
from bench.points import INTERVAL_MS
from bench.recording import END_MS, laid, read
from bench.storage import disk_figures, disk_table, made_up
from tests.bench.command import bench
from timeseries.frames import decode_payload, encode_batch
from timeseries.store import HOUR_MS, Level


def test_what_was_recorded_is_measured_beside_what_is_made_up(tmp_path: Path) -> None:
    file = tmp_path / "frames"
    recorded = bench("record", str(file), "--minutes", "0.05")
    assert recorded.stdout == "1 frames\n", recorded.stderr
    assert {result.check for result in decode_payload(read(file)[0].payload).results} >= {
        "cpu",
        "mem",
        "disk",
    }
    run = bench("storage", "--recording", str(file), "--hours", "1", "--rounds", "1", "--nodes", "0")
    assert run.returncode == 0, run.stderr
    figures = json.loads(run.stdout.splitlines()[-1])
    assert 1 < figures["made_up_bytes_per_point"] < 1.5
    assert figures["recorded_bytes_per_point"] > 0


def test_a_file_that_is_no_recording_is_one_clear_line(tmp_path: Path) -> None:
    run = bench("storage", "--recording", str(tmp_path / "none"), "--rounds", "1")
    assert run.returncode == 1
    assert "is no recording" in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_recordings_are_laid_end_to_end_in_the_last_hours_of_a_month(tmp_path: Path) -> None:
    files = [tmp_path / "first", tmp_path / "second"]
    frames = made_up(1)
    files[0].write_bytes(encode_batch(frames[100:103]))
    files[1].write_bytes(encode_batch(frames[10:12]))
    found = laid(files)
    assert [frame.time_ms for frame in found] == [END_MS - HOUR_MS + n * INTERVAL_MS for n in range(5)]
    assert [frame.origin for frame in found] == [f"a:{n}" for n in range(1, 6)]
    assert [frame.payload for frame in found] == [
        frame.payload for frame in (*frames[100:103], *frames[10:12])
    ]
    files[1].write_bytes(encode_batch(frames))
    assert laid(files)[0].time_ms == END_MS - 2 * HOUR_MS
    with pytest.raises(BenchError):
        laid([tmp_path / "none"])


def test_they_end_with_a_day_and_a_month() -> None:
    for level in Level:
        assert level.period(END_MS) == END_MS
    assert made_up(1)[0].time_ms == END_MS - HOUR_MS


def test_what_is_on_disk_is_told_with_its_spread_and_compared() -> None:
    disk = OnDisk(1000, [1100, 1100, 1110], [1500, 2000, 2200])
    assert disk_figures(disk) == {"bytes_per_point": 1.1, "vs_victoriametrics_bytes": 0.55}
    rows = [line.split() for line in disk_table(disk)]
    assert rows[1:] == [
        ["Picket", "1.100", "1.100", "1.110"],
        ["VictoriaMetrics", "2.000", "1.500", "2.200", "0.55"],
    ]
