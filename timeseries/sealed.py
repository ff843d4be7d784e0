"""What is stored in columns, sealed: a mark and a version before it, and a checksum that finds any damage.

    "P" KIND VERSION CRC32(4 bytes, of all the rest) msgpack

KIND is a letter, VERSION one byte, for each kind its own.
"""

import zlib
from typing import TypeVar

import msgspec

from timeseries.errors import DamagedBlock

T = TypeVar("T")

HEAD_BYTES = 7

_packer = msgspec.msgpack.Encoder()


def seal(kind: bytes, content: msgspec.Struct, version: int = 1) -> bytes:
    """The bytes of `content`, under a kind of one letter."""
    head, body = b"P" + kind + bytes([version]), _packer.encode(content)
    return head + zlib.crc32(head + body).to_bytes(4, "big") + body


def unseal(
    kind: bytes,
    sealed: bytes,
    decoder: msgspec.msgpack.Decoder[T],
    version: int = 1,
    oldest: int | None = None,
) -> T:
    """The content that was sealed; raises DamagedBlock, also for other versions than these.

    Of `oldest` and those in between the decoder knows the schema, too.
    """
    head, checksum, body = sealed[:3], sealed[3:HEAD_BYTES], sealed[HEAD_BYTES:]
    if head[:2] != b"P" + kind or zlib.crc32(head + body).to_bytes(4, "big") != checksum:
        raise DamagedBlock(f"{len(sealed)} bytes are damaged, or no block of kind {kind.decode()}")
    if not (version if oldest is None else oldest) <= head[2] <= version:
        raise DamagedBlock(
            f"a block of kind {kind.decode()} has version {head[2]}, and this Picket knows version {version}"
            + (": update it" if head[2] > version else " and no older ones")
        )
    try:
        return decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise DamagedBlock(f"a block whose checksum is right does not fit its schema: {error}") from error
