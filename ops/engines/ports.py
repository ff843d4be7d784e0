"""Free loopback ports that nobody else is given while a server starts on them."""

import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

HOST = "127.0.0.1"


@contextmanager
def reserved(names: Iterable[str], remembered: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Hold a port for each of `names`; the one it had before (`remembered`) where that is still free.

    The holding socket never listens and has SO_REUSEADDR, so the server (all of ours set it too) can bind
    the same port while we hold it: leave this context when the server answers, and nobody can come between.
    """
    with ExitStack() as held:
        yield {name: held.enter_context(_hold(remembered.get(name, 0))).getsockname()[1] for name in names}


def _hold(port: int) -> socket.socket:
    for candidate in (port, 0):
        holder = socket.socket()
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind((HOST, candidate))
            return holder
        except OSError:
            holder.close()
    raise OSError(f"no free port on {HOST}")
