"""Events and batches pass while something breaks: what was confirmed is handled, once by who dedupes."""

from pathlib import Path

import pytest

from tests.engines import Private
from tests.faults.conftest import Report
from tests.faults.faults import FAULTS, Fault
from tests.faults.load import Load
from tests.faults.run import RabbitRun

SHORT = Load(events=2000, batches=400, per_s=500, heartbeat_s=2, work_s=0.005)
LONG = Load(events=100_000, batches=20_000, per_s=1000, work_s=0.005)
SIZES = [pytest.param(SHORT, id="short"), pytest.param(LONG, id="long", marks=pytest.mark.faults)]


@pytest.mark.xdist_group("serial")
@pytest.mark.parametrize("load", SIZES)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_nothing_confirmed_is_lost_when(
    broker: Private, folder: Path, report: Report, fault: Fault, load: Load
) -> None:
    times = fault.short if load is SHORT else fault.long
    with RabbitRun(broker, folder, load, proxied=fault.proxied) as run:
        for number in range(times):
            run.await_progress((number + 1) / (times + 1))
            fault.happen(run)
        counts = run.finish()
    report(f"{fault.name}, {times} times: {counts}", *run.told)
    assert counts.published == counts.confirmed == load.total
    assert (counts.lost, counts.left, counts.dead, counts.inversions) == (0, 0, 0, 0)
    assert counts.handled == 2 * load.total
