"""What has been committed and not been published yet."""

from django.db import models


class OutboxEvent(models.Model):
    """An event as it goes on the wire, its envelope included: published twice, it is the same event."""

    entity = models.CharField(max_length=200, help_text="what it is about: such events keep their order")
    topic = models.CharField(max_length=100)
    body = models.BinaryField()
    written_ms = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.topic} of {self.entity}"
