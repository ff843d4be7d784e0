"""Counters become rates; a first sample and a reset have none."""

from agent.checks import Samples


def rates(*samples: tuple[float, dict[str, float]]) -> dict[str, float]:
    moments = iter([at for at, _ in samples])
    kept = Samples(lambda: next(moments))
    for _, counters in samples:
        found = kept.rates("net", "eth0", counters)
    return found


def test_a_first_sample_has_no_rate() -> None:
    assert rates((1, {"in": 5})) == {}


def test_a_rate_is_per_second_since_the_sample_before() -> None:
    assert rates((0, {"in": 0}), (10, {"in": 100}), (12, {"in": 150})) == {"in": 25}


def test_a_counter_that_went_back_has_no_rate_until_the_next_sample() -> None:
    assert rates((0, {"in": 90, "out": 1}), (1, {"in": 3, "out": 4})) == {"out": 3}
    assert rates((0, {"in": 90}), (1, {"in": 3}), (2, {"in": 4})) == {"in": 1}


def test_a_new_counter_has_no_rate() -> None:
    assert rates((0, {}), (1, {"in": 3})) == {}


def test_a_clock_that_stands_still_makes_no_rate() -> None:
    assert rates((1, {"in": 1}), (1, {"in": 3})) == {}


def test_instances_do_not_mix() -> None:
    moments = iter([1.0, 2.0])
    samples = Samples(lambda: next(moments))
    samples.rates("net", "eth0", {"in": 1})
    assert samples.rates("net", "eth1", {"in": 9}) == {}
