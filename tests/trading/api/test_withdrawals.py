"""Withdrawals over HTTP: held at once, decided by operators, paid once; owners see their own."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from aitbc.accounts.models import Organisation
from aitbc.accounts.services import organisations
from aitbc.core.errors import Forbidden
from apps.trading.models import Transfer, Withdrawal, WithdrawalEvent
from apps.trading.services import withdrawals
from apps.trading.states import Code, Phase
from tests.clients import Api
from tests.owners import operator
from tests.sweeping import ago, set_columns
from tests.trading.inspection import reported, worth
from tests.trading.reversing import AIT, BIG, deposited, reverse
from tests.trading.withdrawing import WITHDRAWALS, decide, request, withdrawal

NUMBERS = ("I12", "I13", "I14", "I15", "I16", "I20", "T10", "T11", "T12")


@pytest.fixture
def rich_api(client_api: Api) -> Api:
    """A client with 10 AIT."""
    deposited(10 * AIT, client_api.owner_id)
    return client_api


def violations() -> list[str]:
    return [line for name in NUMBERS for line in reported(name)]


def balance(api: Api) -> tuple[str, str, str]:
    shown = api.json("GET", "/trading/v1/ledger/balance", status=200)
    return shown["available"], shown["held"], shown["total"]


def test_a_withdrawal_is_held_approved_and_paid(rich_api: Api, operator_api: Api) -> None:
    made = request(rich_api, "4")

    assert (made["state"], made["amount"], made["destination"]) == ("requested", "4.000000", "IBAN DE02")
    assert balance(rich_api) == ("6.000000", "4.000000", "10.000000")
    assert decide(operator_api, made, "approve")["state"] == "approved"
    paid = decide(operator_api, made, "pay", external_reference="bank 4711")

    assert (paid["state"], paid["external_reference"]) == ("paid", "bank 4711") and paid["ended_at"]
    assert balance(rich_api) == ("6.000000", "0.000000", "6.000000")
    moved = Transfer.objects.filter(ref=made["id"]).values_list("code", "phase", "amount")
    assert list(moved) == [(Code.WITHDRAWAL, Phase.PENDING, 4 * AIT), (Code.WITHDRAWAL, Phase.POST, 4 * AIT)]
    assert decide(operator_api, made, "pay", 409, external_reference="bank 4712")["state"] == "paid"
    steps = WithdrawalEvent.objects.filter(subject_id=made["id"]).values_list("to_state", "actor")
    assert [(state, rich_api.prefix in actor) for state, actor in steps] == [
        ("requested", True), ("approved", False), ("paid", False),
    ]  # fmt: skip
    assert violations() == []


@pytest.mark.parametrize("verb", ["reject", "cancel"])
def test_a_refused_or_cancelled_withdrawal_frees_the_money(rich_api: Api, operator_api: Api, verb: str) -> None:
    made = request(rich_api, "4")

    if verb == "reject":
        ended = decide(operator_api, made, verb, reason="unknown bank")
        assert (ended["state"], ended["decision"]) == ("rejected", "unknown bank")
    else:
        assert decide(rich_api, made, verb)["state"] == "cancelled"

    assert balance(rich_api) == ("10.000000", "0.000000", "10.000000")
    for again in ("approve", "cancel"):
        assert decide(rich_api if again == "cancel" else operator_api, made, again, 409)["allowed"] == []
    assert violations() == []


def test_an_approved_withdrawal_is_not_cancelled_but_may_be_rejected(rich_api: Api, operator_api: Api) -> None:
    made = request(rich_api, "4")
    decide(operator_api, made, "approve")

    assert decide(rich_api, made, "cancel", 409)["state"] == "approved"
    set_columns(Withdrawal.objects.get(), due_at=ago(days=99))
    assert withdrawals.expire_overdue() == 0
    assert decide(operator_api, made, "reject", reason="sent back")["state"] == "rejected"
    assert balance(rich_api)[0] == "10.000000"
    assert violations() == []


def test_more_than_there_is_is_not_withdrawn(rich_api: Api) -> None:
    request(rich_api, "6")

    problem = request(rich_api, "4.000001", 402)

    assert (problem["needed"], problem["available"]) == ("4.000001", "4.000000")
    assert Withdrawal.objects.count() == 1


def test_the_same_key_withdraws_once(rich_api: Api) -> None:
    first = request(rich_api, "4", key="k")

    assert request(rich_api, "4", key="k") == first
    request(rich_api, "5", 422, key="k")
    assert balance(rich_api)[1] == "4.000000"
    assert rich_api.post(WITHDRAWALS, {"amount": "1", "destination": "x"}).status_code == 400


def test_above_the_parameter_two_users_approve(client_api: Api, operator_api: Api) -> None:
    alice, bob = operator("alice"), operator("bob")
    row = withdrawal(BIG, client_api.owner_id)

    assert decide(operator_api, row, "approve", 403)["code"] == "second_operator_needed"
    assert decide(alice, row, "approve")["state"] == "proposed"
    assert decide(alice, row, "pay", 409, external_reference="early")["state"] == "proposed"
    assert decide(alice, row, "approve", 403)["code"] == "second_operator_needed"
    assert decide(bob, row, "approve")["state"] == "approved"
    assert decide(operator_api, row, "pay", external_reference="bank 1")["state"] == "paid"
    assert violations() == []


def test_a_proposed_withdrawal_is_still_cancelled_by_its_owner(client_api: Api) -> None:
    row = withdrawal(BIG, client_api.owner_id)
    decide(operator("alice"), row, "approve")

    assert decide(client_api, row, "cancel")["state"] == "cancelled"
    assert worth(row.owner_id) == [BIG]


def test_what_is_late_is_not_approved(operator_api: Api) -> None:
    row = withdrawal(AIT)
    set_columns(row, due_at=ago(seconds=1))

    assert decide(operator_api, row, "approve", 410)["code"] == "gone"
    assert withdrawals.expire_overdue() == 1
    row.refresh_from_db()
    assert (row.state, worth(row.owner_id)) == ("expired", [AIT])
    assert violations() == []


def test_one_payment_outside_pays_one_withdrawal(operator_api: Api) -> None:
    first, second = withdrawal(AIT), withdrawal(AIT)
    for row in (first, second):
        decide(operator_api, row, "approve")
    decide(operator_api, first, "pay", external_reference="bank 1")

    assert decide(operator_api, second, "pay", 409, external_reference=" bank 1 ")["code"] == "reference_used"
    assert decide(operator_api, second, "pay", external_reference="bank 2")["state"] == "paid"


def test_owners_see_their_own_and_operators_all(rich_api: Api, other_client_api: Api, operator_api: Api) -> None:
    made = request(rich_api, "4")
    other = withdrawal(AIT)

    assert [one["id"] for one in rich_api.json("GET", WITHDRAWALS, status=200)["items"]] == [made["id"]]
    assert rich_api.json("GET", f"{WITHDRAWALS}?owner_id={other.owner_id}", status=200)["items"] == []
    assert other_client_api.json("GET", WITHDRAWALS, status=200)["items"] == []
    assert other_client_api.get(f"{WITHDRAWALS}/{made['id']}").status_code == 404
    assert other_client_api.post(f"{WITHDRAWALS}/{made['id']}/cancel").status_code == 404
    for verb in ("approve", "reject", "pay"):
        assert rich_api.post(f"{WITHDRAWALS}/{made['id']}/{verb}", {}).status_code == 403
    listed = operator_api.json("GET", WITHDRAWALS, status=200)["items"]
    assert [one["id"] for one in listed] == [str(other.pk), made["id"]]
    narrowed = operator_api.json("GET", f"{WITHDRAWALS}?owner_id={other.owner_id}&state=requested", status=200)
    assert [one["id"] for one in narrowed["items"]] == [str(other.pk)]


def test_scopes_that_may_not_withdraw(api_for: Any, operator_api: Api, anonymous_api: Api) -> None:
    reader = api_for("client", "read")
    body = {"amount": "1", "destination": "x"}

    assert reader.get(WITHDRAWALS).status_code == 200
    for api, status in ((reader, 403), (operator_api, 403), (anonymous_api, 401)):
        assert api.post(WITHDRAWALS, body, idempotency_key="a").status_code == status
    both = api_for("operator", "operator", "client")
    foreign = withdrawal(AIT)
    assert both.post(f"{WITHDRAWALS}/{foreign.pk}/cancel").status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"amount": "0"}, {"amount": "-1"}, {"amount": "1.0000001"}, {"amount": "1e1"}, {"amount": "NaN"},
        {"destination": ""}, {"destination": " "}, {"destination": "x" * 201}, {"owner_id": str(uuid4())},
    ],
)  # fmt: skip
def test_a_bad_request_holds_nothing(rich_api: Api, change: dict[str, Any]) -> None:
    request(rich_api, **{"amount": "1", **change, "status": 400})

    assert balance(rich_api)[1] == "0.000000"


def test_a_banned_owner_gets_nothing_out(operator_api: Api) -> None:
    row = withdrawal(AIT)
    organisations.ban(organisation=Organisation.objects.get(pk=row.owner_id), reason="fraud", actor="test")

    assert "banned" in decide(operator_api, row, "approve", 403)["detail"]
    with pytest.raises(Forbidden):
        withdrawals.request(owner_id=row.owner_id, amount=1, destination="x", actor="operator:shell")
    assert decide(operator_api, row, "reject", reason="fraud")["state"] == "rejected"


def test_money_on_its_way_out_is_not_reversed(operator_api: Api) -> None:
    deposit = deposited(AIT)
    row = withdrawals.request(owner_id=deposit.credit.owner_id, amount=1, destination="x", actor="owner:test")

    assert reverse(operator_api, deposit.pk, 409)["code"] == "reversal_uncovered"
    assert reverse(operator_api, row.hold_id, 409)["code"] == "not_reversible"
