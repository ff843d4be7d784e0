"""`python -m bench events`: events and batches over RabbitMQ, beside bare pika, and over the memory broker.

One RabbitMQ of our own, and a process for each contender. In each round everybody does the same work while
the others rest, in an order that moves on by one each round. Round 0 warms up and is not counted.
"""

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from bench.child import Child, child
from bench.errors import BenchError
from bench.events_work import BATCH_BYTES
from bench.turns import turns
from ops.engines.rabbitmq import RabbitMQ

WORK = "bench.events_work"
OURS, BARE, MEMORY = "framework", "bare", "memory"
NAMES = {OURS: "Picket on RabbitMQ", BARE: "bare pika", MEMORY: "Picket in memory"}


@dataclass(frozen=True)
class Size:
    """A round: so many `events` and `batches` as fast as it goes, then `seconds` of `rate` a second."""

    rounds: int = 9
    events: int = 20_000
    batches: int = 1_600
    rate: float = 500
    seconds: float = 6


QUICK = Size(rounds=5, events=8_000, batches=600, seconds=2)


class Measured:
    """What the rounds gave: rates of each kind of work and contender, latencies in ms, and what was lost."""

    def __init__(self) -> None:
        self.rates: dict[tuple[str, str], list[float]] = defaultdict(list)
        self.latencies: dict[str, list[float]] = defaultdict(list)
        self.lost: dict[str, int] = dict.fromkeys(NAMES, 0)

    def shares(self, work: str) -> list[float]:
        """Ours divided by bare pika's, of each round."""
        pairs = zip(self.rates[work, OURS], self.rates[work, BARE], strict=True)
        return [ours / bare for ours, bare in pairs]

    def p(self, percent: int, who: str) -> float:
        """That percentile of the latencies."""
        return quantiles(self.latencies[who], n=100)[percent - 1]


def missing() -> list[str]:
    """The Debian packages that it still needs."""
    return list(RabbitMQ.debian) if RabbitMQ().missing() else []


def run(size: Size) -> tuple[list[str], dict[str, float]]:
    """The table's lines, and the figures by their names; raises BenchError."""
    measured = Measured()
    with tempfile.TemporaryDirectory(prefix="picket-bench-") as folder, ExitStack() as running:
        url = running.enter_context(_rabbitmq(Path(folder)))
        places = {OURS: url, BARE: url, MEMORY: folder}
        children = {who: running.enter_context(child(WORK, who, places[who])) for who in NAMES}
        for number in range(size.rounds + 1):
            counted = measured if number else Measured()
            for who in turns(list(children), number):
                _round(who, children[who], size, counted)
    if measured.lost[BARE]:
        raise BenchError(f"bare pika lost {measured.lost[BARE]} messages, so that comparing means nothing")
    return list(_table(measured)), figures(measured)


@contextmanager
def _rabbitmq(folder: Path) -> Iterator[str]:
    engine = RabbitMQ()
    running = engine.start(folder)
    try:
        yield engine.url(running)
    finally:
        engine.stop(running)


def _round(who: str, process: Child, size: Size, measured: Measured) -> None:
    amounts = {"events": (size.events, 1.0), "batches": (size.batches, BATCH_BYTES / 1e6)}
    for work, (count, unit) in amounts.items():
        seconds, lost = process.ask(work, count)
        measured.rates[work, who].append(count * unit / seconds)
        measured.lost[who] += lost
    latencies = process.ask("latencies", size.rate, size.seconds)
    measured.latencies[who] += latencies
    measured.lost[who] += int(size.rate * size.seconds) - len(latencies)


def _table(measured: Measured) -> Iterator[str]:
    spread = f"{'median':>10}{'lowest':>10}{'highest':>10}"
    yield f"{'':20}{'events/s':>30}{'128 kB batches, MB/s':>30}{'publish to handler, ms':>24}"
    yield f"{'':20}{spread}{spread}{'p50':>14}{'p99':>10}"
    for who, name in NAMES.items():
        rates = _spread(measured.rates["events", who]) + _spread(measured.rates["batches", who])
        yield f"{name:20}{rates}{measured.p(50, who):>14.2f}{measured.p(99, who):>10.2f}"
    for work in ("events", "batches"):
        shares = measured.shares(work)
        spread = f"{median(shares):.2f} ({min(shares):.2f} to {max(shares):.2f})"
        yield f"ours / bare pika's, {work}, median of the rounds: {spread}"


def _spread(rates: Sequence[float]) -> str:
    return f"{median(rates):>10,.0f}{min(rates):>10,.0f}{max(rates):>10,.0f}"


def figures(measured: Measured) -> dict[str, float]:
    """The last line."""
    return {
        "vs_bare_pika_events_per_s": round(median(measured.shares("events")), 3),
        "vs_bare_pika_stream_mb_per_s": round(median(measured.shares("batches")), 3),
        "publish_to_handler_p99_ms": round(measured.p(99, OURS), 3),
        "bare_pika_publish_to_handler_p99_ms": round(measured.p(99, BARE), 3),
        "events_per_s": round(median(measured.rates["events", OURS])),
        "stream_mb_per_s": round(median(measured.rates["batches", OURS])),
        "memory_events_per_s": round(median(measured.rates["events", MEMORY])),
        "lost": measured.lost[OURS] + measured.lost[MEMORY],
    }
