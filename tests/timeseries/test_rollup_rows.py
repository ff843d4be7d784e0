"""Rows that passes bring hours to, one after the other: what they have, and when they are packed."""

from typing import Any

import msgspec
import numpy as np
import pytest

from tests.timeseries.samples import measured, result
from tests.timeseries.series import HOUR_MS, START, one_series, plain_rollup
from timeseries.errors import DamagedBlock
from timeseries.frames import Frame
from timeseries.hours import pack_hour
from timeseries.rolling import coarsen_all, roll, roll_all
from timeseries.rollup_rows import (
    KIND,
    MOST_HOURS,
    VERSION,
    RollupRow,
    decode_rollup,
    encode_rollup,
    replace_hour,
)
from timeseries.rollups import FINE_MS
from timeseries.sealed import HEAD_BYTES, seal

WIDTHS = pytest.mark.parametrize("width_ms", [FINE_MS, HOUR_MS])


def frames(hour: int, **metrics: Any) -> list[Frame]:
    """Two values of each metric in an hour, in two slots; the numbers of the second are larger by two."""
    later = {name: each + 2 if not isinstance(each, str) else each for name, each in metrics.items()}
    start_ms = START + hour * HOUR_MS
    return [measured(start_ms, result(**metrics)), measured(start_ms + 3 * FINE_MS, result(**later))]


def with_hour(row: bytes | None, width_ms: int, hour: int, written: list[Frame], pack: bool = False) -> bytes:
    start_ms = START + hour * HOUR_MS
    sheets = roll_all([one_series(written)], start_ms, 12)
    if width_ms == HOUR_MS:
        sheets = coarsen_all(sheets, 12)
    (parts,) = pack_hour(sheets, start_ms // width_ms, 1)
    return replace_hour(row, width_ms, start_ms, parts, pack=pack)


def expected(width_ms: int, written: list[Frame]) -> dict[str, list[bytes]]:
    return plain_rollup(roll(one_series(written), START, width_ms, 100 * HOUR_MS // width_ms))


def form(row: bytes) -> RollupRow:
    return msgspec.msgpack.decode(row[HEAD_BYTES:], type=RollupRow)


VALUES: list[dict[str, float]] = [
    {"a": 1, "b": 0.5},
    {"a": 2.25, "b": 1e300},
    {"a": -7, "c": 3},
    {"b": 0.1234567},
    {"a": 0.0, "b": 2**60},
]


@WIDTHS
def test_hours_in_any_order_packed_or_not_are_those_of_their_frames(width_ms: int) -> None:
    hours = [frames(hour, **VALUES[hour % len(VALUES)]) for hour in range(12)]
    written = [frame for of_hour in hours for frame in of_hour]
    for packed in ((), (5,), (11,), (0, 3, 7)):
        row = None
        for place, hour in enumerate(np.random.default_rng(1).permutation(12).tolist()):
            row = with_hour(row, width_ms, hour, hours[hour], pack=place in packed)
        assert row is not None
        assert plain_rollup(decode_rollup(row)) == expected(width_ms, written)
        for name in "abc":
            assert plain_rollup(decode_rollup(row, [name])) == {name: expected(width_ms, written)[name]}
        assert decode_rollup(row, ["z"]).metrics == {}


@WIDTHS
@pytest.mark.parametrize("packed", [False, True])
def test_an_hour_that_comes_again_counts_in_place_of_the_first_be_it_nothing(
    width_ms: int, packed: bool
) -> None:
    row = None
    for hour in range(3):
        row = with_hour(row, width_ms, hour, frames(hour, a=hour, b=1), pack=packed)
    again = frames(1, a=9.5)
    row = with_hour(row, width_ms, 1, again)
    rest = [*frames(0, a=0, b=1), *frames(2, a=2, b=1)]
    assert plain_rollup(decode_rollup(row)) == expected(width_ms, [*rest, *again])
    row = with_hour(row, width_ms, 1, frames(1, a="text"))
    assert plain_rollup(decode_rollup(row)) == expected(width_ms, rest)
    for hour in (0, 2):
        row = with_hour(row, width_ms, hour, frames(hour, a="text"))
    assert decode_rollup(row).metrics == {}


@WIDTHS
def test_a_row_is_packed_when_it_has_many_hours_or_there_will_be_no_more(width_ms: int) -> None:
    row = None
    for hour in range(MOST_HOURS):
        assert row is None or len(form(row).since) == hour
        row = with_hour(row, width_ms, hour, frames(hour, a=hour))
    assert row is not None
    written = [frame for hour in range(MOST_HOURS) for frame in frames(hour, a=hour)]
    assert row == encode_rollup(roll(one_series(written), START, width_ms, 24 * HOUR_MS // width_ms))
    assert form(with_hour(None, width_ms, 0, frames(0, a=1), pack=True)).since == []


def test_an_hour_more_is_written_beside_what_is_packed() -> None:
    row = with_hour(None, FINE_MS, 0, frames(0, a=1), pack=True)
    assert form(with_hour(row, FINE_MS, 1, frames(1, a=1))).packed == form(row).packed


def test_a_damaged_row_takes_no_hour() -> None:
    row = with_hour(None, HOUR_MS, 0, frames(0, a=1))
    with pytest.raises(DamagedBlock):
        with_hour(row[:-1] + b"?", HOUR_MS, 1, frames(1, a=1))
    (hours,) = form(row).parts
    for damaged in (hours.packed[0][:-8], b"", hours.packed[0] + b"1"):
        parts = [type(hours)(hours.names, hours.slots, hours.hours, [damaged])]
        with pytest.raises(DamagedBlock):
            decode_rollup(seal(KIND, RollupRow(HOUR_MS, b"", [0], parts), VERSION))


def test_a_row_of_an_older_version_is_refused_and_says_so() -> None:
    row = seal(KIND, form(with_hour(None, HOUR_MS, 0, frames(0, a=1))), 1)
    with pytest.raises(DamagedBlock, match=r"version 1, and .* no older"):
        decode_rollup(row)
