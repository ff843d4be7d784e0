"""What the fault tests share: a RabbitMQ to break, a folder, and the report of their counts."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engines import Private, private_engines, url_of
from tests.faults.rig import Rig

Report = Callable[..., None]


@pytest.fixture(scope="package")
def broker(pytestconfig: pytest.Config) -> Iterator[Private]:
    """Each test mends what it breaks, and has a vhost of its own there."""
    with private_engines(pytestconfig) as start:
        yield start("rabbitmq")


@pytest.fixture(scope="package")
def rig(pytestconfig: pytest.Config, broker: Private) -> Iterator[Rig]:
    """The product on that RabbitMQ and a Cassandra to break, for tests that mend what they break."""
    with _rig(pytestconfig, broker) as running:
        yield running


@pytest.fixture
def small_rig(pytestconfig: pytest.Config, broker: Private) -> Iterator[Rig]:
    """The same with a disk of Cassandra's own that can be filled."""
    with _rig(pytestconfig, broker, disk_mb=600) as running:
        yield running


@contextmanager
def _rig(config: pytest.Config, broker: Private, **options: int) -> Iterator[Rig]:
    with private_engines(config) as start, tempfile.TemporaryDirectory(prefix="picket-rig-") as folder:
        cassandra = start("cassandra", **options)
        database_url = url_of(config, "mariadb", Path(folder).name.replace("-", "_"))
        with Rig(Path(folder), broker, cassandra, database_url) as running:
            yield running


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for the files of one load; its name is no other's."""
    with tempfile.TemporaryDirectory(prefix="picket-faults-") as made:
        yield Path(made)


@pytest.fixture
def report(record_property: Callable[[str, object], None]) -> Report:
    """`report(*lines)`: what the summary at the end of the run is to tell of this test."""
    return lambda *lines: record_property("report", "; ".join(lines))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The counts, test by test."""
    done = [one for outcome in ("passed", "failed") for one in terminalreporter.stats.get(outcome, [])]
    lines = [value for one in done for name, value in one.user_properties if name == "report"]
    if lines:
        terminalreporter.section("what was broken, and what came of it")
    for line in lines:
        terminalreporter.write_line(str(line))
