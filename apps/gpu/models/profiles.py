"""Models of graphics cards as their vendors publish them: the catalogue."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from aitbc.core.ids import uuid7


class ConsumerGPUProfile(models.Model):
    """A model of graphics card as its vendor publishes it; `local` rows are an operator's and win over the file's."""

    class Source(models.TextChoices):
        CATALOGUE = "catalogue"
        LOCAL = "local"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    vendor = models.CharField(max_length=40)
    model = models.CharField(max_length=120, unique=True)
    architecture = models.CharField(max_length=40)
    year = models.PositiveSmallIntegerField()
    memory_gb = models.FloatField()
    memory_type = models.CharField(max_length=20, blank=True)
    bandwidth_gbps = models.FloatField(help_text="Memory bandwidth, GB/s.")
    fp32_tflops = models.FloatField(null=True, blank=True, help_text="Empty where the vendor does not say.")
    fp16_tflops = models.FloatField(
        null=True, blank=True, help_text="Dense tensor or matrix peak; empty where there is none."
    )
    tdp_w = models.FloatField(null=True, blank=True, help_text="Empty where the vendor does not say.")
    compute_capability = models.CharField(max_length=10, blank=True)
    consumer_grade = models.BooleanField()
    edge_optimized = models.BooleanField(help_text="Draws little enough to stand at the edge.")
    source = models.CharField(max_length=10, choices=Source, default=Source.CATALOGUE)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["vendor", "model"]
        verbose_name = "GPU profile"
        constraints = [
            models.CheckConstraint(name="gpu_profile_memory", condition=Q(memory_gb__gt=0)),
            models.CheckConstraint(name="gpu_profile_bandwidth", condition=Q(bandwidth_gbps__gt=0)),
            models.CheckConstraint(name="gpu_profile_tdp", condition=Q(tdp_w=None) | Q(tdp_w__gt=0)),
            models.CheckConstraint(
                name="gpu_profile_fp16_not_below_fp32",
                condition=Q(fp16_tflops=None) | Q(fp32_tflops=None) | Q(fp16_tflops__gte=models.F("fp32_tflops")),
            ),
        ]

    def __str__(self) -> str:
        return self.model
