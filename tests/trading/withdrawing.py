"""Withdrawals as owners request them and operators decide about them over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from apps.trading.models import Withdrawal
from apps.trading.services import withdrawals
from tests.clients import Api
from tests.trading.reversing import deposited

WITHDRAWALS = "/trading/v1/withdrawals"


def withdrawal(amount: int, owner: UUID | None = None) -> Withdrawal:
    """A withdrawal of so much micro-AIT, all that its owner had brought in for it."""
    owner_id = deposited(amount, owner).credit.owner_id
    return withdrawals.request(owner_id=owner_id, amount=amount, destination="IBAN DE02", actor="owner:test")


def request(api: Api, amount: str, status: int = 201, key: str = "", **changes: Any) -> dict[str, Any]:
    body = {"amount": amount, "destination": "IBAN DE02", **changes}
    return api.json("POST", WITHDRAWALS, body, status=status, idempotency_key=key or str(uuid4()))  # type: ignore[no-any-return]


def decide(api: Api, row: Withdrawal | dict[str, Any], verb: str, status: int = 200, **body: str) -> dict[str, Any]:
    """Approve, reject, pay or cancel it."""
    pk = row["id"] if isinstance(row, dict) else row.pk
    return api.json("POST", f"{WITHDRAWALS}/{pk}/{verb}", body or None, status=status)  # type: ignore[no-any-return]
