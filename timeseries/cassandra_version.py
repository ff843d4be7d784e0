"""Which schema a keyspace has, and whether this code can work on it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from timeseries.cassandra_schema import MIGRATIONS, Migration, Space
from timeseries.errors import SchemaMismatch

COMMAND = "picket store migrate"

Ask = Callable[[str], Awaitable[Sequence[Any]]]
"""Runs a SELECT; the rows of its answer."""

REPLICATION = "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = '{}'"
TABLES = (
    "SELECT table_name FROM system_schema.tables WHERE keyspace_name = '{}' AND table_name = 'migrations'"
)
VERSIONS = "SELECT version FROM {}.migrations WHERE part = 'schema'"


class Schema(NamedTuple):
    """The `replication` as Cassandra has it, empty where there is no keyspace, and what was made."""

    replication: Mapping[str, str]
    versions: frozenset[int]

    def lacks(self, migrations: Sequence[Migration] = MIGRATIONS) -> list[Migration]:
        """Those that were not made."""
        return [each for each in migrations if each.version not in self.versions]

    @property
    def version(self) -> int:
        """Of the last migration; 0 before the first."""
        return max(self.versions, default=0)

    def has_copies(self, space: Space) -> bool:
        """Whether the nodes of our datacentre have as many copies as the settings say."""
        return self.replication.get(space.datacenter) == str(space.replication)


async def look(ask: Ask, keyspace: str) -> Schema:
    """The schema that there is; raises what `ask` raises."""
    rows = await ask(REPLICATION.format(keyspace))
    there = await ask(TABLES.format(keyspace))
    made = await ask(VERSIONS.format(keyspace)) if there else []
    versions = frozenset(version for (version,) in made if version is not None)
    return Schema(dict(rows[0][0]) if rows else {}, versions)


def check_schema(schema: Schema, space: Space, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Raise SchemaMismatch unless one may work on it; a newer one has all that this code needs."""
    if problem := _problem(schema, space, migrations):
        raise SchemaMismatch(f"{problem}: run `{COMMAND}`")


def check_known(schema: Schema, space: Space, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Raise SchemaMismatch where a later Picket has changed it: this one must not."""
    if schema.version > migrations[-1].version:
        raise SchemaMismatch(
            f"the keyspace {space.keyspace} has schema {schema.version}, newer than "
            f"{migrations[-1].version}, which is the newest that this Picket knows: update it"
        )


def _problem(schema: Schema, space: Space, migrations: Sequence[Migration]) -> str:
    keyspace, needed = space.keyspace, migrations[-1].version
    if not schema.replication:
        return f"there is no keyspace {keyspace}"
    if schema.lacks(migrations):
        return f"the keyspace {keyspace} has schema {schema.version}, older than {needed}, which is needed"
    if not schema.has_copies(space):
        copies = schema.replication.get(space.datacenter, "no")
        return (
            f"the keyspace {keyspace} has {copies} copies of a row in {space.datacenter}, "
            f"and store.replication says {space.replication}"
        )
    return ""
