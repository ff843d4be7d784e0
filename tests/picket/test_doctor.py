"""`picket doctor`: each engine is asked a question, and what fails comes with what to do about it."""

from pathlib import Path
from typing import Any

import pytest

from picket.doctor import checks, examine
from picket.settings import Settings
from tests.engines import Keyspace

AWAY = {"kind": "rabbitmq", "urls": ["amqp://u:secret@127.0.0.1:1/x", "amqp://u:secret@127.0.0.1:2/x"]}


def said(home: Path, **sections: Any) -> list[str]:
    """What is said of all but the home and the relational database."""
    lines: list[str] = []
    settings = Settings.model_validate({"home": home} | sections)
    names = {name for name, _, _ in checks(settings)} - {"home", "database"}
    examine(settings, lambda line: lines.append(str(line)))
    return [line for line in lines if line.split()[1] in names]


@pytest.mark.django_db
def test_each_url_of_the_broker_fails_by_itself_without_its_password(tmp_path: Path) -> None:
    first, second, topology = said(tmp_path, broker=AWAY)
    assert first.startswith("FAIL  rabbitmq   RabbitMQ at 127.0.0.1:1/x")
    assert second.startswith("FAIL  rabbitmq   RabbitMQ at 127.0.0.1:2/x")
    assert topology.startswith("FAIL  topology")
    for line in (first, second, topology):
        assert "secret" not in line
        assert "\n" in line


@pytest.mark.django_db
def test_a_cassandra_that_does_not_answer_fails_with_what_to_do(tmp_path: Path) -> None:
    store = {"kind": "cassandra", "contact_points": ["127.0.0.1"], "port": 1}
    line, schema = said(tmp_path, store=store)
    assert line.startswith("FAIL  cassandra  Cassandra at 127.0.0.1:1: ")
    assert "check store.contact_points and store.port" in line
    assert schema.startswith("FAIL  schema     Cassandra at 127.0.0.1:1: ")


@pytest.mark.django_db
def test_cassandra_is_asked_in_cql(tmp_path: Path, cassandra_keyspace: Keyspace) -> None:
    line, schema = said(tmp_path, store=place(cassandra_keyspace, "nowhere"))
    assert line.startswith("ok    cassandra")
    assert "Cassandra 5." in line or "Cassandra 4." in line
    assert schema.startswith("FAIL  schema     there is no keyspace nowhere: run `picket store migrate`")


def place(there: Keyspace, keyspace: str) -> dict[str, Any]:
    return {
        "kind": "cassandra",
        "contact_points": there.contact_points,
        "port": there.port,
        "keyspace": keyspace,
    }
