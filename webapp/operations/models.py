"""What is known of services and their instances; times are milliseconds since the epoch."""

from typing import ClassVar

from django.db import models


class Instance(models.Model):
    """A service in one process, as its last heartbeat told of it; heard by the clock of `watchdog`."""

    service = models.CharField(max_length=50)
    instance = models.CharField(max_length=150)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    started_ms = models.BigIntegerField()
    heard_ms = models.BigIntegerField()
    told_ms = models.BigIntegerField(help_text="when it sent what was heard, by the clock of its host")
    state = models.CharField(max_length=10, help_text="ok, or err while it cannot serve")
    since_ms = models.BigIntegerField(help_text="when the state began")
    status = models.CharField(max_length=300)
    lag = models.BigIntegerField(help_text="messages that wait for it")
    pending = models.PositiveIntegerField(help_text="operations under way")

    class Meta:
        """By service; of one, the youngest last."""

        ordering: ClassVar = ["service", "started_ms", "instance"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["service", "instance"], name="one_service_instance")
        ]

    def __str__(self) -> str:
        return f"{self.service} on {self.host} ({self.pid})"


class Problem(models.Model):
    """Something that is wrong with a service, or with one instance of it, for as long as it is."""

    class Kind(models.TextChoices):
        """What is wrong, as pages say it."""

        DEAD = "dead", "Dead"
        SILENT = "silent", "Silent"
        UNREADY = "unready", "Not ready"
        LAG = "lag", "Behind"
        DEAD_LETTERS = "dead_letters", "Dead letters"

    service = models.CharField(max_length=50)
    instance = models.CharField(max_length=150, blank=True)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    since_ms = models.BigIntegerField()
    text = models.CharField(max_length=300)

    class Meta:
        """The oldest first."""

        ordering: ClassVar = ["since_ms", "service", "instance"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["service", "instance", "kind"], name="one_service_problem")
        ]

    def __str__(self) -> str:
        return f"{self.service}: {self.text}"
