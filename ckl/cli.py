"""The `ckl` command: data on standard output, messages on standard error; exit code 1 or, for usage, 2."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from ckl import config
from ckl.client import ApiError, Client


def main() -> None:
    """The entry point: what a person can mend is one line."""
    try:
        cli()
    except (config.ConfigError, ApiError) as error:
        sys.exit(f"ckl: {error}")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="picket")
def cli() -> None:
    """Ask Picket from the command line."""


@cli.command()
@click.argument("words", nargs=-1, metavar="[QUERY]")
@click.option("--json", "as_json", is_flag=True, help="as the API has it")
def query(words: tuple[str, ...], as_json: bool) -> None:
    """List the servers that match a query, such as `node:web1`; all of them without one."""
    nodes = _client().nodes(" ".join(words) or "*")
    if as_json:
        return click.echo(json.dumps(nodes, indent=1))
    _table([[node["id"], node["name"], node["ipaddress"] or "-", node["agent_state"]] for node in nodes])
    return None


@cli.command()
@click.argument("node")
@click.argument("check")
@click.option("--json", "as_json", is_flag=True, help="as the API has it")
def check(node: str, check: str, as_json: bool) -> None:
    """Print what a server's check (cpu, mem, disk, …) found last; NODE is an id or a name."""
    client = _client()
    found = client.check(_node_id(client, node), check)
    if as_json:
        return click.echo(json.dumps(found, indent=1))
    click.echo(found["status"])
    _table([[metric["name"], str(metric["value"])] for metric in found["metrics"]])
    return None


def _client() -> Client:
    return Client(config.load(os.environ, Path.home()))


def _node_id(client: Client, node: str) -> str:
    """The id of the server that is meant by an id or a name; raises ApiError unless it is exactly one."""
    matching = [each["id"] for each in client.nodes("*") if node in (each["id"], each["name"])]
    if len(matching) != 1:
        raise ApiError(f"{len(matching)} servers are called {node!r}; `ckl query` lists their ids")
    return str(matching[0])


def _table(rows: list[list[Any]]) -> None:
    """Columns of equal width, two blanks apart."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main()
