"""Typed events with three delivery policies, and the high-volume stream, over RabbitMQ or in memory."""

from eventframework.errors import BrokerUnavailable, EventError, PublishRefused, RetryLater
from eventframework.event import Event, current
from eventframework.framework import Framework
from eventframework.policy import Policy, Share
from eventframework.stream import Batch, Stream
from eventframework.topology import Subscription, Tap, Topology

__all__ = [
    "Batch",
    "BrokerUnavailable",
    "Event",
    "EventError",
    "Framework",
    "Policy",
    "PublishRefused",
    "RetryLater",
    "Share",
    "Stream",
    "Subscription",
    "Tap",
    "Topology",
    "current",
]
