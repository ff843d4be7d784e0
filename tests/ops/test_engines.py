"""Each engine by itself: it starts, keeps what it was given, and leaves no process."""

import asyncio
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import acsylla
import MySQLdb
import pika
import psutil
import psycopg
import pysolr
import pytest

from ops.engines.engine import Running
from ops.engines.rabbitmq import control, settle
from tests.engines import Private, PrivateEngine

pytestmark = pytest.mark.xdist_group("serial")

CREATE_KEYSPACE = "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"


def _write_rabbitmq(url: str) -> None:
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("kept", durable=True, arguments={"x-queue-type": "quorum"})
        persistent = pika.BasicProperties(delivery_mode=2)
        channel.basic_publish("", "kept", b"still here", properties=persistent, mandatory=True)


def _read_rabbitmq(url: str) -> str:
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        return str(connection.channel().basic_get("kept", auto_ack=True)[2], "ascii")


async def _cql(url: str, *statements: str) -> acsylla.Result:
    address = urllib.parse.urlsplit(url)
    session = await acsylla.create_cluster([address.hostname], port=address.port).create_session()
    try:
        return [await session.execute(acsylla.create_statement(text)) for text in statements][-1]
    finally:
        await session.close()


def _write_cassandra(url: str) -> None:
    table = "CREATE TABLE k.t (id int PRIMARY KEY, v text)"
    asyncio.run(_cql(url, CREATE_KEYSPACE, table, "INSERT INTO k.t (id, v) VALUES (1, 'still here')"))


def _read_cassandra(url: str) -> str:
    return str(asyncio.run(_cql(url, "SELECT v FROM k.t WHERE id = 1")).first().v)


def _write_solr(url: str) -> None:
    pysolr.Solr(url).add([{"id": "n1", "account_id": "a1", "name": "still here"}], commit=True)


def _read_solr(url: str) -> str:
    return str(next(iter(pysolr.Solr(url).search("still")))["name"])


def _mariadb(url: str) -> MySQLdb.Connection:
    parts = urllib.parse.urlsplit(url)
    return MySQLdb.connect(
        host=parts.hostname,
        port=parts.port,
        user=parts.username,
        password=parts.password,
        database=parts.path[1:],
        charset="utf8mb4",
    )


def _write_mariadb(url: str) -> None:
    connection = _mariadb(url)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (v varchar(20))")
        cursor.execute("INSERT INTO t VALUES ('still here')")
    connection.commit()
    connection.close()


def _read_mariadb(url: str) -> str:
    connection = _mariadb(url)
    with connection.cursor() as cursor:
        cursor.execute("SELECT v FROM t")
        value = cursor.fetchone()[0]
    connection.close()
    return str(value)


def _write_postgresql(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE t (v text)")
        connection.execute("INSERT INTO t VALUES ('still here')")


def _read_postgresql(url: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT v FROM t").fetchone()
    return str(row and row[0])


ROUND_TRIPS: dict[str, tuple[Callable[[str], None], Callable[[str], str]]] = {
    "rabbitmq": (_write_rabbitmq, _read_rabbitmq),
    "cassandra": (_write_cassandra, _read_cassandra),
    "solr": (_write_solr, _read_solr),
    "mariadb": (_write_mariadb, _read_mariadb),
    "postgresql": (_write_postgresql, _read_postgresql),
}


def _family(running: Running) -> list[psutil.Process]:
    """Its processes, those that they started, and whoever is in their sessions."""
    leaders = [psutil.Process(process.pid) for process in running.processes]
    children = [child for leader in leaders for child in leader.children(recursive=True)]
    return leaders + children


def _ended(processes: list[psutil.Process]) -> bool:
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_an_engine_keeps_its_data_and_address_over_a_restart_and_leaves_no_process(
    name: str, private_engine: PrivateEngine
) -> None:
    write, read = ROUND_TRIPS[name]
    private = private_engine(name)
    before = private.running
    write(private.url)
    family = _family(before)
    private.stop()
    assert _ended(family)

    private.start()

    assert private.running.pid != before.pid
    assert private.running.ports == before.ports
    assert read(private.url) == "still here"
    family = _family(private.running)
    private.stop()
    assert _ended(family)


def test_a_killed_rabbitmq_starts_again_with_every_confirmed_message(private_engine: PrivateEngine) -> None:
    private = private_engine("rabbitmq")
    _write_rabbitmq(private.url)
    settle(private.running)
    private.kill()

    private.start()

    assert _read_rabbitmq(private.url) == "still here"
    _assert_only_on_loopback(private)
    assert "guest" not in control(private.running, "list_users")


def _assert_only_on_loopback(private: Private) -> None:
    connections = [c for process in _family(private.running) for c in process.net_connections("tcp")]
    listening = {(c.laddr.ip, c.laddr.port) for c in connections if c.status == psutil.CONN_LISTEN}
    assert {port for _, port in listening} == set(private.running.ports.values())
    assert {ip for ip, _ in listening} <= {"127.0.0.1", "::1"}
    assert Path(private.running.home, ".erlang.cookie").stat().st_mode & 0o777 == 0o400
