"""`picket doctor`: asks every engine that the settings name a question, and says how to mend what fails."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

from picket.settings import Endpoint, Settings

Check = tuple[str, Callable[[Settings], str], str]


def examine(settings: Settings, say: Callable[[str], object]) -> int:
    """Run every check that these settings call for; the exit code is 1 when one failed."""
    failed = 0
    for name, check, remedy in checks(settings):
        try:
            say(f"ok    {name:10} {check(settings)}")
        except Exception as error:  # noqa: BLE001 - whatever an engine's driver raises is the finding
            failed = 1
            say(f"FAIL  {name:10} {' '.join(str(error).split())}\n      {'':10} {remedy}")
    return failed


def checks(settings: Settings) -> Iterator[Check]:
    """The checks for these settings: name, question, and what to do when it fails."""
    yield "home", _home, "make the folder writable for this user, or set PICKET_HOME"
    yield "database", _database, "check database.url, and that the server runs; then `picket manage migrate`"
    if settings.broker.kind == "rabbitmq":
        yield "rabbitmq", _rabbitmq, "check broker.urls (user, password, vhost) and that RabbitMQ runs"
    if settings.store.kind == "cassandra":
        yield "cassandra", _cassandra, "check store.contact_points and store.port, and that Cassandra runs"
    if settings.search.solr_url:
        yield "solr", _solr, "check search.solr_url, and that Solr runs and has this core"


def _home(settings: Settings) -> str:
    probe = settings.home if settings.home.exists() else _first_parent(settings.home)
    if not os.access(probe, os.W_OK | os.X_OK):
        raise PermissionError(f"{probe} cannot be written")
    return str(settings.home)


def _first_parent(path: Path) -> Path:
    return next(parent for parent in path.parents if parent.exists())


def _database(settings: Settings) -> str:
    from picket import relational

    relational.set_up(settings)
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    if waiting := executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise RuntimeError(f"{len(waiting)} migrations have not run")
    return f"{connection.vendor}, every migration has run"


def _rabbitmq(settings: Settings) -> str:
    import pika

    answered = []
    for url in settings.broker.urls:
        connection = pika.BlockingConnection(pika.URLParameters(url))
        answered.append(f"{connection._impl.server_properties['version'].decode()}")
        connection.close()
    return f"RabbitMQ {', '.join(answered)}"


def _cassandra(settings: Settings) -> str:
    for host in settings.store.contact_points:
        _connect(Endpoint(host, settings.store.port))
    return f"{', '.join(settings.store.contact_points)} port {settings.store.port} is open"


def _connect(endpoint: Endpoint) -> None:
    with socket.create_connection(endpoint, timeout=5):
        pass


def _solr(settings: Settings) -> str:
    with urlopen(f"{settings.search.solr_url}/admin/ping?wt=json", timeout=5) as answer:  # noqa: S310
        return f"answers {answer.status}"
