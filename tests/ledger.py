"""A ledger of acknowledged frames: what was promised, and how often the stores have it."""

import asyncio
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import acsylla

from ops.cluster import Cluster
from tests.agent_client import AgentClient
from tests.engines import Keyspace
from tests.product import Embedded, Product
from timeseries.hot import HotFrames
from timeseries.store import MAX_TIME_MS

KEPT = 200
"""Events in the history of a node."""

STEP_MS = 10
AT_ONCE = 50
PAGE_ROWS = 1000
"""More at a time, and a small Cassandra runs out of memory."""

PADDING = "x" * 4000
"""Of each frame, so that storing it takes the time in which a kill can hit."""


class Ledger:
    """Sends numbered frames of several agents; each has to be acknowledged, and stored once."""

    def __init__(self, product: Product, name: str, agents: int) -> None:
        self._product = product
        self._names = [f"test-{name}-{number}" for number in range(agents)]
        self._identity: dict[str, dict[str, str]] = {}
        self._began_ms = int(time.time() * 1000) - 3_600_000
        self._at_ack: Callable[[], None] = lambda: None
        self._newcomers = self.sent = 0

    @property
    def nodes(self) -> list[str]:
        """The ids of those whose frames are promised."""
        return [self._identity[name]["node"] for name in self._names]

    def result(self, seq: int) -> dict[str, Any]:
        """What a frame is to tell."""
        return {"check": "load", "status": PADDING, "metrics": {"sent": seq}}

    def time_ms(self, seq: int) -> int:
        """When that was."""
        return self._began_ms + seq * STEP_MS

    def send(
        self,
        count: int,
        meanwhile: Callable[[], None] = lambda: None,
        at_ack: Callable[[], None] = lambda: None,
        within_s: float = 60,
    ) -> None:
        """Send `count` frames from each agent while `meanwhile` happens; return when all are acknowledged.

        `at_ack` is called at the very moment of the first acknowledgement, with many frames under way.
        A connection that ends is made again, and what it left unacknowledged sent again, as an agent does.
        Whenever they connect, a new agent comes and says hello.
        """
        self._at_ack = at_ack
        todo = {name: set(range(self.sent + 1, self.sent + count + 1)) for name in self._names}
        deadline = time.monotonic() + within_s
        with ThreadPoolExecutor(1) as other:
            happening = other.submit(meanwhile)
            while any(todo.values()):
                if happening.done():
                    happening.result()
                assert time.monotonic() < deadline, f"not acknowledged in time: {todo}"
                self._try(todo)
            happening.result()
        self.sent += count

    def _try(self, todo: dict[str, set[int]]) -> None:
        with ExitStack() as connections:
            self._newcomers += 1
            self._connect(connections, f"{self._names[0]}-new-{self._newcomers}")
            agents = {name: self._connect(connections, name) for name, waiting in todo.items() if waiting}
            sending = [(agent, todo[name]) for name, agent in agents.items() if agent]
            for agent, waiting in sending:
                self._send(agent, sorted(waiting)[:AT_ONCE])
            for agent, waiting in sending:
                self._await(agent, set(sorted(waiting)[:AT_ONCE]))
                waiting -= agent.acknowledged

    def _connect(self, connections: ExitStack, name: str) -> AgentClient | None:
        try:
            agent = connections.enter_context(AgentClient(self._product.agents, self._product.ca))
            accepted = agent.hello(self._product.key, name, **self._identity.get(name, {}))
        except (OSError, AssertionError):
            time.sleep(0.1)
            return None
        known = self._identity.setdefault(name, {"node": accepted["node"]})
        known |= {key: accepted[key] for key in ("node_secret",) if accepted.get(key)}
        return agent

    def _send(self, agent: AgentClient, seqs: list[int]) -> None:
        with suppress(OSError, AssertionError):
            for seq in seqs:
                agent.frame(seq, [self.result(seq)], self.time_ms(seq))

    def _await(self, agent: AgentClient, seqs: set[int]) -> None:
        """Note what is acknowledged, to the last word of a gateway that has been killed."""
        with suppress(OSError, AssertionError):
            agent.expect("ack")
            at_ack, self._at_ack = self._at_ack, lambda: None
            at_ack()
            agent.wait_for(seqs)

    def check(self, stored: Callable[[str], Counter[str]], within_s: float = 30) -> None:
        """Every frame of every agent is stored before the time is over, once, and nothing else is."""
        promised = Counter(f"a:{seq}" for seq in range(1, self.sent + 1))
        deadline = time.monotonic() + within_s
        for node in self.nodes:
            while lost := promised - (found := stored(node)):
                assert time.monotonic() < deadline, f"lost: {sorted(lost)}"
                time.sleep(0.5)
            assert not found - promised, f"twice, or never sent: {sorted(found - promised)}"


def in_cassandra(keyspace: Keyspace) -> Callable[[str], Counter[str]]:
    """How often each origin of a node is there, read by a client that is not Picket's own store."""

    async def read(node: str) -> Counter[str]:
        session = await acsylla.create_cluster(keyspace.contact_points, port=keyspace.port).create_session()
        rows = f"SELECT origin, node FROM {keyspace.keyspace}_product.frames ALLOW FILTERING"
        statement = acsylla.create_statement(rows, page_size=PAGE_ROWS)
        found: Counter[str] = Counter()
        while True:
            page = await session.execute(statement)
            found.update(row.origin for row in page if row.node == node)
            if not page.has_more_pages():
                break
            statement.set_page_state(page.page_state())
        await session.close()
        return found

    return lambda node: asyncio.run(read(node))


def in_files(home: Path) -> Callable[[str], Counter[str]]:
    """The same of the embedded store, as it reads its files when it is opened again."""

    def read(node: str) -> Counter[str]:
        hot = HotFrames(home / "series/frames", lambda: 0)
        hot.thd_open()
        frames = [hot.thd_read(key, 0, MAX_TIME_MS) for key in hot.nodes() if key[1] == node]
        hot.thd_close()
        return Counter(frame.origin for some in frames for frame in some)

    return read


def untold(home: Path) -> tuple[int, int]:
    """How many nodes are committed in that home, and of how many no event has told.

    What is older than a node's newest `KEPT` events is forgotten; such a node has been told of often.
    """
    with closing(sqlite3.connect(home / "picket.db")) as database:
        (nodes,) = database.execute("SELECT count(*) FROM nodes_node").fetchone()
        groups = "SELECT node_id FROM nodes_nodeevent GROUP BY node_id"
        told = database.execute(f"{groups} HAVING max(kind = 'registered') OR count(*) = ?", [KEPT])
        return nodes, nodes - len(told.fetchall())


def kill_soon(cluster: Cluster, name: str) -> None:
    """Kill a process of the product at a random moment of the next half second, and start it again."""
    time.sleep(random.uniform(0, 0.5))
    cluster.kill(name)
    cluster.start_one(name)


def kill_up_soon(running: Embedded) -> None:
    """The same for a whole `picket up`."""
    time.sleep(random.uniform(0, 0.5))
    kill_up(running)


def kill_up(running: Embedded) -> None:
    """Kill a whole `picket up` now, and start it again."""
    running.kill()
    running.start()
