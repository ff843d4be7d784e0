import json
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from statslib import Stats, prometheus
from statslib.web import stats_resource


def get(owners: list[Stats], path: bytes) -> tuple[int, str]:
    request = mock.Mock()
    page = stats_resource(owners).children[path]
    text = page.render_GET(request).decode()
    return request.setResponseCode.call_args.args[0], text


def sample() -> Stats:
    stats = Stats("archive")
    stats.increment("frames", 3)
    stats.add_average("write_s", 0.5)
    stats.operation("write")
    stats.gauge("held", lambda: 2)
    stats.gauge("share", lambda: 0.5)
    return stats


def strict(stats: Stats) -> dict[str, Metric]:
    """The families of the text by name, as Prometheus's own client reads them."""
    text = prometheus.text([stats])
    headings = [line for line in text.splitlines() if line.startswith("# TYPE")]
    assert len({line.split()[2] for line in headings}) == len(headings)
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation for family in families)
    assert all(family.type != "unknown" for family in families)
    return {family.name: family for family in families}


def test_stats_are_one_check_result_whose_names_begin_with_their_owner() -> None:
    other = Stats("query")
    other.increment("frames")
    result = json.loads(get([sample(), other], b"stats")[1])
    assert set(result) == {"state", "status", "metrics"}
    assert (result["state"], result["status"]) == ("ok", "up: archive, query")
    assert {"type": "gauge", "name": "archive_frames", "value": 3} in result["metrics"]
    assert {"type": "gauge", "name": "query_frames", "value": 1} in result["metrics"]
    assert {"type": "int", "name": "archive_held", "value": 2} in result["metrics"]
    assert {"type": "float", "name": "archive_write_s_p99", "value": 0.5} in result["metrics"]
    assert {metric["type"] for metric in result["metrics"]} <= {"int", "float", "gauge", "string"}


def test_owners_that_cannot_serve_say_why() -> None:
    owner, other = Stats("archive"), Stats("query")
    owner.unready, other.unready = "no store", "starting"
    result = json.loads(get([owner, other], b"stats")[1])
    assert (result["state"], result["status"]) == ("err", "archive: no store; query: starting")


@given(st.lists(st.floats()))
def test_stats_are_valid_json_whatever_was_measured(values: list[float]) -> None:
    stats = Stats("archive")
    for value in values:
        stats.add_average("size", value)
    stats.gauge("last", lambda: values[-1])
    json.loads(get([stats], b"stats")[1], parse_constant=lambda word: 1 / 0)


def test_prometheus_reads_every_kind_of_measure() -> None:
    found = strict(sample())
    assert {name: family.type for name, family in found.items()} == {
        "picket_archive_ready": "gauge",
        "picket_archive_frames": "counter",
        "picket_archive_write_s": "summary",
        "picket_archive_write_s_min": "gauge",
        "picket_archive_write_s_max": "gauge",
        "picket_archive_write": "counter",
        "picket_archive_write_failed": "counter",
        "picket_archive_write_pending": "gauge",
        "picket_archive_held": "gauge",
        "picket_archive_share": "gauge",
    }
    summary = {
        (one.name, one.labels.get("quantile")): one.value for one in found["picket_archive_write_s"].samples
    }
    assert summary == {
        ("picket_archive_write_s", "0.5"): 0.5,
        ("picket_archive_write_s", "0.95"): 0.5,
        ("picket_archive_write_s", "0.99"): 0.5,
        ("picket_archive_write_s_sum", None): 0.5,
        ("picket_archive_write_s_count", None): 1,
    }
    assert found["picket_archive_frames"].samples[0].value == 3


@given(st.text(), st.text(min_size=1))
def test_prometheus_reads_any_names(owner: str, name: str) -> None:
    stats = Stats(owner)
    stats.increment(name)
    stats.add_average(name, 1.0)
    stats.operation(name)
    strict(stats)


def test_two_measures_of_one_name_make_one_family() -> None:
    stats = sample()
    stats.increment("write_total")
    assert strict(stats)["picket_archive_write"].samples[0].value == 1


def test_prometheus_sees_who_is_not_ready() -> None:
    stats = sample()
    stats.unready = "no store"
    assert strict(stats)["picket_archive_ready"].samples[0].value == 0


def test_readiness_names_the_owner_that_is_not_ready() -> None:
    one, other = Stats("archive"), Stats("query")
    assert get([one, other], b"readyz") == (200, "ready\n")
    other.unready = "starting"
    assert get([one, other], b"readyz") == (503, "query: starting\n")
    assert get([one, other], b"healthz") == (200, "ok\n")
