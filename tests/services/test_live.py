"""services.live: what browsers get over HTTP, with a fake clock and connections in memory."""

import random

import msgspec
import pytest
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from rpc import idl
from services import base
from services.live import PING_S, STREAMS_PER_ACCOUNT, TOGETHER_S
from tests.services.live_house import NODE, NOW_MS, OTHER, OURS, THEIRS, Browser, House, cpu, done
from timeseries.frames import CheckResult, Frame, FrameBody, layout_of
from webapp import live_ticket
from webapp.dashboard.event_stream import BUFFER_BYTES
from webapp.dashboard.latest import FUTURE_MS, NodeLatest


@pytest.fixture
def house() -> House:
    return House()


def test_without_a_ticket_of_ours_there_is_no_stream(house: House) -> None:
    assert Browser(house.live, "/live/events?ticket=guess").status == 403
    forged = live_ticket.make(OURS, "another key")
    assert Browser(house.live, f"/live/events?ticket={forged}").status == 403


def test_a_node_page_gets_the_latest_at_once_and_then_each_frame(house: House) -> None:
    house.frame(NOW_MS, cpu(90))
    browser = house.browse(NODE)
    assert "content-type: text/event-stream" in browser.text.lower()
    house.frame(NOW_MS + 10_000, cpu(80))
    assert [(event, data["time"], data["results"][0]["metrics"]) for event, data in browser.events] == [
        ("frame", NOW_MS, {"cpu_idle": 90}),
        ("frame", NOW_MS + 10_000, {"cpu_idle": 80}),
    ]
    assert f"id: {NOW_MS + 10_000}\n" in browser.text


def test_the_overview_gets_a_line_of_each_node(house: House) -> None:
    house.frame(NOW_MS, cpu(90))
    browser = house.browse()
    memory = CheckResult("mem", metrics={"mem_used": 1, "mem_total": 4})
    traffic = [CheckResult("net", key=key, metrics={"in_bytes": 8.0}) for key in ("lo", "eth0", "eth1")]
    house.frame(NOW_MS + 1, memory, *traffic, node=OTHER)
    (_, first), (event, second) = browser.events
    assert (first["node"], first["cpu"], first["mem"]) == (NODE, 10, None)
    assert (event, second["node"], second["mem"], second["in_bytes"]) == ("node", OTHER, 25, 16)


def test_nobody_sees_what_another_account_has(house: House) -> None:
    everything, one = house.browse(account=THEIRS), house.browse(NODE, account=THEIRS)
    house.frame(NOW_MS, cpu(90))
    late = house.browse(NODE, account=THEIRS)
    assert everything.events == one.events == late.events == []
    assert house.snapshot(NODE, account=THEIRS) == []


def test_what_was_missed_is_forgotten_and_its_pages_are_told_once_that_there_is_a_gap(house: House) -> None:
    house.frame(NOW_MS, cpu(90))
    house.frame(NOW_MS, cpu(70), node=OTHER)
    page, of_other, overview = house.browse(NODE), house.browse(OTHER), house.browse()
    house.store.states = [
        idl.CheckState(check="cpu", key="", state="ok", status="", time_ms=NOW_MS + 10_000, metrics=[])
    ]
    for batches in (1, 3):
        house.bus.missed(house.bus.partition(NODE), batches)
    assert house.snapshot(NODE)[0].time_ms == NOW_MS + 10_000
    assert house.snapshot(OTHER)[0].time_ms == NOW_MS
    house.reactor.advance(TOGETHER_S)
    assert [event for event, _ in page.events].count("gap") == 1
    assert [event for event, _ in overview.events].count("gap") == 1
    assert "gap" not in dict(of_other.events)
    house.bus.released(house.bus.partition(OTHER))
    house.reactor.advance(TOGETHER_S)
    assert "gap" in dict(of_other.events)


