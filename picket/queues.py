"""`picket events queues mend`: queues of an older shape made anew, with their messages."""

from typing import TYPE_CHECKING

import click

from eventframework.errors import EventError
from picket.errors import PicketError

if TYPE_CHECKING:
    from eventframework.declare import Step


def wanted() -> list["Step"]:
    """All that RabbitMQ has to have for the services there are."""
    from eventframework.declare import topology_steps
    from eventframework.topology import PARTITIONS
    from services.registry import SERVICES, find
    from services.runner import topology

    return topology_steps(topology([find(name) for name in SERVICES]).queues(PARTITIONS))


@click.group()
def queues() -> None:
    """Queues of RabbitMQ."""


@queues.command()
@click.option("--dry-run", is_flag=True, help="only say what would be made anew")
def mend(dry_run: bool) -> None:
    """Make queues and exchanges of an older shape anew; all messages are kept, in order.

    Stop Picket's processes first. A run that was broken off is run again, and goes on.
    """
    from picket.cli import settings_from

    broker = settings_from().broker
    if broker.kind != "rabbitmq":
        raise PicketError(
            "setting broker.kind: memory makes its queues at each start; there is nothing to mend"
        )
    try:
        (_show if dry_run else _mend)(broker.urls)
    except EventError as error:
        raise PicketError(str(error)) from error


def _show(urls: list[str]) -> None:
    from eventframework.survey import State, connected, look

    with connected(urls) as connection:
        for found in look(connection, wanted()):
            if found.state is State.CLASHES:
                click.echo(f"{found.step.kind} {found.step.name}, {found.messages} messages: {found.problem}")


def _mend(urls: list[str]) -> None:
    from eventframework.mend import Mending
    from eventframework.survey import connected

    with connected(urls) as connection:
        click.echo(f"mended {Mending(connection, wanted(), click.echo).run()}")
