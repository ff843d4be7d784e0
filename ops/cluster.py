"""The product as separate processes on the real engines here: `python -m ops.cluster [--state DIR]`.

One process each for the gateway, the web and every service, and an agent of this machine; Ctrl-C stops them
all. Everything is kept in DIR (var/engines in the checkout), so that a second start finds it again.
"""

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from ops.engines import fleet, ports, processes
from ops.engines.errors import EngineError
from ops.engines.processes import Process, say
from ops.engines.registry import ENGINES

STATE = Path("var/engines")
READY = "ready"
READY_WITHIN_S = 60
SERVICES = ("directory", "archive", "compact", "query", "live", "state", "outbox", "watchdog")
COMMANDS = {name: ("run", name) for name in SERVICES} | {"gateway": ("gateway",), "web": ("web",)}
PORTS = (
    *("web", "agents", "live"),
    *(f"rpc.{name}" for name in ("directory", "query", "live")),
    *(f"stats.{name}" for name in COMMANDS),
)


class ClusterError(Exception):
    """A process of the product that did not start, with the end of its log."""


class Cluster:
    """The product's processes, their settings and logs in `home`; `engines` is the text of their settings.

    `variables` are what single processes, by their names, find in their environment besides.
    """

    def __init__(self, home: Path, engines: str, variables: Mapping[str, Mapping[str, str]] = {}) -> None:
        self.home = home
        self._engines = engines
        self._variables = variables
        self._running: dict[str, Process] = {}
        self._ports: dict[str, int] = {}

    @property
    def url(self) -> str:
        """Where the pages are."""
        return f"http://{ports.HOST}:{self._ports['web']}"

    @property
    def agents(self) -> tuple[str, int]:
        """Where agents connect."""
        return ports.HOST, self._ports["agents"]

    def stats(self, name: str) -> str:
        """Where a process shows what it measures, as HOST:PORT."""
        return f"{ports.HOST}:{self._ports[f'stats.{name}']}"

    def start(self) -> None:
        """Write the settings, migrate, start every process and wait until each is ready."""
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with ExitStack() as held:
            self._ports = held.enter_context(ports.reserved(PORTS, self._remembered()))
            self._configure()
            self.command("manage", "migrate", "--verbosity", "0")
            self.command("store", "migrate")
            for name in COMMANDS:
                self._spawn(name)
            for name in COMMANDS:
                self._wait(name)

    def stop(self) -> None:
        """Stop the entrances first, so that what is under way can drain."""
        entrances = [name for name in ("agent", "gateway", "web") if name in self._running]
        for names in (entrances, [name for name in self._running if name not in entrances]):
            with ThreadPoolExecutor(len(COMMANDS)) as pool:
                list(pool.map(self.stop_one, names))

    def start_one(self, name: str) -> None:
        """Start a process again after `kill` or `stop_one`, and wait until it is ready."""
        self._spawn(name)
        self._wait(name)

    def stop_one(self, name: str) -> None:
        """Stop a process as an administrator would."""
        processes.end(self._running.pop(name), signal.SIGTERM, 6)

    def kill(self, name: str) -> None:
        """End a process without warning."""
        processes.end(self._running.pop(name), signal.SIGKILL, 0)

    def process(self, name: str) -> Process:
        """The process, for tests that measure or stop it."""
        return self._running[name]

    def command(self, *arguments: str) -> str:
        """Run a `picket` command with these settings to its end; its output."""
        return processes.run([*PICKET, *arguments], cwd=self.home, env=self.environment()).strip()

    def environment(self) -> dict[str, str]:
        """What its commands find: the settings, and nothing else of Picket's."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PICKET_")}
        return kept | {"PICKET_HOME": str(self.home), "PYTHONPATH": str(CHECKOUT)}

    def start_agent(self) -> None:
        """Monitor this machine: a key of its own at the first start."""
        key_file = self.home / "agent-key.json"
        if not key_file.exists():
            key_file.touch(mode=0o600)
            key_file.write_text(self.command("keys", "create", "--name", "this machine", "--json"))
        key = json.loads(key_file.read_text())
        secret_file = self.home / "agent.secret"
        secret_file.touch(mode=0o600)
        secret_file.write_text(key["secret"])
        self._running["agent"] = processes.spawn(
            [
                *(sys.executable, "-m", "agent.cli", "--endpoint", "{}:{}".format(*self.agents)),
                *("--ca", str(self.home / "tls/ca.pem"), "--state", str(self.home / "agent")),
                *("--key", key["key"], "--secret-file", str(secret_file)),
            ],
            log=self._log("agent"),
            cwd=self.home,
            env=self.environment(),
        )

    def _spawn(self, name: str) -> None:
        self._log(name).write_text("")
        env = self.environment() | {"PICKET_STATS__LISTEN": self.stats(name)}
        self._running[name] = processes.spawn(
            [*PICKET, *COMMANDS[name]],
            log=self._log(name),
            cwd=self.home,
            env={**env, **self._variables.get(name, {})},
        )

    def _wait(self, name: str) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while READY not in self._log(name).read_text():
            if not self._running[name].find() or time.monotonic() > deadline:
                raise ClusterError(f"picket {name} did not start:\n{processes.tail(self._log(name))}")
            time.sleep(0.05)

    def _log(self, name: str) -> Path:
        return self.home / f"{name}.log"

    def _remembered(self) -> dict[str, int]:
        path = self.home / "ports.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def _configure(self) -> None:
        (self.home / "ports.json").write_text(json.dumps(self._ports))
        secret = self.home / "secret.key"
        if not secret.exists():
            secret.touch(mode=0o600)
            secret.write_text(secrets.token_urlsafe(48))
        address = {name: f"{ports.HOST}:{port}" for name, port in self._ports.items()}
        lines = [f'secret_key = "{secret.read_text()}"', self._engines]
        lines += [f'[{name}]\nlisten = "{address[name]}"' for name in ("web", "agents", "live")]
        lines += [
            "[rpc]",
            *(f'{name} = ["{address[f"rpc.{name}"]}"]' for name in ("directory", "query", "live")),
        ]
        settings = self.home / "picket.toml"
        settings.touch(mode=0o600)
        settings.write_text("\n".join(lines) + "\n")


PICKET = (sys.executable, "-m", "picket")
CHECKOUT = Path(__file__).parents[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Start everything, say where it is, and stop everything at SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m ops.cluster", description=__doc__)
    parser.add_argument("--state", type=Path, default=STATE, help="where everything is kept (%(default)s)")
    state = parser.parse_args(arguments).state.absolute()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    names = [name for name in ENGINES if name != "postgresql"]
    try:
        say("starting the engines: " + ", ".join(names))
        return _run(Cluster(state / "picket", fleet.settings(fleet.start(names, state))))
    except (EngineError, ClusterError, subprocess.SubprocessError) as error:
        say(f"{error}")
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        fleet.stop(names, state)


def _run(cluster: Cluster) -> int:
    try:
        cluster.start()
        cluster.start_agent()
        print(f"\nPicket is ready.\n  pages    {cluster.url}/")
        print(f"  sign in  {cluster.command('sign-in-link')}", flush=True)
        signal.pause()
    finally:
        cluster.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
