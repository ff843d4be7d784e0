"""The time-series path on the real engines, each part broken: every acknowledged value stays as it was."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import pytest

from tests.faults.conftest import Report
from tests.faults.full import Filler, Supervisor
from tests.faults.memory import Memory
from tests.faults.rig import Rig, Sending
from tests.points import wait_for_passes
from tests.product import eventually

TURN = ("compact", "cassandra", "rabbitmq", "gateway", "archive")
ROUNDS = [pytest.param(1, id="short"), pytest.param(8, id="long", marks=pytest.mark.faults)]
POINTS = 1_000_000
"""Acknowledged at least, in the long form."""


@pytest.mark.xdist_group("serial")
@pytest.mark.parametrize("rounds", ROUNDS)
def test_nothing_acknowledged_is_lost_or_altered_whatever_is_killed(
    rig: Rig, report: Report, rounds: int
) -> None:
    ledger, is_long = rig.ledger("kills", agents=4), rounds > 1
    with Sending(ledger) as sending:
        eventually(lambda: rig.passes > 0, within_s=60)
        for name in TURN * rounds:
            time.sleep(random.uniform(0, 1))
            rig.kill(name)
            sending.await_progress()
        while is_long and ledger.points < POINTS:
            sending.await_progress()
        passes = rig.passes
        rig.cluster.stop_one("compact")
        sending.await_progress()
    rig.drain()
    found = rig.found(ledger)
    report(
        f"killed: {dict(rig.kills)}",
        f"{ledger.frames:,} frames, {ledger.points:,} values acknowledged: {found.differences}",
        f"{passes} passes made, {found.due} hours due",
    )
    rig.cluster.start_one("compact")
    assert found.differences == (0, 0, 0, "")
    assert found.due > 0
    assert found.series > 0
    if is_long:
        wait_for_passes(rig.cluster.stats("compact"), within_s=180)
        assert rig.found(ledger) == ((0, 0, 0, ""), 0, len(ledger.nodes))


@dataclass(frozen=True)
class Outage:
    """It `lasts_s`, under `burst` frames of each of `agents` every second, after `warm_s` of the same."""

    agents: int
    burst: int
    warm_s: float
    lasts_s: float


SHORT = pytest.param(Outage(4, 25, 8, 8), id="short")
HANGS = [SHORT, pytest.param(Outage(16, 13, 90, 300), id="long", marks=pytest.mark.faults)]
FULL = [SHORT, pytest.param(Outage(16, 13, 90, 120), id="long", marks=pytest.mark.faults)]
START_S = 180
BACK_S = 60
"""How soon after Cassandra answers frames are stored and made into rows again."""

CAUGHT_UP_S = 180
"""How soon all is stored that had to wait."""

GROWTH = 1.5
"""How large any process may get, as a multiple of what it was."""


@pytest.mark.xdist_group("serial")
@pytest.mark.parametrize("outage", HANGS)
def test_a_cassandra_that_hangs_fills_no_memory_and_all_goes_on_by_itself(
    rig: Rig, report: Report, outage: Outage
) -> None:
    @contextmanager
    def hang() -> Iterator[None]:
        os.kill(rig.cassandra.running.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(rig.cassandra.running.pid, signal.SIGCONT)

    bear(rig, outage, hang(), report, "Cassandra hung")


@pytest.mark.xdist_group("serial")
@pytest.mark.parametrize("outage", FULL)
def test_a_full_disk_of_cassandra_fills_no_memory_and_all_goes_on_when_there_is_room(
    small_rig: Rig, report: Report, outage: Outage
) -> None:
    with Supervisor(small_rig.cassandra) as supervisor:
        bear(small_rig, outage, Filler(small_rig.cassandra.state), report, "Cassandra's disk was full")
    report(f"Cassandra ended {supervisor.ends} times by itself, and was started again when there was room")


def bear(rig: Rig, outage: Outage, broken: AbstractContextManager[object], report: Report, what: str) -> None:
    """Hold the product against its promises while something is `broken` for a time, and afterwards."""
    ledger, before = rig.ledger("outage", outage.agents), max(0, rig.stored)
    with Sending(ledger, outage.burst, every_s=1) as sending:
        sending.await_progress()
        time.sleep(outage.warm_s)
        with Memory(rig.pids()) as memory:
            with broken:
                time.sleep(outage.lasts_s)
                waiting, acknowledged = rig.waiting(), ledger.frames
                stored, passes = rig.stored, rig.passes
            there_s = seconds(rig.is_cassandra_there, START_S)
            back_s = seconds(lambda: rig.stored > stored and rig.passes > passes, BACK_S)
            caught_up_s = seconds(lambda: rig.stored - before >= acknowledged, CAUGHT_UP_S)
    rig.drain()
    found = rig.found(ledger)
    report(
        f"{what} for {outage.lasts_s} s, answered after {there_s:.1f} s, all went on after {back_s:.1f} s",
        f"{waiting:,} batches had waited, and were stored after {caught_up_s:.1f} s more",
        f"{ledger.frames:,} frames, {ledger.points:,} values acknowledged: {found.differences}",
        str(memory),
    )
    assert found.differences == (0, 0, 0, "")
    assert {name: ratio for name, ratio in memory.ratio.items() if ratio > GROWTH} == {}


def seconds(look: Callable[[], bool], within_s: float) -> float:
    """How long it takes until it is so."""
    began = time.monotonic()
    eventually(look, within_s)
    return time.monotonic() - began
