"""A process of the benchmark's own that answers commands: JSON arrays, one a line, each with a JSON value."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from bench.errors import BenchError

END_S = 10.0


class Child:
    """The other end of a child's standard input and output. BenchError when it ends; it tells why."""

    def __init__(self, name: str, process: "subprocess.Popen[bytes]") -> None:
        self._name = name
        self._process = process

    def ask(self, *command: object) -> Any:
        """Give a command, and wait for its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())
        except (OSError, json.JSONDecodeError) as error:
            raise BenchError(f"{self._name} ended at {command[0]!r}") from error


@contextmanager
def child(module: str, *arguments: str) -> Iterator[Child]:
    """`python -m module`, for the length of the context."""
    argv = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield Child(module, process)
        finally:
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """It ends with its input."""
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.close()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
