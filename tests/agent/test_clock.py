"""The agent's clock follows the gateway where its own is wrong."""

from agent.clock import Clock


def test_a_clock_that_is_an_hour_ahead_is_corrected_and_stays_so_through_a_step() -> None:
    wall, monotonic = [4600.0], [1.0]
    clock = Clock(lambda: wall[0], lambda: monotonic[0])
    assert clock.correct(1_000_000) == 3_600_000
    wall[0], monotonic[0] = 1002.0, 3.0
    assert clock.now_ms() == 1_002_000


def test_a_clock_within_a_second_is_left_alone() -> None:
    clock = Clock(lambda: 1000.0, lambda: 1.0)
    assert clock.correct(1_000_400) == -400
    assert clock.now_ms() == 1_000_000
