"""timeseries.frames: payloads in every packing, and what tells frames of other checks apart."""

import zlib
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
import zstandard

from timeseries.errors import InvalidFrame
from timeseries.frames import (
    MAX_FRAME_BYTES,
    CheckResult,
    Frame,
    FrameBody,
    decode_payload,
    decode_runs,
    encode_batch,
    layout_of,
    unpack,
)

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


@pytest.mark.parametrize("size", [len(TEXT), 16 * 40, MAX_FRAME_BYTES - 1, MAX_FRAME_BYTES])
@pytest.mark.parametrize("level", [1, 6, 9])
def test_whatever_zlib_packed_within_the_limit_is_unpacked(size: int, level: int) -> None:
    text = TEXT + b" " * (size - len(TEXT))
    assert bytes(unpack(zlib.compress(text, level))) == text
    assert decode_payload(zlib.compress(text, level)) == BODY


def test_one_byte_more_than_the_limit_is_too_large() -> None:
    with pytest.raises(InvalidFrame) as error:
        unpack(zlib.compress(TEXT + b" " * (MAX_FRAME_BYTES + 1 - len(TEXT))))
    assert error.value.code == "frame_too_large"


@pytest.mark.parametrize(
    ("damaged", "code"),
    [
        (zlib.compress(TEXT)[:20] + b"??" + zlib.compress(TEXT)[22:], "bad_packing"),
        (zlib.compress(TEXT)[:-1] + b"?", "bad_packing"),
        (zlib.compress(TEXT)[:20], "not_json"),
        (b"\x78", "not_json"),
    ],
)
def test_what_is_damaged_is_refused_with_its_code(damaged: bytes, code: str) -> None:
    with pytest.raises(InvalidFrame) as error:
        decode_payload(damaged)
    assert error.value.code == code


@pytest.mark.parametrize("name", ["", "x" * 201])
def test_a_metric_without_a_name_or_with_too_long_a_one_is_refused(name: str) -> None:
    with pytest.raises(InvalidFrame):
        decode_payload(msgspec.json.encode(FrameBody(7, [CheckResult("mem", metrics={name: 1})])))


def test_runs_are_cut_where_the_node_changes_and_have_every_frame_in_its_place() -> None:
    frames = [Frame(account, node, "a:1", 1, 1, b"{}") for account, node in ("xy", "xy", "xz", "vz", "xy")]
    found = decode_runs(encode_batch(frames))
    assert [(run.account_id, run.node_id, len(run.frames)) for run in found] == [
        ("x", "y", 2),
        ("x", "z", 1),
        ("v", "z", 1),
        ("x", "y", 1),
    ]
    assert [frame for run in found for frame in run.frames] == frames
    assert decode_runs(encode_batch([])) == []


def test_frames_have_one_layout_if_and_only_if_their_checks_are_the_same() -> None:
    later = FrameBody(8, [CheckResult("disk", "err", "/", metrics={"other": 1}), CheckResult("mem")])
    assert layout_of(later) == layout_of(BODY) != 0
    assert layout_of(FrameBody(7, BODY.results[:1])) != layout_of(BODY)
    assert layout_of(FrameBody(7, [CheckResult("a", key="b")])) != layout_of(
        FrameBody(7, [CheckResult("ab")])
    )
