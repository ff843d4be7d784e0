"""The made-up points: the same in every run, and like those of real agents."""

from bench.points import Kind, Span, metrics, payload, values
from timeseries.frames import decode_payload

EPOCH_MS = 1_795_000_000_000


def test_a_frame_is_the_same_however_it_is_asked_for() -> None:
    whole = values(3, 0, 200)
    assert whole == values(3, 0, 200)
    assert whole[70:150] == values(3, 70, 80)


def test_nodes_and_moments_differ() -> None:
    first, second = values(0, 0, 2)
    assert first != second
    assert first != values(1, 0, 1)[0]


def test_a_frame_fits_the_schema_and_carries_100_metrics_of_seven_checks() -> None:
    [(time_ms, _node, row)] = Span(1, 0, 1, EPOCH_MS).frames()
    body = decode_payload(payload(time_ms, row))
    assert body.time == EPOCH_MS
    assert len({result.check for result in body.results}) == 7
    sent = [value for result in body.results for value in result.metrics.values()]
    assert sent == row
    assert len(sent) == 100


def test_gauges_keep_two_decimals_and_constants_never_change() -> None:
    for index, metric in enumerate(metrics()):
        column = [row[index] for row in values(0, 0, 130)]
        assert [round(value, 2) for value in column] == column
        assert max(column) <= metric.high
        assert (len(set(column)) == 1) == (metric.kind is Kind.CONSTANT), metric


def test_a_span_is_in_the_order_of_time_ten_seconds_apart() -> None:
    frames = [(time_ms, node) for time_ms, node, _row in Span(2, 5, 2, EPOCH_MS).frames()]
    begin = EPOCH_MS + 50_000
    assert frames == [(begin, 0), (begin, 1), (begin + 10_000, 0), (begin + 10_000, 1)]
