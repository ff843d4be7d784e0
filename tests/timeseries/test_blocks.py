import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import points
from tests.timeseries.samples import frame, measured, result
from tests.timeseries.series import START, frames, one_series, plain
from timeseries.blocks import KIND, VERSION, Block, decode_block, encode_block
from timeseries.collect import collect
from timeseries.errors import DamagedBlock
from timeseries.frames import Frame
from timeseries.numbers import Packed
from timeseries.packed_columns import PackedColumn
from timeseries.sealed import HEAD_BYTES, seal

GARBAGE = Packed(b"\x04\x01garbage", None, 32)


def hour() -> list[Frame]:
    """An hour of the first made-up node, 100 metrics every ten seconds."""
    rows = points.values(0, 0, 360)
    times = range(START, START + 3_600_000, points.INTERVAL_MS)
    return [
        frame(time, f"a:{n}", points.payload(time, row))
        for n, (time, row) in enumerate(zip(times, rows, strict=True), 1_000_000)
    ]


@given(frames())
@settings(max_examples=40, deadline=None)
def test_columns_come_back_bit_for_bit(written: list[Frame]) -> None:
    for columns in collect(written).series.values():
        assert plain(decode_block(encode_block(columns))) == plain(columns)


def test_an_hour_of_a_made_up_node_takes_less_than_a_byte_and_a_half_a_value() -> None:
    series = collect(hour()).series
    blocks = {which: encode_block(columns) for which, columns in series.items()}
    assert sum(map(len, blocks.values())) < 1.5 * 360 * len(points.metrics())
    for which, block in blocks.items():
        assert plain(decode_block(block)) == plain(series[which])


def sample() -> bytes:
    return encode_block(
        one_series(
            [
                measured(
                    START + n, result(a=n * n / 4, b=n, c=f"v{n}") | {"status": f"{n} is b"}, origin=f"a:{n}"
                )
                for n in range(50)
            ]
        )
    )


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_damaged_block_is_an_error_and_never_wrong_values(data: st.DataObject) -> None:
    block = bytearray(sample())
    place = data.draw(st.integers(0, len(block) - 1))
    cut = data.draw(st.booleans())
    if cut:
        del block[place:]
    else:
        block[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DamagedBlock):
        decode_block(bytes(block))


def test_a_block_of_a_later_version_says_so() -> None:
    block = seal(KIND, msgspec.msgpack.decode(sample()[HEAD_BYTES:], type=Block), VERSION + 1)
    with pytest.raises(DamagedBlock, match=rf"version {VERSION + 1}, .* update it"):
        decode_block(block)


def test_a_block_of_the_first_version_is_read() -> None:
    """Its metrics and templates had a field less."""
    block = msgspec.msgpack.decode(sample()[HEAD_BYTES:])
    for metric in block[5]:
        assert metric.pop() is None
    for template in block[4][3]:
        assert template.pop() == [None] * len(template[1])
    former = msgspec.msgpack.decode(msgspec.msgpack.encode(block), type=Block)
    assert plain(decode_block(seal(KIND, former, 1))) == plain(decode_block(sample()))


def test_only_the_metrics_asked_for_are_decoded() -> None:
    block = msgspec.msgpack.decode(sample()[HEAD_BYTES:], type=Block)
    broken = PackedColumn("b", 50, None, 1, GARBAGE, None)
    metrics = [broken if metric.name == "b" else metric for metric in block.metrics]
    damaged = seal(KIND, msgspec.structs.replace(block, metrics=metrics), VERSION)
    columns = decode_block(damaged, ["a", "z"], with_rows=False)
    assert columns.metrics["a"].values() == [n * n / 4 for n in range(50)]
    assert list(columns.metrics) == ["a"]
    with pytest.raises(DamagedBlock, match="checksum is right"):
        decode_block(damaged)


def test_a_status_that_shows_a_metric_comes_back_without_that_metric() -> None:
    columns = decode_block(sample(), ["a"])
    assert list(columns.statuses) == [f"{n} is b" for n in range(50)]
    assert list(columns.metrics) == ["a"]


def test_a_status_that_is_near_to_a_metric_comes_back_without_that_metric() -> None:
    statuses = [f"{n * n / 7:.2f} of b" for n in range(50)]
    written = [
        measured(START + n, result(a=n % 7, b=n * n) | {"status": status}, origin=f"a:{n}")
        for n, status in enumerate(statuses)
    ]
    block = encode_block(one_series(written))
    (template,) = msgspec.msgpack.decode(block[HEAD_BYTES:], type=Block).statuses.templates
    assert template.near[0] is not None
    assert list(decode_block(block, ["a"]).statuses) == statuses


def test_without_rows_every_text_of_a_row_is_empty() -> None:
    columns = decode_block(sample(), with_rows=False)
    assert columns.times.tolist() == [START + n for n in range(50)]
    assert {*columns.origins, *columns.states, *columns.statuses} == {""}
    assert np.all(columns.metrics["b"].numbers == np.arange(50))
