"""The command line, on the engine that starts fastest."""

import json
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.engines.__main__ import main
from tests.engines import SHARED


@pytest.fixture
def state(pytestconfig: pytest.Config) -> Iterator[Path]:
    """A state folder that PostgreSQL's own user may enter, which pytest's are not."""
    pytestconfig.stash[SHARED].demand("postgresql")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder, "state")


def test_a_started_engine_is_written_down_and_runs_until_it_is_stopped(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["start", "--state", str(state), "postgresql"]) == 0
    try:
        known = json.loads((state / "engines.json").read_text())["postgresql"]
        settings = tomllib.loads((state / "picket.toml").read_text())
        assert settings == {"database": {"url": known["url"]}}
        assert (state / "picket.toml").stat().st_mode & 0o077 == 0
        assert main(["status", "postgresql", "--state", str(state)]) == 0
        assert f"runs, pid {known['processes'][0][0]}" in capsys.readouterr().err
    finally:
        assert main(["stop", "--state", str(state)]) == 0

    assert "stopped: postgresql" in capsys.readouterr().err
    assert main(["status", "--state", str(state), "postgresql"]) == 1
    assert (state / "picket.toml").read_text() == ""


def test_stopping_where_nothing_was_started_is_no_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stop", "--state", str(tmp_path / "none")]) == 0
    assert "nothing was running" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
