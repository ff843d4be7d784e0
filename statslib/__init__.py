"""Counters, averages, operations and gauges of one process or service, cheap enough for the hottest loop.

Served as JSON in the agent's check form, so that Picket can watch itself, and as Prometheus text.
"""

from statslib.measures import Average, Operation
from statslib.stats import Stats

__all__ = ["Average", "Operation", "Stats"]
