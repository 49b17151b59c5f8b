"""Deposits, and reversals of them, as operators make them over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from apps.trading.models import Reversal, Transfer
from apps.trading.services import deposits
from tests.clients import Api
from tests.owners import new_owner

AIT = 1_000_000
REVERSALS = "/trading/v1/reversals"
#: Above `ledger.two_person_above`.
BIG = 1_000 * AIT + 1


def deposited(amount: int, owner: UUID | None = None) -> Transfer:
    """A deposit of so much micro-AIT for a new owner."""
    return deposits.deposit(owner_id=owner or new_owner(), amount=amount, reason="test", actor="operator:test")


def reverse(api: Api, transfer: object, status: int = 201, key: str = "") -> dict[str, Any]:
    body = {"transfer_id": str(transfer), "reason": "credited twice"}
    return api.json("POST", REVERSALS, body, status=status, idempotency_key=key or str(uuid4()))  # type: ignore[no-any-return]


def propose(deposit: Transfer, api: Api) -> Reversal:
    """The proposal to reverse a deposit that takes two operators."""
    made = reverse(api, deposit.pk)
    assert made["state"] == "proposed"
    return Reversal.objects.get(pk=made["id"])


def approve(api: Api, reversal: object, status: int = 200) -> dict[str, Any]:
    return api.json("POST", f"{REVERSALS}/{reversal}/approve", status=status)  # type: ignore[no-any-return]


def reject(api: Api, reversal: object, status: int = 200) -> dict[str, Any]:
    return api.json("POST", f"{REVERSALS}/{reversal}/reject", {"reason": "no"}, status=status)  # type: ignore[no-any-return]
