"""Nodes and their tags, always reached as `account.nodes` and `account.tags`."""

import secrets
from typing import ClassVar

from django.db import models
from django.utils import timezone

from webapp.accounts.models import Account


def new_node_id() -> str:
    """`n` and 10 hex digits."""
    return "n" + secrets.token_hex(5)


class Tag(models.Model):
    """A word that an account puts on some of its nodes."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="tags")
    name = models.CharField(max_length=100)

    class Meta:
        """A tag's name is unique in its account."""

        constraints: ClassVar = [models.UniqueConstraint(fields=["account", "name"], name="one_tag")]

    def __str__(self) -> str:
        return self.name


class Node(models.Model):
    """A machine that is watched. An agent binds itself to it by `machine` and a secret of the node's own."""

    id = models.CharField(primary_key=True, max_length=11, default=new_node_id, editable=False)
    account = models.ForeignKey(Account, models.CASCADE, related_name="nodes")
    name = models.CharField(max_length=255)
    ip_address = models.GenericIPAddressField(null=True, blank=True)
    details = models.JSONField(default=dict, blank=True)
    tags = models.ManyToManyField(Tag, related_name="nodes", blank=True)
    created = models.DateTimeField(default=timezone.now, editable=False)

    host = models.CharField(max_length=255, blank=True, help_text="what the agent says its machine is called")
    machine = models.CharField(
        max_length=255, blank=True, help_text="machine id; empty: agents of protocol 1"
    )
    secret_hash = models.CharField(max_length=64, blank=True)
    confirmed = models.BooleanField(default=False, help_text="the agent has shown the node's secret")
    protocol = models.PositiveSmallIntegerField(default=2, help_text="of the agent's last hello: 1 or 2")
    agent_version = models.CharField(max_length=100, blank=True)
    agent_platform = models.CharField(max_length=200, blank=True)
    last_hello = models.DateTimeField(null=True, blank=True)

    class Meta:
        """By name, then id, so that a list never jumps."""

        ordering: ClassVar = ["name", "id"]
        indexes: ClassVar = [
            models.Index(fields=["account", "name"], name="node_by_name"),
            models.Index(fields=["account", "machine"], name="node_by_machine"),
        ]

    def __str__(self) -> str:
        return self.name


class NodeEvent(models.Model):
    """Something that happened to a node. `event_id` tells two of a kind apart, and one told twice is one."""

    class Kind(models.TextChoices):
        """What happened, as pages say it."""

        REGISTERED = "registered", "Registered"
        CONNECTED = "connected", "Agent connected"
        DISCONNECTED = "disconnected", "Agent disconnected"
        PRESENT = "present", "Reporting"
        ABSENT = "absent", "No data"

    node = models.ForeignKey(Node, models.CASCADE, related_name="events")
    time_ms = models.BigIntegerField()
    kind = models.CharField(max_length=16, choices=Kind.choices)
    event_id = models.CharField(max_length=64, blank=True)
    text = models.CharField(max_length=200, blank=True, help_text="such as why an agent was disconnected")

    class Meta:
        """The newest first; at one time, the one told last."""

        ordering: ClassVar = ["-time_ms", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["node", "kind", "event_id"], name="one_node_event")
        ]
        indexes: ClassVar = [models.Index(fields=["node", "-time_ms"], name="node_event_newest")]

    def __str__(self) -> str:
        return self.get_kind_display()
