"""VictoriaMetrics, single node, fed with Influx lines by HTTP as Telegraf does.

It gets large posts over one connection without TLS, which is kinder to it than a real fleet would be.
"""

import http.client
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from urllib.parse import urlencode

from bench import server
from bench.errors import BenchError
from bench.points import INTERVAL_MS, Row, Span, results
from ops.engines import ports

PROGRAM = "victoria-metrics"
FRAMES_A_POST = 100
"""1,400 lines: Telegraf sends 1,000 by default."""


class VictoriaMetrics:
    """Runs Debian's `victoria-metrics` with its own defaults."""

    name = "VictoriaMetrics"

    def missing(self) -> str:
        """The Debian package, unless its program is there."""
        return "" if shutil.which(PROGRAM) else "victoria-metrics"

    @contextmanager
    def running(self, home: Path) -> Iterator[server.Server]:
        """Run it on a free port."""
        with ports.reserved(["http"], {}) as free:
            port = free["http"]
        argv = [PROGRAM, f"-storageDataPath={home}/data", f"-httpListenAddr={ports.HOST}:{port}"]
        with server.running(argv, home=home, answers=lambda: _answers(port)) as pid:
            yield _Running(pid, port)


class _Running:
    def __init__(self, pid: int, port: int) -> None:
        self.pid = pid
        self._port = port
        self._sent: list[Span] = []

    def prepare(self, span: Span) -> Callable[[], None]:
        """The posts of a span; sending them ends with a flush, after which queries see everything."""
        self._sent.append(span)
        lines = (_lines(*frame) for frame in span.frames())
        posts = list(iter(lambda: "".join(islice(lines, FRAMES_A_POST)).encode(), b""))
        return lambda: self._send(posts)

    def _send(self, posts: list[bytes]) -> None:
        connection = http.client.HTTPConnection(ports.HOST, self._port)
        for post in posts:
            _ask(connection, "POST", "/write?precision=ms", post)
        _ask(connection, "GET", "/internal/force_flush")
        connection.close()

    def lost(self) -> int:
        """Points sent less points that a query counts."""
        first, last = min(s.times()[0] for s in self._sent), max(s.times()[-1] for s in self._sent)
        window = (last - first + INTERVAL_MS) // 1000
        query = f'sum(count_over_time({{node!=""}}[{window}s]))'
        connection = http.client.HTTPConnection(ports.HOST, self._port)
        path = "/api/v1/query?" + urlencode({"query": query, "time": last / 1000, "nocache": 1})
        found = json.loads(_ask(connection, "GET", path))["data"]["result"]
        connection.close()
        return sum(span.points for span in self._sent) - (int(found[0]["value"][1]) if found else 0)


def _lines(time_ms: int, node: int, row: Row) -> str:
    return "".join(
        f"{check},node=n{node}{f',key={key}' if key else ''} "
        f"{','.join(f'{name}={row[index]}' for name, index in where.items())} {time_ms}\n"
        for check, key, where, _rates in results()
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
