"""What is said where packages can't be installed, and jars that are fetched once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ops.engines import install
from ops.engines.errors import EngineError


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """The commands that were run; Maven's makes the folder that it is told to fill."""
    commands: list[Sequence[str]] = []

    def run(command: Sequence[str], **_: Any) -> str:
        commands.append(command)
        for part in command:
            if part.startswith("-DoutputDirectory="):
                Path(part.partition("=")[2]).mkdir()
        return ""

    monkeypatch.setattr(install, "run", run)
    return commands


def _machine(monkeypatch: pytest.MonkeyPatch, *, root: bool, apt: bool, installed: bool = False) -> None:
    monkeypatch.setattr(install, "is_root", lambda: root)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}" if apt else None)
    monkeypatch.setattr(install, "_has", lambda package: installed)


def test_nothing_is_run_for_packages_that_are_there(
    monkeypatch: pytest.MonkeyPatch, ran: list[Sequence[str]]
) -> None:
    _machine(monkeypatch, root=False, apt=True, installed=True)

    install.debian(["postgresql"])

    assert ran == []


def test_without_root_the_command_to_run_is_named(
    monkeypatch: pytest.MonkeyPatch, ran: list[Sequence[str]]
) -> None:
    _machine(monkeypatch, root=False, apt=True)

    with pytest.raises(EngineError, match=r"sudo apt-get install .* postgresql"):
        install.debian(["postgresql"])
    assert ran == []


def test_without_apt_the_missing_packages_are_named(
    monkeypatch: pytest.MonkeyPatch, ran: list[Sequence[str]]
) -> None:
    _machine(monkeypatch, root=True, apt=False)

    with pytest.raises(EngineError, match="rabbitmq-server postgresql"):
        install.debian(["rabbitmq-server", "postgresql"])
    assert ran == []


def test_no_server_may_start_itself_while_packages_are_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _machine(monkeypatch, root=True, apt=True)
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(install, "POLICY", policy)
    seen: list[str] = []
    monkeypatch.setattr(install, "run", lambda *_, **__: seen.append(policy.read_text()))

    install.debian(["postgresql"])

    assert seen == ["#!/bin/sh\nexit 101\n"]
    assert not policy.exists()


def test_jars_are_fetched_once(tmp_path: Path, ran: list[Sequence[str]]) -> None:
    install.maven(tmp_path / "pom.xml", tmp_path / "solr-9")
    install.maven(tmp_path / "pom.xml", tmp_path / "solr-9")

    assert len(ran) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["solr-9"]
