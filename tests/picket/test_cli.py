"""The `picket` command: what it lists, and what it says when something is wrong."""

import json
from pathlib import Path

from services.registry import SERVICES
from tests.product import picket

DISTRIBUTED = {"PICKET_BROKER__KIND": "rabbitmq", "PICKET_SECRET_KEY": "s"}


def test_a_process_of_several_without_a_broker_between_them_is_one_line(tmp_path: Path) -> None:
    for command in (["gateway"], ["web"], ["run", "archive"]):
        ended = picket(*command, check=False, PICKET_HOME=str(tmp_path))
        assert ended.returncode == 1
        assert ended.stderr.startswith("picket: setting broker.kind: memory joins no processes")
        assert len(ended.stderr.splitlines()) == 1


def test_services_has_a_line_for_each(tmp_path: Path) -> None:
    listed = picket("services", PICKET_HOME=str(tmp_path)).stdout.splitlines()
    assert [line.split()[0] for line in listed] == list(SERVICES)
    assert all(len(line.split()) > 2 for line in listed)


def test_a_service_that_does_not_exist_is_one_line_with_those_that_do(tmp_path: Path) -> None:
    ended = picket("run", "nothing", check=False, **DISTRIBUTED, PICKET_HOME=str(tmp_path))
    assert ended.returncode == 1
    assert ended.stderr.startswith("picket: no service 'nothing'; there are: archive")
    assert len(ended.stderr.splitlines()) == 1


def test_keys_create_prints_one_line_of_json(tmp_path: Path) -> None:
    picket("manage", "migrate", PICKET_HOME=str(tmp_path))
    made = json.loads(picket("keys", "create", "--name", "n", "--json", PICKET_HOME=str(tmp_path)).stdout)
    assert set(made) == {"key", "secret"}


def test_keys_create_names_a_permission_that_there_is_not(tmp_path: Path) -> None:
    picket("manage", "migrate", PICKET_HOME=str(tmp_path))
    arguments = ("keys", "create", "--name", "n", "--permissions", "fly")
    ended = picket(*arguments, check=False, PICKET_HOME=str(tmp_path))
    assert ended.returncode == 1
    assert "'fly'" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_doctor_says_what_is_wrong_and_how_to_mend_it(tmp_path: Path) -> None:
    sick = picket("doctor", check=False, PICKET_HOME=str(tmp_path))
    assert sick.returncode == 1
    assert "FAIL  database" in sick.stdout
    assert "picket manage migrate" in sick.stdout
    picket("manage", "migrate", PICKET_HOME=str(tmp_path))
    healthy = picket("doctor", PICKET_HOME=str(tmp_path))
    assert "ok    database" in healthy.stdout


def test_doctor_names_an_engine_that_is_away(tmp_path: Path) -> None:
    away = DISTRIBUTED | {"PICKET_BROKER__URLS": "amqp://a:b@127.0.0.1:1/x"}
    ended = picket("doctor", check=False, PICKET_HOME=str(tmp_path), **away)
    assert ended.returncode == 1
    assert "FAIL  rabbitmq" in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr
