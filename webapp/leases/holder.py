"""Who takes leases: a process, by a name of its own."""

import os
import socket
import uuid

from picket.settings import Settings


def holder(settings: Settings) -> str:
    """This process, as leases know it.

    Over a broker in memory there is only one process, which takes its leases up again after a crash.
    """
    if settings.broker.kind == "memory":
        return "picket up"
    return f"{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex[:8]}"
