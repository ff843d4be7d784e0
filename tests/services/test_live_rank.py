"""services.live ranks nodes by their newest numbers, which it keeps ready for who asks again."""

import random
import zlib
from typing import Any

import msgspec
import pytest
from twisted.internet.defer import Deferred

from rpc import idl
from rpc.errors import Refused
from services.live import NODES_A_TURN
from tests.services.live_house import NODE, NOW_MS, OTHER, OURS, THEIRS, House, cpu, done
from timeseries.frames import CheckResult, Frame, FrameBody, layout_of
from webapp.dashboard import latest
from webapp.dashboard.ranked_by import KEPT_MS, MOST


@pytest.fixture
def house() -> House:
    return House()


def test_nodes_are_ranked_by_their_newest_numbers(house: House) -> None:
    for node, idle in ((NODE, 90), (OTHER, 20)):
        house.frame(NOW_MS, cpu(50), node=node)
        house.frame(NOW_MS + 1, cpu(idle), node=node)
    rank = idl.Rank(node_ids=[NODE, OTHER, "n9"], check="cpu", metric="cpu_idle", by="latest", ascending=True)
    found = done(house.live.rank(OURS, idl.Context(), rank))
    assert [(each.node_id, each.value) for each in found.top] == [(OTHER, 20), (NODE, 90)]
    assert (found.counted, found.total) == (2, 110)
    assert done(house.live.rank(THEIRS, idl.Context(), rank)).top == []
    rank.start_ms = NOW_MS + 2
    assert done(house.live.rank(OURS, idl.Context(), rank)).top == []


def test_ranking_looks_into_frames_that_wait_undecoded_and_leaves_them_so(house: House) -> None:
    def keep(time_ms: int, *results: CheckResult) -> None:
        body = FrameBody(time_ms, list(results))
        packed = zlib.compress(msgspec.json.encode(body))
        house.batch(Frame(OURS, NODE, "a:1", time_ms, time_ms, packed, layout=layout_of(body)))

    house.frame(NOW_MS, cpu(1))
    keep(NOW_MS + 1, cpu(2), cpu(3))
    keep(NOW_MS + 2, CheckResult("mem", metrics={"used": 5}))
    rank = idl.Rank(node_ids=[NODE], check="cpu", metric="cpu_idle", by="latest")
    assert [each.value for each in done(house.live.rank(OURS, idl.Context(), rank)).top] == [3]
    assert house.snapshot(NODE)[0].checks[0].metrics[0].value == "3"


def test_ranking_many_nodes_gives_others_their_turn(house: House) -> None:
    house.frame(NOW_MS, cpu(90))
    names = [f"n{number}" for number in range(NODES_A_TURN)]
    rank = idl.Rank(node_ids=[*names, NODE], check="cpu", metric="cpu_idle", by="latest")
    found: list[idl.Ranked] = []
    Deferred.fromCoroutine(house.live.rank(OURS, idl.Context(), rank)).addCallback(found.append)
    assert found == []
    house.reactor.advance(0)
    assert found[0].counted == 1


def test_memory_knows_no_means(house: House) -> None:
    rank = idl.Rank(node_ids=[NODE], check="cpu", metric="cpu_idle", by="mean")
    failed: list[Any] = []
    Deferred.fromCoroutine(house.live.rank(OURS, idl.Context(), rank)).addErrback(failed.append)
    assert failed[0].check(Refused)


def by_latest(check: str = "cpu", metric: str = "cpu_idle", *nodes: str) -> idl.Rank:
    return idl.Rank(node_ids=list(nodes or [NODE]), check=check, metric=metric, by="latest")


def top(house: House, rank: idl.Rank, account: str = OURS) -> list[float]:
    return [each.value for each in done(house.live.rank(account, idl.Context(), rank)).top]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The checks that were looked for in frames that wait."""
    checks: list[tuple[str, str]] = []
    look = latest._metrics_in

    def looking(payload: bytes, which: tuple[str, str]) -> Any:
        checks.append(which)
        return look(payload, which)

    monkeypatch.setattr(latest, "_metrics_in", looking)
    return checks


def test_what_nodes_were_ranked_by_lately_is_ready_when_it_comes(
    house: House, decoded: list[tuple[str, str]]
) -> None:
    house.frame(NOW_MS, cpu(1))
    assert decoded == []
    assert top(house, by_latest()) == [1]
    house.frame(NOW_MS + 1, cpu(2))
    house.frame(NOW_MS + 1, cpu(9), account=THEIRS)
    assert len(decoded) == 2
    assert top(house, by_latest()) == top(house, by_latest()) == [2]
    assert len(decoded) == 2


def test_a_minute_after_the_last_ranking_frames_wait_again(
    house: House, decoded: list[tuple[str, str]]
) -> None:
    house.frame(NOW_MS, cpu(1))
    top(house, by_latest())
    house.reactor.advance(KEPT_MS / 1000)
    house.frame(NOW_MS + 1, cpu(2))
    assert len(decoded) == 1
    assert top(house, by_latest()) == [2]


def test_of_many_checks_the_ones_asked_for_last_are_kept_ready(
    house: House, decoded: list[tuple[str, str]]
) -> None:
    for number in range(MOST + 1):
        top(house, by_latest(f"check{number}"))
    house.frame(NOW_MS, cpu(1))
    assert decoded == [(f"check{number}", "") for number in range(1, MOST + 1)]


def test_what_is_ready_is_what_frames_that_wait_would_give(house: House) -> None:
    chance = random.Random(5)
    checks = ("cpu", "mem", "disk")
    for round_number in range(200):
        picked = chance.sample(checks, chance.randint(1, 3))
        results = [CheckResult(check, metrics={"v": round_number}) for check in picked]
        house.frame(NOW_MS + chance.randint(-20, 20) * 1000, *results)
        if chance.random() < 0.2:
            house.snapshot(NODE)
        ranked = {check: top(house, by_latest(check, "v")) for check in checks}
        house.live._latest.find(OURS, NODE)
        known = house.live._latest.make(OURS, NODE).checks
        assert ranked == {
            check: [known[check, ""].result.metrics["v"]] if (check, "") in known else [] for check in checks
        }
