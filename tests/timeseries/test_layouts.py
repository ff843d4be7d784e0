"""Known layouts: whatever comes, a reader finds what decoding finds, and refuses what decoding refuses."""

import gc
import zlib
from typing import Any
from unittest import mock

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from timeseries import layouts
from timeseries.errors import InvalidFrame
from timeseries.frames import Bounds, CheckResult, FrameBody, decode_payload, layout_of
from timeseries.layouts import ADOPTED_AFTER, MOST_KNOWN, MOST_MISSES, Layouts, Read, Reader

BOUNDS = Bounds(10_000, 65_536)
CPU = CheckResult("cpu", metrics={"idle": 1.5, "user": 2}, rates=["user"])
DISK = CheckResult("disk", key="/", status="fine", metrics={"capacity": 3})

NAMES = st.sampled_from(["a", "b", "c", "é", 'q"', "b\\", "n\n", "", "x" * 200, "x" * 201])
VALUES = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=3))
ODD: st.SearchStrategy[object] = st.sampled_from([True, None, [], {}, "ok", 1])
OF_WORD: dict[str, st.SearchStrategy[object]] = {
    "metrics": st.dictionaries(NAMES, ODD, max_size=2),
    "rates": st.lists(NAMES, max_size=2),
}
RESULTS = st.fixed_dictionaries(
    {"check": NAMES},
    optional={
        "state": st.sampled_from(["ok", "err", "no state"]),
        "key": NAMES,
        "status": st.text(max_size=3),
        "metrics": st.dictionaries(NAMES, VALUES, max_size=3),
        "rates": st.lists(NAMES, max_size=2),
        "unknown": ODD,
    },
)
BODIES = st.fixed_dictionaries({"time": st.integers(), "results": st.lists(RESULTS, max_size=3)})


@st.composite
def changed(draw: st.DrawFn, body: dict[str, Any]) -> dict[str, Any]:
    """The body with other values, and maybe with one thing that is otherwise."""
    results = [dict(result) for result in body["results"]]
    for result in results:
        if "metrics" in result:
            result["metrics"] = {name: draw(VALUES) for name in result["metrics"]}
    if draw(st.booleans()) and results:
        result = results[draw(st.integers(0, len(results) - 1))]
        word = draw(st.sampled_from(["check", "key", "state", "status", "metrics", "rates", "extra", "gone"]))
        if word == "gone":
            result.pop(draw(st.sampled_from(sorted(result))))
        else:
            result[word] = draw(OF_WORD.get(word, NAMES) | ODD)
    return {"time": draw(st.integers()), "results": results}


def decoded(payload: bytes, bounds: Bounds = BOUNDS) -> object:
    try:
        body = decode_payload(payload, bounds)
    except InvalidFrame as error:
        return error.code
    return Read(body.time, layout_of(body))


def read(reader: Reader, payload: bytes, bounds: Bounds = BOUNDS) -> object:
    try:
        return reader.read(payload, bounds)
    except InvalidFrame as error:
        return error.code


def frame(*results: CheckResult, time: int = 7) -> bytes:
    return zlib.compress(msgspec.json.encode(FrameBody(time, list(results))))


def learned(*results: CheckResult, of: Layouts | None = None) -> Reader:
    reader = Reader(of or Layouts())
    for _ in range(ADOPTED_AFTER):
        reader.read(frame(*results), BOUNDS)
    return reader


