"""`python -m bench cassandra-limit`, small, on a real Cassandra; and what its figures are made of."""

import pytest

from bench.limit import ARCHIVE, BARE, Flow, Size, figures, measure
from tests.engines import SHARED


def test_both_write_rows_of_the_archives_own_table(pytestconfig: pytest.Config) -> None:
    _, cassandra = pytestconfig.stash[SHARED].start("cassandra")
    flows = measure(cassandra, Size(rounds=1, seconds=0.2, warm=1, batches=4, rows=8))
    (bare,), (archived,) = flows[BARE], flows[ARCHIVE]
    assert bare.rows > 0
    assert archived.rows >= 4 * 100
    assert min(bare + archived) > 0


def test_what_is_compared_is_the_median_of_the_rounds_shares_of_the_bare_driver() -> None:
    bare = [Flow(1000, 1.0, 0.02, 0.08), Flow(100, 1.0, 0.002, 0.01), Flow(500, 1.0, 0.01, 0.04)]
    archive = [Flow(500, 1.0, 0.05, 0.05), Flow(180, 2.0, 0.018, 0.018), Flow(100, 1.0, 0.01, 0.01)]
    assert figures({BARE: bare, ARCHIVE: archive}) == {
        "archive_vs_cassandra_limit": 0.5,
        "bare_rows_per_s": 500,
        "archive_rows_per_s": 100,
        "bare_cpu_us_per_row": 20.0,
        "archive_cpu_us_per_row": 100.0,
        "cassandra_cpu_us_per_bare_row": 80.0,
        "cassandra_cpu_us_per_archive_row": 100.0,
    }
