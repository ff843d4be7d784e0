"""Processes killed at random under load: nothing acknowledged is lost, nothing is stored twice."""

import tempfile
from pathlib import Path

import pytest

from ops.cluster import SERVICES, Cluster
from tests.engines import Keyspace
from tests.ledger import Ledger, in_cassandra, in_sqlite, kill_soon, kill_up_soon
from tests.product import Embedded, Product

pytestmark = pytest.mark.faults
KILLS = 40
FRAMES = 250


@pytest.mark.xdist_group("distributed")
def test_each_process_of_the_product_in_turn(
    cluster: Cluster, distributed: Product, cassandra_keyspace: Keyspace
) -> None:
    ledger = Ledger(distributed, "kills", agents=4)
    turn = ("archive", "gateway", *SERVICES)
    for number in range(KILLS):
        name = turn[number % len(turn)]
        ledger.send(FRAMES, meanwhile=lambda name=name: kill_soon(cluster, name))  # type: ignore[misc]
    ledger.check(in_cassandra(cassandra_keyspace), within_s=120)
    print(f"\nkilled {KILLS} processes; {ledger.sent * 4} frames acknowledged, lost 0, twice 0")


def test_the_whole_of_picket_up() -> None:
    with tempfile.TemporaryDirectory(prefix="picket-kills-") as folder:
        home = Path(folder) / "home"
        running = Embedded(home, "--no-agent")
        ledger = Ledger(running.start(), "kills", agents=4)
        try:
            for _ in range(KILLS):
                ledger.send(FRAMES, meanwhile=lambda: kill_up_soon(running))
        finally:
            running.stop()
        ledger.check(in_sqlite(home))
    print(f"\nkilled {KILLS} times; {ledger.sent * 4} frames acknowledged, lost 0, twice 0")
