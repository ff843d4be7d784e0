"""The process that plays the fleet, so that its work is never counted as the server's.

`python -m bench.load` reads commands, one JSON array a line, and answers each with one JSON value:

    ["connect", {Target}]   the number of agents that are accepted
    ["prepare", {Span}]     the number of frames that are ready to be sent
    ["send"]                the number of frames that are acknowledged, when all of them are
    ["acknowledged"]        [[node, time in ms, origin, CRC-32 of the payload]] of every frame so far
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from bench.child import Child, child
from bench.errors import BenchError
from bench.fleet import Fleet, Identity, Target
from bench.points import Span


class Load:
    """The other end: a load process as the benchmark sees it. BenchError when it fails; it tells why."""

    def __init__(self, process: Child) -> None:
        self._process = process

    def connect(self, target: Target) -> None:
        """Open all connections."""
        self._process.ask("connect", asdict(target))

    def prepare(self, span: Span) -> None:
        """Make the frames of a span."""
        self._process.ask("prepare", asdict(span))

    def send(self) -> None:
        """Send them; returns when every one is acknowledged."""
        self._process.ask("send")

    def acknowledged(self) -> list[Identity]:
        """All frames acknowledged so far."""
        return [Identity(*fields) for fields in self._process.ask("acknowledged")]


@contextmanager
def process() -> Iterator[Load]:
    """A load process, for the length of the context."""
    with child("bench.load") as started:
        yield Load(started)


def main() -> None:
    """Answer commands until the input ends."""
    with asyncio.Runner() as runner:
        fleet: Fleet | None = None
        for line in sys.stdin:
            name, *arguments = json.loads(line)
            if name == "connect":
                fleet = Fleet(Target(**arguments[0]))
            assert fleet is not None, "connect comes first"
            answer = _answer(runner, fleet, name, *arguments)
            print(json.dumps(answer), flush=True)


def _answer(runner: asyncio.Runner, fleet: Fleet, name: str, *arguments: Any) -> object:
    match name:
        case "connect":
            runner.run(fleet.connect())
            return arguments[0]["nodes"]
        case "prepare":
            return fleet.prepare(Span(**arguments[0]))
        case "send":
            return runner.run(fleet.send())
        case "acknowledged":
            return list(fleet.acknowledged())
        case _:
            raise BenchError(f"no such command: {name}")


if __name__ == "__main__":
    try:
        main()
    except BenchError as error:
        sys.exit(f"load: {error}")
