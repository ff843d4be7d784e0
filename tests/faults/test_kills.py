"""Processes killed under load: nothing acknowledged is lost or stored twice, nothing committed is untold."""

from pathlib import Path

import pytest

from ops.cluster import SERVICES, Cluster
from tests.engines import Keyspace
from tests.faults.conftest import Report
from tests.ledger import Ledger, in_cassandra, in_files, kill_soon, kill_up, kill_up_soon, untold
from tests.product import Embedded, Product, eventually

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
