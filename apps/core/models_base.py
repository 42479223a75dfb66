"""What every table has."""

import uuid

from django.db import models
from django.utils import timezone


class Row(models.Model):
    """A row with a random id and the moment it was made."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        abstract = True
