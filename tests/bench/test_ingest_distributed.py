"""`python -m bench ingest --distributed`, small and without peers, on engines and processes of its own."""

import pytest

from bench import limit
from bench.ingest_distributed import Size, run
from tests.engines import SHARED


@pytest.mark.xdist_group("serial")
def test_a_small_run_loses_no_frame_and_has_every_figure(pytestconfig: pytest.Config) -> None:
    for name in ("rabbitmq", "cassandra"):
        pytestconfig.stash[SHARED].demand(name)
    alone = limit.Size(rounds=1, seconds=0.2, warm=0, batches=4, rows=8)
    lines, figures = run(Size(nodes=4, frames=20, rounds=1, sustain_s=0.5, alone=alone), [])
    assert figures.pop("lost") == 0
    assert set(figures) == {
        "cpu_s_per_mpoint",
        "compaction_cpu_s_per_mpoint",
        "points_per_s",
        "sustained_s",
        "sustained_cpu_s_per_mpoint",
        "archive_vs_cassandra_limit",
    }
    assert min(figures.values()) > 0
    assert {"rabbitmq", "cassandra", "gateway", "archive"} < {line.split()[0] for line in lines if line}
