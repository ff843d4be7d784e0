"""The archive is killed under load: every acknowledged frame is in Cassandra afterwards, once."""

import pytest

from ops.cluster import Cluster
from tests.engines import Keyspace
from tests.ledger import Ledger, in_cassandra, kill_soon
from tests.product import Product


@pytest.mark.xdist_group("distributed")
def test_every_acknowledged_frame_is_stored_once_though_the_archive_was_killed(
    cluster: Cluster, distributed: Product, cassandra_keyspace: Keyspace
) -> None:
    ledger = Ledger(distributed, "archive", agents=4)
    for _ in range(2):
        ledger.send(300, meanwhile=lambda: kill_soon(cluster, "archive"))
    ledger.check(in_cassandra(cassandra_keyspace))
