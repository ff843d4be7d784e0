"""`picket doctor`: asks every engine that the settings name a question, and says how to mend what fails."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.request import urlopen

from picket.settings import Settings

Check = tuple[str, Callable[[Settings], str], str]


def examine(settings: Settings, say: Callable[[str], object]) -> int:
    """Run every check that these settings call for; the exit code is 1 when one failed."""
    failed = 0
    for name, check, remedy in checks(settings):
        try:
            say(f"ok    {name:10} {check(settings)}")
        except Exception as error:  # noqa: BLE001 - whatever an engine's driver raises is the finding
            failed = 1
            told = [" ".join(line.split()) for line in (str(error) or repr(error)).splitlines()]
            say(f"FAIL  {name:10} " + f"\n      {'':10} ".join([*told, remedy]))
    return failed


def checks(settings: Settings) -> Iterator[Check]:
    """The checks for these settings: name, question, and what to do when it fails."""
    yield "home", _home, "make the folder writable for this user, or set PICKET_HOME"
    yield "database", _database, "check database.url, and that the server runs; then `picket manage migrate`"
    if settings.broker.kind == "rabbitmq":
        for url in settings.broker.urls:
            yield "rabbitmq", partial(_rabbitmq, url), "check broker.urls, and that RabbitMQ runs there"
        yield "topology", _topology, "stop Picket's processes, then run `picket events queues mend`"
    if settings.store.kind == "cassandra":
        for host in settings.store.contact_points:
            remedy = "check store.contact_points and store.port, and that Cassandra runs there"
            yield "cassandra", partial(_cassandra, host), remedy
        yield "schema", _schema, "see `docs/operations.md`, Cassandra"
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


def _rabbitmq(url: str, _: Settings) -> str:
    from eventframework.survey import connected, version

    with connected([url]) as connection:
        return f"{url.rpartition('@')[2]} answers, RabbitMQ {version(connection)}"


def _topology(settings: Settings) -> str:
    from eventframework.mend import broken_off
    from eventframework.survey import State, connected, look
    from picket.queues import wanted

    with connected(settings.broker.urls) as connection:
        found = look(connection, wanted())
        problems = [each.problem for each in found if each.state is State.CLASHES]
        if broken_off(connection):
            problems.append("a mending is under way, or was broken off")
    if problems:
        raise RuntimeError("\n".join(problems))
    missing = sum(each.state is State.MISSING for each in found)
    return (
        f"{len(found) - missing} queues and exchanges fit, {missing} are missing and made at the next start"
    )


def _cassandra(host: str, settings: Settings) -> str:
    from services.engines import access
    from timeseries.cassandra_probe import ask

    return f"{host}:{settings.store.port} {ask(access(settings)._replace(contact_points=[host]))}"


def _schema(settings: Settings) -> str:
    from services.engines import access
    from timeseries.cassandra_probe import ask_schema
    from timeseries.cassandra_schema import Space

    store = settings.store
    return ask_schema(access(settings), Space(store.keyspace, store.datacenter, store.replication))


def _solr(settings: Settings) -> str:
    with urlopen(f"{settings.search.solr_url}/admin/ping?wt=json", timeout=5) as answer:  # noqa: S310
        return f"answers {answer.status}"
