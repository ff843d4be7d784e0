"""Measures as Prometheus text, format 0.0.4: `picket_<owner>_<name>`, each family with its HELP and TYPE.

Counters and operations end in `_total`; an average is a summary with the quantiles of recent values, beside
the gauges `_min` and `_max`; `picket_<owner>_ready` is 0 while an owner cannot serve.
"""

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from statslib.measures import Average
from statslib.stats import Stats


class Family(NamedTuple):
    """A metric family: its samples are (what follows the name, value)."""

    name: str
    kind: str
    help: str
    samples: list[tuple[str, float]]


def text(owners: Collection[Stats]) -> str:
    """The page; of two families with one name, the first."""
    families: dict[str, Family] = {}
    for owner in owners:
        for family in _families(owner):
            named = family._replace(name=_name(f"picket_{owner.name}_{family.name}"))
            families.setdefault(named.name, named)
    return "".join(line for family in families.values() for line in _lines(family))


def _families(owner: Stats) -> Iterator[Family]:
    yield _one("ready", "gauge", f"Whether {owner.name} can serve", 0 if owner.unready else 1)
    for name, count in sorted(owner.counters.items()):
        yield _one(f"{name.removesuffix('_total')}_total", "counter", f"{name} since the start", count)
    for name, average in sorted(owner.averages.items()):
        yield from _of_average(name, average)
    for name, work in sorted(owner.operations.items()):
        yield _one(f"{name}_total", "counter", f"{name} begun since the start", work.total)
        yield _one(f"{name}_failed_total", "counter", f"{name} failed since the start", work.failed)
        yield _one(f"{name}_pending", "gauge", f"{name} under way", work.pending)
    for name, value in sorted(owner.gauges()):
        yield _one(name, "gauge", f"{name} at the moment", value)


def _of_average(name: str, average: Average) -> Iterator[Family]:
    samples: list[tuple[str, float]] = [("_sum", average.total), ("_count", average.count)]
    recent = average.recent()
    if recent:
        quantiles = recent.percentiles.items()
        samples[:0] = [(f'{{quantile="{percent / 100}"}}', value) for percent, value in quantiles]
        yield _one(f"{name}_min", "gauge", f"Least of recent {name}", recent.minimum)
        yield _one(f"{name}_max", "gauge", f"Greatest of recent {name}", recent.maximum)
    yield Family(name, "summary", f"{name}; quantiles of recent values, within 2 %", samples)


def _one(name: str, kind: str, told: str, value: float) -> Family:
    return Family(name, kind, told, [("", value)])


def _lines(family: Family) -> Iterator[str]:
    told = family.help.replace("\\", r"\\").replace("\n", r"\n")
    yield f"# HELP {family.name} {told}\n# TYPE {family.name} {family.kind}\n"
    for end, value in family.samples:
        yield f"{family.name}{end} {value}\n"


def _name(words: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_:]", "_", words)
