"""VictoriaMetrics, single node, fed with Influx lines by HTTP as Telegraf does.

It gets large posts over one connection without TLS, which is kinder to it than a real fleet would be.
"""

import http.client
import shutil
import time
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson

from bench import server
from bench.errors import BenchError
from bench.points import INTERVAL_MS, Row, Span, results
from ops.engines import ports

PROGRAM = "victoria-metrics"
Which = tuple[str, str]
"""A check and a key."""

FRAMES_A_POST = 100
"""1,400 lines: Telegraf sends 1,000 by default."""


class VictoriaMetrics:
    """Runs Debian's `victoria-metrics` with its own defaults, or options of ours."""

    name = "VictoriaMetrics"

    def __init__(self, *options: str) -> None:
        self._options = options

    def missing(self) -> str:
        """The Debian package, unless its program is there."""
        return "" if shutil.which(PROGRAM) else "victoria-metrics"

    @contextmanager
    def running(self, home: Path) -> Iterator["Running"]:
        """Run it on a free port."""
        with ports.reserved(["http"], {}) as free:
            port = free["http"]
        argv = [PROGRAM, f"-storageDataPath={home}/data", f"-httpListenAddr={ports.HOST}:{port}"]
        argv += self._options
        with server.running(argv, home=home, answers=lambda: _answers(port)) as pid:
            yield Running(pid, port)


class Running:
    """A running VictoriaMetrics."""

    def __init__(self, pid: int, port: int) -> None:
        self.pids = [pid]
        self._port = port
        self._sent: list[Span] = []
        self._connection = http.client.HTTPConnection(ports.HOST, port)

    def prepare(self, span: Span) -> Callable[[], None]:
        """The posts of a span; sending them ends with a flush, after which queries see everything."""
        self._sent.append(span)
        posts = list(_posts(_frame_lines(span.frames(), None)))
        return lambda: self._send(posts)

    def load(self, frames: Iterable[tuple[int, int, Row]], only: Container[Which] | None = None) -> None:
        """Take (time in ms, node, values) of frames, of all checks and keys or `only` of these."""
        self.write(_frame_lines(frames, only))

    def write(self, lines: Iterable[str]) -> None:
        """Take Influx lines, some of each frame at a time."""
        self._send(_posts(lines))

    def query(self, expression: str, at_ms: int) -> Any:
        """The decoded answer for one moment, which no cache may give."""
        return self._get("query", query=expression, time=at_ms / 1000)

    def query_range(self, expression: str, start_ms: int, end_ms: int, step_ms: int) -> Any:
        """The decoded answer for a range, a point every `step_ms`, which no cache may give."""
        edges = {"start": start_ms / 1000, "end": end_ms / 1000, "step": step_ms / 1000}
        return self._get("query_range", query=expression, **edges)

    def merge(self) -> None:
        """Everything into as few parts as it makes, as it does by itself in time; returns when it is done."""
        connection = http.client.HTTPConnection(ports.HOST, self._port)
        _ask(connection, "GET", "/internal/force_flush")
        _ask(connection, "GET", "/internal/force_merge")
        while b"vm_active_force_merges 0" not in _ask(connection, "GET", "/metrics"):
            time.sleep(0.1)
        connection.close()

    def _get(self, what: str, **parameters: str | float) -> Any:
        path = f"/api/v1/{what}?" + urlencode({**parameters, "nocache": 1})
        return orjson.loads(_ask(self._connection, "GET", path))

    def _send(self, posts: Iterable[bytes]) -> None:
        connection = http.client.HTTPConnection(ports.HOST, self._port)
        for post in posts:
            _ask(connection, "POST", "/write?precision=ms", post)
        _ask(connection, "GET", "/internal/force_flush")
        connection.close()

    def settle(self) -> None:
        """What it does later is for free."""

    def lost(self) -> int:
        """Points sent less points that a query counts."""
        first, last = min(s.times()[0] for s in self._sent), max(s.times()[-1] for s in self._sent)
        return sum(span.points for span in self._sent) - self.points(first, last)

    def points(self, first_ms: int, last_ms: int) -> int:
        """That a query counts, of any node."""
        window = (last_ms - first_ms + INTERVAL_MS) // 1000
        found = self.query(f'sum(count_over_time({{node!=""}}[{window}s]))', last_ms)["data"]["result"]
        return int(found[0]["value"][1]) if found else 0


def _posts(lines: Iterable[str]) -> Iterator[bytes]:
    more = iter(lines)
    return iter(lambda: "".join(islice(more, FRAMES_A_POST)).encode(), b"")


def _frame_lines(frames: Iterable[tuple[int, int, Row]], only: Container[Which] | None) -> Iterator[str]:
    return (_lines(*frame, only) for frame in frames)


def _lines(time_ms: int, node: int, row: Row, only: Container[Which] | None) -> str:
    return "".join(
        f"{check},node=n{node}{f',key={key}' if key else ''} "
        f"{','.join(f'{name}={row[index]}' for name, index in where.items())} {time_ms}\n"
        for check, key, where, _rates in results()
        if only is None or (check, key) in only
    )


def _ask(connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None) -> bytes:
    connection.request(method, path, body)
    response = connection.getresponse()
    text = response.read()
    if response.status >= 300:
        raise BenchError(f"VictoriaMetrics answers {method} {path} with {response.status}: {text[:200]!r}")
    return text


def _answers(port: int) -> bool:
    try:
        _ask(http.client.HTTPConnection(ports.HOST, port, timeout=1), "GET", "/health")
    except (OSError, http.client.HTTPException):
        return False
    return True
