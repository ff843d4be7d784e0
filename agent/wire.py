"""The contract between agent and gateway: every command, limit and error code, and how they look as bytes.

Text lines end in `\\n` (`\\r\\n` is accepted). A line that announces LEN, always its last word, is
followed by exactly LEN bytes and `\\r\\n`. Transport: TLS, port 4166. Both ends import this file; it needs
the standard library only.

    agent     hello 2 LEN + JSON      {version, key, secret, host, platform, machine, node?, node_secret?,
                                  encodings}
    gateway   accepted LEN + JSON     {node, node_secret?, time_ms, ping_s, limits: {frame_bytes, in_flight}}
    gateway   checks LEN + JSON       [{check, key, params, interval_s}], all of them, again at each change
    agent     frame SEQ ENCODING LEN + payload
    gateway   ack SEQ…                made durable: the agent drops them
    gateway   refused SEQ CODE TEXT   never to be sent again
    gateway   run_check TOKEN CHECK LEN + JSON params; the agent answers result CHECK TOKEN LEN + JSON
    gateway   top TOKEN SECONDS       the agent answers top TOKEN LEN + JSON, every 2 s
    agent     ping T                  T = seconds since the epoch; the gateway answers pong T
    gateway   slow MS | restart | redirect HOST:PORT | error CODE TEXT (then it closes)

Version 1, of the original agent, differs: `hello 1 VERSION KEY SECRET`, `accepted` without LEN, `error TEXT`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

PROTOCOL = 2
PORT = 4166
ENCODINGS = ("json", "zlib", "zstd")


class Side(Enum):
    """Who speaks."""

    AGENT = "agent"
    GATEWAY = "gateway"


class Code:
    """Error codes of `error CODE TEXT` and `refused SEQ CODE TEXT`; the directory adds its own."""

    LINE_TOO_LONG = "line_too_long"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    BAD_LENGTH = "bad_length"
    BAD_END = "bad_end"
    BAD_WORDS = "bad_words"
    UNKNOWN_COMMAND = "unknown_command"
    UNSUPPORTED_PROTOCOL = "unsupported_protocol"
    BAD_HELLO = "bad_hello"
    HELLO_EXPECTED = "hello_expected"
    HELLO_TIMEOUT = "hello_timeout"
    INCOMPLETE = "incomplete_message"
    IDLE = "idle"
    NOT_YET = "not_yet"
    TOO_MANY_IN_FLIGHT = "too_many_in_flight"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    BAD_ENCODING = "bad_encoding"
    BAD_TIME = "bad_time"
    KEY_REVOKED = "key_revoked"
    NODE_DELETED = "node_deleted"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"
    STOPPING = "stopping"


class WireError(Exception):
    """The other side broke the contract: `code` is one of `Code`, `words` the line's, where there was one."""

    def __init__(self, code: str, text: str, words: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.code = code
        self.words = words


@dataclass(frozen=True, slots=True)
class Limits:
    """What a decoder takes: the longest line and the largest payload, in bytes."""

    line_bytes: int = 8192
    payload_bytes: int = 1 << 20


class Message(NamedTuple):
    """One command: its name (`hello 2`, `frame`, …), the words between name and LEN, and the payload."""

    command: str
    words: tuple[str, ...]
    payload: bytes = b""


class Command(NamedTuple):
    """The form of one command: how many words, whether LEN follows, whether the last word is a `text`.

    A text takes the rest of the line. `words` of -1 stands for one word or more.
    """

    words: int
    payload: bool = False
    text: bool = False


COMMANDS: dict[Side, dict[str, Command]] = {
    Side.AGENT: {
        "hello 1": Command(3),
        "hello 2": Command(0, payload=True),
        "frame": Command(2, payload=True),
        "result": Command(2, payload=True),
        "top": Command(1, payload=True),
        "ping": Command(1),
    },
    Side.GATEWAY: {
        "accepted": Command(0, payload=True),
        "checks": Command(0, payload=True),
        "ack": Command(-1),
        "refused": Command(3, text=True),
        "run_check": Command(2, payload=True),
        "top": Command(2),
        "pong": Command(1),
        "slow": Command(1),
        "restart": Command(0),
        "redirect": Command(1),
        "error": Command(2, text=True),
    },
}


def encode(command: str, *words: str | int, payload: bytes | None = None) -> bytes:
    """The bytes of one command. Line breaks inside words become blanks: no text forges a command."""
    parts = [command, *map(str, words)]
    if payload is not None:
        parts.append(str(len(payload)))
    line = " ".join(" ".join(parts).splitlines()).encode() + b"\n"
    return line if payload is None else b"%b%b\r\n" % (line, payload)


class Decoder:
    """Bytes in, messages out, without any I/O. `sender` is the side whose commands are expected.

    Feed what arrives, then iterate `messages()`: it raises WireError at the first breach, after which the
    stream has no meaning any more. Whoever stops iterating early goes on later with what is left.
    """

    def __init__(self, sender: Side, limits: Limits) -> None:
        self.limits = limits
        self._commands = COMMANDS[sender]
        self._data, self._at = b"", 0
        self._came: list[bytes] = []
        self._left = 0
        self._needed = 1
        self._announced: tuple[str, tuple[str, ...], int] | None = None

    @property
    def partial(self) -> bool:
        """Whether a message has begun to arrive and isn't complete."""
        return self._announced is not None or self._left > 0

    def feed(self, data: bytes) -> None:
        """Takes the bytes that arrived."""
        self._came.append(data)
        self._left += len(data)

    def messages(self) -> Iterator[Message]:
        """Every complete message in what was fed. Raises WireError."""
        while self._left >= self._needed:
            if self._came:
                self._gather()
            message = self._payload() if self._announced else self._line()
            if message is not None:
                yield message
        if not self._left:
            self._data, self._at = b"", 0

    def _gather(self) -> None:
        """Done once a message may be complete, so that small pieces of a large one are copied once."""
        rest = self._data[self._at :]
        self._data = b"".join((rest, *self._came)) if rest or len(self._came) > 1 else self._came[0]
        self._at = 0
        self._came.clear()

    def _line(self) -> Message | None:
        end = self._data.find(b"\n", self._at, self._at + self.limits.line_bytes + 1)
        if end < 0:
            if self._left > self.limits.line_bytes:
                raise WireError(Code.LINE_TOO_LONG, f"a line has more than {self.limits.line_bytes} bytes")
            self._needed = self._left + 1
            return None
        line = self._data[self._at : end].decode("utf-8", "replace").removesuffix("\r")
        self._go_on(end + 1, 1)
        return self._parse(line)

    def _go_on(self, at: int, needed: int) -> None:
        self._left -= at - self._at
        self._at, self._needed = at, needed

    def _parse(self, line: str) -> Message | None:
        name, _, rest = line.partition(" ")
        if name == "hello":
            version, _, rest = rest.partition(" ")
            name = f"hello {version}"
        command = self._commands.get(name)
        if command is None:
            code = Code.UNSUPPORTED_PROTOCOL if name.startswith("hello ") else Code.UNKNOWN_COMMAND
            raise WireError(code, f"{name[:40]!r} is not a command here")
        words = tuple(rest.split(" ", command.words - 1) if command.text else rest.split())
        if not command.payload:
            return Message(name, self._counted(name, words, command.words))
        length = self._length(name, words)
        self._announced = (name, self._counted(name, words[:-1], command.words), length)
        self._needed = length + 2
        return self._payload() if self._left >= self._needed else None

    @staticmethod
    def _counted(name: str, words: tuple[str, ...], count: int) -> tuple[str, ...]:
        if len(words) != count and not (count < 0 < len(words)):
            raise WireError(Code.BAD_WORDS, f"{name} has {len(words)} words, not {count}", (name, *words))
        return words

    def _length(self, name: str, words: tuple[str, ...]) -> int:
        last = words[-1] if words else ""
        if not (last.isascii() and last.isdigit() and len(last) <= 12):
            raise WireError(Code.BAD_LENGTH, f"{name} needs its length as last word", (name, *words))
        length = int(last)
        if length > self.limits.payload_bytes:
            text = f"{name} of {last} bytes, limit {self.limits.payload_bytes}"
            raise WireError(Code.PAYLOAD_TOO_LARGE, text, (name, *words))
        return length

    def _payload(self) -> Message | None:
        assert self._announced is not None  # noqa: S101 - the caller looked
        name, words, length = self._announced
        end = self._at + length
        if self._data[end : end + 2] != b"\r\n":
            raise WireError(Code.BAD_END, f"{name} does not end after its {length} bytes", (name, *words))
        payload = self._data[self._at : end]
        self._announced = None
        self._go_on(end + 2, 1)
        return Message(name, words, payload)
