"""The agent remembers which node it is, whatever happens to its file."""

from pathlib import Path

import pytest

from agent import state
from agent.state import State


def test_a_node_is_remembered_by_the_next_run(tmp_path: Path) -> None:
    State(tmp_path).bind("n1", "s1")
    assert (State(tmp_path).node, State(tmp_path).node_secret) == ("n1", "s1")


def test_an_accepted_without_a_secret_leaves_the_old_one(tmp_path: Path) -> None:
    State(tmp_path).bind("n1", "s1")
    State(tmp_path).bind("n1", "")
    assert State(tmp_path).node_secret == "s1"


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff\xfe"])
def test_a_damaged_file_counts_as_empty(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "state.json").write_bytes(damage)
    assert State(tmp_path).node == ""


def test_a_machine_without_an_id_gets_one_that_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "MACHINE_FILES", ())
    assert State(tmp_path).machine() == State(tmp_path).machine() != ""


def test_a_run_counts_on_above_every_earlier_one_though_clock_and_spool_are_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = State(tmp_path).first_seq(0)
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert State(tmp_path).first_seq(0) == first + state.RUN_SEQS
    assert State(tmp_path).first_seq(1 << 60) == (1 << 60) + 1
