"""Signals, shown on a real process, and what starting and failing print."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAM = """
import sys
from picket import reactor
reactor.install()
from twisted.internet import reactor as running
from twisted.internet.error import CannotListenError
from twisted.internet.task import deferLater
from picket import process
from picket.errors import PicketError
from picket.settings import Settings

class Slow:
    async def start(self):
        if "mend" in sys.argv:
            raise PicketError("mend it")
        if "taken" in sys.argv:
            raise CannotListenError("127.0.0.1", 80, OSError(98, "in use"))
        print("up", flush=True)

    async def stop(self):
        print("stopping", flush=True)
        await deferLater(running, float(sys.argv[1]))
        print("stopped", flush=True)

sys.exit(process.serve(lambda _: Slow(), Settings()))
"""


@contextmanager
def program(home: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": ":".join(sys.path), "HOME": str(home)},
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def heard(running: subprocess.Popen[str]) -> str:
    assert running.stdout
    return running.stdout.readline().strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_it_finish_what_is_under_way(tmp_path: Path, number: signal.Signals) -> None:
    with program(tmp_path, "0.1") as running:
        assert heard(running) == "up"
        running.send_signal(number)
        assert [heard(running), heard(running)] == ["stopping", "stopped"]
        assert running.wait(10) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(tmp_path: Path, number: signal.Signals) -> None:
    with program(tmp_path, "60") as running:
        assert heard(running) == "up"
        running.send_signal(number)
        assert heard(running) == "stopping"
        running.send_signal(number)
        assert running.wait(2) == -number


@pytest.mark.parametrize(
    ("why", "line"),
    [
        ("mend", "picket: mend it\n"),
        (
            "taken",
            "picket: cannot listen on 127.0.0.1:80: in use; stop what uses it, or choose another address\n",
        ),
    ],
)
def test_what_a_person_can_mend_is_one_line(tmp_path: Path, why: str, line: str) -> None:
    with program(tmp_path, "0", why) as running:
        assert running.wait(10) == 1
        assert running.stderr
        assert running.stderr.read() == line
