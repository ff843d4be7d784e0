"""Server processes that outlive the program that starts them, and are stopped by pid, never by name."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from ops.engines.errors import EngineError


class Process(NamedTuple):
    """A process of ours: its pid, and its birth in seconds since the epoch, as pids are used again."""

    pid: int
    born: float

    def find(self) -> psutil.Process | None:
        """The process if it still lives; a zombie counts as gone."""
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.born) < 1 and found.status() != psutil.STATUS_ZOMBIE
            return found if same else None
        except psutil.NoSuchProcess:
            return None


def spawn(
    argv: Sequence[str], *, log: Path, cwd: Path, user: str = "", env: Mapping[str, str] | None = None
) -> Process:
    """Start a server in a session of its own, its output appended to `log`; root becomes `user` first."""
    with log.open("ab") as output:
        who = _becoming(user)
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=cwd,
            env=env,
            start_new_session=True,
            user=who,
            group=who,
            extra_groups=[] if who else None,
        )
    child.returncode = 0  # It is meant to outlive us: keeps Popen from warning about that.
    return Process(child.pid, psutil.Process(child.pid).create_time())


def run(argv: Sequence[str], *, cwd: Path, user: str = "", env: Mapping[str, str] | None = None) -> str:
    """Run a short command to its end and return its output; EngineError with that output when it fails."""
    who = _becoming(user)
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        cwd=cwd,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        user=who,
        group=who,
        extra_groups=[] if who else None,
    )
    if done.returncode:
        raise EngineError(f"{argv[0]} ended with status {done.returncode}:\n{done.stdout.strip()}")
    return done.stdout


def is_root() -> bool:
    """Whether we may become the users that some engines insist on."""
    return os.geteuid() == 0


def _becoming(user: str) -> str | None:
    """The user (and group of the same name) to change to, which only root can."""
    return user if user and is_root() else None


def end(process: Process, polite: signal.Signals, within_s: float) -> None:
    """Ask the process to end by `polite`; after `within_s` kill it; then kill what it left behind."""
    leader = process.find()
    family = leader.children(recursive=True) if leader else []
    if leader:
        _signal([leader], polite)
        _gone([leader], within_s)
        family.append(leader)
    family += _session(process)
    _signal(family, signal.SIGKILL)
    if still := _gone(family, 10):
        raise EngineError(f"processes {[p.pid for p in still]} do not end, not even by SIGKILL")


def _session(process: Process) -> list[psutil.Process]:
    """Others of the session that `process` led; none if its pid now belongs to somebody else."""
    if psutil.pid_exists(process.pid) and not process.find():
        return []
    return [p for p in psutil.process_iter() if _session_id(p.pid) == process.pid]


def _session_id(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def _signal(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def _gone(processes: Sequence[psutil.Process], within_s: float) -> list[psutil.Process]:
    """Wait for them (and reap those that are children of ours); those still there."""
    return psutil.wait_procs(processes, timeout=within_s)[1]


def tail(log: Path, lines: int = 20) -> str:
    """The last lines of a log, for an error message."""
    if not log.exists():
        return "(no log)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def say(text: str) -> None:
    """One line of progress, on standard error."""
    print(text, file=sys.stderr, flush=True)
