"""MariaDB, from Debian: one server on loopback."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ops.engines import ports as loopback
from ops.engines.engine import SPACE, Engine, Place, Running, program
from ops.engines.processes import Process, run, spawn

STRICT = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"


@dataclass(frozen=True)
class MariaDB(Engine):
    """A MariaDB server: utf8mb4, strict, and a user of ours that may do everything."""

    name: ClassVar[str] = "mariadb"
    debian: ClassVar[tuple[str, ...]] = ("mariadb-server", "libmariadb-dev", "pkg-config")
    port_names: ClassVar[tuple[str, ...]] = ("mysql",)
    runs_as: ClassVar[str] = "mysql"

    def missing(self) -> list[str]:
        """The server's programs that are not here."""
        return [name for name in ("mariadbd", "mariadb-install-db") if not program(name)]

    def launch(self, place: Place) -> list[Process]:
        """The system tables on the first start; our user and database on every one."""
        home, data = place.home, place.home / "data"
        if not (data / "mysql").exists():
            _make_system_tables(home, data)
        grants = home / "grants.sql"
        grants.write_text(_grants(place.password))
        command = [
            program("mariadbd"),
            "--no-defaults",
            f"--datadir={data}",
            f"--bind-address={loopback.HOST}",
            f"--port={place.ports['mysql']}",
            "--socket=mysql.sock",  # Relative to the data folder: a socket's path has at most 107 bytes.
            "--pid-file=mysql.pid",
            f"--init-file={grants}",
            "--skip-name-resolve",
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_unicode_ci",
            f"--sql-mode={STRICT}",
        ]
        return [spawn(command, log=home / "log", cwd=home, user=self.runs_as)]

    def ask(self, running: Running) -> None:
        """Log in over TCP and select."""
        _execute(running, "SELECT 1")

    def url(self, running: Running, space: str = SPACE) -> str:
        """The URL of database `space`."""
        return f"mysql://{running.user}:{running.password}@{running.host}:{running.port}/{space}"

    def add_space(self, running: Running, space: str) -> None:
        """Make the database `space`."""
        _execute(running, f"CREATE DATABASE IF NOT EXISTS `{space}`")


def _make_system_tables(home: Path, data: Path) -> None:
    """root may come in by its own socket only; there is no account without a password."""
    install = [
        program("mariadb-install-db"),
        "--no-defaults",
        f"--datadir={data}",
        "--auth-root-authentication-method=socket",
        "--skip-test-db",
        "--skip-name-resolve",
    ]
    run(install, cwd=home, user=MariaDB.runs_as)


def _grants(password: str) -> str:
    user = f"'{SPACE}'@'{loopback.HOST}'"
    return (
        f"CREATE OR REPLACE USER {user} IDENTIFIED BY '{password}';\n"
        f"GRANT ALL ON *.* TO {user} WITH GRANT OPTION;\n"
        f"CREATE DATABASE IF NOT EXISTS {SPACE};\n"
    )


def _execute(running: Running, statement: str) -> None:
    import MySQLdb

    connection = MySQLdb.connect(
        host=running.host, port=running.port, user=running.user, password=running.password, connect_timeout=2
    )
    try:
        connection.query(statement)
    finally:
        connection.close()
