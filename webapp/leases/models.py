"""One row for each work that only one process at a time does."""

from django.db import models


class Lease(models.Model):
    """Who has it, and until when by the database's clock; `epoch` grows with each change of holder."""

    name = models.CharField(primary_key=True, max_length=100)
    holder = models.CharField(max_length=200, blank=True)
    until_ms = models.BigIntegerField(default=0)
    epoch = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return self.name
