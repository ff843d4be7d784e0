"""The `picket` command. Each subcommand imports what it needs, so that `picket --help` is quick."""

import json
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from picket import events, reactor, store
from picket.errors import PicketError
from picket.settings import Settings, SettingsError


def main() -> None:
    """The entry point: runs a subcommand; what a person can mend is said without a traceback."""
    try:
        cli(standalone_mode=True)
    except SettingsError as error:
        sys.exit("\n".join(f"picket: setting {problem}" for problem in error.problems))
    except PicketError as error:
        sys.exit(f"picket: {error}")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="picket")
def cli() -> None:
    """Server monitoring, run by you."""


def settings_from(**flags: object) -> Settings:
    """The settings with these flags over them (each a PICKET_* variable's short form), and a secret key."""
    from picket.home import secret_key
    from picket.settings import load

    os.environ.update({f"PICKET_{name}": str(value) for name, value in flags.items() if value is not None})
    found = load()
    if found.secret_key:
        return found
    if found.broker.kind != "memory":
        raise PicketError("setting secret_key: every process needs the same one; see `openssl rand -hex 32`")
    os.environ["PICKET_SECRET_KEY"] = secret_key(found.home)
    load.cache_clear()
    return load()


def with_django(command: Callable[..., Any]) -> Callable[..., Any]:
    """For commands that use the relational database: settings read, Django set up."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        from picket import relational

        relational.set_up(settings_from())
        return command(*args, **kwargs)

    return run


@cli.command()
@click.option("--home", type=click.Path(path_type=Path), help="the folder for everything")
@click.option("--web", metavar="HOST:PORT", help="where pages are served (127.0.0.1:8080)")
@click.option("--agents", metavar="HOST:PORT", help="where agents connect (127.0.0.1:4166)")
@click.option("--no-agent", is_flag=True, help="do not monitor this machine")
@click.option("-v", "--verbose", is_flag=True)
def up(home: Path | None, web: str | None, agents: str | None, no_agent: bool, verbose: bool) -> None:
    """Run the whole product in one process, with an agent of this machine."""
    settings = settings_from(HOME=home and home.absolute(), WEB__LISTEN=web, AGENTS__LISTEN=agents)
    reactor.install()
    from picket import standalone

    sys.exit(standalone.run(settings, agent=not no_agent, verbose=verbose))


@cli.command()
@click.option("-v", "--verbose", is_flag=True)
def gateway(verbose: bool) -> None:
    """Run the endpoint that agents connect to."""
    reactor.install()
    from picket import distributed

    sys.exit(distributed.run_gateway(settings_from(), verbose=verbose))


@cli.command()
@click.option("-v", "--verbose", is_flag=True)
def web(verbose: bool) -> None:
    """Run the dashboard and the REST API."""
    reactor.install()
    from picket import distributed

    sys.exit(distributed.run_web(settings_from(), verbose=verbose))


@cli.command()
@click.argument("services", nargs=-1, required=True, metavar="SERVICE...")
@click.option("-v", "--verbose", is_flag=True)
def run(services: tuple[str, ...], verbose: bool) -> None:
    """Run one or more services in this process; `picket services` lists them."""
    reactor.install()
    from picket import distributed

    sys.exit(distributed.run_services(settings_from(), services, verbose=verbose))


@cli.command()
def services() -> None:
    """List the services, one line each."""
    from services.registry import SERVICES, find

    for name in SERVICES:
        click.echo(f"{name:12} {(find(name).__doc__ or '').splitlines()[0]}")


@cli.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@with_django
def manage(arguments: tuple[str, ...]) -> None:
    """Django's own commands: migrate, shell, check and so on."""
    from django.core.management import execute_from_command_line

    execute_from_command_line(["picket manage", *arguments])


@cli.command()
def doctor() -> None:
    """Check every setting and every engine; say what is wrong and how to mend it."""
    from picket import doctor

    sys.exit(doctor.examine(settings_from(), click.echo))


@cli.group()
def keys() -> None:
    """API keys."""


@keys.command()
@click.option("--name", required=True, help="what the key is for")
@click.option("--account", help="the account's name or id; may be left out where there is only one")
@click.option(
    "--permissions", default="agent,read,write", show_default=True, help="comma-separated: agent, read, write"
)
@click.option("--json", "as_json", is_flag=True, help="one line of JSON: key, secret")
@with_django
def create(name: str, account: str | None, permissions: str, as_json: bool) -> None:
    """Make an API key; its secret is shown this once."""
    from picket import relational

    made = relational.create_key(name, account or "", permissions.split(","))
    click.echo(json.dumps(made._asdict()) if as_json else f"key     {made.key}\nsecret  {made.secret}")


@cli.command("sign-in-link")
@with_django
def sign_in_link() -> None:
    """Print a one-time sign-in link for the first owner."""
    from picket import relational

    click.echo(relational.sign_in_link(settings_from()))


cli.add_command(events.events)
cli.add_command(store.store)
