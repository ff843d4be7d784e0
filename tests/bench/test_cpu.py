"""CPU time is that of the server and of all that it started, ended or not."""

import os
import subprocess
import sys

from bench.cpu import cost, cpu_seconds

# The kernel counts CPU time in ticks of 10 ms, for user and system each: the bounds leave room for several.
BURN = "import time\nwhile time.process_time() < 0.3: pass\n"


def _burn() -> None:
    subprocess.run([sys.executable, "-c", BURN], check=True)


def test_the_work_of_an_ended_child_is_counted() -> None:
    spent = cost([os.getpid()], _burn)
    assert spent.cpu_s >= 0.25
    assert spent.wall_s >= 0.25


def test_the_work_of_a_living_child_is_counted() -> None:
    before = cpu_seconds(os.getpid())
    wait = BURN + "print(flush=True)\ninput()\n"
    with subprocess.Popen(
        [sys.executable, "-c", wait], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert cpu_seconds(os.getpid()) - before >= 0.25
        child.terminate()
