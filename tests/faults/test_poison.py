"""Events that no handler can take, among many that pass: they end in the dead letters and block nothing."""

from pathlib import Path

import msgspec
import pytest

from eventframework.event import decode_envelope
from eventframework.policy import event_queue
from tests.engines import Private
from tests.faults.conftest import Report
from tests.faults.load import BATCH, EVENT, KIND_OF, MAIL, Load, Loaded
from tests.faults.process import BACKOFF_S
from tests.faults.run import RabbitRun
from tests.faults.test_faults import LONG, SHORT

LAG_MS = 2000
"""How late an event may be for the poison before it, at worst.

Batches pass beside the events, and none of them is poison: what delays those, too, is the machine.
"""

SIZES = [
    pytest.param(msgspec.structs.replace(SHORT, poison_every=100), id="short"),
    pytest.param(
        msgspec.structs.replace(LONG, poison_every=100, per_s=500), id="long", marks=pytest.mark.faults
    ),
]


@pytest.mark.xdist_group("serial")
@pytest.mark.parametrize("load", SIZES)
def test_poison_ends_in_the_dead_letters_and_holds_nothing_up(
    broker: Private, folder: Path, report: Report, load: Load
) -> None:
    with RabbitRun(broker, folder, load) as run:
        counts = run.finish(within_s=load.total / load.per_s + 120)
        letters = run.letters()
    lags = {kind: _lags_ms(run, kind) for kind in (EVENT, BATCH)}
    report(f"poison among them: {counts}", *(_told(kind, of) for kind, of in lags.items()))
    poison = {number for number in range(load.events) if load.is_poison(number)}
    assert counts.published == counts.confirmed == load.total
    assert (counts.lost, counts.left, counts.inversions) == (0, 0, 0)
    assert counts.handled == 2 * (load.total - len(poison))
    assert len(letters) == counts.dead == 2 * len(poison)
    for tag in ("", MAIL):
        mine = [letter for letter in letters if letter.queue == event_queue(Loaded.topic, tag)]
        assert {int(decode_envelope(letter.body).id, 16) for letter in mine} == poison
    for letter in letters:
        number = int(decode_envelope(letter.body).id, 16)
        assert letter.error.startswith("Traceback")
        assert f"ValueError: event {number} is poison" in letter.error
        assert letter.attempts == len(BACKOFF_S) + 1
    assert lags[EVENT][len(lags[EVENT]) // 2] < LAG_MS
    assert lags[EVENT][-1] < lags[BATCH][-1] + LAG_MS


def _lags_ms(run: RabbitRun, kind: str) -> list[int]:
    """How late each event or batch was handled, ascending."""
    return sorted(call.lag_ms for call in run.record.first if KIND_OF[call.tag] == kind)


def _told(kind: str, lags: list[int]) -> str:
    return f"{kind}: lag p99 {lags[len(lags) * 99 // 100]} ms, at most {lags[-1]} ms"
