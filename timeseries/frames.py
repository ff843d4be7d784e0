"""The frame, unit of the whole data path: all check results of one node at one moment.

The agent makes the payload, nobody rewrites it. Its decoded form is `FrameBody`; wrapped with its identity it
travels as `Frame`, many of them in one `encode_batch` message, and is stored as it came.
"""

import threading
import zlib
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal, NamedTuple

import deflate
import msgspec
import zstandard

from timeseries.errors import InvalidFrame

MAX_FRAME_BYTES = 1 << 20
"""Largest payload of a frame, packed or unpacked."""

UNPACKED_TIMES = 16
"""What zlib has packed is expected to be so many times as large at most, which frames of JSON hardly are."""

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Key = Annotated[str, msgspec.Meta(max_length=4000)]
State = Literal["ok", "warn", "err", "unknown"]
Value = int | float | str


# Nothing here can refer to itself, and looking for it cost a fifth of reading an hour of frames: gc=False.
class CheckResult(msgspec.Struct, frozen=True, gc=False):
    """What one check found: `metrics` by name; `rates` names those made from a counter, per second."""

    check: Name
    state: State = "ok"
    key: Key = ""
    status: str = ""
    metrics: dict[Name, Value] = {}
    rates: list[str] = []


class FrameBody(msgspec.Struct, frozen=True, gc=False):
    """A frame's payload: `time` in milliseconds since the epoch, and the results of that moment."""

    time: int
    results: list[CheckResult]


class Bounds(NamedTuple):
    """How much a frame may have: `metrics` in all, and bytes of a status or of a metric that is text."""

    metrics: int
    text_bytes: int


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """A frame under way: identity (account_id, node_id, time_ms, origin), arrival, payload as it came.

    `origin` is `a:SEQ` for an agent's frame, the token of a version 1 result, the run's id of a remote check.
    `layout` is `layout_of` the payload, or 0 if nobody has looked; it is not stored.
    """

    account_id: str
    node_id: str
    origin: str
    time_ms: int
    received_ms: int
    payload: bytes
    layout: int = 0


class OfNode(NamedTuple):
    """Frames of one node that follow each other in a batch: what is done for each node is done once a run."""

    account_id: str
    node_id: str
    frames: list[Frame]


class _Zstd(threading.local):
    """Making an unpacker costs more than using it, and only one thread at a time may."""

    def __init__(self) -> None:
        self.unpacker = zstandard.ZstdDecompressor()


_zstd = _Zstd()
_body = msgspec.json.Decoder(FrameBody)
_frames = msgspec.msgpack.Decoder(list[Frame])
_packer = msgspec.msgpack.Encoder()


def encode_batch(frames: list[Frame]) -> bytes:
    """One broker message: a msgpack list of frames, each an array of the fields of `Frame` in their order."""
    return _packer.encode(frames)


def decode_batch(batch: bytes) -> list[Frame]:
    """The frames of one broker message; raises InvalidFrame if it isn't one."""
    try:
        return _frames.decode(batch)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise InvalidFrame("bad_batch", f"not a batch of frames: {error}") from error


def decode_runs(batch: bytes) -> list[OfNode]:
    """The same, in runs of one node each."""
    return runs(decode_batch(batch))


def runs(frames: Iterable[Frame]) -> list[OfNode]:
    """The frames as they follow each other, cut wherever the node changes."""
    found: list[OfNode] = []
    account_id = node_id = ""
    for frame in frames:
        if not found or frame.node_id != node_id or frame.account_id != account_id:
            account_id, node_id = frame.account_id, frame.node_id
            found.append(OfNode(account_id, node_id, []))
        found[-1].frames.append(frame)
    return found


def decode_payload(payload: bytes, bounds: Bounds | None = None) -> FrameBody:
    """The results inside a payload, plain JSON or packed by zlib or zstd; raises InvalidFrame."""
    return decode_text(unpack(payload), bounds)


def decode_text(text: bytes | bytearray, bounds: Bounds | None = None) -> FrameBody:
    """The same, of what was packed; raises InvalidFrame."""
    body = _decode(text)
    if bounds and len(text) > min(bounds):  # In fewer bytes nothing can be out of bounds.
        _bound(body, bounds)
    return body


def _decode(text: bytes | bytearray) -> FrameBody:
    try:
        return _body.decode(text)
    except msgspec.ValidationError as error:
        raise InvalidFrame("bad_frame", f"frame does not fit the schema: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidFrame("not_json", f"frame is not JSON: {error}") from error


def size_of(body: FrameBody) -> int:
    """What `Bounds.metrics` bounds: a result without metrics counts, too."""
    return max(len(body.results), sum(len(result.metrics) for result in body.results))


def _bound(body: FrameBody, bounds: Bounds) -> None:
    metrics = size_of(body)
    if metrics > bounds.metrics:
        raise InvalidFrame("too_many_metrics", f"{metrics} metrics in a frame; at most {bounds.metrics}")
    longest = max((len(text.encode()) for text in _texts(body)), default=0)
    if longest > bounds.text_bytes:
        raise InvalidFrame("text_too_long", f"a text of {longest} bytes; at most {bounds.text_bytes}")


def _texts(body: FrameBody) -> Iterator[str]:
    for result in body.results:
        yield result.status
        yield from (value for value in result.metrics.values() if isinstance(value, str))


def layout_of(body: FrameBody) -> int:
    """A number, never 0, by which frames of the same checks are told apart from others without decoding."""
    return zlib.crc32(_packer.encode([(result.check, result.key) for result in body.results])) or 1


def unpack(payload: bytes) -> bytes | bytearray:
    """The JSON text of a payload; the packing is told by the first bytes. Raises InvalidFrame."""
    if payload[:1] == b"{":
        return payload
    try:
        if payload[:4] == ZSTD_MAGIC:
            return _unzstd(payload)
        if payload[:1] == b"\x78":
            return _inflate(payload)
    except (zlib.error, zstandard.ZstdError) as error:
        raise InvalidFrame("bad_packing", f"frame cannot be unpacked: {error}") from error
    return payload


def _unzstd(payload: bytes) -> bytes:
    size = zstandard.frame_content_size(payload)
    if not 0 <= size <= MAX_FRAME_BYTES:
        raise InvalidFrame("frame_too_large", f"unpacked frame: size {size}, limit {MAX_FRAME_BYTES} bytes")
    return _zstd.unpacker.decompress(payload, MAX_FRAME_BYTES)


def _inflate(payload: bytes) -> bytes | bytearray:
    try:
        return deflate.zlib_decompress(payload, min(UNPACKED_TIMES * len(payload), MAX_FRAME_BYTES))
    except deflate.DeflateError:  # Larger than that, or damaged: zlib can tell.
        return _inflate_slowly(payload)


def _inflate_slowly(payload: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(payload, MAX_FRAME_BYTES)
    if unpacker.unconsumed_tail:
        raise InvalidFrame("frame_too_large", f"unpacked frame is over the limit of {MAX_FRAME_BYTES} bytes")
    return text
