"""The settings file that points at started engines."""

import tomllib

from ops.engines import fleet
from ops.engines.engine import Running


def _running(name: str, port: int) -> Running:
    return Running(name, "127.0.0.1", {"main": port}, "picket", "secret", [], "/home", "/log")


def test_settings_name_each_engine_in_its_section() -> None:
    engines = [
        _running(name, port) for port, name in enumerate(("rabbitmq", "cassandra", "mariadb", "solr"), 1)
    ]

    settings = tomllib.loads(fleet.settings({engine.name: engine for engine in engines}))

    assert settings["broker"] == {"kind": "rabbitmq", "urls": ["amqp://picket:secret@127.0.0.1:1/picket"]}
    assert settings["store"]["contact_points"] == ["127.0.0.1"]
    assert settings["store"]["port"] == 2
    assert settings["database"] == {"url": "mysql://picket:secret@127.0.0.1:3/picket"}
    assert settings["search"] == {"solr_url": "http://127.0.0.1:4/solr/picket"}


def test_postgresql_is_the_database_only_where_there_is_no_mariadb() -> None:
    postgresql, mariadb = _running("postgresql", 1), _running("mariadb", 2)

    alone = tomllib.loads(fleet.settings({"postgresql": postgresql}))
    both = tomllib.loads(fleet.settings({"postgresql": postgresql, "mariadb": mariadb}))

    assert alone["database"]["url"] == "postgres://picket:secret@127.0.0.1:1/picket"
    assert both["database"]["url"].startswith("mysql:")
    assert "broker" not in both
