"""A publisher is faster than its consumers: it is slowed, and no process grows beyond a bound."""

from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil
import pytest

from tests.engines import Private
from tests.faults.conftest import Report
from tests.faults.load import Load
from tests.faults.memory import Memory
from tests.faults.run import EmbeddedRun, RabbitRun, Run

MB = 1 << 20
WATERMARK = ("set_vm_memory_high_watermark", "absolute")


@dataclass(frozen=True)
class Case:
    """Who publishes what to whom; `many` times as much in the long form.

    No process may grow by more than `grows_mb`, and of the load not more than the share `behind` may be
    unhandled when all is published, or, in the long form, one publish at least has to take `slowest_ms`.
    """

    name: str
    load: Load
    many: int
    grows_mb: int
    behind: float = 1
    slowest_ms: int = 0


FAST = Load(events=0, batches=0, per_s=0, at_once=500, event_bytes=1000, batch_bytes=64_000)
EVENTS = Case(
    "events on RabbitMQ", msgspec.structs.replace(FAST, events=8_000, work_s=0.05), 11, 120, slowest_ms=1000
)
BATCHES = Case(
    "batches on RabbitMQ", msgspec.structs.replace(FAST, batches=480, work_s=0.05), 12, 120, behind=0.65
)
EMBEDDED = Case(
    "events and batches, embedded",
    msgspec.structs.replace(FAST, events=12_000, batches=400, work_s=0.02, most_bytes=2 * MB),
    many=8,
    grows_mb=25,
    behind=0.3,
)


def sizes(case: Case) -> list[object]:
    """The short and the long form."""
    load = case.load
    much = msgspec.structs.replace(load, events=load.events * case.many, batches=load.batches * case.many)
    return [
        pytest.param(case.load, id="short"),
        pytest.param(much, id="long", marks=pytest.mark.faults),
    ]


@pytest.mark.xdist_group("serial")
@pytest.mark.parametrize("load", sizes(EVENTS))
def test_rabbitmq_short_of_memory_makes_publishers_wait(
    broker: Private, folder: Path, report: Report, load: Load
) -> None:
    with RabbitRun(broker, folder, load) as run:
        now_mb = psutil.Process(broker.running.pid).memory_info().rss // MB
        run.control(*WATERMARK, f"{now_mb + 60}MB")
        try:
            hold(run, EVENTS, report, {"broker": broker.running.pid})
        finally:
            run.control(*WATERMARK, "1GB")


@pytest.mark.xdist_group("serial")
@pytest.mark.parametrize("load", sizes(BATCHES))
def test_the_archives_full_queues_make_publishers_wait(
    broker: Private, folder: Path, report: Report, load: Load
) -> None:
    run = RabbitRun(broker, folder, load)
    limit = '{"max-length-bytes": 1000000}'
    run.control("set_policy", "-p", run.space, "small", r"\.archive\.p", limit, "--apply-to", "queues")
    with run:
        hold(run, BATCHES, report, {"broker": broker.running.pid})


@pytest.mark.parametrize("load", sizes(EMBEDDED))
def test_embedded_a_publisher_waits_for_room(folder: Path, report: Report, load: Load) -> None:
    with EmbeddedRun(folder, load) as run:
        run.await_ready("both")
        hold(run, EMBEDDED, report, {})


def hold(run: Run, case: Case, report: Report, others: dict[str, int]) -> None:
    """Run the load to its end, and hold it against the bounds of the case."""
    pids = {name: process.pid for name, process in run.processes.items()} | others
    with Memory(pids) as memory:
        run.await_progress(1, within_s=240)
        behind = 1 - len(run.record.look().handled) / (2 * run.load.total)
        counts = run.finish(within_s=120)
    slowest = run.record.slowest_ms
    report(
        f"{case.name}: {counts}", str(memory), f"{behind:.0%} behind, slowest publish {slowest / 1000:.1f} s"
    )
    assert counts.published == counts.confirmed == run.load.total
    assert (counts.lost, counts.left, counts.dead, counts.inversions) == (0, 0, 0, 0)
    assert max(memory.grown_mb.values()) < case.grows_mb
    assert behind < case.behind
    assert slowest > case.slowest_ms or run.load.events == case.load.events
