"""Rows go into a bundle and come out of it, whatever they are."""

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from timeseries.bundle import LARGE_BYTES, Bundle, members_of, pack, unpack
from timeseries.errors import DamagedBlock

ALIKE = b"times and origins that every row of the hour has, for all have the same frames"
rows = st.dictionaries(st.integers(1, 300), st.binary(max_size=20) | st.just(ALIKE), max_size=8)


@given(rows, st.sets(st.integers(1, 300)))
def test_rows_come_out_as_they_went_in(rows: dict[int, bytes], wanted: set[int]) -> None:
    bundle = pack(rows)
    assert unpack(bundle) == rows
    assert unpack(bundle, wanted) == {number: row for number, row in rows.items() if number in wanted}
    assert members_of(bundle.members).numbers == sorted(rows)


def test_what_rows_have_in_common_is_kept_once() -> None:
    bundle = pack({number: b"P%06d" % number + ALIKE for number in range(10)})
    assert len(bundle.data) < len(ALIKE) + 10 * 10


def test_large_bundles_come_back_too() -> None:
    rows = {number: (b"%d " % number) * LARGE_BYTES for number in range(1, 3)}
    assert unpack(pack(rows)) == rows


@given(rows, st.binary(max_size=40), st.integers(0, 1000), st.integers(1, 255))
def test_damage_is_told_or_rows_are_other_bytes(
    rows: dict[int, bytes], noise: bytes, place: int, change: int
) -> None:
    bundle = pack(rows)
    for members, data in ((noise, bundle.data), (bundle.members, noise), _changed(bundle, place, change)):
        try:
            found = unpack(Bundle(members, data))
        except DamagedBlock:
            continue
        assert sum(map(len, found.values())) <= sum(map(len, rows.values()))


def test_a_bundle_that_claims_to_be_larger_than_memory_is_damaged() -> None:
    claims = bytes.fromhex("28b52ffd e0 000000000000ff3f") + ALIKE  # A frame of zstd: magic, flags, size.
    with pytest.raises(DamagedBlock, match="claims"):
        unpack(Bundle(pack({1: b"one"}).members, claims))


def _changed(bundle: Bundle, place: int, change: int) -> Bundle:
    """One byte of it is another."""
    both = bytearray(b"".join(bundle))
    both[place % len(both)] ^= change
    return Bundle(bytes(both[: len(bundle.members)]), bytes(both[len(bundle.members) :]))


def test_a_bundle_of_another_size_than_its_rows_is_damaged() -> None:
    with pytest.raises(DamagedBlock, match="not as large"):
        unpack(Bundle(pack({1: b"one"}).members, zstandard.compress(b"three")))
