"""Processes killed under load: nothing acknowledged is lost or stored twice, nothing committed is untold."""

from pathlib import Path

import pytest

from ops.cluster import SERVICES, Cluster
from tests.engines import Keyspace
from tests.faults.conftest import Report
from tests.ledger import Ledger, in_cassandra, in_files, kill_soon, kill_up, kill_up_soon, untold
from tests.points import PointLedger, age, compacting, measured, wait_for_passes
from tests.product import Embedded, Product, eventually
from tests.readback import answered

pytestmark = pytest.mark.faults
AGENTS = 4


@pytest.mark.xdist_group("distributed")
def test_each_process_of_the_product_in_turn(
    cluster: Cluster, distributed: Product, cassandra_keyspace: Keyspace, report: Report
) -> None:
    kills = 40
    ledger = Ledger(distributed, "kills", AGENTS)
    turn = ("archive", "gateway", *SERVICES)
    for number in range(kills):
        name = turn[number % len(turn)]
        ledger.send(250, meanwhile=lambda name=name: kill_soon(cluster, name))  # type: ignore[misc]
    ledger.check(in_cassandra(cassandra_keyspace), within_s=120)
    report(f"{kills} processes killed: {AGENTS * ledger.sent:,} frames acknowledged, lost 0, twice 0")


def test_the_whole_of_picket_up(folder: Path, report: Report) -> None:
    kills = 100
    running = Embedded(folder / "home", "--no-agent")
    ledger = Ledger(running.start(), "kills", AGENTS)
    try:
        for _ in range(kills // 2):
            ledger.send(100, at_ack=lambda: kill_up(running))
            ledger.send(100, meanwhile=lambda: kill_up_soon(running))
        eventually(lambda: untold(running.home)[1] == 0)
    finally:
        running.stop()
    ledger.check(in_files(running.home))
    frames, nodes = AGENTS * ledger.sent, untold(running.home)[0]
    report(f"picket up killed {kills} times: {frames:,} frames acknowledged, lost 0, twice 0")
    report(f"{nodes:,} nodes committed, each told of by its event")


def test_the_whole_of_picket_up_while_passes_are_made(folder: Path, report: Report) -> None:
    kills, cycles = 100, 10
    home = folder / "home"
    stats = compacting(home)
    running = Embedded(home, "--no-agent")
    ledger = PointLedger(running.start(), "points", AGENTS)
    hours = 0.0
    try:
        for _ in range(cycles):
            for _ in range(kills // cycles // 2 - 1):
                ledger.send(100, at_ack=lambda: kill_up(running))
                ledger.send(100, meanwhile=lambda: kill_up_soon(running))
            ledger.send(100, meanwhile=lambda: kill_up_soon(running))
            wait_for_passes(stats)
            hours += measured(stats, "picket_compact_hours_total")
            running.kill()
            age(home)
            running.start()
    finally:
        running.stop()
    found = answered(home, ledger.nodes)
    ledger.compare(found)
    assert (found.due, found.series) == (0, AGENTS)
    told = f"{ledger.points:,} values acknowledged, lost 0, altered 0, extra 0"
    report(
        f"picket up killed {kills} times while it made rows ({hours:.0f} passes of the last starts): {told}"
    )
