from typing import Any, cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.timeseries.samples import NODE, frame
from timeseries.marks import Marks, hours_of
from timeseries.store import HOUR_MS

START_S = 1000
HOUR = ("acct", NODE, 0)
OTHER = ("acct", NODE, HOUR_MS)


class TestMarks(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(START_S)
        self.marks = Marks(cast(Any, self.clock), mark_s=10, slack_s=4)

    def mark(self, *hours: tuple[str, str, int]) -> dict[tuple[str, str, int], int]:
        due = self.marks.due(hours)
        self.marks.made(due)
        return due

    def test_the_hours_of_frames_are_told_once_each(self) -> None:
        frames = [frame(time_ms, account_id="acct") for time_ms in (0, HOUR_MS - 1, HOUR_MS)]
        assert hours_of(frames) == {HOUR, OTHER}

    def test_an_hour_is_marked_again_when_its_mark_has_served(self) -> None:
        assert self.mark(HOUR) == {HOUR: START_S * 1_000_000}
        self.clock.advance(9.9)
        assert self.mark(HOUR, OTHER) == {OTHER: 1_009_900_000}
        self.clock.advance(0.1)
        assert self.mark(HOUR, OTHER) == {HOUR: 1_010_000_000}

    def test_a_mark_is_over_after_its_time_and_the_slack(self) -> None:
        mark = self.mark(HOUR)[HOUR]
        self.clock.advance(13.9)
        assert not self.marks.is_over(mark)
        self.clock.advance(0.1)
        assert self.marks.is_over(mark)

    def test_what_was_written_too_slowly_is_marked_once_more_well_before_its_mark_is_over(self) -> None:
        mark = self.mark(HOUR)[HOUR]
        self.clock.advance(11.9)
        assert self.marks.outlived([HOUR]) == {}
        self.clock.advance(0.1)
        assert not self.marks.is_over(mark)
        assert self.marks.outlived([HOUR]) == {HOUR: 1_012_000_000}

    def test_marks_that_serve_for_no_time_are_made_before_and_after_each_write(self) -> None:
        self.marks = Marks(cast(Any, self.clock), mark_s=0, slack_s=0)
        mark = self.mark(HOUR)[HOUR]
        assert self.marks.is_over(mark)
        assert self.marks.outlived([HOUR])
        assert self.mark(HOUR)

    def test_what_is_forgotten_is_marked_anew_also_when_it_was_just_being_made(self) -> None:
        self.mark(HOUR)
        being_made = self.marks.due([OTHER])
        self.marks.forget()
        self.marks.made(being_made)
        self.clock.advance(0.1)
        assert self.mark(HOUR, OTHER).keys() == {HOUR, OTHER}
        assert self.mark(HOUR, OTHER) == {}
