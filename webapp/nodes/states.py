"""Which agents are connected, by their newest frames."""

import time

import rpc.errors
from webapp import backend
from webapp.accounts.models import Account
from webapp.errors import BackendUnavailable

CONNECTED = "connected"
DISCONNECTED = "disconnected"
UNKNOWN = "unknown"
SILENT_AFTER_MS = 60_000


class AgentStates(dict[str, str]):
    """Node id -> agent state; every node that it does not name is as `otherwise` says."""

    def __init__(self, connected: dict[str, str], otherwise: str = DISCONNECTED) -> None:
        super().__init__(connected)
        self.otherwise = otherwise

    def __missing__(self, node_id: str) -> str:
        return self.otherwise


def agent_states(account: Account) -> AgentStates:
    """The state of every agent of the account; all unknown while the live service is away."""
    try:
        snapshots = backend.live().snapshot(account.pk, [])
    except (BackendUnavailable, rpc.errors.Unavailable):
        return AgentStates({}, UNKNOWN)
    since_ms = time.time() * 1000 - SILENT_AFTER_MS
    return AgentStates({shot.node_id: CONNECTED for shot in snapshots if shot.received_ms >= since_ms})
