"""Decisions in the admin: each by the signed-in user, with a reason, through a service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from aitbc.core.admin import Act, ReadOnlyAdmin, with_reason
from aitbc.core.errors import DomainError
from apps.trading.services.operators import Operator

#: What is done to one row, by whom and why.
Decision = Callable[[Any, Operator, str], object]


class DecidingAdmin(ReadOnlyAdmin):
    """No form changes a row, but actions do, for who may change it."""

    def has_act_permission(self, request: HttpRequest) -> bool:
        opts = self.opts
        return bool(request.user.has_perm(f"{opts.app_label}.change_{opts.model_name}"))

    def decide(
        self, request: HttpRequest, rows: QuerySet[Any], words: tuple[str, str, str], decision: Decision
    ) -> HttpResponse | None:
        """Ask for a reason, then decide about each row; one that is refused is reported and stops no other.

        `words` are the action's name, its title and its effect.
        """

        def run(chosen: QuerySet[Any], reason: str) -> int:
            return sum(self._decided(request, row, reason, decision) for row in chosen)

        return with_reason(self, request, rows, Act(*words, run))

    def _decided(self, request: HttpRequest, row: Any, reason: str, decision: Decision) -> bool:
        operator = Operator(f"user:{request.user.get_username()}"[:100], user_id=request.user.pk)
        try:
            decision(row, operator, reason)
        except DomainError as error:
            messages.error(request, f"{row}: {error.detail}")
            return False
        self.log_change(request, row, f"{self.opts.verbose_name}: {reason}")
        return True
