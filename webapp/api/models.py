"""What the API has to remember between requests."""

from django.db import models


class SpentNonce(models.Model):
    """A signed request that was answered: the primary key makes a second use of it fail, in any process."""

    digest = models.CharField(primary_key=True, max_length=64)
    timestamp = models.BigIntegerField(db_index=True)
