"""Rows go into a bundle and come out of it, together or alone, whatever they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeseries.bundle import ALIKE_BYTES, Bundle, members_of, pack, unpack
from timeseries.errors import DamagedBlock

ALIKE = b"times and origins that every row of the hour has, for all have the same frames" * 3
bytes_of_rows = st.binary(max_size=20) | st.builds(
    lambda seal, cut, rest: seal + ALIKE[:cut] + rest,
    st.binary(min_size=7, max_size=7),
    st.integers(0, len(ALIKE)),
    st.binary(max_size=20),
)
rows = st.dictionaries(st.integers(1, 300), bytes_of_rows, max_size=8)


@given(rows)
def test_rows_come_out_as_they_went_in(rows: dict[int, bytes]) -> None:
    bundle = pack(rows)
    assert unpack(bundle) == rows
    members = members_of(bundle.members)
    assert members.numbers == sorted(rows)
    for number in [*rows, 0]:
        part = members.part(number)
        assert (part and part.of(bundle.data)) == rows.get(number)


def test_what_rows_have_in_common_is_kept_once() -> None:
    rows = {number: b"P%06d" % number + ALIKE + b"%d" % number for number in range(1, 10)}
    assert len(ALIKE) > ALIKE_BYTES
    assert len(pack(rows).data) == len(ALIKE) + 9 * 8


def test_rows_of_two_beginnings_share_with_their_own_kind() -> None:
    rows = {number: b"P%06d" % number + (ALIKE if number % 2 else ALIKE[::-1]) for number in range(10)}
    bundle = pack(rows)
    assert len(bundle.data) == 2 * len(ALIKE) + 10 * 7
    assert unpack(bundle) == rows


@given(rows, st.binary(max_size=40), st.integers(0, 60), st.integers(0, 255))
def test_a_damaged_directory_is_told_or_leads_to_other_bytes(
    rows: dict[int, bytes], encoded: bytes, place: int, byte: int
) -> None:
    bundle = pack(rows)
    changed = bytearray(bundle.members)
    changed[place % len(changed)] = byte
    for members in (encoded, bytes(changed)):
        try:
            found = members_of(members)
            unpack(Bundle(members, bundle.data))
        except DamagedBlock:
            continue
        for number in found.numbers:
            part = found.part(number)
            assert part is not None
            assert isinstance(part.of(bundle.data), bytes)


def test_a_directory_whose_rows_share_with_none_is_damaged() -> None:
    bundle = pack({1: b"sealed." + ALIKE, 2: b"sealed!" + ALIKE})
    first = bundle.members.index(b"\x92\x00\x00")
    members = bundle.members[:first] + b"\x92\x00\x07" + bundle.members[first + 3 :]
    with pytest.raises(DamagedBlock):
        unpack(Bundle(members, bundle.data))
