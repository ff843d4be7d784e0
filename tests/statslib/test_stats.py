import pytest
from twisted.internet.task import Clock

from statslib import Stats


def metrics_of(stats: Stats) -> dict[str, float]:
    return {metric.name: metric.value for metric in stats.metrics()}


def test_a_counter_adds_up() -> None:
    stats = Stats("archive")
    stats.increment("frames")
    stats.increment("frames", by=4)
    assert metrics_of(stats) == {"frames": 5}


def test_an_average_keeps_its_least_greatest_last_mean_and_percentiles() -> None:
    stats = Stats("archive")
    for value in (2.0, 6.0, 1.0):
        stats.add_average("write_s", value)
    assert metrics_of(stats) == {
        "write_s_count": 3,
        "write_s_avg": 3.0,
        "write_s_min": 1.0,
        "write_s_max": 6.0,
        "write_s_last": 1.0,
        "write_s_p50": pytest.approx(2.0, rel=0.02),
        "write_s_p95": pytest.approx(6.0, rel=0.02),
        "write_s_p99": pytest.approx(6.0, rel=0.02),
    }


def test_an_average_that_nothing_was_added_to_shows_its_count_alone() -> None:
    stats = Stats("archive")
    stats.averages["write_s"]
    assert metrics_of(stats) == {"write_s_count": 0}


def test_what_is_no_finite_number_is_left_out() -> None:
    stats = Stats("archive")
    for value in (float("nan"), float("inf"), float("-inf"), 2.0):
        stats.add_average("write_s", value)
    stats.gauge("odd", lambda: float("nan"))
    assert metrics_of(stats)["write_s_count"] == 1
    assert metrics_of(stats)["write_s_avg"] == 2.0
    assert "odd" not in metrics_of(stats)


def test_an_average_forgets_old_values_but_not_how_many_there_were() -> None:
    clock = Clock()
    stats = Stats("archive", clock.seconds)
    stats.add_average("write_s", 9.0)
    clock.advance(299)
    stats.add_average("write_s", 1.0)
    clock.advance(2)
    stats.add_average("write_s", 2.0)
    assert metrics_of(stats)["write_s_max"] == 9.0
    assert metrics_of(stats)["write_s_avg"] == 4.0
    clock.advance(300)
    stats.add_average("write_s", 4.0)
    found = metrics_of(stats)
    assert (found["write_s_max"], found["write_s_min"], found["write_s_avg"]) == (4.0, 2.0, 3.0)
    assert found["write_s_count"] == 4
    clock.advance(601)
    assert metrics_of(stats) == {"write_s_count": 4}


def test_an_operation_is_pending_until_it_ends_and_remembers_failure() -> None:
    stats = Stats("archive")
    with stats.operation("write"):
        assert metrics_of(stats)["write_pending"] == 1
    with pytest.raises(ValueError, match="full"), stats.operation("write"):
        raise ValueError("full")
    assert metrics_of(stats) == {"write_total": 2, "write_failed": 1, "write_pending": 0}


def test_an_operation_may_begin_and_end_in_different_places() -> None:
    stats = Stats("archive")
    stats.increase_operation("write")
    stats.increase_operation("write")
    stats.decrease_operation("write", failed=True)
    assert metrics_of(stats) == {"write_total": 2, "write_failed": 1, "write_pending": 1}


def test_a_gauge_is_read_at_the_moment_of_asking() -> None:
    stats, held = Stats("archive"), [1]
    stats.gauge("held", lambda: len(held))
    held.append(2)
    assert metrics_of(stats) == {"held": 2}


def test_a_gauge_that_fails_takes_nothing_else_away() -> None:
    stats = Stats("archive")
    stats.gauge("broken", lambda: 1 / 0)
    stats.gauge("held", lambda: 2)
    assert metrics_of(stats) == {"held": 2}
