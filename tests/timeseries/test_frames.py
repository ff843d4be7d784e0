"""timeseries.frames: payloads in every packing, and what tells frames of other checks apart."""

import zlib
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
import zstandard

from timeseries.errors import InvalidFrame
from timeseries.frames import MAX_FRAME_BYTES, CheckResult, FrameBody, decode_payload, layout_of

BODY = FrameBody(7, [CheckResult("disk", key="/", metrics={"capacity": 1.5}), CheckResult("mem")])
TEXT = msgspec.json.encode(BODY)


@pytest.mark.parametrize("payload", [TEXT, zlib.compress(TEXT), zstandard.compress(TEXT)])
def test_every_packing_gives_the_same_frame_in_every_thread(payload: bytes) -> None:
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(decode_payload, [payload] * 100)) == [BODY] * 100
    assert decode_payload(payload) == BODY


@pytest.mark.parametrize("pack", [zlib.compress, zstandard.compress])
def test_a_packed_frame_that_unpacks_to_more_than_the_limit_is_refused(pack: object) -> None:
    with pytest.raises(InvalidFrame):
        decode_payload(pack(TEXT + b" " * MAX_FRAME_BYTES))  # type: ignore[operator]


@pytest.mark.parametrize("name", ["", "x" * 201])
def test_a_metric_without_a_name_or_with_too_long_a_one_is_refused(name: str) -> None:
    with pytest.raises(InvalidFrame):
        decode_payload(msgspec.json.encode(FrameBody(7, [CheckResult("mem", metrics={name: 1})])))


def test_frames_have_one_layout_if_and_only_if_their_checks_are_the_same() -> None:
    later = FrameBody(8, [CheckResult("disk", "err", "/", metrics={"other": 1}), CheckResult("mem")])
    assert layout_of(later) == layout_of(BODY) != 0
    assert layout_of(FrameBody(7, BODY.results[:1])) != layout_of(BODY)
    assert layout_of(FrameBody(7, [CheckResult("a", key="b")])) != layout_of(
        FrameBody(7, [CheckResult("ab")])
    )
