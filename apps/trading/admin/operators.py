"""The person in the admin, as services record operators."""

from __future__ import annotations

from django.http import HttpRequest

from apps.trading.services.operators import Operator


def operator_of(request: HttpRequest) -> Operator:
    """Return the signed-in user as an operator."""
    return Operator(f"user:{request.user.get_username()}", user_id=request.user.pk)
