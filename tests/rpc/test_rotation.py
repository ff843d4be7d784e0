"""Which endpoints a call tries, for how long, and how those that failed come back."""

from twisted.internet.task import Clock

from rpc.rotation import PROBE_S, RESTS_S, Rotation


class Calls:
    """A rotation of `count` endpoints by a clock of the test's own."""

    def __init__(self, count: int) -> None:
        self.clock = Clock()
        self.rotation = Rotation("TimeSeries", [("h", port) for port in range(count)], self.clock.seconds)

    def order(self, deadline_s: float = 10.0) -> list[tuple[int, float]]:
        """What a call tries when nobody answers it and each attempt fails at once."""
        return list(self.rotation.attempts(self.clock.seconds() + deadline_s))

    def fail(self, index: int, times: int = 1) -> None:
        for _ in range(times):
            self.rotation.failed(index, ConnectionError("gone"))


def test_each_may_take_its_share_of_the_deadline() -> None:
    calls = Calls(3)
    spent = []
    for index, timeout_s in calls.rotation.attempts(9.0):
        spent.append((index, round(timeout_s, 3)))
        calls.clock.advance(timeout_s)
    assert spent == [(0, 3.0), (1, 3.0), (2, 3.0)]
    assert calls.order(deadline_s=0) == []


def test_the_one_that_answered_last_is_asked_first() -> None:
    calls = Calls(3)
    calls.rotation.answered(1)
    assert [index for index, _ in calls.order()] == [1, 2, 0]


def test_one_that_failed_is_tried_last_and_briefly_until_its_rest_is_over() -> None:
    calls = Calls(2)
    calls.fail(0)
    assert calls.order() == [(1, 5.0), (0, PROBE_S)]
    calls.rotation.answered(1)
    calls.clock.advance(RESTS_S[0])
    assert [index for index, _ in calls.order()] == [1, 0]
    assert calls.order()[1][1] == PROBE_S, "another call is finding out"


def test_where_all_rest_each_is_tried_briefly_the_first_to_wake_first() -> None:
    calls = Calls(2)
    calls.fail(0, times=4)
    calls.fail(1)
    assert calls.order() == [(1, PROBE_S), (0, PROBE_S)]


def test_a_rest_grows_with_each_failure_and_is_never_of_the_same_length() -> None:
    for failures, longest_s in enumerate([*RESTS_S, RESTS_S[-1]], start=1):
        rests = set()
        for _ in range(20):
            calls = Calls(1)
            calls.fail(0, times=failures)
            (until,) = calls.rotation._rests_until
            assert longest_s / 2 <= until <= longest_s
            rests.add(until)
        assert len(rests) > 10


def test_when_a_rest_is_over_one_call_finds_out_and_the_others_do_not_wait_for_it() -> None:
    calls = Calls(1)
    calls.fail(0)
    calls.clock.advance(RESTS_S[0])
    assert calls.order() == [(0, 10.0)]
    assert calls.order() == [(0, PROBE_S)]


def test_one_that_answers_again_is_as_good_as_new() -> None:
    calls = Calls(2)
    calls.fail(0, times=5)
    calls.rotation.answered(0)
    assert calls.order() == [(0, 5.0), (1, 10.0)]
