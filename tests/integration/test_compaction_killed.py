"""`picket up` is killed while it makes rows: queries answer every acknowledged value, and no other."""

import tempfile
from pathlib import Path

from tests.ledger import kill_up, kill_up_soon
from tests.points import PointLedger, age, compacting, wait_for_passes
from tests.product import Embedded
from tests.readback import answered


def test_killed_while_passes_are_made_it_answers_every_acknowledged_value_as_it_was() -> None:
    with tempfile.TemporaryDirectory(prefix="picket-points-") as folder:
        home = Path(folder) / "home"
        stats = compacting(home)
        running = Embedded(home, "--no-agent")
        ledger = PointLedger(running.start(), "points", agents=3)
        try:
            ledger.send(100, at_ack=lambda: kill_up(running))
            for _ in range(2):
                ledger.send(100, meanwhile=lambda: kill_up_soon(running))
            wait_for_passes(stats)
            running.kill()
            age(home)
            running.start()  # Rows are all that is left of what was sent so far.
            ledger.send(100, meanwhile=lambda: kill_up_soon(running))
            wait_for_passes(stats)
        finally:
            running.stop()
        found = answered(home, ledger.nodes)
        ledger.compare(found)
        assert (found.due, found.series) == (0, len(ledger.nodes))
        assert len(list((home / "series/frames").glob("*.frames"))) == 1
