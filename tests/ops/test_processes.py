"""Processes that are stopped by pid, together with all that they started."""

import signal
import sys
from pathlib import Path

import psutil

from ops.engines.processes import Process, end, spawn, tail

# A server that ignores a polite end and has a child in its session.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def _child_of(log: Path, server: Process) -> psutil.Process:
    while server.find() and not log.read_text().strip():
        pass
    return psutil.Process(int(log.read_text()))


def test_a_process_that_ignores_the_polite_signal_is_killed_with_its_child(tmp_path: Path) -> None:
    server = spawn([sys.executable, "-c", STUBBORN], log=tmp_path / "log", cwd=tmp_path)
    child = _child_of(tmp_path / "log", server)

    end(server, signal.SIGTERM, within_s=0.2)

    assert server.find() is None
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_children_of_a_server_that_died_by_itself_are_ended_too(tmp_path: Path) -> None:
    server = spawn([sys.executable, "-c", STUBBORN], log=tmp_path / "log", cwd=tmp_path)
    child = _child_of(tmp_path / "log", server)
    psutil.Process(server.pid).kill()
    psutil.Process(server.pid).wait(5)

    end(server, signal.SIGTERM, within_s=0.2)

    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_pid_that_now_belongs_to_somebody_else_is_left_alone(tmp_path: Path) -> None:
    server = spawn([sys.executable, "-c", "import time; time.sleep(600)"], log=tmp_path / "log", cwd=tmp_path)

    end(server._replace(born=server.born - 60), signal.SIGTERM, within_s=0.2)

    assert server.find() is not None
    end(server, signal.SIGTERM, within_s=5)


def test_a_log_ends_with_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("one\ntwo\nthree\n")

    assert tail(log, 2) == "two\nthree"
    assert tail(tmp_path / "none") == "(no log)"
