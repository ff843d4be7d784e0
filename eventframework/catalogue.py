"""Every event of Picket, one class each; the docstring says who publishes it and what it means.

`account_id` is in every event about an account's things, so that no consumer has to look it up or trust a
payload for it.
"""

from eventframework.event import Event


class AgentConnected(Event, frozen=True):
    """Published by the gateway once an agent is accepted: `connection_id` is unique to this connection."""

    topic = "agent_connected"

    account_id: str
    node_id: str
    connection_id: str
    gateway_id: str
    time_ms: int


class AgentDisconnected(Event, frozen=True):
    """Published by the gateway when an accepted agent's connection ends, with the reason in words."""

    topic = "agent_disconnected"

    account_id: str
    node_id: str
    connection_id: str
    gateway_id: str
    time_ms: int
    reason: str


class NodeRegistered(Event, frozen=True):
    """Published with the transaction that made a node, by its agent's first hello or by a person."""

    topic = "node_registered"

    account_id: str
    node_id: str
    name: str


class NodeUpdated(Event, frozen=True):
    """Published with the transaction that changed a node: field name -> [old, new]."""

    topic = "node_updated"

    account_id: str
    node_id: str
    changes: dict[str, list[str | None]]


class NodeDeleted(Event, frozen=True):
    """Published with the transaction that deleted a node: its series are to go, and its agent."""

    topic = "node_deleted"

    account_id: str
    node_id: str


class KeyRevoked(Event, frozen=True):
    """Published with the transaction that took a key away: its agents are to be disconnected at once."""

    topic = "key_revoked"
    about = ("key",)

    account_id: str
    key: str


class StateChanged(Event, frozen=True):
    """Published by `state` when a node begins or ends to send data (`kind` "data": "present" or "absent")."""

    topic = "state_changed"

    account_id: str
    node_id: str
    kind: str
    old: str
    new: str
    time_ms: int


class EventsCommitted(Event, frozen=True):
    """Published by a process that has left events in the outbox: a hint to `outbox`, which may get lost."""

    topic = "events_committed"


class Heartbeat(Event, frozen=True):
    """Published every 10 s by each process for each service that it hosts, `gateway` and `web` included.

    It is about the installation and so has no account. `instance` is the process's, new at each start.
    `state` is ok, err while it cannot serve, or stopped when it ends because it was told to; `status` says
    why. `lag` messages wait for it, `pending` operations are under way.
    """

    topic = "heartbeat"

    service: str
    instance: str
    host: str
    pid: int
    started_ms: int
    time_ms: int
    state: str
    status: str
    lag: int
    pending: int


class ServiceStateChanged(Event, frozen=True):
    """Published by `watchdog` when a service of this installation, or the broker, gets or loses a problem.

    It has no account. `instance` is empty where it is about the whole service. `kind` is dead, silent,
    unready, lag or dead_letters; `old` and `new` are ok and problem. `text` says what the problem is or was.
    """

    topic = "service_state_changed"
    about = ("service",)

    service: str
    instance: str
    kind: str
    old: str
    new: str
    text: str
    time_ms: int
