"""Jobs in the admin site: readable, nothing editable, actions only through services."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.admin import TabularInline

from aitbc.core.admin import Act, ReadOnlyAdmin, Related, json_in_ait, with_reason
from aitbc.core.errors import DomainError
from apps.ai.models import AIJob, AIJobResult, DeadLetter, JobEvent, OperatorAct
from apps.ai.services import operator_actions


class OperatorActInline(TabularInline):  # type: ignore[misc]  # Unfold carries no types
    model = OperatorAct
    extra = 0
    fields = ("at", "act", "actor", "reason", "detail")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(AIJob)
class AIJobAdmin(ReadOnlyAdmin):
    list_display = ("id", "state", "task_type", "attempt", "priority", "payment_amount", "payment_status", "created_at")
    list_filter = ("state", "payment_status", "task_type", "outcome")
    search_fields = ("=id", "=owner_id", "=miner_id", "=receipt_id")
    date_hierarchy = None
    ordering = ("-id",)
    show_full_result_count = False
    inlines = (OperatorActInline,)
    actions = ("put_first", "cancel_and_hide")
    exclude = ("payload", "requirement")  # the payload is the client's own
    readonly_fields = (json_in_ait("requirement", "max_price"),)
    related = (
        Related("history", "ai.jobevent", "subject_id"), Related("result", "ai.aijobresult", "job_id"),
        Related("work", "gpu.work", "job_id"), Related("leases", "gpu.lease", "job_id"),
        Related("late results", "gpu.lateresult", "job_id"), Related("payment", "trading.payment", "job_id"),
        Related("receipt", "trading.receipt", "job_id"), Related("transfers", "trading.transfer", "ref"),
        Related("dead letters", "ai.deadletter", "job_id"), Related("claims of bad input", "ai.inputclaim", "job_id"),
    )  # fmt: skip

    @admin.action(description="Put first in the queue", permissions=["operate"])
    def put_first(self, request: HttpRequest, jobs: QuerySet[AIJob]) -> HttpResponse | None:
        effect = "Each job that waits gets the highest priority. One that runs or has ended is left as it is."
        run = self._each(request, operator_actions.prioritize)
        return with_reason(self, request, jobs, Act("put_first", "Put first in the queue", effect, run))

    @admin.action(description="Delete: cancel with full refund, take out of the owner's lists", permissions=["operate"])
    def cancel_and_hide(self, request: HttpRequest, jobs: QuerySet[AIJob]) -> HttpResponse | None:
        effect = (
            "Each job leaves its owner's lists; by its id the owner can still read it. One that has not ended is "
            "cancelled and its payment goes back in full; "
            "one whose result was accepted is still paid for. This cannot be undone."
        )
        run = self._each(request, operator_actions.delete)
        return with_reason(self, request, jobs, Act("cancel_and_hide", "Delete jobs", effect, run))

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("ai.change_aijob"))

    def _each(self, request: HttpRequest, service: Any) -> Callable[[QuerySet[AIJob], str], int]:
        """Call the service for each job; one that it refuses is reported and stops no other."""
        return lambda jobs, reason: sum(self._act_on(request, job, reason, service) for job in jobs)

    def _act_on(self, request: HttpRequest, job: AIJob, reason: str, service: Any) -> bool:
        try:
            service(job=job, actor=f"operator:{request.user.get_username()}", reason=reason)
        except DomainError as error:
            self.message_user(request, f"{job}: {error.detail}", messages.WARNING)
            return False
        return True


@admin.register(JobEvent)
class JobEventAdmin(ReadOnlyAdmin):
    list_display = ("subject_id", "seq", "from_state", "to_state", "actor", "reason", "at")
    list_filter = ("to_state",)
    search_fields = ("=subject_id", "actor")
    ordering = ("-id",)
    show_full_result_count = False


@admin.register(AIJobResult)
class AIJobResultAdmin(ReadOnlyAdmin):
    list_display = ("job_id", "task_type", "attempt", "miner_id", "size", "metered_ms", "created_at", "removed_at")
    list_filter = ("task_type",)
    search_fields = ("=job__id", "=miner_id", "sha256")
    exclude = ("result",)
    show_full_result_count = False


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    list_display = ("job_id", "code", "attempts", "reason", "created_at")
    list_filter = ("code",)
    search_fields = ("=job__id", "reason")
