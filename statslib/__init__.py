"""Counters, averages, operations and gauges of one process or service, cheap enough for the hottest loop.

Served as JSON in the agent's check form, so that Picket can watch itself, and as Prometheus text.
"""

from statslib.stats import Average, Operation, Stats

__all__ = ["Average", "Operation", "Stats"]
