"""A process that serves TimeSeries on the port given, to be killed and stopped.

`query` answers with the process's id; for the check `never` it says on standard output that it has begun, and
never answers.
"""

import os
import sys
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred

from rpc import idl
from rpc.dispatcher import Dispatcher
from rpc.server import RpcServer
from statslib import Stats
from tests.rpc.twin import TimeSeriesTwin

reactor: Any = installed


class Handler(TimeSeriesTwin):
    async def query(
        self, account_id: str, context: idl.Context, node_id: str, query: idl.Query
    ) -> idl.Series:
        if query.check == "never":
            print("begun", flush=True)
            await Deferred()
        return idl.Series(times=b"", columns=[], resolution=str(os.getpid()))

    async def latest(self, account_id: str, context: idl.Context, node_id: str) -> list[idl.CheckState]:
        return []


def main() -> None:
    dispatcher = Dispatcher(reactor, Stats("tests"))
    dispatcher.serve("TimeSeries", Handler())
    print(RpcServer("TimeSeries", dispatcher).start(reactor, "127.0.0.1", int(sys.argv[1])), flush=True)
    reactor.run()


if __name__ == "__main__":
    main()