@given(st.data())
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_a_reader_finds_what_decoding_finds_whatever_it_has_read_before(data: st.DataObject) -> None:
    bodies = data.draw(st.lists(BODIES, min_size=1, max_size=3))
    others = [data.draw(changed(body)) for body in bodies for _ in range(2)]
    reader = Reader(Layouts())
    with mock.patch.object(reader, "_after", 1):
        for body in [*bodies, *others, *bodies]:
            payload = msgspec.json.encode(body)
            assert read(reader, payload) == decoded(payload)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"time":8,"results":[{"metrics":{"user":1,"idle":2},"rates":["user"],"check":"cpu"}]}',
        b'{"results":[{"check":"cpu","metrics":{"idle":2,"user":1,"idle":3},"rates":["user"]}],"time":8}',
        b'{"time":8,"results":[{"check":"cpu","metrics":{"idle":2,"idle":3},"rates":["user"]}]}',
        b'{"time":8,"results":[{"check":"c\\u0070u","metrics":{"i\\u0064le":2,"user":1},"rates":["user"]}]}',
        b'{"time":8,"results":[{"check":"cpu","metrics":{"idle":2,"user":1e999},"rates":["user"]}]}',
        b'{"time":8,"results":[{"check":"cpu","metrics":{"idle":2,"user":1},"rates":["user"]}],"more":[1]}',
        b'{"time":8.5,"results":[{"check":"cpu","metrics":{"idle":2,"user":1},"rates":["user"]}]}',
        b'{"time":8,"results":[{"check":"cpu","metrics":{"idle":2,"user":1},"rates":["user"]}]} x',
        b'{"time":8,"results":[{"check":"cpu","metrics":{"idle":"\xff","user":1},"rates":["user"]}]}',
        b'{"time":8,"results":[]}',
        b"",
    ],
)
def test_what_is_nearly_of_the_layout_is_found_or_refused_as_ever(payload: bytes) -> None:
    assert read(learned(CPU), payload) == decoded(payload)


def test_frames_of_a_known_layout_are_not_decoded_whole() -> None:
    reader = learned(CPU, DISK)
    payload = frame(CPU, msgspec.structs.replace(DISK, state="err", status="full", metrics={"capacity": "x"}))
    with mock.patch.object(layouts, "decode_text", side_effect=AssertionError):
        assert reader.read(payload, BOUNDS) == decoded(payload)


def test_a_node_has_several_layouts_in_turn() -> None:
    reader = learned(CPU, DISK)
    for _ in range(ADOPTED_AFTER):
        reader.read(frame(CPU), BOUNDS)
        reader.read(frame(DISK), BOUNDS)
    with mock.patch.object(layouts, "decode_text", side_effect=AssertionError):
        for results in ([CPU], [DISK], [CPU, DISK], [DISK], [CPU]):
            assert reader.read(frame(*results), BOUNDS) == decoded(frame(*results))


def test_what_is_out_of_bounds_is_refused_though_its_layout_is_known() -> None:
    reader = learned(CPU)
    assert read(reader, frame(CPU), Bounds(1, 1000)) == "too_many_metrics"
    assert read(reader, frame(CPU, CPU), Bounds(4, 1000)) == decoded(frame(CPU, CPU))
    long = msgspec.structs.replace(CPU, status="x" * 201)
    assert read(reader, frame(long), Bounds(100, 200)) == "text_too_long"
    assert read(reader, frame(long), Bounds(100, 201)) == decoded(frame(long))


def test_who_never_sends_two_frames_alike_is_soon_left_alone() -> None:
    reader = learned(CPU)
    made = []
    with mock.patch.object(Layouts, "find", side_effect=lambda body: made.append(body)):
        for number in range(ADOPTED_AFTER * (MOST_MISSES + 2)):
            reader.read(frame(CheckResult("cpu", metrics={f"m{number}": 1})), BOUNDS)
    assert 0 < len(made) < 2 * MOST_KNOWN
    assert not reader._known


def test_nodes_share_their_layouts_which_go_with_the_last_of_them() -> None:
    shared = Layouts()
    first, second = learned(CPU, DISK, of=shared), learned(CPU, DISK, of=shared)
    third = learned(CPU, of=shared)
    assert first._known[0] is second._known[0]
    assert (len(shared._layouts), len(shared._results)) == (2, 2)
    del first, second, third
    gc.collect()
    assert (len(shared._layouts), len(shared._results)) == (0, 0)
