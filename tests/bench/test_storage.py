"""`python -m bench record` and `storage`, small."""

import json
import subprocess
import sys
from pathlib import Path

from bench.recording import read
from timeseries.frames import decode_payload

CHECKOUT = Path(__file__).parents[2]


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip


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
