import json
import timeit
from unittest import mock

from statslib import Stats
from statslib.web import stats_resource


def metrics_of(stats: Stats) -> dict[str, float]:
    return {metric.name: metric.value for metric in stats.metrics()}


def test_a_counter_adds_up() -> None:
    stats = Stats("archive")
    stats.increment("frames")
    stats.increment("frames", by=4)
    assert metrics_of(stats) == {"frames": 5}


def test_an_average_keeps_its_least_greatest_last_and_mean() -> None:
    stats = Stats("archive")
    for value in (2.0, 6.0, 1.0):
        stats.add_average("write_s", value)
    assert metrics_of(stats) == {
        "write_s_count": 3,
        "write_s_avg": 3.0,
        "write_s_min": 1.0,
        "write_s_max": 6.0,
        "write_s_last": 1.0,
    }


def test_an_operation_is_pending_until_it_ends_and_remembers_failure() -> None:
    stats = Stats("archive")
    with stats.operation("write"):
        assert metrics_of(stats)["write_pending"] == 1
    try:
        with stats.operation("write"):
            raise ValueError
    except ValueError:
        pass
    assert metrics_of(stats) == {"write_total": 2, "write_failed": 1, "write_pending": 0}


def test_a_gauge_is_read_at_the_moment_of_asking() -> None:
    stats, held = Stats("archive"), [1]
    stats.gauge("held", lambda: len(held))
    held.append(2)
    assert metrics_of(stats) == {"held": 2}


def test_the_check_form_is_what_an_agent_would_send() -> None:
    stats = Stats("archive")
    stats.increment("frames")
    stats.add_average("write_s", 0.5)
    form = json.loads(json.dumps(stats.check_form()))
    assert form["state"] == "ok"
    assert form["status"] == "archive is up"
    assert form["metrics"][0] == {"type": "int", "name": "frames", "value": 1}
    assert {"type": "float", "name": "write_s_avg", "value": 0.5} in form["metrics"]


def test_an_owner_that_cannot_serve_says_why() -> None:
    stats = Stats("archive")
    stats.unready = "no store"
    assert (stats.check_form()["state"], stats.check_form()["status"]) == ("err", "no store")


def test_prometheus_text_has_types_and_one_total() -> None:
    stats = Stats("a-b")
    stats.increment("frames")
    stats.operation("write")
    stats.gauge("held", lambda: 2)
    assert stats.prometheus() == (
        "# TYPE picket_a_b_frames_total counter\npicket_a_b_frames_total 1\n"
        "# TYPE picket_a_b_write_total counter\npicket_a_b_write_total 0\n"
        "# TYPE picket_a_b_write_failed_total counter\npicket_a_b_write_failed_total 0\n"
        "# TYPE picket_a_b_write_pending gauge\npicket_a_b_write_pending 0\n"
        "# TYPE picket_a_b_held gauge\npicket_a_b_held 2\n"
    )


def test_counting_costs_less_than_a_microsecond() -> None:
    stats = Stats("archive")
    rounds = 20_000
    best = min(timeit.repeat(lambda: stats.increment("frames"), number=rounds, repeat=5)) / rounds
    assert best < 1e-6


def get(owners: list[Stats], path: bytes) -> tuple[int, str]:
    request = mock.Mock()
    page = stats_resource(owners).children[path]
    text = page.render_GET(request).decode()
    return request.setResponseCode.call_args.args[0], text


def test_pages_serve_json_prometheus_and_health() -> None:
    one, other = Stats("archive"), Stats("query")
    one.increment("frames")
    assert json.loads(get([one], b"stats")[1])["status"] == "archive is up"
    assert set(json.loads(get([one, other], b"stats")[1])) == {"archive", "query"}
    assert get([one, other], b"metrics") == (200, one.prometheus())
    assert get([one], b"healthz") == (200, "ok\n")


def test_readiness_names_the_owner_that_is_not_ready() -> None:
    one, other = Stats("archive"), Stats("query")
    assert get([one, other], b"readyz") == (200, "ready\n")
    other.unready = "starting"
    assert get([one, other], b"readyz") == (503, "query: starting\n")
