"""The table of faults: what is done to a load that runs, and how often."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.load import BATCH, KIND_OF
from tests.faults.run import PUBLISHER, RabbitRun


@dataclass(frozen=True)
class Fault:
    """`happen` does it once and mends it; `short` and `long` are how often, spread over the load."""

    name: str
    happen: Callable[[RabbitRun], None]
    short: int
    long: int
    proxied: bool = False


def stop_broker(run: RabbitRun) -> None:
    """An operator restarts the broker."""
    run.broker.stop()
    run.broker.start()


def kill_broker(run: RabbitRun) -> None:
    """The broker's machine loses its power, and comes back."""
    run.broker.kill()
    run.broker.start()


def cut(run: RabbitRun) -> None:
    """Each connection is reset once they are there, and again as soon as they are back."""
    for _ in range(2):
        run.eventually(lambda: run.proxy.connections >= 2 * len(run.processes) - 2)
        assert run.proxy.cut()


def black_hole(run: RabbitRun) -> None:
    """Nothing comes through, and nobody is told, for three heartbeats."""
    run.proxy.hold()
    time.sleep(3 * run.load.heartbeat_s)
    run.proxy.release()


def hang_consumer(run: RabbitRun) -> None:
    """The owner of the partitions hangs for six heartbeats; others take over what it held within three."""
    calls = run.record.look().calls
    owner = next(call.process for call in reversed(calls) if KIND_OF[call.tag] == BATCH)
    run.send(owner, signal.SIGSTOP)
    began = time.monotonic()
    time.sleep(1)
    held = run.record.look().due - run.record.handled
    run.eventually(lambda: held <= run.record.look().handled, within_s=3 * run.load.heartbeat_s + 2)
    run.told.append(f"taken over after {time.monotonic() - began:.1f} s")
    time.sleep(max(0, 6 * run.load.heartbeat_s - (time.monotonic() - began)))
    run.send(owner, signal.SIGCONT)


def fill_disk(run: RabbitRun) -> None:
    """The broker's disk is full for a while."""
    _alarm(run, ["set_disk_free_limit", "100000GB"], ["set_disk_free_limit", "100MB"])


def fill_memory(run: RabbitRun) -> None:
    """The broker has less memory than it uses for a while."""
    command = ["set_vm_memory_high_watermark", "absolute"]
    _alarm(run, [*command, "1MB"], [*command, "1GB"])


def _alarm(run: RabbitRun, begin: list[str], end: list[str]) -> None:
    """For two heartbeats the publisher has to wait; it goes on by itself afterwards.

    It is stopped until the alarm is on, which may take longer than the load.
    """
    run.send(PUBLISHER, signal.SIGSTOP)
    run.control(*begin)
    run.send(PUBLISHER, signal.SIGCONT)
    time.sleep(1)
    before = run.confirmed
    time.sleep(2 * run.load.heartbeat_s)
    assert run.confirmed == before
    run.control(*end)
    run.eventually(lambda: run.confirmed > before or before == run.load.total)


def kill_consumer(run: RabbitRun) -> None:
    """A consumer is killed, whatever it is at, and started again."""
    name = run.any_consumer()
    run.send(name, signal.SIGKILL)
    run.start(name)


FAULTS = (
    Fault("the broker is stopped and started", stop_broker, short=1, long=4),
    Fault("the broker is killed and started", kill_broker, short=1, long=10),
    Fault("each connection is cut", cut, short=3, long=30, proxied=True),
    Fault("each connection is a black hole", black_hole, short=1, long=3, proxied=True),
    Fault("the owner of the partitions hangs", hang_consumer, short=1, long=2),
    Fault("the broker's disk is full", fill_disk, short=1, long=3),
    Fault("the broker is short of memory", fill_memory, short=1, long=3),
    Fault("consumers are killed", kill_consumer, short=5, long=40),
)
