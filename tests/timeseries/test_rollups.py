from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.timeseries.samples import measured, result
from tests.timeseries.series import HOUR_MS, START, frames, one_series, plain_rollup
from timeseries.blocks import decode_block, encode_block
from timeseries.collect import collect
from timeseries.columns import FLOAT, INT, RATE, Columns
from timeseries.errors import DamagedBlock
from timeseries.frames import Frame
from timeseries.hours import pack_hour
from timeseries.merging import merge
from timeseries.rolling import coarsen, coarsen_all, roll, roll_all
from timeseries.rollup_rows import decode_rollup, encode_rollup, replace_hour
from timeseries.rollups import FINE_MS, Rollup, joined_rollups, replace_slots

DAY_MS = 24 * HOUR_MS
DAY = START // DAY_MS * DAY_MS
Which = tuple[str, str]


def series(*steps: tuple[int, float | str]) -> Columns:
    """One metric, `a`, at these milliseconds."""
    return one_series(
        [measured(START + time, result(a=value), origin=f"a:{n}") for n, (time, value) in enumerate(steps)]
    )


def rows(rollup: Rollup, name: str = "a") -> list[tuple[float, ...]]:
    """(slot from START, minimum, maximum, sum, count) of each slot."""
    slots = rollup.metrics[name]
    numbers = (
        slots.slots - START // rollup.width_ms,
        slots.minimum,
        slots.maximum,
        slots.total,
        slots.counts,
    )
    return list(zip(*(column.tolist() for column in numbers), strict=True))


def test_a_slot_has_minimum_maximum_sum_and_count_of_its_values() -> None:
    columns = series((0, 1), (10, 2.5), (FINE_MS - 1, -1), (3 * FINE_MS, 7))
    assert rows(roll(columns, START, FINE_MS, 12)) == [(0, -1, 2.5, 2.5, 3), (3, 7, 7, 7, 1)]


def test_rows_of_other_times_and_texts_are_left_out() -> None:
    columns = series((-1, 1), (0, 2), (1, "text"), (FINE_MS, 4))
    assert rows(roll(columns, START, FINE_MS, 1)) == [(0, 2, 2, 2, 1)]
    assert roll(series((0, "text")), START, FINE_MS, 1).metrics == {}
    assert roll(columns, START + HOUR_MS, FINE_MS, 12).metrics == {}


def test_a_slot_keeps_the_kinds_of_its_values() -> None:
    speed = result(a=1.5) | {"rates": ["a"]}
    columns = one_series([measured(START, result(a=1)), measured(START + 1, speed)])
    assert roll(columns, START, FINE_MS, 1).metrics["a"].kinds.tolist() == [INT | FLOAT | RATE]


def test_a_sum_of_decimals_is_exact() -> None:
    columns = series(*((n, 0.1) for n in range(10)))
    assert sum([0.1] * 10) != 1
    assert roll(columns, START, FINE_MS, 1).metrics["a"].total.tolist() == [1]


@given(st.lists(st.floats(-1e15, 1e15), min_size=1, max_size=30))
@settings(deadline=None)
def test_other_sums_are_nearly_exact(numbers: list[float]) -> None:
    slots = roll(series(*enumerate(numbers)), START, FINE_MS, 1).metrics["a"]
    exact = sum(map(Fraction, numbers))
    assert abs(Fraction(slots.total[0]) - exact) <= sum(map(abs, map(Fraction, numbers))) * Fraction(1, 2**48)
    assert (slots.minimum[0], slots.maximum[0], slots.counts[0]) == (min(numbers), max(numbers), len(numbers))


