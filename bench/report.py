"""What a run of several rounds says: medians, the spread, and ours against each peer."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from bench.cpu import Cost

Rounds = Mapping[str, Sequence[Cost]]
"""By contender's name, ours first, the cost of each round."""


def per_mpoint(costs: Sequence[Cost], points: int) -> list[float]:
    """CPU-seconds per million points of each round."""
    return [cost.cpu_s / points * 1e6 for cost in costs]


def table(rounds: Rounds, points: int) -> Iterator[str]:
    """Lines for people; a round is of `points` points."""
    yield f"{'':16}{'CPU-s per million points':>34}{'points/s':>14}{'ours / theirs':>16}"
    yield f"{'':16}{'median':>14}{'lowest':>10}{'highest':>10}"
    ours = median(per_mpoint(next(iter(rounds.values())), points))
    for name, costs in rounds.items():
        spent = per_mpoint(costs, points)
        share = f"{ours / median(spent):>16.2f}" if name != next(iter(rounds)) else ""
        spread = f"{median(spent):>14.3f}{min(spent):>10.3f}{max(spent):>10.3f}"
        yield f"{name:16}{spread}{points_per_s(costs, points):>14,.0f}{share}"


def points_per_s(costs: Sequence[Cost], points: int) -> float:
    """The median over the rounds, by the clock on the wall."""
    return median(points / cost.wall_s for cost in costs)
