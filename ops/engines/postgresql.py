"""PostgreSQL, from Debian: one server on loopback."""

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ops.engines import ports as loopback
from ops.engines.engine import SPACE, Engine, Place, Running, program
from ops.engines.processes import Process, run, spawn


@dataclass(frozen=True)
class PostgreSQL(Engine):
    """A PostgreSQL server: UTF-8, password over loopback TCP only, our user a superuser."""

    name: ClassVar[str] = "postgresql"
    debian: ClassVar[tuple[str, ...]] = ("postgresql",)
    port_names: ClassVar[tuple[str, ...]] = ("sql",)
    runs_as: ClassVar[str] = "postgres"
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # SIGTERM would wait for the last client to leave.

    def missing(self) -> list[str]:
        """The server's programs that are not here."""
        return [name for name in ("postgres", "initdb") if not _program(name)]

    def launch(self, place: Place) -> list[Process]:
        """The cluster on the first start; no Unix socket, as its path may be too long."""
        home, data = place.home, place.home / "data"
        if not (data / "PG_VERSION").exists():
            _make_cluster(home, data, place.password)
        settings = {
            "listen_addresses": loopback.HOST,
            "port": str(place.ports["sql"]),
            "unix_socket_directories": "",
            "max_connections": "200",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [_program("postgres"), "-D", str(data), *options]
        return [spawn(command, log=home / "log", cwd=home, user=self.runs_as)]

    def ask(self, running: Running) -> None:
        """Log in over TCP and select."""
        _execute(running, "SELECT 1")

    def url(self, running: Running, space: str = SPACE) -> str:
        """The URL of database `space`."""
        return f"postgres://{running.user}:{running.password}@{running.host}:{running.port}/{space}"

    def add_space(self, running: Running, space: str) -> None:
        """Make the database `space`."""
        if not _execute(running, f"SELECT FROM pg_database WHERE datname = '{space}'"):
            _execute(running, f'CREATE DATABASE "{space}"')


def _program(name: str) -> str:
    """Debian keeps each release's programs apart; the newest is taken."""
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True
    )
    return program(name, *map(str, folders))


def _make_cluster(home: Path, data: Path, password: str) -> None:
    secret = home / "password"  # Readable by the server's user; nobody else can enter `home`.
    secret.write_text(password)
    initdb = [_program("initdb"), "-D", str(data), "-U", SPACE, "--auth=scram-sha-256", f"--pwfile={secret}"]
    try:
        run([*initdb, "--encoding=UTF8", "--locale=C.UTF-8"], cwd=home, user=PostgreSQL.runs_as)
    finally:
        secret.unlink()


def _execute(running: Running, statement: str) -> int:
    """Run one statement as our user and return the number of rows."""
    import psycopg

    with psycopg.connect(
        host=running.host,
        port=running.port,
        user=running.user,
        password=running.password,
        dbname="postgres",
        connect_timeout=2,
        autocommit=True,
    ) as connection:
        return connection.execute(statement.encode()).rowcount