def test_slots_begin_at_multiples_of_their_width() -> None:
    for start_ms, width_ms in (
        (START + 1, FINE_MS),
        (START + FINE_MS, HOUR_MS),
        (START, FINE_MS * 3 // 2),
        (0, 0),
    ):
        with pytest.raises(ValueError, match="multiple"):
            roll(series((0, 1)), start_ms, width_ms, 1)


def test_replacing_slots_takes_the_new_ones_or_nothing_and_leaves_the_others() -> None:
    old = roll(series((0, 1), (FINE_MS, 2), (2 * FINE_MS, 3), (3 * FINE_MS, 4)), START, FINE_MS, 12)
    new = roll(series((FINE_MS, 9), (3 * FINE_MS, 8)), START, FINE_MS, 12)
    replaced = replace_slots(old, new, START + FINE_MS, 2)
    assert [row[:2] for row in rows(replaced)] == [(0, 1), (1, 9), (3, 4)]
    assert replace_slots(old, Rollup(FINE_MS, {}), START, 12).metrics == {}
    with pytest.raises(ValueError, match="cannot replace"):
        replace_slots(old, coarsen(new, HOUR_MS), START, 1)


def test_rollups_that_follow_one_another_become_one() -> None:
    first, second = (roll(series((n * HOUR_MS, n)), START + n * HOUR_MS, HOUR_MS, 1) for n in (0, 1))
    assert [row[:2] for row in rows(joined_rollups([first, second]))] == [(0, 0), (1, 1)]


@given(frames(within_ms=2 * HOUR_MS))
@settings(max_examples=40, deadline=None)
def test_an_hour_from_five_minutes_is_that_from_the_rows(written: list[Frame]) -> None:
    for columns in collect(written).series.values():
        fine = roll(columns, START, FINE_MS, 24)
        assert encode_rollup(coarsen(fine, HOUR_MS)) == encode_rollup(roll(columns, START, HOUR_MS, 2))


@given(frames(within_ms=2 * HOUR_MS))
@settings(max_examples=40, deadline=None)
def test_a_rollup_comes_back_bit_for_bit(written: list[Frame]) -> None:
    for columns in collect(written).series.values():
        rollup = roll(columns, START, FINE_MS, 24)
        assert plain_rollup(decode_rollup(encode_rollup(rollup))) == plain_rollup(rollup)
        for name in rollup.metrics:
            assert plain_rollup(decode_rollup(encode_rollup(rollup), [name])) == {
                name: plain_rollup(rollup)[name]
            }


def test_a_damaged_rollup_is_an_error() -> None:
    sealed = bytearray(encode_rollup(roll(series((0, 1), (1, 2)), START, FINE_MS, 1)))
    for place in range(len(sealed)):
        damaged = bytes(sealed[:place]) + bytes([sealed[place] ^ 4]) + bytes(sealed[place + 1 :])
        with pytest.raises(DamagedBlock):
            decode_rollup(damaged)


def test_a_block_is_no_rollup() -> None:
    with pytest.raises(DamagedBlock):
        decode_rollup(encode_block(series((0, 1))))


def test_slots_without_values_take_no_room() -> None:
    few, many = ([*enumerate(range(0, slots * FINE_MS, FINE_MS))] for slots in (2, 288))
    sizes = [
        len(encode_rollup(roll(series(*((time, n * n / 4) for n, time in steps)), DAY, FINE_MS, 576)))
        for steps in (few, many)
    ]
    assert sizes[0] < 150 < 500 < sizes[1] < 288 * 10


class Compacted:
    """What passes make of frames: blocks by hour, a row of fine slots and a row of coarse ones, as bytes."""

    def __init__(self, packs: Callable[[], bool]) -> None:
        self.blocks: dict[tuple[Which, int], bytes] = {}
        self.rows: dict[tuple[Which, int], bytes] = {}
        self._packs = packs

    def take(self, frames: list[Frame]) -> None:
        """One pass, over the hours of these frames."""
        for which, columns in collect(frames).series.items():
            for hour in sorted({time // HOUR_MS for time in columns.times.tolist()}):
                self._hour(which, hour * HOUR_MS, columns.between(hour * HOUR_MS, (hour + 1) * HOUR_MS))

    def _hour(self, which: Which, start_ms: int, columns: Columns) -> None:
        block = self.blocks.get((which, start_ms))
        merged = merge(decode_block(block), columns) if block else columns
        self.blocks[which, start_ms] = encode_block(merged)
        fine = roll_all([merged], start_ms, 12)
        for sheets, width_ms in ((fine, FINE_MS), (coarsen_all(fine, 12), HOUR_MS)):
            (parts,) = pack_hour(sheets, start_ms // width_ms, 1)
            old = self.rows.get((which, width_ms))
            row = replace_hour(old, width_ms, start_ms, parts, pack=self._packs())
            self.rows[which, width_ms] = row

    def rollups(self) -> dict[tuple[Which, int], Any]:
        """What is in the rows."""
        return {place: plain_rollup(decode_rollup(row)) for place, row in self.rows.items()}


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_lateness_duplicates_and_any_passes_end_in_the_same_slots(data: st.DataObject) -> None:
    written = data.draw(frames(within_ms=3 * HOUR_MS))
    clean, messy = Compacted(lambda: True), Compacted(lambda: data.draw(st.booleans()))
    clean.take(written)
    sent = data.draw(st.permutations(written * 3))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=5)))
    for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        messy.take(sent[start:end])
    assert messy.blocks == clean.blocks
    assert messy.rollups() == clean.rollups()
    for place, row in messy.rows.items():
        assert encode_rollup(decode_rollup(row)) == encode_rollup(decode_rollup(clean.rows[place]))


def test_an_hour_of_ten_second_values_rolls_up_to_what_python_reckons() -> None:
    hundredths = np.random.default_rng(5).integers(0, 10_000, 360)
    numbers = hundredths / 100
    found = rows(
        roll(series(*((n * 10_000, number) for n, number in enumerate(numbers.tolist()))), START, FINE_MS, 12)
    )
    parts = [numbers[n * 30 : n * 30 + 30].tolist() for n in range(12)]
    sums = [int(hundredths[n * 30 : n * 30 + 30].sum()) / 100 for n in range(12)]
    assert found == [(n, min(part), max(part), sums[n], 30) for n, part in enumerate(parts)]


def test_zeros_of_either_sign_make_the_same_slot() -> None:
    one, other = (roll(series((0, first), (1, -first)), START, FINE_MS, 1) for first in (0.0, -0.0))
    assert plain_rollup(one) == plain_rollup(other)
    assert encode_rollup(one) == encode_rollup(roll(series((0, 0.0), (1, 0.0)), START, FINE_MS, 1))
