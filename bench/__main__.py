"""`python -m bench NAME [--quick]` prints a table and, as its last line, one JSON object of its figures."""

import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from bench.errors import BenchError
from ops.engines.errors import EngineError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Benchmarks, each beside its peers in the same run."""


@cli.command()
def install() -> None:
    """Install the peers that are missing (Debian, as root)."""
    from bench import events, ingest
    from ops.engines.install import debian

    debian(ingest.missing(list(ingest.PEERS)) + events.missing())


@cli.command("ingest")
@click.option("--quick", is_flag=True, help="a short run, under 90 s on two cores")
@click.option("--peers", default="all", show_default=True, help="all, none, or names separated by commas")
@click.option("--nodes", type=int, help="connections, each of one node")
@click.option("--frames", type=int, help="frames a node and round")
@click.option("--rounds", type=int, help="measured rounds; others before them warm up")
@click.option("--in-flight", type=int, help="frames that a connection sends before it waits")
@click.option("--distributed", is_flag=True, help="separate processes on RabbitMQ and Cassandra")
@click.option("--sustain-s", type=float, help="how long the long load lasts; only of --distributed")
def ingest_(quick: bool, peers: str, distributed: bool, **sizes: float | None) -> None:
    """CPU-seconds per million points, from the agent's socket to durable and queryable."""
    from bench import ingest, ingest_distributed

    wanted = list(ingest.PEERS) if peers == "all" else [] if peers == "none" else peers.split(",")
    if unknown := set(wanted) - set(ingest.PEERS):
        raise BenchError(f"no such peer: {', '.join(unknown)}; there are {', '.join(ingest.PEERS)}")
    _provide(ingest.missing(wanted))
    if distributed:
        whole = ingest_distributed.QUICK if quick else ingest_distributed.Size()
        _tell(*ingest_distributed.run(_sized(whole, sizes), wanted))
    else:
        _tell(*ingest.run(_sized(ingest.QUICK if quick else ingest.Size(), sizes), wanted))


@cli.command()
@click.option("--quick", is_flag=True, help="fewer calls")
def stats(quick: bool) -> None:
    """What a counter, an average and a watched call cost the code that is measured."""
    from bench import stats as bench_stats

    lines, figures = bench_stats.run(bench_stats.CALLS // 10 if quick else bench_stats.CALLS)
    print("\n".join(lines))
    print(json.dumps(figures))


@cli.command()
@click.option("--quick", is_flag=True, help="fewer lines")
def log(quick: bool) -> None:
    """What a scope and the debug lines kept in it cost while nothing fails."""
    from bench import log as bench_log

    _tell(*bench_log.run(20_000 if quick else 200_000))


@cli.command("events")
@click.option("--quick", is_flag=True, help="a short run, under 90 s on two cores")
@click.option("--rounds", type=int, help="measured rounds; one more warms up")
@click.option("--events", type=int, help="events a round, as fast as it goes")
@click.option("--batches", type=int, help="batches of 128 kB a round")
@click.option("--rate", type=float, help="events a second for the time from publish to handler")
@click.option("--seconds", type=float, help="how long that is, each round")
def events_(quick: bool, **sizes: float | None) -> None:
    """Events and batches a second on RabbitMQ beside bare pika, and in memory."""
    from bench import events

    _provide(events.missing())
    _tell(*events.run(_sized(events.QUICK if quick else events.Size(), sizes)))


@cli.command("cassandra-limit")
@click.option("--quick", is_flag=True, help="a short run, under 90 s on two cores")
@click.option("--rounds", type=int, help="measured rounds, once the JVM is warm")
@click.option("--seconds", type=float, help="counted in each round, for each")
@click.option("--warm", type=int, help="two seconds each that warming up takes at most")
@click.option("--batches", type=int, help="of 100 rows, that the archive has under way")
@click.option("--rows", type=int, help="that the bare driver has in flight")
def limit_(quick: bool, **sizes: float | None) -> None:
    """Rows a second that Cassandra takes from the bare driver, and from the archive beside it."""
    from bench import limit

    _tell(*limit.run(_sized(limit.QUICK if quick else limit.Size(), sizes)))


@cli.command("query")
@click.option("--quick", is_flag=True, help="fewer asks, and a year of fewer points")
@click.option("--rounds", type=int, help="measured rounds; one more warms up")
@click.option("--asks", type=int, help="of each question a round")
def query_(quick: bool, **sizes: float | None) -> None:
    """Milliseconds of what pages ask for: a day, a year, the top of a fleet."""
    from bench import query

    _provide(query.missing())
    _tell(*query.run(_sized(query.QUICK if quick else query.Size(), sizes)))


S = TypeVar("S", bound="DataclassInstance")


def _sized(size: S, given: Mapping[str, float | None]) -> S:
    """That size, but for what was given."""
    return replace(size, **{name: value for name, value in given.items() if value is not None})


def _tell(lines: list[str], figures: dict[str, float]) -> None:
    print("\n".join(lines))
    print(json.dumps(figures))


@cli.command()
@click.option(
    "--recording",
    type=click.Path(path_type=Path),
    multiple=True,
    help="frames that `record` wrote; several are laid end to end",
)
@click.option("--hours", default=2, show_default=True, help="of made-up frames, one every ten seconds")
@click.option("--rounds", default=5, show_default=True)
@click.option("--nodes", default=10, show_default=True, help="on disk, each with these frames; 0: none")
def storage(recording: tuple[Path, ...], hours: int, rounds: int, nodes: int) -> None:
    """Bytes and CPU a value, from frames to blocks and rollups and back; on disk beside VictoriaMetrics."""
    from bench import query
    from bench.storage import run

    _provide(query.missing() if nodes else [])
    lines, figures = run(recording, hours, rounds, nodes)
    print("\n".join(lines))
    print(json.dumps(figures))


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--minutes", default=60.0, show_default=True)
def record(file: Path, minutes: float) -> None:
    """Keep in FILE what our own agent measures on this machine, every ten seconds."""
    from bench.recording import record

    print(f"{record(file, minutes)} frames")


def _provide(packages: list[str]) -> None:
    """Install the missing packages where we may; else say how."""
    if not packages:
        return
    if os.geteuid() != 0:
        raise BenchError(
            f"missing: Debian's {' and '.join(packages)}; run `sudo {sys.executable} -m bench install`, "
            "or leave peers out with `--peers none`"
        )
    from ops.engines.install import debian

    debian(packages)


def main() -> None:
    """The entry point: what a person can mend is said without a traceback."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        cli()
    except (BenchError, EngineError) as error:
        sys.exit(f"bench: {error}")


if __name__ == "__main__":
    main()
