"""The benchmark of log lines."""

from bench import log


def test_it_tells_each_cost() -> None:
    lines, figures = log.run(100)
    assert len(lines) == len(figures) == 5
    assert all(us > 0 for us in figures.values())
