"""The home: its secret, and one process at a time."""

import stat
from pathlib import Path

import pytest

from picket import home
from picket.errors import PicketError


def test_the_secret_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    first = home.secret_key(tmp_path / "home")
    assert len(first) >= 48
    assert home.secret_key(tmp_path / "home") == first
    assert stat.S_IMODE((tmp_path / "home/secret.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


def test_one_process_at_a_time_lives_in_a_home(tmp_path: Path) -> None:
    with home.lock(tmp_path), pytest.raises(PicketError, match="already runs"):
        home.lock(tmp_path)
    home.lock(tmp_path).close()


def test_a_home_below_a_file_is_refused_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PicketError, match=f"{tmp_path}/file/home.*--home"):
        home.lock(tmp_path / "file/home")
