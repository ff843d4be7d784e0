"""The real engines in tests: a pytest plugin.

`--engines=auto` (or PICKET_TEST_ENGINES) starts those that are installed, skips the tests of others and says
so at the end; `all` fails those tests instead; `none` starts nothing. PICKET_REQUIRE_ENGINES=1 means `all`,
whatever the option says.

An engine starts when the first test asks for it, once for all xdist workers, in a folder that the controller
discards at the end. Each worker has a vhost, keyspace, database and core of its own, by fixtures of session
scope: `rabbitmq_url`, `cassandra_keyspace`, `mariadb_url`, `postgres_url`, `solr_url`. A test that kills or
fills an engine takes `private_engine` and belongs to `@pytest.mark.xdist_group("serial")`.

A trial TestCase takes them by a fixture of its class:

    class ArchiveOnRabbitMQ(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def _broker(self, rabbitmq_url: str) -> None:
            self.url = rabbitmq_url
"""

import fcntl
import os
import signal
import subprocess
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ops.engines import fleet, guard, processes
from ops.engines.engine import Engine, Running
from ops.engines.errors import EngineError
from ops.engines.registry import ENGINES

MARK = "left out: "


class Keyspace(NamedTuple):
    """A Cassandra node, and the name of a keyspace that the store is to make there."""

    contact_points: list[str]
    port: int
    keyspace: str


