"""Where `ckl` finds its server and key."""

from pathlib import Path

import pytest

from ckl.config import DEFAULT_URL, Config, ConfigError, load


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_user_s_file_wins_over_the_originals_and_the_system_s(tmp_path: Path) -> None:
    write(tmp_path / "etc/cloudkick.conf", "oauth_key system\noauth_secret s1\nurl http://system/\n")
    write(tmp_path / ".cloudkick.conf", "oauth_key original\n# oauth_secret no\n")
    write(tmp_path / ".config/picket/ckl.conf", "oauth_key   user key \n")
    assert load({}, tmp_path, tmp_path / "etc") == Config("http://system", "user key", "s1")


def test_the_environment_wins_over_every_file(tmp_path: Path) -> None:
    write(tmp_path / ".cloudkick.conf", "oauth_key k\noauth_secret s\n")
    environ = {"CKL_OAUTH_KEY": "other", "CKL_URL": "https://picket.example.com"}
    assert load(environ, tmp_path, tmp_path) == Config("https://picket.example.com", "other", "s")


def test_what_is_missing_is_named_with_the_file_to_write_it_into(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no oauth_key and no oauth_secret: .*/picket/ckl\.conf"):
        load({"XDG_CONFIG_HOME": str(tmp_path / "c")}, tmp_path, tmp_path)


def test_without_a_url_it_asks_this_machine(tmp_path: Path) -> None:
    environ = {"CKL_OAUTH_KEY": "k", "CKL_OAUTH_SECRET": "s"}
    assert load(environ, tmp_path, tmp_path).url == DEFAULT_URL
