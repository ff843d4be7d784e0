"""`picket events dead` over the journal of an embedded Picket."""

import json
import sqlite3
from pathlib import Path

import pytest

from eventframework.catalogue import KeyRevoked
from eventframework.event import encode
from picket import home
from tests.product import picket

QUEUE = "evt.key_revoked.directory"


@pytest.fixture
def dead(tmp_path: Path) -> Path:
    """A home whose journal, as the first ones were made, has a dead letter of each of two keys."""
    database = sqlite3.connect(tmp_path / "events.db")
    database.execute("CREATE TABLE dead (id INTEGER PRIMARY KEY, queue, body, attempts, error)")
    for key in ("pk_one", "pk_two"):
        body = encode(KeyRevoked(account_id="a0", key=key), event_id=f"id of {key}", time_ms=0)
        database.execute(
            "INSERT INTO dead (queue, body, attempts, error) VALUES (?, ?, 5, ?)",
            (QUEUE, body, f"Traceback\nValueError: {key}"),
        )
    database.commit()
    database.close()
    return tmp_path


def listed(folder: Path) -> list[dict[str, str]]:
    found = json.loads(picket("events", "dead", "list", "--json", PICKET_HOME=str(folder)).stdout)
    assert isinstance(found, list)
    return found


def test_dead_letters_are_listed_shown_and_dropped_while_picket_runs(dead: Path) -> None:
    with home.lock(dead):
        first, second = listed(dead)
        assert (first["event_id"], first["topic"], first["queue"]) == ("id of pk_one", "key_revoked", QUEUE)
        shown = picket("events", "dead", "show", second["id"], PICKET_HOME=str(dead)).stdout
        assert "ValueError: pk_two" in shown
        picket("events", "dead", "drop", second["id"], PICKET_HOME=str(dead))
        assert [letter["id"] for letter in listed(dead)] == [first["id"]]


def test_a_replay_waits_until_picket_is_stopped_and_then_puts_all_back(dead: Path) -> None:
    with home.lock(dead):
        refused = picket("events", "dead", "replay", "--all", check=False, PICKET_HOME=str(dead))
    assert refused.returncode == 1
    assert refused.stderr.startswith("picket: another picket already runs")
    assert len(refused.stderr.splitlines()) == 1
    assert picket("events", "dead", "replay", "--all", PICKET_HOME=str(dead)).stdout == "replayed 2\n"
    assert listed(dead) == []
    database = sqlite3.connect(dead / "events.db")
    assert database.execute("SELECT queue, attempts FROM message").fetchall() == [(QUEUE, 0)] * 2


def test_a_letter_that_is_not_there_and_a_broker_that_is_away_are_one_line(tmp_path: Path) -> None:
    away = {"PICKET_BROKER__KIND": "rabbitmq", "PICKET_BROKER__URLS": "amqp://127.0.0.1:1/x"}
    for more in ({}, away | {"PICKET_SECRET_KEY": "s"}):
        ended = picket("events", "dead", "show", "0" * 12, check=False, PICKET_HOME=str(tmp_path), **more)
        assert ended.returncode == 1
        assert ended.stderr.startswith("picket: ")
        assert len(ended.stderr.splitlines()) == 1


def test_an_embedded_picket_has_no_queues_to_mend(tmp_path: Path) -> None:
    ended = picket("events", "queues", "mend", check=False, PICKET_HOME=str(tmp_path))
    assert ended.returncode == 1
    assert ended.stderr.startswith("picket: setting broker.kind: memory makes its queues at each start")
