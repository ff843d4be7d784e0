"""webapp.database, and what the tests of this folder rest on: migrations that are complete."""

from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.utils import ConnectionHandler
from django.test import TransactionTestCase

from webapp.api.models import SpentNonce
from webapp.api.oauth1 import spend
from webapp.database import entry
from webapp.errors import Refused

HOME = Path("/home/picket")


def test_without_a_url_the_database_is_a_file_at_home() -> None:
    found = entry("", HOME)
    assert found["ENGINE"] == "webapp.sqlite"
    assert found["NAME"] == "/home/picket/picket.db"
    assert found["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in found["OPTIONS"]["init_command"]


def test_a_sqlite_url_names_its_file() -> None:
    assert entry("sqlite:////var/lib/x.db", HOME)["NAME"] == "/var/lib/x.db"
    assert entry("sqlite:///x.db", HOME)["NAME"] == "x.db"


@pytest.mark.django_db  # Only for the permission: the file is its own.
@pytest.mark.parametrize("ending", ["commit", "rollback", "close"])
def test_a_writer_of_this_process_waits_for_its_turn(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.sqlite.base.WAIT_S", 0.01)
    first, second = (ConnectionHandler({"default": entry("", tmp_path)})["default"] for _ in range(2))
    begin(first)
    with pytest.raises(OperationalError, match="no turn"):
        begin(second)
    getattr(first, ending)()
    begin(second)
    second.rollback()
    for each in (first, second):
        each.close()


def begin(connection: Any) -> None:
    """As `transaction.atomic` does."""
    connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)


@pytest.mark.parametrize(("scheme", "engine"), [("mysql", "mysql"), ("postgres", "postgresql")])
def test_a_server_url_names_its_parts(scheme: str, engine: str) -> None:
    found = entry(f"{scheme}://me:p%40ss%2F@db.example.com:3307/picket", HOME)
    assert found["ENGINE"] == f"django.db.backends.{engine}"
    parts = [found[name] for name in ("USER", "PASSWORD", "HOST", "PORT", "NAME")]
    assert parts == ["me", "p@ss/", "db.example.com", "3307", "picket"]


def test_another_scheme_is_an_error_that_says_which_there_are() -> None:
    with pytest.raises(ValueError, match="sqlite, mysql or postgres"):
        entry("oracle://x/y", HOME)


@pytest.mark.django_db
def test_no_model_has_changed_without_its_migration() -> None:
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


class NonceTest(TransactionTestCase):
    # SQLite in memory has one writer at a time by nature: there they come one after the other.
    at_once = 1 if connection.vendor == "sqlite" else 8

    def test_of_many_one_spends_a_nonce(self) -> None:
        outcomes: list[str] = []
        for _ in range(8 // self.at_once):
            self.race(outcomes)
        self.assertEqual(sorted(outcomes), ["answered", *["replayed"] * 7])
        self.assertEqual(SpentNonce.objects.count(), 1)

    def race(self, outcomes: list[str]) -> None:
        if self.at_once == 1:
            outcomes.append(self.spent())
            return
        barrier = Barrier(self.at_once)
        threads = [Thread(target=self.run_one, args=(barrier, outcomes)) for _ in range(self.at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def run_one(self, barrier: Barrier, outcomes: list[str]) -> None:
        barrier.wait()
        try:
            outcomes.append(self.spent())
        finally:
            connection.close()

    def spent(self) -> str:
        try:
            spend("pk_x 1795253703 abc")
        except Refused as error:
            return error.code
        return "answered"
