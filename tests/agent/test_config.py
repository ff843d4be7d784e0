"""A configuration is taken, or refused with one clear text."""

from pathlib import Path

import pytest

from agent import config
from agent.config import ConfigError


def test_a_file_has_a_key_and_a_value_a_line(tmp_path: Path) -> None:
    path = tmp_path / "agent.conf"
    path.write_text("# us\noauth_key pk_1\n\noauth_secret   ps 1\nendpoint gateway\nendpoint_port 4167\n")
    made = config.make(config.read(path))
    assert (made.oauth_key, made.oauth_secret) == ("pk_1", "ps 1")
    assert (made.endpoint, made.endpoint_port) == ("gateway", 4167)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("a:1", "a", 1), ("a", "a", 4166), ("[::1]:9", "::1", 9), ("[::1]", "::1", 4166)],
)
def test_an_endpoint_is_a_host_and_perhaps_a_port(text: str, host: str, port: int) -> None:
    made = config.make(config.endpoint(text))
    assert (made.endpoint, made.endpoint_port) == (host, port)


@pytest.mark.parametrize("text", ["a:b", "a:0", "a:65536", ":1"])
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="HOST:PORT"):
        config.endpoint(text)


@pytest.mark.parametrize(
    ("values", "complaint"), [({"oauth_kye": "x"}, "oauth_kye"), ({"endpoint_port": "x"}, "not a number")]
)
def test_values_that_make_no_sense_are_refused(values: dict[str, str], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        config.make(values)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match="oauth_secret"):
        config.make({"oauth_key": "x"}).check()
