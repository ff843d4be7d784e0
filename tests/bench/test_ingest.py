"""`python -m bench ingest`, small and without peers, on the real `picket up`."""

import json

from tests.bench.command import bench


def test_a_small_run_loses_no_frame_and_prints_its_figures_last() -> None:
    sizes = ["--nodes", "4", "--frames", "50", "--rounds", "1"]
    run = bench("ingest", "--peers", "none", *sizes)
    assert run.returncode == 0, run.stderr
    figures = json.loads(run.stdout.splitlines()[-1])
    assert figures["lost"] == 0
    assert figures["cpu_s_per_mpoint"] > 0
    assert figures["points_per_s"] > 0


def test_an_unknown_peer_is_one_clear_line() -> None:
    run = bench("ingest", "--peers", "graphite")
    assert run.returncode == 1
    assert run.stderr.strip() == "bench: no such peer: graphite; there are victoriametrics, carbon"
