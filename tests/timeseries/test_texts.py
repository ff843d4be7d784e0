import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.timeseries.series import statuses
from timeseries.columns import Floats
from timeseries.texts import Near, PackedTexts, pack_texts, unpack_texts

awkward = st.text("0123456789.%-d \n\0é", max_size=12)
RANDOM = np.random.default_rng(1)


def stored(texts: list[str], metrics: dict[str, Floats] | None = None) -> bytes:
    return msgspec.msgpack.encode(pack_texts(texts, metrics or {}))


def read(packed: bytes, size: int, metrics: dict[str, Floats] | None = None) -> list[str]:
    return unpack_texts(msgspec.msgpack.decode(packed, type=PackedTexts), size, metrics or {})


@given(st.lists(statuses | awkward, min_size=1, max_size=40))
@settings(deadline=None)
def test_texts_come_back(texts: list[str]) -> None:
    assert read(stored(texts), len(texts)) == texts


@given(st.lists(st.text("019.", min_size=1, max_size=4).map("load {}%".format), min_size=1, max_size=40))
@settings(deadline=None)
def test_texts_that_differ_in_their_numbers_come_back(texts: list[str]) -> None:
    assert read(stored(texts), len(texts)) == texts


@pytest.mark.parametrize(
    "texts",
    [
        ["09:05", "10:15", "00:00"],
        ["1.2.3", "1.2.10"],
        ["1234567890123456", "1"],
        ["-0.50", "0.50", "1e-05"],
        ["100%", "%d", "%%5"],
        [str(number) * 400 for number in range(9)],
        ["x" * 2000 + str(number) for number in range(9)],
        [" ".join(map(str, range(number + 15))) for number in range(9)],
        [chr(97 + number) * 3 for number in range(26)],
    ],
)
def test_awkward_texts_come_back(texts: list[str]) -> None:
    assert read(stored(texts), len(texts)) == texts


def test_a_text_that_stays_takes_no_room() -> None:
    assert len(stored(["1 block devices found"] * 360)) < 60
    assert read(stored(["ok"] * 360), 360) == ["ok"] * 360


def test_numbers_that_metrics_have_take_no_room() -> None:
    user, free = RANDOM.integers(0, 10_000, 360) / 100, RANDOM.integers(0, 2**30, 360).astype(np.float64)
    texts = [f"user:{number:.2f}% of {size:.0f}" for number, size in zip(user, free, strict=True)]
    metrics = {"free": free, "user": user}
    packed = stored(texts, metrics)
    assert len(packed) < 100
    assert read(packed, 360, metrics) == texts


def test_a_metric_in_a_larger_unit_takes_no_room() -> None:
    used = RANDOM.integers(2**28, 2**31, 360).astype(np.float64)
    texts = [
        f"used:{size / 2**20:.2f} MB" if size < 2**30 else f"used:{size / 2**30:.2f} GB" for size in used
    ]
    packed = stored(texts, {"free": 2**34 - used, "used": used})
    assert len(packed) < 200
    assert read(packed, 360, {"free": 2**34 - used, "used": used}) == texts


def test_numbers_that_follow_from_a_metric_take_little_room() -> None:
    free = 62_440_239 - np.cumsum(RANDOM.integers(-20_000, 20_000, 360)).astype(np.float64)
    texts = [
        f"total: 251.97 GB, used: {251.97 - blocks / 2**18:.2f} GB, free: {blocks / 2**18:.2f} GB"
        for blocks in free
    ]
    metrics = {"blocks": np.full(360, 66_053_021.0), "free": free}
    packed = stored(texts, metrics)
    assert len(packed) < len(stored(texts)) / 2
    assert read(packed, 360, metrics) == texts


@pytest.mark.parametrize("metric", [1e19, float("inf"), float("nan")])
def test_what_is_too_large_for_integers_is_expected_of_no_number(metric: float) -> None:
    with pytest.raises(ValueError, match="out of bounds"):
        Near("a", 1.0, 0.0).expected({"a": np.array([1.0, metric])}, np.arange(2))


def test_a_number_that_a_metric_tells_nothing_of_stands_alone() -> None:
    numbers, other = RANDOM.integers(0, 9999, 360), RANDOM.integers(0, 9999, 360).astype(np.float64)
    texts = [f"{number} of something" for number in numbers]
    assert len(stored(texts, {"other": other})) <= len(stored(texts)) + 1
    assert read(stored(texts, {"other": other}), 360, {}) == texts


@given(
    st.lists(st.tuples(st.integers(0, 10**15 - 1), st.floats(allow_nan=False)), min_size=32, max_size=40),
    st.sampled_from([0, 1, -1, 1e-9, 1e300]),
)
@settings(deadline=None)
def test_whatever_the_metrics_are_texts_come_back(pairs: list[tuple[int, float]], factor: float) -> None:
    texts = [f"is {number}" for number, _ in pairs]
    with np.errstate(all="ignore"):
        near = np.array([float(number) for number, _ in pairs]) * factor
        metrics = {"a": np.array([other for _, other in pairs]), "b": np.nan_to_num(near)}
    assert read(stored(texts, metrics), len(texts), metrics) == texts


def test_numbers_of_no_metric_take_the_room_of_numbers() -> None:
    texts = [f"in/out packets:{23_522 + 3 * n}/{14_972 + 7 * n}" for n in range(360)]
    assert len(stored(texts)) < 200


def test_text_without_a_pattern_is_packed_as_text() -> None:
    texts = ["".join(map(chr, RANDOM.integers(97, 123, 20))) for _ in range(360)]
    assert len(stored(texts)) < 360 * 17
