"""The archive is killed under load: every acknowledged frame is in Cassandra afterwards, once."""

import asyncio
import time
from collections import Counter
from contextlib import ExitStack

import acsylla
import pytest

from ops.cluster import Cluster
from tests.agent_client import AgentClient
from tests.engines import Keyspace
from tests.product import Product

AGENTS = 4
FRAMES = 400
KILLS = 2


@pytest.mark.xdist_group("distributed")
def test_every_acknowledged_frame_is_stored_once_though_the_archive_was_killed(
    cluster: Cluster, distributed: Product, cassandra_keyspace: Keyspace
) -> None:
    with ExitStack() as connections:
        agents = [
            connections.enter_context(AgentClient(distributed.agents, distributed.ca)) for _ in range(AGENTS)
        ]
        for number, agent in enumerate(agents):
            agent.hello(distributed.key, f"test-archive-{number}")
        _send_while_killing(agents, cluster)
        sent = set(range(1, FRAMES + 1))
        for agent in agents:
            agent.wait_for(sent)
    for agent in agents:
        stored = _stored(cassandra_keyspace, agent.node, until=len(sent))
        assert stored == Counter({f"a:{seq}": 1 for seq in sent})


def _send_while_killing(agents: list[AgentClient], cluster: Cluster) -> None:
    began_ms = int(time.time() * 1000) - FRAMES * 10
    for seq in range(1, FRAMES + 1):
        for agent in agents:
            agent.frame(seq, [{"check": "load", "metrics": {"sent": seq}}], began_ms + seq * 10)
        if seq % (FRAMES // (KILLS + 1)) == 0 and seq < FRAMES - KILLS:
            cluster.kill("archive")
            cluster.start_one("archive")


def _stored(keyspace: Keyspace, node: str, until: int, within_s: float = 30) -> Counter[str]:
    """How often each origin of the node is in Cassandra, once there are `until` or the time is over."""
    deadline = time.monotonic() + within_s
    while True:
        found = Counter(_origins(keyspace, node))
        if found.total() >= until or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


def _origins(keyspace: Keyspace, node: str) -> list[str]:
    """Read by a client that has nothing to do with Picket's own store."""

    async def read() -> list[str]:
        session = await acsylla.create_cluster(keyspace.contact_points, port=keyspace.port).create_session()
        rows = f"SELECT origin, node FROM {keyspace.keyspace}_product.frames ALLOW FILTERING"
        statement = acsylla.create_statement(rows, page_size=100_000)
        found = [row.origin for row in await session.execute(statement) if row.node == node]
        await session.close()
        return found

    return asyncio.run(read())
