"""Deposits over HTTP: by operators only, once per Idempotency-Key, with a reason."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from apps.trading.models import LedgerAccount, Transfer
from apps.trading.states import AccountKind
from tests.clients import Api
from tests.owners import new_owner
from tests.trading.inspection import worth

DEPOSITS = "/trading/v1/deposits"


LEDGER = "/trading/v1/ledger"


def deposit_body(owner: object, **changes: Any) -> dict[str, Any]:
    return {"owner_id": str(owner), "amount": "1.5", "reason": "invoice 7", **changes}


def test_an_operator_deposits_with_a_reason(operator_api: Api) -> None:
    owner = new_owner()

    made = operator_api.json("POST", DEPOSITS, deposit_body(owner), status=201, idempotency_key="a")

    assert (made["amount"], made["reason"], made["code"]) == ("1.500000", "invoice 7", "deposit")
    assert str(operator_api.owner_id) in made["actor"] and operator_api.prefix in made["actor"]
    assert worth(owner) == [1_500_000]
    assert [one["id"] for one in operator_api.json("GET", DEPOSITS, status=200)["items"]] == [made["id"]]


def test_the_same_key_deposits_once(operator_api: Api) -> None:
    owner = new_owner()

    first = operator_api.json("POST", DEPOSITS, deposit_body(owner), status=201, idempotency_key="a")
    again = operator_api.json("POST", DEPOSITS, deposit_body(owner), status=201, idempotency_key="a")
    operator_api.json("POST", DEPOSITS, deposit_body(owner, amount="2"), status=422, idempotency_key="a")

    assert first == again
    assert worth(owner) == [1_500_000]


@pytest.mark.parametrize(
    "change",
    [
        {"amount": "0"}, {"amount": "-1"}, {"amount": "1.0000001"}, {"amount": "NaN"}, {"amount": "1e30"},
        {"amount": True}, {"amount": None},
        {"amount": "1000000000.000001"}, {"reason": ""}, {"reason": " "}, {"reason": "x" * 501},
        {"owner_id": "me"}, {"balance": "5"},
    ],
)  # fmt: skip
def test_a_bad_deposit_changes_nothing(operator_api: Api, change: dict[str, Any]) -> None:
    operator_api.json("POST", DEPOSITS, deposit_body(new_owner(), **change), status=400, idempotency_key="a")

    assert not Transfer.objects.deposits().exists()


@pytest.mark.parametrize("owner", [UUID(int=0), uuid4()], ids=["the exchange", "nobody"])
def test_a_deposit_is_to_an_owner_that_exists(operator_api: Api, owner: UUID) -> None:
    problem = operator_api.json("POST", DEPOSITS, deposit_body(owner), status=400, idempotency_key="a")

    assert problem["code"] == "owner_unknown" and problem["errors"][0]["field"] == "owner_id"
    assert not Transfer.objects.deposits().exists()
    assert not LedgerAccount.objects.owned_by(owner).of_kind(AccountKind.AVAILABLE).exists()


def test_a_deposit_needs_a_key_of_its_own(operator_api: Api) -> None:
    operator_api.json("POST", DEPOSITS, deposit_body(new_owner()), status=400)

    assert not Transfer.objects.deposits().exists()


def test_only_operators_deposit(client_api: Api, miner_api: Api, anonymous_api: Api) -> None:
    body = deposit_body(client_api.owner_id)

    assert client_api.post(DEPOSITS, body, idempotency_key="a").status_code == 403
    assert miner_api.post(DEPOSITS, body, idempotency_key="a").status_code == 403
    assert anonymous_api.post(DEPOSITS, body, idempotency_key="a").status_code == 401
    assert client_api.get(f"{LEDGER}/transfers").status_code == 403
