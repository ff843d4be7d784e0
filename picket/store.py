"""`picket store migrate`: the schema of Cassandra made, and brought to this version's form."""

from collections.abc import Callable

import click

from picket.errors import PicketError
from picket.once import run_once
from picket.reactor import Reactor
from picket.settings import Settings


@click.group()
def store() -> None:
    """Where time series are kept."""


@store.command()
def migrate() -> None:
    """Make the keyspace and tables of Cassandra, or bring them to this version's form.

    Run it before the processes of a new version start, and after changing `store.replication`. It may run
    anywhere, also in several places at once: each step is made once.
    """
    from picket.cli import settings_from

    settings = settings_from()
    if settings.store.kind == "cassandra":
        run_once(lambda reactor: migrate_store(settings, reactor, click.echo))
    else:
        click.echo(f"setting store.kind: {settings.store.kind} needs no migrations")


async def migrate_store(settings: Settings, reactor: Reactor, say: Callable[[str], object]) -> None:
    """Bring the schema of Cassandra to this version's form; raises PicketError."""
    from services.engines import access
    from timeseries.cassandra_migrate import migrate as migrate_keyspace
    from timeseries.cassandra_schema import Space
    from timeseries.errors import StoreUnavailable

    kept = settings.store
    space = Space(kept.keyspace, kept.datacenter, kept.replication)
    try:
        await migrate_keyspace(access(settings), reactor, space, say)
    except StoreUnavailable as error:
        raise PicketError(f"store: {error}") from error
