"""A ledger of acknowledged values, compared with what queries answer from rows and from due frames."""

import socket
import time
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from picket.settings import Endpoint
from tests.ledger import Ledger
from tests.product import Product
from tests.readback import CHECK, Answer, Values
from timeseries.store import HOUR_MS

LOOKS_S = 0.5
COMPACT = f"[compact]\nafter_s = 0\nevery_s = {LOOKS_S}\nshare = 1.0\n"
"""Settings by which a pass is under way nearly always."""

HOURS = 6
STRIDE = 7919 * 13
"""Has no factor in common with the milliseconds of the hours: no two frames of a node have one time."""


def compacting(home: Path) -> Endpoint:
    """Make an embedded home in which passes are under way nearly always; where its measures are shown."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        stats = Endpoint(*free.getsockname())
    home.mkdir(parents=True)
    (home / "picket.toml").write_text(f'{COMPACT}[stats]\nlisten = "{stats}"\n')
    return stats


def wait_for_passes(stats: Endpoint | str, within_s: float = 60) -> None:
    """Return when no hour is due, and none was for several looks."""
    deadline, quiet = time.monotonic() + within_s, 0
    while quiet < 5:
        assert time.monotonic() < deadline, "hours are still due"
        time.sleep(LOOKS_S)
        quiet = quiet + 1 if measured(stats, "picket_compact_due") == 0 else 0


def measured(stats: Endpoint | str, name: str) -> float:
    """What a process shows of this name."""
    with urllib.request.urlopen(f"http://{stats}/metrics", timeout=10) as page:
        lines = [line.split() for line in page.read().decode().splitlines()]
    return next((float(words[1]) for words in lines if words[0] == name), -1)


def age(home: Path) -> None:
    """As if three hours had passed since the last frame: segments without due hours go at the next start."""
    folder = home / "series/frames"
    newest = max(int(path.stem) for path in folder.glob("*.frames"))
    (folder / f"{newest + 3:010}.frames").touch()


class Differences(NamedTuple):
    """Values that were promised and are missing, that are others, that nobody sent; `first` is one such."""

    lost: int
    altered: int
    extra: int
    first: str

    def __str__(self) -> str:
        return f"lost {self.lost}, altered {self.altered}, extra {self.extra}"


class PointLedger(Ledger):
    """Frames of past hours, which come in again and again, with values of every kind and `gauges` more."""

    def __init__(self, product: Product, name: str, agents: int, gauges: int = 0) -> None:
        super().__init__(product, name, agents)
        self._gauges = gauges

    def values(self, seq: int) -> dict[str, int | float | str]:
        """Those of a frame. Some metrics are in every frame, some are not."""
        metrics: dict[str, int | float | str] = {
            "count": seq,
            "tenths": seq / 10,
            "third": seq / 3,
            "large": 2**60 + seq,
            "word": f"w{seq % 5}",
        }
        metrics |= {f"gauge{number}": seq * (number + 3) % 1000 / 8 for number in range(self._gauges)}
        return metrics | ({"sometimes": -seq} if seq % 3 == 0 else {})

    def result(self, seq: int) -> dict[str, Any]:
        """All the values, and a status."""
        return {"check": CHECK, "status": f"{seq} is odd" if seq % 2 else "even", "metrics": self.values(seq)}

    def time_ms(self, seq: int) -> int:
        """All hours have been over for an hour."""
        first_ms = self._began_ms // HOUR_MS * HOUR_MS - HOURS * HOUR_MS
        return first_ms + seq * STRIDE % (HOURS * HOUR_MS)

    def compare(self, found: Answer) -> None:
        """Nothing is lost, altered or too much."""
        differences = self.differences(found)
        assert differences == (0, 0, 0, ""), f"{differences}: {differences.first}"

    def differences(self, found: Answer) -> Differences:
        """Of those of our nodes that were asked for."""
        promised = {str(self.time_ms(seq)): plain(self.values(seq)) for seq in range(1, self.sent + 1)}
        return sum_up(differences(node, promised, there) for node, there in found.nodes.items())

    @property
    def frames(self) -> int:
        """Frames acknowledged, of all nodes."""
        return len(self.nodes) * self.sent

    @property
    def points(self) -> int:
        """Values acknowledged, of all nodes."""
        return len(self.nodes) * sum(len(self.values(seq)) for seq in range(1, self.sent + 1))


def plain(metrics: dict[str, int | float | str]) -> Values:
    """As a query gives them."""
    return {name: value if isinstance(value, str) else float(value) for name, value in metrics.items()}


def differences(node: str, promised: dict[str, Values], there: dict[str, Values]) -> Differences:
    """Between what was promised of a node, by time, and what is there."""
    lost, extra = list(_missing(promised, there)), list(_missing(there, promised))
    altered = [
        (at, name, value, there[at][name])
        for at in promised.keys() & there.keys()
        for name, value in promised[at].items()
        if there[at].get(name, value) != value
    ]
    first = next(iter((*lost, *altered, *extra)), None)
    return Differences(len(lost), len(altered), len(extra), f"{node}: {first}" if first else "")


def sum_up(many: Iterable[Differences]) -> Differences:
    """All of them."""
    lost, altered, extra, firsts = zip(*many, strict=True)
    return Differences(sum(lost), sum(altered), sum(extra), next(filter(None, firsts), ""))


def _missing(of: dict[str, Values], there: dict[str, Values]) -> Iterator[tuple[str, str]]:
    """The values, by time and name, of which there are none there."""
    for at, values in of.items():
        yield from ((at, name) for name in values.keys() - there.get(at, {}).keys())
