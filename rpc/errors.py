"""Errors of remote calls, the same on both ends and in one process.

RpcError
├── Refused        final: the same call will fail again; `code` is a word such as "unknown_node"
└── Unavailable    passing: nobody answered in time, or what answered cannot serve now
"""


class RpcError(Exception):
    """Base of this package's errors. `retryable`: the same call may succeed; `expected`: nothing broke."""

    retryable = False
    expected = False


class Refused(RpcError):
    """The service understood and said no, with a code for programs and a message for people."""

    expected = True

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Unavailable(RpcError):
    """No answer in time, a connection that ended, or a service that lacks what it needs."""

    retryable = True
