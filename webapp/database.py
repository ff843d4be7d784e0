"""Turns the `database.url` setting into Django's entry for it.

| url | engine |
|---|---|
| empty | SQLite, the file `picket.db` in the home folder |
| `sqlite:///path` | SQLite, that file |
| `mysql://user:password@host:port/name` | MariaDB or MySQL |
| `postgres://user:password@host:port/name` | PostgreSQL |
"""

from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

KEPT_S = 60
"""A thread's connection serves for so long: making one takes a millisecond, also of SQLite."""

SQLITE: dict[str, Any] = {
    "ENGINE": "webapp.sqlite",
    "OPTIONS": {
        "transaction_mode": "IMMEDIATE",  # A transaction that takes its write lock late cannot wait for it.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON",
        "timeout": 20,
    },
    "CONN_MAX_AGE": KEPT_S,
    "TEST": {"NAME": ":memory:"},  # Said aloud, because test runners know it of Django's own engine only.
}
MARIADB: dict[str, Any] = {
    "ENGINE": "django.db.backends.mysql",
    "OPTIONS": {
        "charset": "utf8mb4",
        "isolation_level": "read committed",
        "init_command": "SET sql_mode='STRICT_TRANS_TABLES', default_storage_engine=INNODB",
    },
    "CONN_MAX_AGE": KEPT_S,
    "CONN_HEALTH_CHECKS": True,
}
POSTGRESQL: dict[str, Any] = {
    "ENGINE": "django.db.backends.postgresql",
    "CONN_MAX_AGE": KEPT_S,
    "CONN_HEALTH_CHECKS": True,
}
SERVERS = {"mysql": MARIADB, "mariadb": MARIADB, "postgres": POSTGRESQL, "postgresql": POSTGRESQL}


def entry(url: str, home: Path) -> dict[str, Any]:
    """The entry of DATABASES for `url`; ValueError when its scheme is none of the above."""
    parts = urlsplit(url)
    if parts.scheme in ("", "sqlite"):
        return SQLITE | {"NAME": parts.path.removeprefix("/") if url else str(home / "picket.db")}
    if parts.scheme not in SERVERS:
        raise ValueError(f"database.url begins with sqlite, mysql or postgres, not {parts.scheme!r}")
    return SERVERS[parts.scheme] | _address(parts)


def _address(parts: SplitResult) -> dict[str, Any]:
    return {
        "NAME": parts.path.strip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
    }
