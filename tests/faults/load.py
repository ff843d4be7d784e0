"""What the fault tests put through the framework, and the files in which its processes write down what was.

    published, confirmed    a line for each event and batch: its kind and number
    delivered               a line for each call of a handler, by all consumers, in the order of the calls
    NAME.log, NAME.ready    of each process

The kernel appends a line whole and in its turn, so that a killed process leaves nothing half, and the first
line of a number and tag is the one that counts: that is how these handlers dedupe.
"""

import os
import time
from pathlib import Path
from typing import NamedTuple, Self

import msgspec

from eventframework import Event, Policy, Subscription, Tap, Topology

STREAM = "loaded"
EVENT, BATCH = "event", "batch"
ANY, MAIL = "any", "mail"
"""`any` is the name here of the ROUND_ROBIN subscription, which has no tag."""

KIND_OF = {ANY: EVENT, MAIL: EVENT, "archive": BATCH, "state": BATCH}
"""The tags of the load, and what each takes."""


class Loaded(Event, frozen=True):
    """The event of the load, with its number as its id; first published at `sent_ms` of the uptime."""

    topic = "loaded"

    sent_ms: int
    padding: str = ""


TOPOLOGY = Topology(
    subscriptions=(
        Subscription(Loaded, Policy.ROUND_ROBIN),
        Subscription(Loaded, Policy.SCOPED_ROUND_ROBIN, MAIL),
    ),
    taps=(Tap(STREAM, "archive"), Tap(STREAM, "state")),
)


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """How much, how fast, and how the handlers behave; without `url` in one process, over the memory broker.

    Events and batches are spread evenly over `events / per_s` seconds; 0 is as fast as it goes, `at_once`
    events under way. Each `poison_every`th event fails always. A handler takes `work_s`. `most_bytes` is what
    may wait for the archive, in all partitions.
    """

    events: int
    batches: int
    per_s: int
    url: str = ""
    partitions: int = 4
    event_bytes: int = 0
    batch_bytes: int = 4096
    most_bytes: int = 64 << 20
    at_once: int = 64
    heartbeat_s: int = 10
    work_s: float = 0
    poison_every: int = 0

    @property
    def total(self) -> int:
        """Events and batches."""
        return self.events + self.batches

    def is_poison(self, number: int) -> bool:
        """Whether the event of that number fails always."""
        return self.poison_every > 0 and number % self.poison_every == self.poison_every - 1

    def save(self, folder: Path) -> None:
        """For the processes of this load."""
        (folder / "load.json").write_bytes(msgspec.json.encode(self))

    @classmethod
    def of(cls, folder: Path) -> Self:
        """The load of that folder."""
        return msgspec.json.decode((folder / "load.json").read_bytes(), type=cls)


class Sent(NamedTuple):
    """A line of `published`, and the beginning of one of `confirmed`."""

    kind: str
    number: int


class Confirmed(NamedTuple):
    """A line of `confirmed`: how long after its first publish."""

    kind: str
    number: int
    waited_ms: int


class Delivered(NamedTuple):
    """A line of `delivered`: which tag got what, `lag_ms` after its first publish, by which process."""

    tag: str
    number: int
    partition: int
    lag_ms: int
    process: str


class Lines:
    """A file of such lines that several processes append to."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / name
        self._file = os.open(self._path, os.O_APPEND | os.O_CREAT | os.O_WRONLY)

    def add(self, line: Sent | Confirmed | Delivered) -> None:
        """Append it, at once."""
        os.write(self._file, (" ".join(map(str, line)) + "\n").encode())


def uptime_ms() -> int:
    """The one clock that all processes of a machine share."""
    return time.monotonic_ns() // 1_000_000
