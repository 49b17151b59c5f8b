"""GPUs of the registry, as the gpu domain last reported them."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from aitbc.core.fields import JSONField


class RegisteredGPU(models.Model):
    """A GPU as the gpu domain last reported it (GpuChanged): what offers over it are searched by."""

    id = models.UUIDField(primary_key=True, editable=False)
    miner_id = models.UUIDField(db_index=True)
    owner_id = models.UUIDField(db_index=True)
    seq = models.BigIntegerField(help_text="Of the last fact taken; an older one changes nothing.")
    state = models.CharField(max_length=20)
    facts = JSONField(help_text="The last GpuChanged.")
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "marketplace_device"
        ordering = ["id"]
        verbose_name = "registered GPU"

    def __str__(self) -> str:
        return f"GPU {self.pk}"
