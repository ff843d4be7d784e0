"""The whole product, started as its users start it: fixtures for integration and browser tests.

`product` runs a test on both shapes: `embedded` (one process, by `picket up`) and `distributed` (a process
each on RabbitMQ, Cassandra and MariaDB, by `ops.cluster`). Each is started once a worker.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ops.cluster import CHECKOUT, Cluster
from tests.engines import Keyspace

SHAPES = [
    pytest.param("embedded", marks=pytest.mark.xdist_group("embedded")),
    pytest.param("distributed", marks=pytest.mark.xdist_group("distributed")),
]


@dataclass
class Product:
    """A running Picket: where its pages and its gateway are, its CA, and how to run a command on it."""

    url: str
    agents: tuple[str, int]
    ca: Path
    command: Callable[..., str]
    _key: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> dict[str, str]:
        """A key with all permissions: {"key", "secret"}."""
        self._key = self._key or json.loads(self.command("keys", "create", "--name", "tests", "--json"))
        return self._key

    @property
    def sign_in_link(self) -> str:
        """A new one-time link for the first owner."""
        return self.url + urlsplit(self.command("sign-in-link").strip()).path


class Embedded:
    """One `picket up` in `home`, on free ports."""

    def __init__(self, home: Path, *flags: str) -> None:
        self.home = home
        self.log = home.with_suffix(".log")
        self._flags = flags
        self._web = self._agents = "127.0.0.1:0"
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> Product:
        """Start it and wait for its greeting; again it takes the ports that it had before."""
        up = ("up", "--home", str(self.home), "--web", self._web, "--agents", self._agents, *self._flags)
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "picket", *up],
                env=environment(),
                cwd=CHECKOUT,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self._web = self._greeting(r"pages +http://(\S+?)/?\s")
        self._agents = self._greeting(r"agents +(\S+)")
        host, port = self._agents.rsplit(":", 1)
        return Product(f"http://{self._web}", (host, int(port)), self.home / "tls/ca.pem", self.command)

    def command(self, *arguments: str) -> str:
        """Run a `picket` command on this home; its output."""
        return picket(*arguments, PICKET_HOME=str(self.home)).stdout

    def kill(self) -> None:
        """End it without warning."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> float:
        """Ctrl-C; the seconds that it took to end."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
        return time.monotonic() - began

    def _greeting(self, pattern: str) -> str:
        return str(eventually(lambda: self._said(pattern), within_s=60).group(1))

    def _said(self, pattern: str) -> re.Match[str] | None:
        assert self.process is not None
        said = self.log.read_text()
        assert self.process.poll() is None, f"picket up ended:\n{said}"
        return re.search(pattern, said)


def environment(**variables: str) -> dict[str, str]:
    """The environment of a Picket command: nothing of Picket's but what is given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PICKET_", "DJANGO_"))}
    return kept | {"PYTHONPATH": str(CHECKOUT)} | variables


def picket(*arguments: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a `picket` command to its end."""
    command = [sys.executable, "-m", "picket", *arguments]
    return subprocess.run(
        command, env=environment(**variables), capture_output=True, text=True, check=check, timeout=60
    )


def eventually(look: Callable[[], Any], within_s: float = 20) -> Any:
    """The first true answer of `look`; fails when there is none in time."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {look}"
        time.sleep(0.1)
    return found


@pytest.fixture(scope="session")
def embedded() -> Iterator[Product]:
    """`picket up`, with an agent of this machine."""
    with tempfile.TemporaryDirectory(prefix="picket-up-") as folder:
        running = Embedded(Path(folder) / "home")
        try:
            yield running.start()
        finally:
            running.stop()


def engine_settings(rabbitmq_url: str, cassandra: Keyspace, mariadb_url: str, store: str = "") -> str:
    """The text of settings that name these engines; `store` is more of `[store]`."""
    return f"""
[broker]
kind = "rabbitmq"
urls = ["{rabbitmq_url}"]
[database]
url = "{mariadb_url}"
[store]
kind = "cassandra"
contact_points = {json.dumps(cassandra.contact_points)}
port = {cassandra.port}
keyspace = "{cassandra.keyspace}"
{store}
"""


@pytest.fixture(scope="session")
def cluster(rabbitmq_url: str, cassandra_keyspace: Keyspace, mariadb_url: str) -> Iterator[Cluster]:
    """A process for the gateway, the web and each service, on this worker's part of the shared engines."""
    keyspace = cassandra_keyspace._replace(keyspace=f"{cassandra_keyspace.keyspace}_product")
    engines = engine_settings(rabbitmq_url, keyspace, mariadb_url)
    with tempfile.TemporaryDirectory(prefix="picket-cluster-") as folder:
        running = Cluster(Path(folder) / "home", engines)
        try:
            running.start()
            running.start_agent()
            yield running
        finally:
            running.stop()


@pytest.fixture(scope="session")
def distributed(cluster: Cluster) -> Product:
    """The product as the cluster runs it."""
    return Product(cluster.url, cluster.agents, cluster.home / "tls/ca.pem", cluster.command)


@pytest.fixture(params=SHAPES)
def product(request: pytest.FixtureRequest) -> Product:
    """The product in each of its shapes."""
    found: Product = request.getfixturevalue(request.param)
    return found
