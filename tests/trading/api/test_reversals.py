"""Reversals over HTTP: a new transfer naming the old one, at most one each, by two users above the parameter."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from aitbc.core import params
from apps.trading.models import Reversal, ReversalEvent, Transfer
from apps.trading.services import ledger
from apps.trading.states import Code, Phase
from tests.clients import Api
from tests.owners import operator
from tests.sweeping import ago, set_columns
from tests.trading.factories import transfer
from tests.trading.inspection import reported, worth
from tests.trading.reversing import AIT, BIG, REVERSALS, approve, deposited, propose, reject, reverse


@pytest.fixture
def alice(db: None) -> Api:
    return operator("alice")


@pytest.fixture
def bob(db: None) -> Api:
    return operator("bob")


def owner_of(deposit: Transfer) -> UUID:
    return deposit.credit.owner_id


def test_a_deposit_is_reversed_by_a_new_transfer(operator_api: Api) -> None:
    deposit = deposited(5 * AIT)

    made = reverse(operator_api, deposit.pk)

    assert (made["state"], made["amount"], made["two_person"]) == ("posted", "5.000000", False)
    new = Transfer.objects.get(pk=made["reversal_id"])
    assert (new.code, new.ref, new.amount) == (Code.REVERSAL, deposit.pk, deposit.amount)
    assert (new.debit_id, new.credit_id) == (deposit.credit_id, deposit.debit_id)
    assert new.reason == "credited twice" and operator_api.prefix in new.actor
    assert worth(owner_of(deposit)) == [0]
    assert [one["id"] for one in operator_api.json("GET", REVERSALS, status=200)["items"]] == [made["id"]]
    assert operator_api.json("GET", f"{REVERSALS}/{made['id']}", status=200) == made
    assert [reported(name) for name in ("I12", "I14", "I15", "I20", "T10", "T11")] == [[]] * 6


def test_a_transfer_is_reversed_once(operator_api: Api) -> None:
    deposit = deposited(5 * AIT)
    deposited(5 * AIT, owner_of(deposit))

    first = reverse(operator_api, deposit.pk, key="k")

    assert reverse(operator_api, deposit.pk, key="k") == first
    assert reverse(operator_api, deposit.pk, status=409)["code"] == "already_reversed"
    assert worth(owner_of(deposit)) == [5 * AIT]


@pytest.mark.parametrize("phase", [Phase.SINGLE, Phase.PENDING], ids=["spent", "held"])
def test_money_that_is_gone_is_not_taken_back(operator_api: Api, phase: Phase) -> None:
    deposit = deposited(5 * AIT)
    ledger.post([transfer(owner_of(deposit), uuid4(), 1, code=Code.HOLD, phase=phase)], actor="system:test")

    problem = reverse(operator_api, deposit.pk, status=409)

    assert (problem["code"], problem["needed"], problem["available"]) == ("reversal_uncovered", "5.000000", "4.999999")
    assert worth(owner_of(deposit)) == [5 * AIT - 1]
    assert not Reversal.objects.exists()


def test_what_belongs_to_a_payment_is_not_reversed(operator_api: Api, paid_job) -> None:
    job = paid_job()
    done = reverse(operator_api, deposited(1).pk)

    for code in ("hold", "capture", "payout", "fee"):
        problem = reverse(operator_api, Transfer.objects.get(ref=job, code=code).pk, status=409)
        assert problem["code"] == "not_reversible" and code in problem["detail"]
    assert reverse(operator_api, done["reversal_id"], status=409)["code"] == "not_reversible"
    assert reverse(operator_api, uuid4(), status=404)["code"] == "not_found"


def test_above_the_parameter_a_second_user_approves(alice: Api, bob: Api, operator_api: Api) -> None:
    deposit = deposited(BIG)

    proposal = propose(deposit, alice)

    assert worth(owner_of(deposit)) == [BIG]
    assert reverse(bob, deposit.pk, status=409)["code"] == "already_reversed"
    assert approve(alice, proposal.pk, status=403)["code"] == "second_operator_needed"
    another_key_of_hers, key_of_no_user = operator("alice"), operator_api
    for caller in (another_key_of_hers, key_of_no_user):
        assert approve(caller, proposal.pk, status=403)["code"] == "second_operator_needed"
    assert approve(bob, proposal.pk)["state"] == "posted"
    assert worth(owner_of(deposit)) == [0]
    assert approve(bob, proposal.pk, status=409)["state"] == "posted"
    steps = ReversalEvent.objects.filter(subject_id=proposal.pk).values_list("to_state", "actor")
    assert [(to, alice.prefix in actor, bob.prefix in actor) for to, actor in steps] == [
        ("proposed", True, False), ("posted", False, True),
    ]  # fmt: skip
    assert reported("T11") == []


def test_a_key_of_no_user_proposes_nothing(operator_api: Api) -> None:
    problem = reverse(operator_api, deposited(BIG).pk, status=403)

    assert problem["code"] == "second_operator_needed" and "key create" in problem["detail"]


def test_the_parameter_draws_the_line(operator_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reverse(operator_api, deposited(BIG - 1).pk)["state"] == "posted"

    monkeypatch.setitem(params.overrides(), "ledger.two_person_above", 0)
    reverse(operator_api, deposited(1).pk, status=403)


def test_money_spent_since_the_proposal_is_not_taken_back(alice: Api, bob: Api) -> None:
    deposit = deposited(BIG)
    proposal = propose(deposit, alice)
    ledger.post([transfer(owner_of(deposit), uuid4(), 1)], actor="system:test")

    assert approve(bob, proposal.pk, status=409)["code"] == "reversal_uncovered"

    proposal.refresh_from_db()
    assert proposal.state == "proposed" and worth(owner_of(deposit)) == [BIG - 1]


def test_a_proposal_that_is_rejected_or_late_moves_nothing(alice: Api, bob: Api) -> None:
    deposit = deposited(BIG)
    first = propose(deposit, alice)

    assert reject(bob, first.pk)["state"] == "rejected"
    assert approve(bob, first.pk, status=409)["allowed"] == []
    second = propose(deposit, bob)
    set_columns(second, due_at=ago(seconds=1))

    assert approve(alice, second.pk, status=410)["code"] == "gone"
    assert worth(owner_of(deposit)) == [BIG]


def test_reversing_is_for_operators_with_a_reason_and_a_key(client_api: Api, operator_api: Api) -> None:
    body = {"transfer_id": str(deposited(1).pk), "reason": "x"}

    assert client_api.post(REVERSALS, body, idempotency_key="a").status_code == 403
    assert client_api.get(REVERSALS).status_code == 403
    assert operator_api.post(REVERSALS, body).status_code == 400
    for change in ({"reason": " "}, {"reason": "x" * 501}, {"transfer_id": "me"}, {"amount": "1"}):
        assert operator_api.post(REVERSALS, {**body, **change}, idempotency_key="a").status_code == 400
    assert not Reversal.objects.exists()
