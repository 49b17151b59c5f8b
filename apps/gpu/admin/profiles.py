"""The catalogue of GPU models, with an operator's own rows."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from aitbc.core.admin import DomainAdmin
from apps.gpu.models import (
    ConsumerGPUProfile,
)
from apps.gpu.services import catalogue


@admin.register(ConsumerGPUProfile)
class ProfileAdmin(DomainAdmin):
    """A row that an operator saves is local: the catalogue's file never overwrites it."""

    list_display = (
        "model", "vendor", "architecture", "year", "memory_gb", "bandwidth_gbps", "fp32_tflops", "fp16_tflops", "tdp_w",
        "consumer_grade", "edge_optimized", "source",
    )  # fmt: skip
    list_filter = ("vendor", "architecture", "consumer_grade", "edge_optimized", "source")
    search_fields = ("model",)
    readonly_fields = ("source", "updated_at")

    def save_model(self, request: HttpRequest, obj: ConsumerGPUProfile, form: Any, change: bool) -> None:
        catalogue.save_local(obj)
