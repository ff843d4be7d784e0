"""`python -m bench.readback` counts which of the frames given on standard input the store has lost.

Input: one JSON array of `bench.fleet.Identity`; output: the number of those that the store of this
home (PICKET_HOME) does not give back as they were sent.
"""

import sys
import zlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import orjson
from twisted.internet import task
from twisted.internet.defer import Deferred

from bench.fleet import Identity
from picket import reactor as asyncios
from picket import relational
from picket.settings import Settings, load
from services.engines import make_store
from timeseries.frames import Frame
from timeseries.store import TimeSeriesStore


async def lost(store: TimeSeriesStore, account_id: str, expected: Sequence[Identity]) -> int:
    """How many of `expected` the store does not have, byte for byte."""
    of_nodes = defaultdict(set)
    for identity in expected:
        of_nodes[identity.node].add(identity)
    missing = 0
    for node, identities in of_nodes.items():
        times = [identity.time_ms for identity in identities]
        frames = await store.read(account_id, node, min(times), max(times) + 1)
        missing += len(identities - {_identity(frame) for frame in frames})
    return missing


def _identity(frame: Frame) -> Identity:
    return Identity(frame.node_id, frame.time_ms, frame.origin, zlib.crc32(frame.payload))


async def _count(reactor: Any, settings: Settings, account_id: str) -> None:
    store = make_store(settings, reactor)
    await store.open()
    expected = [Identity(*fields) for fields in orjson.loads(sys.stdin.read())]
    print(await lost(store, account_id, expected))
    await store.close()


def main() -> None:
    """Print the number, of the only account that there is."""
    asyncios.install()
    settings = load()
    relational.set_up(settings)
    from webapp.accounts.models import Account

    account_id = Account.objects.get().id
    task.react(lambda reactor: Deferred.fromCoroutine(_count(reactor, settings, account_id)))


if __name__ == "__main__":
    main()
