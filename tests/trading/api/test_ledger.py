"""Money over HTTP and at the shell: deposits, balances, statements."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from aitbc.accounts.services import organisations
from apps.trading.models import Transfer
from apps.trading.services import deposits
from tests.clients import Api
from tests.trading.factories import funded, worth

DEPOSITS = "/trading/v1/deposits"
LEDGER = "/trading/v1/ledger"


def deposit_body(owner: object, **changes: Any) -> dict[str, Any]:
    return {"owner_id": str(owner), "amount": "1.5", "reason": "invoice 7", **changes}


def test_an_operator_deposits_with_a_reason(operator_api: Api) -> None:
    owner = uuid4()

    made = operator_api.json("POST", DEPOSITS, deposit_body(owner), status=201, idempotency_key="a")

    assert (made["amount"], made["reason"], made["code"]) == ("1.500000", "invoice 7", "deposit")
    assert str(operator_api.owner_id) in made["actor"] and operator_api.prefix in made["actor"]
    assert worth(owner) == [1_500_000]
    assert [one["id"] for one in operator_api.json("GET", DEPOSITS, status=200)["items"]] == [made["id"]]


def test_the_same_key_deposits_once(operator_api: Api) -> None:
    owner = uuid4()

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
        {"owner_id": "me"}, {"owner_id": "00000000-0000-0000-0000-000000000000"}, {"balance": "5"},
    ],
)  # fmt: skip
def test_a_bad_deposit_changes_nothing(operator_api: Api, change: dict[str, Any]) -> None:
    operator_api.json("POST", DEPOSITS, deposit_body(uuid4(), **change), status=400, idempotency_key="a")

    assert not Transfer.objects.deposits().exists()


def test_a_deposit_needs_a_key_of_its_own(operator_api: Api) -> None:
    operator_api.json("POST", DEPOSITS, deposit_body(uuid4()), status=400)

    assert not Transfer.objects.deposits().exists()


def test_only_operators_deposit(client_api: Api, miner_api: Api, anonymous_api: Api) -> None:
    body = deposit_body(client_api.owner_id)

    assert client_api.post(DEPOSITS, body, idempotency_key="a").status_code == 403
    assert miner_api.post(DEPOSITS, body, idempotency_key="a").status_code == 403
    assert anonymous_api.post(DEPOSITS, body, idempotency_key="a").status_code == 401
    assert client_api.get(f"{LEDGER}/transfers").status_code == 403


def test_an_owner_sees_what_it_has(client_api: Api) -> None:
    nothing = client_api.json("GET", f"{LEDGER}/balance", status=200)
    deposits.deposit(owner_id=client_api.owner_id, amount=420_000, reason="test", actor="operator:test")

    something = client_api.json("GET", f"{LEDGER}/balance", status=200)

    assert (nothing["available"], something["available"]) == ("0.000000", "0.420000")
    assert something == {
        "owner_id": str(client_api.owner_id), "currency": "AIT",
        "available": "0.420000", "held": "0.000000", "total": "0.420000",
    }  # fmt: skip


def test_an_owner_reads_its_entries_page_by_page(client_api: Api) -> None:
    for amount in (1, 2, 3):
        deposits.deposit(owner_id=client_api.owner_id, amount=amount, reason=f"no. {amount}", actor="operator:test")
    [account] = client_api.json("GET", f"{LEDGER}/accounts", status=200)["items"]
    entries = f"{LEDGER}/accounts/{account['id']}/entries"

    first = client_api.json("GET", f"{entries}?limit=2", status=200)
    second = client_api.json("GET", f"{entries}?limit=2&cursor={first['next']}", status=200)

    assert [entry["reason"] for entry in first["items"] + second["items"]] == ["no. 3", "no. 2", "no. 1"]
    assert {entry["side"] for entry in first["items"]} == {"credit"}
    assert second["next"] is None
    assert account["balance"] == "0.000006"


def test_an_account_of_somebody_else_does_not_exist(client_api: Api, other_client_api: Api, operator_api: Api) -> None:
    deposits.deposit(owner_id=client_api.owner_id, amount=1, reason="test", actor="operator:test")
    [account] = client_api.json("GET", f"{LEDGER}/accounts", status=200)["items"]
    path = f"{LEDGER}/accounts/{account['id']}"

    assert other_client_api.get(path).status_code == 404
    assert other_client_api.get(f"{path}/entries").status_code == 404
    assert other_client_api.json("GET", f"{LEDGER}/accounts?owner_id={client_api.owner_id}")["items"] == []
    assert operator_api.json("GET", path, status=200)["owner_id"] == str(client_api.owner_id)


def test_an_operator_finds_transfers(operator_api: Api) -> None:
    funded(5)
    made = Transfer.objects.get()

    found = operator_api.json("GET", f"{LEDGER}/transfers?code=deposit", status=200)["items"]

    assert [one["id"] for one in found] == [str(made.pk)]
    assert operator_api.json("GET", f"{LEDGER}/transfers?code=fee", status=200)["items"] == []
    assert operator_api.json("GET", f"{LEDGER}/transfers/{made.pk}", status=200)["leaf"] == made.leaf
    for bad in ("code=gift", "ref=me", "colour=red", "limit=0", "cursor=x"):
        assert operator_api.get(f"{LEDGER}/transfers?{bad}").status_code == 400


def run(*arguments: str) -> Any:
    out = StringIO()
    call_command("ledger", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_the_shell_mints_and_shows(db: None) -> None:
    owner = organisations.named("dev")

    run("mint", "dev", "12.5", "--reason", "demo")

    assert worth(owner.pk) == [12_500_000]
    assert run("balance", "dev")[0]["available"] == "12.500000"
    [line] = run("statement", str(owner.pk))
    assert (line["amount"], line["code"], line["reason"]) == ("12.500000", "deposit", "demo")
    out = StringIO()
    call_command("ledger", "balance", stdout=out)
    assert "dev" in out.getvalue() and "12.500000" in out.getvalue()


@pytest.mark.parametrize(
    "arguments",
    [
        ("mint", "nobody", "1", "--reason", "x"), ("mint", "dev", "much", "--reason", "x"),
        ("mint", "dev", "-1", "--reason", "x"), ("mint", "dev", "1"), ("statement", "dev", "--limit", "0"), ("spend",),
    ],
)  # fmt: skip
def test_the_shell_says_what_is_wrong(arguments: tuple[str, ...]) -> None:
    organisations.named("dev")

    with pytest.raises(CommandError):
        run(*arguments)
