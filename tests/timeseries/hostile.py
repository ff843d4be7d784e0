"""Payloads of frames that nobody should send. Each is made for a moment, in milliseconds."""

from collections.abc import Callable

from timeseries.store import DAY_MS

Payload = Callable[[int], bytes]


def holding(results: str, days: float = 0) -> Payload:
    """A frame of that many days ahead with these results."""
    return lambda now_ms: b'{"time": %d, "results": %s}' % (now_ms + days * DAY_MS, results.encode())


def metric(value: str) -> Payload:
    return holding(f'[{{"check": "c", "metrics": {{"m": {value}}}}}]')


def metrics(count: int) -> str:
    inside = ", ".join(f'"m{number}": 1' for number in range(count))
    return f'{{"check": "c", "metrics": {{{inside}}}}}'


def status(length: int) -> Payload:
    return holding('[{"check": "c", "status": "%s"}]' % ("x" * length))


DEEP = "[" * 50_000 + "]" * 50_000

REFUSED: dict[str, Payload] = {
    "not_json: NaN": metric("NaN"),
    "not_json: infinity": metric("-Infinity"),
    "bad_frame: 1e400": metric("1e400"),
    "bad_frame: an integer of 5,000 digits": metric("1" * 5000),
    "too_many_metrics: in one result": holding(f"[{metrics(10_001)}]"),
    "too_many_metrics: in many": holding(f"[{', '.join([metrics(101)] * 100)}]"),
    "too_many_metrics: results without any": holding('[%s{"check": "c"}]' % ('{"check": "c"}, ' * 10_000)),
    "text_too_long: a status of 1 MB": status(1_000_000),
    "text_too_long: a metric": metric('"%s"' % ("é" * 33_000)),
    "bad_frame: a long key": holding('[{"check": "c", "key": "%s"}]' % ("k" * 4001)),
    "bad_frame: no name": holding('[{"check": ""}]'),
    "bad_time: ten years ahead": holding("[]", 3650),
    "bad_time: ten years ago": holding("[]", -3650),
    "bad_time: 15 days ago": holding("[]", -15),
    "bad_time: three days ahead": holding("[]", 3),
    "bad_time: before 1970": lambda _: b'{"time": -1, "results": []}',
    "bad_frame: deep": holding(DEEP),
    "not_json: deep where it is ignored": holding(f'[{{"check": "c", "more": {DEEP}}}]'),
    "not_json: no UTF-8": lambda now_ms: status(1)(now_ms).replace(b"x", b"\xff"),
    "not_json: half a surrogate": metric(r'"\ud800"'),
}
"""By the code that they are refused with, and what is wrong."""

ACCEPTED: dict[str, Payload] = {
    "duplicate keys": holding('[{"check": "c", "metrics": {"m": 1, "m": 2}}]'),
    "duplicate results": holding(
        '[{"check": "c", "metrics": {"m": 1}}, {"check": "c", "metrics": {"m": 2}}]'
    ),
    "10,000 metrics": holding(f"[{metrics(10_000)}]"),
    "a long status": status(65_536),
    "an integer of 300 digits": metric("1" * 300),
    "all of them denormal": metric("5e-324"),
    "minus zero": metric("-0.0"),
    "NUL": metric(r'"\u0000"'),
    "names that mean something": holding(
        r'[{"check": "../\u0000\n", "key": "%s{}", "metrics": {"\u0000": 1}}]'
    ),
    "a rate of what is not there": holding('[{"check": "c", "rates": ["x", "x"]}]'),
    "nothing": holding("[]"),
    "13 days ago": holding("[]", -13),
    "a day ahead": holding("[]", 1),
}
