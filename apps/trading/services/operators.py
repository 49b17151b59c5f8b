"""Who decides about money that is moved back or leaves: one operator, or two above `ledger.two_person_above`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from aitbc.core import params
from aitbc.core.errors import Gone, Invalid
from aitbc.core.money import format_amount
from apps.trading.errors import SecondOperatorNeeded


@dataclass(frozen=True)
class Operator:
    """An operator: the name for histories, and the user behind it where one is known."""

    label: str
    user_id: UUID | None = None


#: Whoever has the exchange's own machine; no proof of who that is.
SHELL = Operator("operator:shell")


def two_decide(amount: int) -> bool:
    """Return whether two operators decide about so much micro-AIT."""
    return amount > params.get("ledger.two_person_above")


def require_user(operator: Operator) -> UUID:
    """Return the operator's user. Raises SecondOperatorNeeded where none is known: at the shell, by a shared key."""
    if operator.user_id is None:
        limit = format_amount(params.get("ledger.two_person_above"))
        raise SecondOperatorNeeded(
            f"Above {limit} AIT two users decide: in the admin, or over HTTP by keys of their own, which "
            "`manage.py key create --owner USERNAME --scope operator` makes."
        )
    return operator.user_id


def require_second(operator: Operator, first: UUID | None) -> UUID:
    """Return the second operator's user. Raises SecondOperatorNeeded when it is the first one's too."""
    user_id = require_user(operator)
    if user_id == first:
        raise SecondOperatorNeeded("You decided first; another user has to decide second.")
    return user_id


def require_reason(reason: str) -> str:
    """Return the reason without outer space. Raises Invalid when nothing is left."""
    if not reason.strip():
        raise Invalid("Say why: the reason is kept for good.")
    return reason.strip()


def due_in(parameter: str) -> datetime:
    """Return the deadline that is as many seconds away as this parameter says."""
    return timezone.now() + timedelta(seconds=params.get(parameter))


def require_in_time(due_at: datetime) -> None:
    """Raise Gone after the deadline, whether the sweep has passed or not."""
    if due_at <= timezone.now():
        raise Gone(f"It expired at {due_at:%Y-%m-%dT%H:%M:%SZ}.")
