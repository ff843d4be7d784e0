"""Settings from files and variables, and everything that can be wrong with them at once."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from picket import settings
from picket.settings import Endpoint, Settings, SettingsError
from timeseries.retention import kept
from timeseries.store import Level


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No variables and no files but the test's own; the cache is empty before and after."""
    for name in list(os.environ):
        if name.startswith("PICKET_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    settings.load.cache_clear()
    yield
    settings.load.cache_clear()


def problems() -> list[str]:
    with pytest.raises(SettingsError) as caught:
        settings.load()
    return caught.value.problems


def test_without_anything_the_defaults_hold(tmp_path: Path) -> None:
    found = settings.load()
    assert found.home == tmp_path / "data/picket"
    assert found.web.listen == ("127.0.0.1", 8080)
    assert (found.broker.kind, found.store.kind, found.database.url) == ("memory", "embedded", "")
    assert found.rpc.query == [Endpoint("127.0.0.1", 4172)]
    assert found.stats.listen is None


def test_variables_beat_the_file_setting_by_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "picket.toml").write_text('[web]\nlisten = "0.0.0.0:80"\npublic_url = "https://p.example"\n')
    monkeypatch.setenv("PICKET_WEB__LISTEN", "[::1]:81")
    found = settings.load()
    assert found.web.listen == Endpoint("::1", 81)
    assert found.web.public_url == "https://p.example"


def test_the_homes_file_comes_before_this_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/picket.toml").write_text('[store]\nkeyspace = "homes"\n')
    (tmp_path / "picket.toml").write_text('[store]\nkeyspace = "folders"\n')
    monkeypatch.setenv("PICKET_HOME", str(tmp_path / "home"))
    assert settings.load().store.keyspace == "homes"
    assert settings.load().home == tmp_path / "home"


def test_a_named_file_comes_before_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "picket.toml").write_text('[store]\nkeyspace = "folders"\n')
    (tmp_path / "other.toml").write_text('[store]\nkeyspace = "named"\n')
    monkeypatch.setenv("PICKET_CONFIG", str(tmp_path / "other.toml"))
    assert settings.load().store.keyspace == "named"


def test_lists_are_separated_by_commas_or_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PICKET_WEB__ALLOWED_HOSTS", "a.example, b.example")
    monkeypatch.setenv("PICKET_RPC__LIVE", '["a:1", "[::1]:2"]')
    found = settings.load()
    assert found.web.allowed_hosts == ["a.example", "b.example"]
    assert found.rpc.live == [Endpoint("a", 1), Endpoint("::1", 2)]


def test_secrets_come_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("sesame\n")
    (tmp_path / "url").write_text("mysql://me:pw@db/picket\n")
    monkeypatch.setenv("PICKET_SECRET_KEY_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("PICKET_DATABASE__URL_FILE", str(tmp_path / "url"))
    found = settings.load()
    assert found.secret_key == "sesame"
    assert found.database.url == "mysql://me:pw@db/picket"
    assert "sesame" not in repr(found)
    assert "pw" not in repr(found)


def test_every_error_is_reported_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "picket.toml").write_text('[web]\nlisten = "8080"\ncolour = "red"\n[store]\nkind = "tape"\n')
    monkeypatch.setenv("PICKET_STORE__PORT", "many")
    monkeypatch.setenv("PICKET_STOER__KIND", "memory")
    monkeypatch.setenv("PICKET_SECRET_KEY_FILE", str(tmp_path / "absent"))
    found = {line.split(":")[0]: line for line in problems()}
    assert set(found) == {
        "web.listen",
        "web.colour",
        "store.kind",
        "store.port",
        "PICKET_STOER__KIND",
        "PICKET_SECRET_KEY_FILE",
    }
    assert found["web.listen"] == (
        "web.listen: '8080' is not HOST:PORT; write for example 127.0.0.1:8080;"
        " set it in picket.toml or by PICKET_WEB__LISTEN"
    )
    assert "there is no such setting" in found["web.colour"]


def test_a_file_that_is_not_toml_or_not_there_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PICKET_CONFIG", str(tmp_path / "absent.toml"))
    assert [line for line in problems() if "absent.toml: cannot be read" in line] == problems()
    (tmp_path / "absent.toml").write_text("[web\n")
    assert len(problems()) == 1
    assert "not TOML" in problems()[0]


def test_it_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = settings.load()
    monkeypatch.setenv("PICKET_STORE__PORT", "1")
    assert settings.load() is first


def test_made_from_values_it_reads_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PICKET_STORE__PORT", "1")
    found = Settings.model_validate({"home": "/h", "web": {"listen": "h:1"}})
    assert (found.store.port, found.home, found.web.listen) == (9042, Path("/h"), ("h", 1))


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        settings.load().web.public_url = "https://other"


@pytest.mark.parametrize("text", ["", "host", "host:", ":80", "host:x", "host:65536", "::1:80", "host:-1"])
def test_what_is_not_an_endpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        Endpoint.parse(text)


@pytest.mark.parametrize("text", ["127.0.0.1:0", "[::1]:4166", "picket.example.org:65535"])
def test_an_endpoint_is_written_as_it_was_read(text: str) -> None:
    assert str(Endpoint.parse(text)) == text


def test_frames_may_not_come_later_than_the_values_that_they_join_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PICKET_RETENTION__RAW_DAYS", "13")
    (problem,) = problems()
    assert problem.startswith("agents.limits.days_back: frames of 14 days ago would be accepted")
    monkeypatch.setenv("PICKET_AGENTS__LIMITS__DAYS_BACK", "13")
    settings.load.cache_clear()
    assert settings.load().retention.raw_days == 13


def test_an_account_may_keep_its_values_otherwise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "picket.toml").write_text("[retention.accounts.a0123456789]\nraw_days = 90\n")
    found = kept(settings.load().retention)
    assert [found.of("a0123456789").days(level) for level in Level] == [90, 120, 1098]
    assert [found.of("a9876543210").days(level) for level in Level] == [14, 120, 1098]
    assert found.most_days(Level.RAW) == 90
    (tmp_path / "picket.toml").write_text("[retention.accounts.ours]\nraw_days = 90\n")
    settings.load.cache_clear()
    (problem,) = problems()
    assert problem.startswith("retention.accounts.ours")
    (tmp_path / "picket.toml").write_text("")
    monkeypatch.setenv("PICKET_RETENTION__ACCOUNTS", '{"a0123456789": {"raw_days": 13}}')
    settings.load.cache_clear()
    (problem,) = problems()
    assert "values are kept for 13" in problem.replace("\n", " ")
