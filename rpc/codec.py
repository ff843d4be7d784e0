"""Calls and replies as bytes, in Thrift's binary protocol; whoever carries them puts a 32-bit length before.

Decoding goes through a source that fails at the end of the message: thriftpy2's own memory buffer does not,
and a message cut short would make its reader run on for ever.
"""

import io
from collections.abc import Sequence
from typing import Any, NamedTuple

from thriftpy2.protocol.cybin import TCyBinaryProtocol  # type: ignore[attr-defined]
from thriftpy2.thrift import TApplicationException, TMessageType
from thriftpy2.transport.buffered import TCyBufferedTransport  # type: ignore[attr-defined]
from thriftpy2.transport.memory import TCyMemoryBuffer  # type: ignore[attr-defined]

from rpc import errors, idl

MAX_MESSAGE_BYTES = 64 << 20


class BadMessage(Exception):
    """Bytes that are no call or reply of the interface; their connection is of no more use."""


class Call(NamedTuple):
    """A call as it arrived; `arguments` are in the IDL's order."""

    method: str
    sequence: int
    arguments: list[Any]


class Reply(NamedTuple):
    """An answer: the result, or the error to raise."""

    sequence: int
    result: Any
    error: errors.RpcError | None


def encode_call(interface: str, method: str, sequence: int, arguments: Sequence[Any]) -> bytes:
    """The message of a call with all of its arguments, the context included."""
    struct = getattr(idl.INTERFACES[interface], f"{method}_args")
    names = idl.parameters(interface, method)
    return _encode(method, TMessageType.CALL, sequence, struct(**dict(zip(names, arguments, strict=True))))


def decode_call(interface: str, message: bytes) -> Call:
    """The call in a message; raises BadMessage, also for a method that the interface does not have."""
    method, sequence, _kind, struct = _decode(interface, "args", message)
    return Call(method, sequence, [getattr(struct, name) for name in idl.parameters(interface, method)])


def encode_reply(interface: str, method: str, reply: Reply) -> bytes:
    """The message of a reply."""
    struct = getattr(idl.INTERFACES[interface], f"{method}_result")
    if reply.error is None:
        result = struct(success=reply.result)
    elif isinstance(reply.error, errors.Refused):
        result = struct(refused=idl.Refused(code=reply.error.code, message=reply.error.message))
    else:
        result = struct(unavailable=idl.Unavailable(message=str(reply.error)))
    return _encode(method, TMessageType.REPLY, reply.sequence, result)


def decode_reply(interface: str, message: bytes) -> Reply:
    """The reply in a message; raises BadMessage."""
    method, sequence, kind, struct = _decode(interface, "result", message)
    if kind == TMessageType.EXCEPTION:
        return Reply(sequence, None, errors.Unavailable(f"{interface}.{method}: {struct.message}"))
    return Reply(sequence, struct.success, _error(struct))


def _error(result: Any) -> errors.RpcError | None:
    if result.refused is not None:
        return errors.Refused(result.refused.code or "", result.refused.message or "")
    if result.unavailable is not None:
        return errors.Unavailable(result.unavailable.message)
    return None


def _encode(method: str, kind: int, sequence: int, struct: Any) -> bytes:
    buffer = TCyMemoryBuffer()
    protocol = TCyBinaryProtocol(buffer)
    protocol.write_message_begin(method, kind, sequence)
    struct.write(protocol)
    protocol.write_message_end()
    buffer.flush()
    encoded: bytes = buffer.getvalue()
    return encoded


def _decode(interface: str, suffix: str, message: bytes) -> tuple[str, int, int, Any]:
    protocol = TCyBinaryProtocol(TCyBufferedTransport(_Source(message)))
    try:
        method, kind, sequence = protocol.read_message_begin()
        if kind == TMessageType.EXCEPTION:
            struct = TApplicationException()
        elif method in idl.methods(interface):
            struct = getattr(idl.INTERFACES[interface], f"{method}_{suffix}")()
        else:
            raise BadMessage(f"{interface} has no method {method!r}")
        struct.read(protocol)
    except BadMessage:
        raise
    except Exception as error:
        raise BadMessage(f"not a message of {interface}: {error!r}") from error
    return method, sequence, kind, struct


class _Source:
    """The bytes of one message, as thriftpy2 reads a connection."""

    def __init__(self, message: bytes) -> None:
        self._stream = io.BytesIO(message)

    def read(self, size: int) -> bytes:
        found = self._stream.read(size)
        if not found:
            raise EOFError("the message ends too soon")
        return found