def test_what_was_seen_already_or_is_older_is_no_news(house: House) -> None:
    house.frame(NOW_MS, cpu(90))
    browser = house.browse(NODE)
    house.frame(NOW_MS, cpu(90))
    house.frame(NOW_MS - 60_000, cpu(1))
    assert len(browser.events) == 1
    assert house.snapshot(NODE)[0].checks[0].metrics[0].value == "90"


def test_a_frame_from_the_far_future_hides_nothing(house: House) -> None:
    house.frame(NOW_MS + FUTURE_MS + 1, cpu(1))
    house.frame(NOW_MS, cpu(90))
    assert house.snapshot(NODE)[0].time_ms == NOW_MS


def test_a_frame_that_does_not_fit_is_counted_and_the_next_one_still_seen(house: House) -> None:
    browser = house.browse(NODE)
    good = msgspec.json.encode(FrameBody(NOW_MS, [cpu(90)]))
    house.batch(
        Frame(OURS, NODE, "a:1", NOW_MS, NOW_MS, b"{}"), Frame(OURS, NODE, "a:2", NOW_MS, NOW_MS, good)
    )
    assert len(browser.events) == 1
    assert any(metric.name == "frames_invalid" for metric in house.stats.metrics())


def test_a_slow_browser_keeps_a_bounded_buffer_and_is_told_of_the_gap(house: House) -> None:
    slow, quick = house.browse(NODE), house.browse(NODE)
    slow.transport.producer.pauseProducing()
    text = "x" * 10_000
    for i in range(BUFFER_BYTES // len(text) + 2):
        house.frame(NOW_MS + i, CheckResult("custom", metrics={"word": text}))
    assert slow.events == []
    slow.transport.producer.resumeProducing()
    assert [event for event, _ in slow.events] == ["gap"]
    house.frame(NOW_MS + 99_000, cpu(5))
    assert slow.events[-1][1]["time"] == quick.events[-1][1]["time"] == NOW_MS + 99_000
    assert "gap" not in dict(quick.events)


def test_a_browser_that_was_slow_for_a_moment_misses_nothing(house: House) -> None:
    browser = house.browse(NODE)
    browser.transport.producer.pauseProducing()
    for i in range(3):
        house.frame(NOW_MS + i, cpu(i))
    assert browser.events == []
    browser.transport.producer.resumeProducing()
    assert [data["time"] for _, data in browser.events] == [NOW_MS, NOW_MS + 1, NOW_MS + 2]


def test_a_comment_every_15_seconds_keeps_proxies_from_hanging_up(house: House) -> None:
    browser = house.browse()
    before = browser.text.count(": ping")
    house.reactor.pump([PING_S, PING_S])
    assert browser.text.count(": ping") == before + 2


def test_who_comes_back_with_an_old_id_is_told_to_fetch_anew(house: House) -> None:
    house.frame(NOW_MS, cpu(90))
    same = house.browse(NODE, **{"Last-Event-ID": str(NOW_MS)})
    behind = house.browse(NODE, **{"Last-Event-ID": str(NOW_MS - 10_000)})
    assert [event for event, _ in same.events] == ["frame"]
    assert [event for event, _ in behind.events] == ["gap", "frame"]


def test_after_a_start_the_first_watcher_makes_it_read_the_latest_once(house: House) -> None:
    metric = idl.Metric(name="cpu_idle", kind="float", value="75.5")
    house.store.states = [
        idl.CheckState(check="cpu", key="", state="ok", status="", time_ms=NOW_MS, metrics=[metric])
    ]
    browsers = [house.browse(NODE), house.browse(NODE)]
    assert [each.events[0][1]["results"][0]["metrics"] for each in browsers] == [{"cpu_idle": 75.5}] * 2
    assert house.store.asked == 1


def test_while_the_store_is_away_new_frames_are_still_seen(house: House) -> None:
    house.store.is_away = True
    browser = house.browse(NODE)
    house.frame(NOW_MS, cpu(90))
    assert len(browser.events) == 1


def test_a_browser_that_left_costs_nothing_more(house: House) -> None:
    browser = house.browse(NODE)
    assert ("viewers", 1) in [(metric.name, metric.value) for metric in house.stats.metrics()]
    browser.channel.connectionLost(Failure(ConnectionDone()))
    house.frame(NOW_MS, cpu(90))
    assert ("viewers", 0) in [(metric.name, metric.value) for metric in house.stats.metrics()]


def test_an_account_has_only_so_many_streams(house: House) -> None:
    for _ in range(STREAMS_PER_ACCOUNT):
        house.browse()
    assert house.browse().status == 429
    assert house.browse(account=THEIRS).status == 200


def test_stopping_ends_every_stream_and_leaves_no_timer(house: House) -> None:
    browser = house.browse(NODE)
    done(base.stop(house.live))
    assert browser.transport.disconnecting
    browser.channel.connectionLost(Failure(ConnectionDone()))
    assert house.reactor.getDelayedCalls() == []


def test_the_first_messages_and_the_events_after_them_are_the_same_as_a_fresh_snapshot(house: House) -> None:
    chance = random.Random(7)
    checks = [("cpu", ""), ("mem", ""), ("disk", "/"), ("disk", "/var")]

    def some_frames(count: int) -> None:
        for _ in range(count):
            picked = chance.sample(checks, chance.randint(1, len(checks)))
            results = [
                CheckResult(check, key=key, metrics={"value": chance.random()}) for check, key in picked
            ]
            house.frame(NOW_MS + chance.randint(-50, 50) * 1000, *results)

    some_frames(20)
    browser = house.browse(NODE)
    some_frames(40)
    page = NodeLatest()
    for _, data in browser.events:
        page.take(data["time"], data["received"], msgspec.convert(data["results"], list[CheckResult]))
    (fresh,) = house.snapshot(NODE)
    shown = {key: (seen.time_ms, seen.result.metrics["value"]) for key, seen in page.checks.items()}
    assert shown == {(c.check, c.key): (c.time_ms, float(c.metrics[0].value)) for c in fresh.checks}
    assert page.time_ms == fresh.time_ms


def test_frames_that_nobody_watches_give_the_same_as_those_decoded_as_they_come(house: House) -> None:
    chance = random.Random(11)
    checks = [("cpu", ""), ("mem", ""), ("disk", "/"), ("disk", "/var"), ("net", "eth0")]
    for _ in range(30):
        eager = NodeLatest()
        node = f"n{chance.getrandbits(40):010x}"
        seconds = chance.choice((1, 20))
        for _ in range(chance.choice((3, 30, 100))):
            time_ms = NOW_MS + chance.randint(-seconds, seconds) * 1000
            picked = chance.sample(checks, chance.choice((1, 2, 5)))
            results = [CheckResult(check, key=key, metrics={"v": chance.random()}) for check, key in picked]
            house.frame(time_ms, *results, node=node)
            eager.take(time_ms, time_ms + 5, results)
        (late,) = house.snapshot(node)
        expected = {key: (seen.time_ms, seen.result.metrics["v"]) for key, seen in eager.checks.items()}
        assert {(c.check, c.key): (c.time_ms, float(c.metrics[0].value)) for c in late.checks} == expected
        assert (late.time_ms, late.received_ms) == (eager.time_ms, eager.received_ms)


def test_a_frame_that_was_replaced_before_anybody_asked_is_never_decoded(house: House) -> None:
    layout = layout_of(FrameBody(NOW_MS, [cpu(90)]))
    house.batch(Frame(OURS, NODE, "a:1", NOW_MS - 1, NOW_MS, b"not a frame", layout))
    house.frame(NOW_MS, cpu(90))
    assert not any(metric.name == "frames_invalid" for metric in house.stats.metrics())
    assert house.snapshot(NODE)[0].checks[0].metrics[0].value == "90"
