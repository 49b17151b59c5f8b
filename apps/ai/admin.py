"""Jobs for operators' eyes: everything readable, nothing editable, acts only through services."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from aitbc.core.errors import DomainError
from aitbc.core.money import format_amount
from apps.ai.models import AIJob, AIJobResult, Artifact, DeadLetter, JobEvent, OperatorAct
from apps.ai.services import admin_ops


class ReadOnly:
    """Rows change through services, never through a form."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class OperatorActInline(ReadOnly, TabularInline):
    model = OperatorAct
    extra = 0
    fields = ("at", "act", "actor", "reason", "detail")


@admin.register(AIJob)
class AIJobAdmin(ReadOnly, ModelAdmin):
    list_display = ("id", "state", "task_type", "attempt", "priority", "amount", "payment_status", "created_at")
    list_filter = ("state", "payment_status", "task_type", "outcome")
    search_fields = ("=id", "=owner_id", "=miner_id", "=receipt_id")
    date_hierarchy = None
    ordering = ("-id",)
    show_full_result_count = False
    inlines = (OperatorActInline,)
    actions = ("put_first", "cancel_and_hide")
    exclude = ("payload",)  # the client's own

    @admin.display(description="payment", ordering="payment_amount")
    def amount(self, job: AIJob) -> str:
        return format_amount(job.payment_amount)

    @admin.action(description="Put first in the queue", permissions=["operate"])
    def put_first(self, request: HttpRequest, jobs: QuerySet[AIJob]) -> None:
        self._each(request, jobs, admin_ops.prioritize)

    @admin.action(description="Delete: cancel with full refund, hide from the owner", permissions=["operate"])
    def cancel_and_hide(self, request: HttpRequest, jobs: QuerySet[AIJob]) -> None:
        self._each(request, jobs, admin_ops.delete)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("ai.change_aijob"))

    def _each(self, request: HttpRequest, jobs: QuerySet[AIJob], service: Any) -> None:
        actor = f"operator:{request.user.get_username()}"
        for job in jobs:
            try:
                service(job=job, actor=actor, reason="from the admin")
            except DomainError as error:
                self.message_user(request, f"{job}: {error.detail}", messages.WARNING)


@admin.register(JobEvent)
class JobEventAdmin(ReadOnly, ModelAdmin):
    list_display = ("subject_id", "seq", "from_state", "to_state", "actor", "reason", "at")
    list_filter = ("to_state",)
    search_fields = ("=subject_id", "actor")
    ordering = ("-id",)
    show_full_result_count = False


@admin.register(AIJobResult)
class AIJobResultAdmin(ReadOnly, ModelAdmin):
    list_display = ("job_id", "task_type", "attempt", "miner_id", "size", "metered_ms", "created_at")
    list_filter = ("task_type",)
    search_fields = ("=job__id", "=miner_id", "sha256")
    exclude = ("result",)
    show_full_result_count = False


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnly, ModelAdmin):
    list_display = ("job_id", "code", "attempts", "reason", "created_at")
    list_filter = ("code",)
    search_fields = ("=job__id", "reason")


@admin.register(Artifact)
class ArtifactAdmin(ReadOnly, ModelAdmin):
    list_display = ("sha256", "owner_id", "size", "refs", "media_type", "created_at")
    search_fields = ("sha256", "=owner_id")
