"""Who an agent is, what it runs and what happened to its node.

The rules are those of `webapp.nodes`; each call and each event is one step in a thread.
"""

import json
from typing import Any

from eventframework.catalogue import AgentConnected, AgentDisconnected, NodeRegistered, StateChanged
from eventframework.event import Event
from eventframework.framework import Framework
from eventframework.policy import Policy
from eventframework.topology import Subscription
from rpc import idl
from rpc.dispatcher import Dispatcher
from rpc.errors import Refused
from services.base import Service
from services.threads import DjangoThreads


class Directory(Service):
    """Authenticates agents, registers nodes, hands out checks, keeps the history of nodes."""

    name = "directory"
    subscriptions = tuple(
        Subscription(event, Policy.SCOPED_ROUND_ROBIN, "directory")
        for event in (NodeRegistered, AgentConnected, AgentDisconnected, StateChanged)
    )
    uses_django = True

    def __init__(self, *, rpc: Dispatcher, threads: DjangoThreads, bus: Framework) -> None:
        self._rpc, self._threads, self._bus = rpc, threads, bus

    async def setup(self) -> None:
        """Answer the interface Directory, and take the events that are history."""
        self._rpc.serve("Directory", self)
        for taken in self.subscriptions:
            # One at a time each: agents that all come back at once wait for the same threads.
            self._bus.subscribe(taken.event, self._note, taken.policy, tag=taken.tag, at_once=1)

    async def hello(self, _context: idl.Context, hello: idl.Hello) -> idl.Welcome:
        """Directory.hello of rpc/picket.thrift.

        Refused: bad_key, no_permission, bad_node_secret, bad_hello.
        """
        return await self._threads.run(_thd_hello, hello)

    async def assignments(self, account_id: str, _context: idl.Context, node_id: str) -> list[idl.Assignment]:
        """Directory.assignments of rpc/picket.thrift. Refused: unknown_node."""
        return await self._threads.run(_thd_assignments, account_id, node_id)

    async def _note(self, event: Event) -> None:
        await self._threads.run(_thd_note, event)


# Models can be imported once Django is set up, which is after this module is found; hence the late imports.


def _thd_hello(hello: idl.Hello) -> idl.Welcome:
    from webapp import errors
    from webapp.nodes.enrol import thd_hello

    try:
        found = thd_hello(hello)
    except errors.Refused as error:
        raise Refused(error.code, error.message) from error
    return idl.Welcome(account_id=found.account_id, node_id=found.node_id, node_secret=found.node_secret)


def _thd_assignments(account_id: str, node_id: str) -> list[idl.Assignment]:
    from webapp import errors
    from webapp.nodes.assignments import thd_assignments

    try:
        found = thd_assignments(account_id, node_id)
    except errors.Refused as error:
        raise Refused(error.code, error.message) from error
    return [
        idl.Assignment(check=one.check, key=one.key, params=json.dumps(one.params), interval_s=one.interval_s)
        for one in found
    ]


def _thd_note(event: Any) -> None:
    from webapp.nodes.history import thd_note

    thd_note(event)