@dataclass(frozen=True)
class Shared:
    """The engines of one test run; the same in the controller (`owner` is its pid) and in its workers."""

    root: str
    owner: int
    mode: str
    worker: str = "main"

    def demand(self, name: str) -> Engine:
        """The engine; a test without it is skipped, or fails where all are required."""
        engine = ENGINES[name]()
        missing = engine.missing()
        if self.mode == "none":
            pytest.skip(f"{MARK}{name}, by --engines=none")
        if missing and self.mode == "all":
            pytest.fail(f"{name} is required and not installed ({', '.join(missing)}): run `make engines`")
        if missing:
            pytest.skip(f"{MARK}{name}, not installed: run `make engines`")
        return engine

    def demand_root(self) -> None:
        """A test of a disk of a size is skipped without, or fails where all engines are required."""
        if processes.is_root():
            return
        if self.mode == "all":
            pytest.fail("a disk of a size is required, and only root can mount one")
        pytest.skip(f"{MARK}disks of a size, which only root can mount")

    def start(self, name: str) -> tuple[Engine, Running]:
        """The shared engine, started by whichever worker comes first."""
        engine = self.demand(name)
        root = Path(self.root)
        self.guard()
        with (root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return engine, _start(engine, root)

    def guard(self) -> None:
        """One guard a run, and none when no test needs an engine."""
        try:
            Path(self.root, "guard.log").touch(exist_ok=False)
        except FileExistsError:
            return
        guard.watch(self.owner, Path(self.root))

    @property
    def space(self) -> str:
        """The name of this worker's vhost, keyspace, database and core."""
        return f"picket_{self.worker}"


def _start(engine: Engine, root: Path) -> Running:
    """Start it, or join it when it runs; a start that fails fails the test with the engine's own words."""
    try:
        return engine.start(root)
    except EngineError as error:
        pytest.fail(str(error), pytrace=False)


SHARED = pytest.StashKey[Shared]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engines",
        choices=("all", "none", "auto"),
        default=os.environ.get("PICKET_TEST_ENGINES", "auto"),
        help="real engines: all must be there, none is used, or auto: those that are installed (the default)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SHARED] = _of_worker(config) or _of_controller(config)


def _of_worker(config: pytest.Config) -> Shared | None:
    given: dict[str, Any] = getattr(config, "workerinput", {})
    return Shared(**given["engines"] | {"worker": given["workerid"]}) if given else None


def _of_controller(config: pytest.Config) -> Shared:
    root = Path(tempfile.mkdtemp(prefix="picket-engines-"))
    root.chmod(0o711)  # Some engines run as users of their own, who have to pass.
    required = os.environ.get("PICKET_REQUIRE_ENGINES") == "1"
    return Shared(str(root), os.getpid(), "all" if required else config.getoption("engines"))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["engines"] = asdict(node.config.stash[SHARED])


def pytest_unconfigure(config: pytest.Config) -> None:
    shared = config.stash[SHARED]
    if shared.owner == os.getpid():
        fleet.discard(Path(shared.root))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    counted = Counter(reason.split(MARK, 1)[1].rstrip("')") for reason in reasons if MARK in reason)
    for what, tests in sorted(counted.items()):
        terminalreporter.write_line(f"LEFT OUT: {tests} tests of {what}", red=True, bold=True)


def url_of(config: pytest.Config, name: str, space: str = "") -> str:
    """Where an engine is, and in it this worker's space, or another of this name."""
    shared = config.stash[SHARED]
    engine, running = shared.start(name)
    space = space or shared.space
    engine.add_space(running, space)
    return engine.url(running, space)


@pytest.fixture(scope="session")
def rabbitmq_url(pytestconfig: pytest.Config) -> str:
    """amqp://…/VHOST, a vhost of this worker's own."""
    return url_of(pytestconfig, "rabbitmq")


@pytest.fixture
def own_rabbitmq_url(pytestconfig: pytest.Config) -> str:
    """amqp://…/VHOST, a vhost of this test's own: nobody else's events come there."""
    return url_of(pytestconfig, "rabbitmq", f"picket_{uuid.uuid4().hex[:12]}")


@pytest.fixture(scope="session")
def cassandra_keyspace(pytestconfig: pytest.Config) -> Keyspace:
    """Where Cassandra is, and the name of this worker's own keyspace, which does not exist yet."""
    shared = pytestconfig.stash[SHARED]
    _, running = shared.start("cassandra")
    return Keyspace([running.host], running.port, shared.space)


@pytest.fixture(scope="session")
def mariadb_url(pytestconfig: pytest.Config) -> str:
    """mysql://…/DATABASE, a database of this worker's own; the user may make others."""
    return url_of(pytestconfig, "mariadb")


@pytest.fixture(scope="session")
def postgres_url(pytestconfig: pytest.Config) -> str:
    """postgres://…/DATABASE, a database of this worker's own; the user may make others."""
    return url_of(pytestconfig, "postgresql")


@pytest.fixture(scope="session")
def solr_url(pytestconfig: pytest.Config) -> str:
    """http://…/solr/CORE, a core of this worker's own."""
    return url_of(pytestconfig, "solr")


@dataclass
class Private:
    """An engine of one test's own, to be killed, filled and started again (on the same ports)."""

    engine: Engine
    state: Path
    running: Running

    @property
    def url(self) -> str:
        """Where clients find its vhost, database or core."""
        return self.engine.url(self.running)

    def kill(self) -> None:
        """End the server without warning, as a power cut would."""
        processes.end(self.running.processes[0], signal.SIGKILL, within_s=10)

    def stop(self) -> None:
        """End it as an operator would."""
        self.engine.stop(self.running)

    def start(self) -> None:
        """Start it again with the data it has; returns when it answers."""
        self.running = _start(self.engine, self.state)


PrivateEngine = Callable[..., Private]


@pytest.fixture
def private_engine(pytestconfig: pytest.Config) -> Iterator[PrivateEngine]:
    """`private_engine(name, disk_mb=0, **options)` starts a `Private`; its class names the options.

    `disk_mb`: on a file system of that size and its own, to be filled; only root has one.
    """
    with private_engines(pytestconfig) as start:
        yield start


@contextmanager
def private_engines(config: pytest.Config) -> Iterator[PrivateEngine]:
    """The same for a fixture of a wider scope."""
    shared = config.stash[SHARED]
    with ExitStack() as stopping:

        def start(name: str, disk_mb: int = 0, **options: Any) -> Private:
            shared.demand(name)
            shared.guard()
            engine = ENGINES[name](**options)
            place = _private_folder(shared)
            if disk_mb:
                shared.demand_root()
                stopping.enter_context(_small_disk(place, disk_mb))
            private = Private(engine, place, _start(engine, place))
            stopping.callback(private.stop)
            return private

        yield start


@contextmanager
def _small_disk(place: Path, size_mb: int) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=711", "tmpfs", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True)


def _private_folder(shared: Shared) -> Path:
    parent = Path(shared.root, "private")
    parent.mkdir(mode=0o711, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{shared.worker}-", dir=parent))
    folder.chmod(0o711)
    return folder
