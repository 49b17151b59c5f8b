"""Benchmarks, read-only; a new one can be requested."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from aitbc.core.admin import ReadOnlyAdmin
from aitbc.core.errors import DomainError
from apps.gpu.models import BenchmarkTransition, GPUBenchmark
from apps.gpu.services import benchmarks


@admin.register(GPUBenchmark)
class GPUBenchmarkAdmin(ReadOnlyAdmin):
    """Benchmarks with their results and verdicts."""

    list_display: ClassVar[list[str]] = [
        "gpu", "state", "device", "score", "reasons", "requested_by", "requested_at", "ended_at",
    ]  # fmt: skip
    list_filter: ClassVar[list[str]] = ["state", "device", "suite"]
    search_fields: ClassVar[list[str]] = ["id", "gpu__id", "gpu__name", "gpu__uuid", "gpu__miner__name", "nonce"]
    list_select_related: ClassVar[list[str]] = ["gpu"]
    actions: ClassVar[list[str]] = ["request_again"]

    @admin.display(description="why")
    def reasons(self, benchmark: GPUBenchmark) -> str:
        return "; ".join(benchmark.verdict.get("reasons", []))

    def has_request_permission(self, request: HttpRequest) -> bool:
        """Requesting one is a change, although no form makes it."""
        return bool(request.user.has_perm("gpu.change_gpubenchmark"))

    @admin.action(description="Request a benchmark of these cards", permissions=["request"])
    def request_again(self, request: HttpRequest, queryset: QuerySet[GPUBenchmark]) -> None:
        gpus = {row.gpu_id: row.gpu for row in queryset.select_related("gpu")}
        for gpu in gpus.values():
            try:
                made = benchmarks.request(gpu, actor=f"user:{request.user}", reason="asked for in the admin")
            except DomainError as error:
                messages.error(request, f"{gpu}: {error.title()} {error.detail}")
                continue
            self.log_change(request, made, "requested")
            messages.success(request, f"{gpu}: requested; its miner hears of it with its next heartbeat.")


@admin.register(BenchmarkTransition)
class BenchmarkTransitionAdmin(ReadOnlyAdmin):
    list_display: ClassVar[list[str]] = ["subject_id", "seq", "from_state", "to_state", "actor", "reason", "at"]
    search_fields: ClassVar[list[str]] = ["subject_id"]
