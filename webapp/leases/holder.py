"""Who takes leases: a process, by a name of its own. Nothing here needs Django before it is set up."""

import os
import socket
import uuid
from typing import NamedTuple

from picket.settings import Settings


def holder(settings: Settings) -> str:
    """This process, as leases know it.

    Over a broker in memory there is only one process, which takes its leases up again after a crash.
    """
    if settings.broker.kind == "memory":
        return "picket up"
    return f"{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex[:8]}"


class Claim(NamedTuple):
    """A holder's claim to the lease of this name."""

    name: str
    holder: str
    length_ms: int

    def thd_take(self) -> bool:
        """Whether the lease is the holder's, from now on for its length."""
        from webapp.leases.lease import thd_take

        return thd_take(self.name, self.holder, self.length_ms) is not None

    def thd_give_back(self) -> None:
        """Let another have it at once, if it is the holder's."""
        from webapp.leases.lease import thd_give_back

        thd_give_back(self.name, self.holder)
