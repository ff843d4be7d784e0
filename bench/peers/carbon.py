"""carbon-cache, the Twisted peer, fed with pickles of 500 points as carbon-relay sends them.

Kinder to it than its own defaults: no limit on creates or updates, one archive without roll-ups, and no
metrics of its own.
"""

import os
import pickle
import shutil
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np

from bench import server
from bench.errors import BenchError
from bench.points import INTERVAL_MS, Span, metrics
from ops.engines import ports

PROGRAM = "carbon-cache"
POINTS_A_MESSAGE = 500
SLOTS = 8640
STEP_S = INTERVAL_MS // 1000
HEADER_BYTES = 28
"""Of a whisper file with one archive: 16 bytes of its own and 12 of the archive; then SLOTS points."""
POINT = np.dtype([("time", ">u4"), ("value", ">f8")])
DRAIN_S = 300.0

CONFIGURATION = """\
[cache]
STORAGE_DIR = {home}
LOCAL_DATA_DIR = {home}/whisper
CONF_DIR = {home}
LOG_DIR = {home}
PID_DIR = {home}
MAX_CACHE_SIZE = inf
MAX_UPDATES_PER_SECOND = inf
MAX_CREATES_PER_MINUTE = inf
CARBON_METRIC_INTERVAL = 0
CACHE_WRITE_STRATEGY = sorted
WHISPER_FALLOCATE_CREATE = True
ENABLE_UDP_LISTENER = False
LINE_RECEIVER_INTERFACE = 127.0.0.1
LINE_RECEIVER_PORT = {line}
PICKLE_RECEIVER_INTERFACE = 127.0.0.1
PICKLE_RECEIVER_PORT = {pickle}
CACHE_QUERY_INTERFACE = 127.0.0.1
CACHE_QUERY_PORT = {query}
"""
SCHEMAS = f"""\
[all]
pattern = .*
retentions = {STEP_S}s:{SLOTS * STEP_S}s
"""


class Carbon:
    """Runs Debian's `carbon-cache` on whisper files."""

    name = "carbon-cache"

    def missing(self) -> str:
        """The Debian package, unless its program is there."""
        return "" if shutil.which(PROGRAM) else "graphite-carbon"

    @contextmanager
    def running(self, home: Path) -> Iterator[server.Server]:
        """Run it on free ports, with a configuration of its own."""
        with ports.reserved(["line", "pickle", "query"], {}) as free:
            taken = dict(free)
        config = home / "carbon.conf"
        config.write_text(CONFIGURATION.format(home=home, **taken))
        (home / "storage-schemas.conf").write_text(SCHEMAS)
        argv = [PROGRAM, f"--config={config}", f"--pidfile={home}/pid", "--nodaemon", "start"]
        clean = {"PATH": os.environ["PATH"], "GRAPHITE_ROOT": str(home)}
        with server.running(argv, home=home, answers=lambda: _answers(taken["pickle"]), env=clean) as pid:
            yield _Running(pid, taken["pickle"], home / "whisper")


class _Running:
    def __init__(self, pid: int, port: int, whisper: Path) -> None:
        self.pids = [pid]
        self._port = port
        self._whisper = whisper
        self._sent: list[Span] = []

    def prepare(self, span: Span) -> Callable[[], None]:
        """The messages of a span; sending them ends when every series is in its file to its last point."""
        self._sent.append(span)
        points = _points(span)
        messages = list(iter(lambda: list(islice(points, POINTS_A_MESSAGE)), []))
        packed = [_message(points) for points in messages]
        return lambda: self._send(packed, span)

    def _send(self, messages: list[bytes], span: Span) -> None:
        with socket.create_connection((ports.HOST, self._port)) as connection:
            for message in messages:
                connection.sendall(message)
        self._drained(span)

    def _drained(self, span: Span) -> None:
        last_s = span.times()[-1] // 1000
        deadline = time.monotonic() + DRAIN_S
        for series in _series(span):
            path = self._whisper / f"{series.replace('.', '/')}.wsp"
            while not _has(path, last_s):
                if time.monotonic() > deadline:
                    raise BenchError(f"carbon-cache has not written {path} after {DRAIN_S:.0f} s")
                time.sleep(0.05)

    def settle(self) -> None:
        """What it does later is for free."""

    def lost(self) -> int:
        """Points sent less points of their times in the files."""
        lost = 0
        for series in _series(self._sent[0]):
            stored = np.fromfile(
                self._whisper / f"{series.replace('.', '/')}.wsp", POINT, offset=HEADER_BYTES
            )
            for span in self._sent:
                lost += span.count - int(np.isin([ms // 1000 for ms in span.times()], stored["time"]).sum())
        return lost


def _names(node: int) -> list[str]:
    keys = {key: key.replace("/", "_") for key in {metric.key for metric in metrics()}}
    return [f"bench.n{node}.{m.check}{keys[m.key] and '.' + keys[m.key]}.{m.name}" for m in metrics()]


def _series(span: Span) -> list[str]:
    return [name for node in range(span.nodes) for name in _names(node)]


def _points(span: Span) -> Iterator[tuple[str, tuple[int, float]]]:
    names = [_names(node) for node in range(span.nodes)]
    for time_ms, node, row in span.frames():
        for name, value in zip(names[node], row, strict=True):
            yield name, (time_ms // 1000, value)


def _message(points: list[tuple[str, tuple[int, float]]]) -> bytes:
    body = pickle.dumps(points, protocol=2)
    return struct.pack("!L", len(body)) + body


def _has(path: Path, time_s: int) -> bool:
    """Whether the whisper file holds a point of that time: its slot follows from the time of the first."""
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(HEADER_BYTES)
            base = int.from_bytes(file.read(4), "big")
            file.seek(HEADER_BYTES + (time_s - base) // STEP_S % SLOTS * POINT.itemsize)
            return int.from_bytes(file.read(4), "big") == time_s
    except FileNotFoundError:
        return False


def _answers(port: int) -> bool:
    try:
        socket.create_connection((ports.HOST, port), timeout=1).close()
    except OSError:
        return False
    return True
