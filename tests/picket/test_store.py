"""`picket store migrate`, as it is run before the processes of a new version start."""

import json
import uuid
from pathlib import Path

import acsylla
import pytest

from picket.doctor import examine
from picket.settings import Settings
from services.engines import access
from tests.engines import Keyspace
from tests.product import picket
from timeseries import cql

OPTIONS = """
secret_key = "0123456789"
[store]
kind = "cassandra"
contact_points = {hosts}
port = {port}
keyspace = "{keyspace}"
"""


@pytest.mark.django_db
def test_it_makes_what_doctor_then_finds(tmp_path: Path, cassandra_keyspace: Keyspace) -> None:
    hosts, port, _ = cassandra_keyspace
    keyspace = f"picket_{uuid.uuid4().hex[:12]}"
    text = OPTIONS.format(hosts=json.dumps(hosts), port=port, keyspace=keyspace)
    (tmp_path / "picket.toml").write_text(text)
    said = picket("store", "migrate", PICKET_HOME=str(tmp_path)).stdout.splitlines()
    assert said[0].startswith("made 1: ")
    assert said[-1].startswith(f"the keyspace {keyspace} has schema ")
    assert picket("store", "migrate", PICKET_HOME=str(tmp_path)).stdout.splitlines() == said[-1:]
    store = {"kind": "cassandra", "contact_points": hosts, "port": port, "keyspace": keyspace}
    lines: list[object] = []
    examine(Settings.model_validate({"home": tmp_path, "store": store}), lines.append)
    assert lines[-1] == f"ok    schema     {said[-1]}"


def test_where_cassandra_is_away_it_says_so_in_one_line(tmp_path: Path) -> None:
    text = OPTIONS.format(hosts='["127.0.0.1"]', port=1, keyspace="picket")
    (tmp_path / "picket.toml").write_text(text)
    failed = picket("store", "migrate", check=False, PICKET_HOME=str(tmp_path))
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1].startswith("picket: store: Cassandra: ")
    assert "Traceback" not in failed.stderr


def test_an_embedded_store_needs_none(tmp_path: Path) -> None:
    said = picket("store", "migrate", PICKET_HOME=str(tmp_path)).stdout
    assert said == "setting store.kind: embedded needs no migrations\n"


def test_the_driver_is_given_what_the_settings_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given: dict[str, object] = {}

    def create(hosts: list[str], **options: object) -> None:
        given.update(options, hosts=hosts)

    monkeypatch.setattr(acsylla, "create_cluster", create)
    (tmp_path / "ca.pem").write_text("the certificate")
    store = {"contact_points": "one,two", "consistency": "QUORUM", "request_s": 7, "retry_s": "0.1,2"}
    secrets = {"user": "picket", "password": "secret", "ca": tmp_path / "ca.pem"}
    found = access(Settings.model_validate({"store": store | secrets}))
    cql.make_cluster(found)
    assert list(found.retry_s) == [0.1, 2.0]
    assert given == {
        "hosts": ["one", "two"],
        "port": 9042,
        "consistency": "QUORUM",
        "request_timeout": 7.0,
        "username": "picket",
        "password": "secret",
        "ssl_enabled": True,
        "ssl_trusted_cert": "the certificate",
    }
