"""Errors of remote calls, the same on both ends and in one process.

RpcError
├── Refused        final: the same call will fail again; `code` is a word such as "unknown_node"
└── Unavailable    passing: what answered cannot serve now, or nobody could be reached
    └── NoAnswer   the deadline passed, or the connection ended: whether the call was carried out is unknown
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
    """A service that cannot be reached, or that lacks what it needs; every call may be made again."""

    retryable = True


class NoAnswer(Unavailable):
    """None in time, or none before the connection ended."""
