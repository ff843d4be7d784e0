"""What happens around any engine: a failed start, a joined start, a folder that its user can't reach."""

import os
import sys
from pathlib import Path
from typing import ClassVar

import pytest

from ops.engines import cassandra
from ops.engines import engine as module
from ops.engines.cassandra import Cassandra
from ops.engines.engine import Engine, Place, Running, recorded
from ops.engines.errors import EngineError
from ops.engines.processes import Process, spawn


class Scripted(Engine):
    """Runs a line of Python as its server; answers when the file `ready` is there."""

    name: ClassVar[str] = "scripted"
    debian: ClassVar[tuple[str, ...]] = ()
    port_names: ClassVar[tuple[str, ...]] = ("main",)
    ready_within_s: ClassVar[float] = 1

    def __init__(self, code: str) -> None:
        self.code = code

    def missing(self) -> list[str]:
        return []

    def launch(self, place: Place) -> list[Process]:
        return [spawn([sys.executable, "-c", self.code], log=place.home / "log", cwd=place.home)]

    def ask(self, running: Running) -> None:
        Path(running.home, "ready").read_text()

    def url(self, running: Running, space: str = "") -> str:
        return f"scripted://{running.host}:{running.port}"

    def add_space(self, running: Running, space: str) -> None:
        return None


SERVES = "open('ready', 'w').close(); import time; time.sleep(600)"


def _left(state: Path) -> bool:
    running = recorded(state / "scripted")
    return running is not None and running.alive()


def test_a_server_that_dies_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"(?s)scripted ended before it answered.*no room left"):
        Scripted("raise SystemExit('no room left')").start(tmp_path)


def test_a_server_that_never_answers_is_reported_and_ended(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"(?s)scripted did not answer within 1 s.*still thinking"):
        Scripted("print('still thinking', flush=True); import time; time.sleep(600)").start(tmp_path)

    assert not _left(tmp_path)


def test_a_second_start_joins_the_server_that_runs(tmp_path: Path) -> None:
    engine = Scripted(SERVES)
    first = engine.start(tmp_path)

    assert engine.start(tmp_path) == first

    engine.stop(first)
    assert not _left(tmp_path)


def test_the_record_with_the_password_is_for_its_owner_only(tmp_path: Path) -> None:
    engine = Scripted(SERVES)
    engine.stop(engine.start(tmp_path))

    assert (tmp_path / "scripted" / "running.json").stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts servers as another user")
def test_a_state_folder_closed_to_the_servers_user_gets_its_data_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ELSEWHERE", tmp_path / "elsewhere")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)

    home = module._own_folder(closed / "scripted", "nobody")

    assert home.parent == tmp_path / "elsewhere"
    assert (closed / "scripted").resolve() == home
    assert home.owner() == "nobody"
    assert home.stat().st_mode & 0o777 == 0o700


def test_cassandra_is_not_started_where_it_would_run_out_of_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cassandra, "ROOM_BYTES", 1 << 60)
    with pytest.raises(EngineError, match=f"{tmp_path} has .* MB left"):
        Cassandra().launch(Place(tmp_path, {"cql": 1, "storage": 2}, ""))
