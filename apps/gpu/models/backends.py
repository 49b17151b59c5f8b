"""Back-ends: model servers that cannot poll for themselves."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from aitbc.core.ids import uuid7
from apps.gpu.models.miners import Miner


class Backend(models.Model):
    """A model server that cannot poll: the exchange polls it for models and feeds it through a miner row of its own."""

    class Kind(models.TextChoices):
        OPENAI = "openai"
        OLLAMA = "ollama"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner_id = models.UUIDField(db_index=True)
    miner = models.OneToOneField(Miner, on_delete=models.PROTECT, related_name="backend")
    kind = models.CharField(max_length=10, choices=Kind)
    url = models.CharField(max_length=500)
    allow_listed = models.BooleanField(default=False, help_text="Operator's own: http and private addresses are fine.")
    healthy = models.BooleanField(default=False)
    last_error = models.CharField(max_length=300, blank=True)
    polled_at = models.DateTimeField(null=True)
    feeding_until = models.DateTimeField(
        null=True, help_text="One feeder at a time; a dead one is replaced after this."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(name="gpu_backend_url", fields=["owner_id", "url"])]

    def __str__(self) -> str:
        return self.url
