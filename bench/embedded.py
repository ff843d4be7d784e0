"""Picket itself, as `picket up --no-agent` runs it: TLS, gateway, archive and store in one process."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench import load, server
from bench.errors import BenchError
from bench.fleet import Target
from bench.passes import Passes
from bench.points import Span
from ops.engines import ports
from picket.settings import Endpoint

GREETING = re.compile(r"agents +\S+:(\d+)")
COMPACT = {"AFTER_S": "0", "EVERY_S": "1", "SHARE": "1"}
"""The hours that are sent have been over for long, and are made into rows soon after."""

LIMITS = {"FRAMES_PER_S": "1e9", "SILENCE_S": "3600"}
"""Ours send hours of frames at once, and then rest while peers are measured; true agents do neither."""


class Picket:
    """Runs Picket's embedded form with as many agents as the spans have nodes."""

    name = "Picket"

    def __init__(self, nodes: int, in_flight: int) -> None:
        self._nodes = nodes
        self._in_flight = in_flight

    def missing(self) -> str:
        """Nothing: it is this checkout."""
        return ""

    @contextmanager
    def running(self, home: Path) -> Iterator[server.Server]:
        """Run it in `home` on free ports, and the load beside it with all its agents connected."""
        with ports.reserved(["stats"], {}) as held:
            stats = Endpoint(ports.HOST, held["stats"])
        env = _environment(home / "home") | {"PICKET_STATS__LISTEN": str(stats)}
        argv = [sys.executable, "-m", "picket", "up", "--no-agent"]
        argv += ["--web", f"{ports.HOST}:0", "--agents", f"{ports.HOST}:0"]
        log = home / "log"
        greeted = lambda: bool(GREETING.search(log.read_text()))  # noqa: E731
        with server.running(argv, home=home, answers=greeted, env=env) as pid, load.process() as fleet:
            found = GREETING.search(log.read_text())
            assert found is not None
            fleet.connect(self._target(int(found[1]), env))
            yield _Running(pid, fleet, env, stats)

    def _target(self, port: int, env: dict[str, str]) -> Target:
        key = json.loads(run_module(["picket", "keys", "create", "--name", "bench", "--json"], env))
        ca = Path(env["PICKET_HOME"], "tls", "ca.pem")
        return Target(ports.HOST, port, str(ca), key["key"], key["secret"], self._nodes, self._in_flight)


class _Running:
    def __init__(self, pid: int, fleet: load.Load, env: dict[str, str], stats: Endpoint) -> None:
        self.pids = [pid]
        self._passes = Passes(stats)
        self._sent = 0
        self._fleet = fleet
        self._env = env

    def prepare(self, span: Span) -> Callable[[], None]:
        """The frames of a span, made in the load process; sending them ends with the last acknowledgement."""
        self._fleet.prepare(span)
        self._sent = span.nodes * span.count
        return self._fleet.send

    def settle(self) -> None:
        """All is in rows."""
        self._passes.wait(self._sent)

    def lost(self) -> int:
        """Acknowledged frames that the store does not give back, after a kill without warning."""
        acknowledged = self._fleet.acknowledged()
        killed = psutil.Process(self.pids[0])
        killed.send_signal(signal.SIGKILL)
        psutil.wait_procs([killed], timeout=10)
        return int(run_module(["bench.readback"], self._env, json.dumps(acknowledged)))


def limits() -> dict[str, str]:
    """The settings of the load, as variables."""
    agents = {f"PICKET_AGENTS__LIMITS__{name}": value for name, value in LIMITS.items()}
    return agents | {f"PICKET_COMPACT__{name}": value for name, value in COMPACT.items()}


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PICKET_", "DJANGO_"))}
    checkout = str(Path(__file__).parents[1])
    return kept | limits() | {"PICKET_HOME": str(home), "PYTHONPATH": checkout, "PYTHONUNBUFFERED": "1"}


def run_module(module: list[str], env: dict[str, str], text: str = "") -> str:
    """What `python -m module` prints, given that input; raises BenchError."""
    argv = [sys.executable, "-m", *module]
    done = subprocess.run(argv, env=env, input=text, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise BenchError(f"{' '.join(module)} ended with status {done.returncode}:\n{done.stderr.strip()}")
    return done.stdout
